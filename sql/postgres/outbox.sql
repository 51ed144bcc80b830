-- The outbox for PostgreSQL (10 and later): in the database that provisioning changes.
--   psql kamailio < sql/postgres/outbox.sql
-- The user that the proxies connect as needs SELECT and DELETE on shc_outbox, SELECT and UPDATE on shc_outbox_lease, and
-- SELECT on shc_outbox_clock; whoever changes your tables needs INSERT on shc_outbox.
BEGIN;

-- One row for each change, in the transaction that makes it. Ids are never given twice.
CREATE TABLE shc_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cache_table VARCHAR(32) NOT NULL,
    -- NULL is the whole table; a tag where cache_table is '~tag'.
    cache_key TEXT,
    created TIMESTAMP NOT NULL DEFAULT now()
);

-- Which proxy drains it, and until when.
CREATE TABLE shc_outbox_lease (
    id INT PRIMARY KEY,
    holder VARCHAR(128) NOT NULL,
    until_ms BIGINT NOT NULL
);
INSERT INTO shc_outbox_lease VALUES (1, '', 0);

-- The one clock for that.
CREATE VIEW shc_outbox_clock AS SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms;
COMMIT;
