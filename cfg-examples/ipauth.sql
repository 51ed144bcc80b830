-- The tables that ipauth.cfg asks, for SQLite, with three subscribers: alice and carol are in the group, bob is not.
--   sqlite3 /tmp/ipauth.sqlite < ipauth.sql
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE version (table_name TEXT PRIMARY KEY, table_version INTEGER NOT NULL);
INSERT INTO version VALUES ('grp', 2), ('subscriber', 7);

CREATE TABLE subscriber (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL,
    domain TEXT NOT NULL DEFAULT '',
    UNIQUE (username, domain)
);

CREATE TABLE grp (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL,
    domain TEXT NOT NULL DEFAULT '',
    grp TEXT NOT NULL,
    last_modified TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (username, domain, grp)
);

INSERT INTO subscriber (username) VALUES ('alice'), ('bob'), ('carol');
INSERT INTO grp (username, grp) VALUES ('alice', 'ipauth'), ('carol', 'ipauth');
COMMIT;
