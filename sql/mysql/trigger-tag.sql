-- Triggers for one table that name a tag, for MariaDB and MySQL: all tables of the cache hear of a change. Put in your names:
--   sed 's/@TABLE@/subscriber/g; s/@COLUMN@/username/g; s/@TAG@/user:/g' sql/mysql/trigger-tag.sql | mariadb kamailio
-- @TABLE@ is the table that changes; the tag is @TAG@ and what @COLUMN@ holds. MySQL runs no triggers for TRUNCATE, nor for rows that
-- a foreign key changes.
CREATE TRIGGER shc_@TABLE@_tag_insert AFTER INSERT ON @TABLE@ FOR EACH ROW
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('~tag', CONCAT('@TAG@', NEW.@COLUMN@));
CREATE TRIGGER shc_@TABLE@_tag_update AFTER UPDATE ON @TABLE@ FOR EACH ROW
    INSERT INTO shc_outbox (cache_table, cache_key)
        VALUES ('~tag', CONCAT('@TAG@', OLD.@COLUMN@)), ('~tag', CONCAT('@TAG@', NEW.@COLUMN@));
CREATE TRIGGER shc_@TABLE@_tag_delete AFTER DELETE ON @TABLE@ FOR EACH ROW
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('~tag', CONCAT('@TAG@', OLD.@COLUMN@));
