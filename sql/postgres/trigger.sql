-- Triggers for one table, for PostgreSQL. Put in your names:
--   sed 's/@TABLE@/grp/g; s/@COLUMN@/username/g; s/@CACHE@/ipauth/g' sql/postgres/trigger.sql | psql kamailio
-- @TABLE@ is the table that changes, @COLUMN@ the column that makes the key, @CACHE@ the table of the cache. A key of several columns is
-- OLD.username || '@' || OLD.domain, and the same with NEW.
BEGIN;
CREATE FUNCTION shc_@TABLE@_@CACHE@() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', NULL);
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', OLD.@COLUMN@);
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('@CACHE@', NEW.@COLUMN@);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER shc_@TABLE@_@CACHE@ AFTER INSERT OR UPDATE OR DELETE ON @TABLE@
    FOR EACH ROW EXECUTE PROCEDURE shc_@TABLE@_@CACHE@();
CREATE TRIGGER shc_@TABLE@_@CACHE@_truncate AFTER TRUNCATE ON @TABLE@
    FOR EACH STATEMENT EXECUTE PROCEDURE shc_@TABLE@_@CACHE@();
COMMIT;
