-- Triggers for one table, for SQLite. Put in your names:
--   sed 's/@TABLE@/grp/g; s/@COLUMN@/username/g; s/@CACHE@/ipauth/g' sql/sqlite/trigger.sql | sqlite3 kamailio.sqlite
-- @TABLE@ is the table that changes, @COLUMN@ the column that makes the key, @CACHE@ the table of the cache. A key of several columns is
-- OLD.username || '@' || OLD.domain, and the same with NEW. INSERT OR REPLACE tells of a row that it removes only after
-- PRAGMA recursive_triggers = ON in the connection that does it.
BEGIN;
CREATE TRIGGER shc_@TABLE@_@CACHE@_insert AFTER INSERT ON @TABLE@ BEGIN
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', NEW.@COLUMN@);
END;
CREATE TRIGGER shc_@TABLE@_@CACHE@_update AFTER UPDATE ON @TABLE@ BEGIN
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', OLD.@COLUMN@), ('@CACHE@', NEW.@COLUMN@);
END;
CREATE TRIGGER shc_@TABLE@_@CACHE@_delete AFTER DELETE ON @TABLE@ BEGIN
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', OLD.@COLUMN@);
END;
COMMIT;
