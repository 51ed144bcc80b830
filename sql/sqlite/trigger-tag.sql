-- Triggers for one table that name a tag, for SQLite: all tables of the cache hear of a change. Put in your names:
--   sed 's/@TABLE@/subscriber/g; s/@COLUMN@/username/g; s/@TAG@/user:/g' sql/sqlite/trigger-tag.sql | sqlite3 kamailio.sqlite
-- @TABLE@ is the table that changes; the tag is @TAG@ and what @COLUMN@ holds. INSERT OR REPLACE tells of a row that it removes only
-- after PRAGMA recursive_triggers = ON in the connection that does it.
BEGIN;
CREATE TRIGGER shc_@TABLE@_tag_insert AFTER INSERT ON @TABLE@ BEGIN
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('~tag', '@TAG@' || NEW.@COLUMN@);
END;
CREATE TRIGGER shc_@TABLE@_tag_update AFTER UPDATE ON @TABLE@ BEGIN
    INSERT INTO shc_outbox (cache_table, cache_key)
        VALUES ('~tag', '@TAG@' || OLD.@COLUMN@), ('~tag', '@TAG@' || NEW.@COLUMN@);
END;
CREATE TRIGGER shc_@TABLE@_tag_delete AFTER DELETE ON @TABLE@ BEGIN
    INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('~tag', '@TAG@' || OLD.@COLUMN@);
END;
COMMIT;
