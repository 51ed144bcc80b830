-- The outbox for MariaDB (10.3 and later) and MySQL (8.0 and later): in the database that provisioning changes.
--   mariadb kamailio < sql/mysql/outbox.sql
-- The user that the proxies connect as needs SELECT and DELETE on shc_outbox, SELECT and UPDATE on shc_outbox_lease, and
-- SELECT on shc_outbox_clock; whoever changes your tables needs INSERT on shc_outbox (triggers run with their creator's rights).

-- One row for each change, in the transaction that makes it. Ids are never given twice, not even after a restart.
CREATE TABLE shc_outbox (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cache_table VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- NULL is the whole table; a tag where cache_table is '~tag'.
    cache_key TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB;

-- Which proxy drains it, and until when.
CREATE TABLE shc_outbox_lease (
    id INT NOT NULL PRIMARY KEY,
    holder VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    until_ms BIGINT NOT NULL
) ENGINE = InnoDB;
INSERT INTO shc_outbox_lease VALUES (1, '', 0);

-- The one clock for that.
CREATE VIEW shc_outbox_clock AS SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED) AS now_ms;
