//! Near tables under tags: a tag that is invalidated anywhere voids what every host keeps near, in time.

use super::support::worker::standing;
use super::support::{Memcached, PATIENT_MS, Watched, until};
use super::{invalidate, read, set};
use shardcache::cache::Verdict;
use shardcache::cluster::TableStat;
use shardcache::config::Config;
use std::time::{Duration, Instant};

/// Nobody sees an old value later than this.
const DELTA: Duration = Duration::from_millis(100 + PATIENT_MS as u64);
const PATIENCE: Duration = Duration::from_secs(60);
const TABLES: [&str; 3] = [
    "one=>near=1;autoexpire=1000;tag=user:$key",
    "two=>near=1;autoexpire=1000;copies=2;tag=user:$key",
    "far=>autoexpire=1000;tag=user:$key",
];
const NEAR: [usize; 2] = [0, 1];

fn host(servers: &[Memcached]) -> Watched {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    Memcached::specs(servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    let one = servers.len() == 1;
    TABLES
        .iter()
        .filter(|table| !(one && table.contains("copies=2")))
        .for_each(|table| config.add_table(table).unwrap());
    let host = Watched::with(config);
    if !one {
        host.until_whole();
        host.until("seats", |shared| (0..servers.len()).all(|home| shared.seat_shown(home).as_deref() == Some("home")));
    }
    host
}

fn hits(host: &Watched, table: usize) -> u64 {
    host.shared.table_count(table, TableStat::NearHits)
}

/// Reads until the answer comes from this host's memory.
fn warm(host: &mut Watched, table: usize, key: &str) -> Option<String> {
    until("a near hit", PATIENCE, || {
        let before = hits(host, table);
        let said = read(&mut host.cache, table, key);
        if hits(host, table) > before { Ok(said) } else { Err(format!("{said:?} {}", standing(host.shared))) }
    })
}

#[test]
fn an_entry_under_a_tag_is_kept_near_until_its_tag_is_invalidated_anywhere() {
    let servers = Memcached::many(3);
    let (mut one, mut two) = (host(&servers), host(&servers));
    for table in NEAR {
        for key in ["alice", "bob", "carol"] {
            let tag = format!("user:{key}");
            set(&mut one.cache, table, key, "old");
            assert_eq!(warm(&mut one, table, key).as_deref(), Some("old"));
            assert_eq!(warm(&mut two, table, key).as_deref(), Some("old"));
            invalidate(&mut one.cache, &tag);
            let done = Instant::now();
            assert_eq!(read(&mut one.cache, table, key), None, "the host that was asked knows at once");
            until("the other host to know", PATIENCE, || {
                let begun = Instant::now();
                match read(&mut two.cache, table, key) {
                    None => Ok(()),
                    Some(old) => {
                        assert!(begun - done < DELTA, "{old} after {:?}", begun - done);
                        Err(old)
                    }
                }
            });
        }
    }
}

#[test]
fn a_server_alone_keeps_entries_and_tags() {
    let servers = Memcached::many(1);
    let mut host = host(&servers);
    set(&mut host.cache, 0, "alice", "old");
    assert_eq!(warm(&mut host, 0, "alice").as_deref(), Some("old"));
    invalidate(&mut host.cache, "user:alice");
    assert_eq!(read(&mut host.cache, 0, "alice"), None);
}

#[test]
fn a_near_hit_brings_what_a_cas_needs() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    for table in NEAR {
        set(&mut host.cache, table, "k", "old");
        warm(&mut host, table, "k");
        let done = host.cache.cas(table, b"k", super::text("new"), None, 1);
        assert_eq!(done, Verdict::Done, "{:?}", host.cache.last());
        assert_eq!(warm(&mut host, table, "k").as_deref(), Some("new"));
        let keys: [&[u8]; 1] = [b"k"];
        assert_eq!(host.cache.mget(table, &keys), Verdict::Done);
        assert_eq!(host.cache.found(0).1, Some(super::text("new")));
        invalidate(&mut host.cache, "user:k");
        assert_eq!(host.cache.cas(table, b"k", super::text("late"), None, 1), Verdict::Missing);
        assert_eq!(host.cache.mget(table, &keys), Verdict::Missing);
    }
}

#[test]
fn many_read_at_once_are_kept_near_and_void_like_one() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    for table in NEAR {
        let keys: [&[u8]; 3] = [b"a", b"b", b"none"];
        set(&mut host.cache, table, "a", "old a");
        set(&mut host.cache, table, "b", "old b");
        until("near hits", PATIENCE, || {
            let before = hits(&host, table);
            assert_eq!(host.cache.mget(table, &keys), Verdict::Done);
            if hits(&host, table) == before + 2 { Ok(()) } else { Err("asked") }
        });
        invalidate(&mut host.cache, "user:a");
        assert_eq!(host.cache.mget(table, &keys), Verdict::Done);
        let found = [0, 1, 2].map(|at| host.cache.found(at).0);
        assert_eq!(found, [Verdict::Missing, Verdict::Done, Verdict::Missing]);
    }
}

#[test]
fn an_entry_under_other_tags_too_is_not_kept_near() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    for table in NEAR {
        set(&mut host.cache, table, "k", "v");
        warm(&mut host, table, "k");
        assert_eq!(host.cache.tag(table, b"k", b"x"), Verdict::Done, "{:?}", host.cache.last());
        let before = hits(&host, table);
        (0..10).for_each(|_| assert_eq!(read(&mut host.cache, table, "k").as_deref(), Some("v")));
        assert_eq!(hits(&host, table), before);
        invalidate(&mut host.cache, "x");
        assert_eq!(read(&mut host.cache, table, "k"), None);
    }
}
