-- Triggers for one table, for MariaDB and MySQL. Put in your names:
--   sed 's/@TABLE@/grp/g; s/@COLUMN@/username/g; s/@CACHE@/ipauth/g' sql/mysql/trigger.sql | mariadb kamailio
-- @TABLE@ is the table that changes, @COLUMN@ the column that makes the key, @CACHE@ the table of the cache. A key of several columns is
-- CONCAT(OLD.username, '@', OLD.domain), and the same with NEW. MySQL runs no triggers for TRUNCATE, nor for rows that a
-- foreign key changes: after those, INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', NULL).
CREATE TRIGGER shc_@TABLE@_@CACHE@_insert AFTER INSERT ON @TABLE@ FOR EACH ROW
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', NEW.@COLUMN@);
CREATE TRIGGER shc_@TABLE@_@CACHE@_update AFTER UPDATE ON @TABLE@ FOR EACH ROW
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', OLD.@COLUMN@), ('@CACHE@', NEW.@COLUMN@);
CREATE TRIGGER shc_@TABLE@_@CACHE@_delete AFTER DELETE ON @TABLE@ FOR EACH ROW
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', OLD.@COLUMN@);
