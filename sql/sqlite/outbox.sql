-- The outbox for SQLite: in the file that provisioning changes. Proxies that share one run on one machine.
--   sqlite3 kamailio.sqlite < sql/sqlite/outbox.sql
PRAGMA journal_mode = WAL;
BEGIN;

-- One row for each change, in the transaction that makes it. Ids are never given twice: that takes AUTOINCREMENT.
CREATE TABLE shc_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cache_table TEXT NOT NULL,
    -- NULL is the whole table; a tag where cache_table is '~tag'.
    cache_key TEXT,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- Which proxy drains it, and until when.
CREATE TABLE shc_outbox_lease (
    id INTEGER PRIMARY KEY,
    holder TEXT NOT NULL,
    until_ms BIGINT NOT NULL
);
INSERT INTO shc_outbox_lease VALUES (1, '', 0);

-- The one clock for that.
CREATE VIEW shc_outbox_clock AS SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AS now_ms;
COMMIT;
