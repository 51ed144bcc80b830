-- The directory that shards.cfg reads: which back-end a user lives on.
--   sqlite3 /tmp/shards.sqlite < shards.sql
CREATE TABLE users (username VARCHAR(64) NOT NULL PRIMARY KEY, shard VARCHAR(64) NOT NULL);
INSERT INTO users VALUES ('alice', '10.0.1.1:5060'), ('bob', '10.0.1.2:5060'), ('carol', '10.0.1.3:5060');
