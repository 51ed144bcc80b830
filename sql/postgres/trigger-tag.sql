-- Triggers for one table that name a tag, for PostgreSQL: all tables of the cache hear of a change. Put in your names:
--   sed 's/@TABLE@/subscriber/g; s/@COLUMN@/username/g; s/@TAG@/user:/g' sql/postgres/trigger-tag.sql | psql kamailio
-- @TABLE@ is the table that changes; the tag is @TAG@ and what @COLUMN@ holds. A TRUNCATE names no rows, so it tells of none.
BEGIN;
CREATE FUNCTION shc_@TABLE@_tag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('~tag', '@TAG@' || OLD.@COLUMN@);
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('~tag', '@TAG@' || NEW.@COLUMN@);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER shc_@TABLE@_tag AFTER INSERT OR UPDATE OR DELETE ON @TABLE@
    FOR EACH ROW EXECUTE PROCEDURE shc_@TABLE@_tag();
COMMIT;
