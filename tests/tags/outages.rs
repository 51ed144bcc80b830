//! The server that keeps a tag's record is away, and comes back.

use super::support::memcached::Options;
use super::support::{Memcached, PATIENT_MS, Watched, Worker as _, until};
use super::{invalidate, read, set};
use shardcache::cache::{Cache, Verdict};
use shardcache::config::Config;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
/// One copy and two.
const TABLES: [&str; 2] = ["one=>autoexpire=1000;tag=user:$key", "two=>autoexpire=1000;copies=2;tag=user:$key"];

fn host(servers: &[Memcached]) -> Watched {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    Memcached::specs(servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    TABLES.iter().for_each(|table| config.add_table(table).unwrap());
    let host = Watched::with(config);
    settled(&host, servers.len());
    host
}

/// Waits until all servers serve as if nothing had happened.
fn settled(host: &Watched, servers: usize) {
    host.until("servers", |shared| (0..servers).all(|server| shared.server_up(server)));
    host.until_whole();
    host.until("seats", |shared| (0..servers).all(|home| shared.seat_shown(home).as_deref() == Some("home")));
}

/// A key whose entry in `one` is at home on `entry`, and the record of its tag on `tag`.
fn key(servers: &[Memcached], cache: &mut Cache, entry: usize, tag: usize) -> String {
    let ring = cache.shared().layout();
    let home = |table: &str, key: &str| ring.ring().home(&[table.as_bytes(), b":", key.as_bytes()]);
    let fits = |key: &String| home("one", key) == entry && home("~tag", &format!("user:{key}")) == tag;
    let key = (0..10_000).map(|n| format!("key{n}")).find(fits).expect("a key");
    set(cache, 0, &key, "old");
    assert!(servers[tag].get(&format!("~tag:user:{key}")).is_some(), "its record is there");
    key
}

/// Asks until somebody can answer.
fn patiently(cache: &mut Cache, table: usize, key: &str) -> Option<String> {
    until("an answer", PATIENCE, || match cache.get(table, key.as_bytes(), 1) {
        Verdict::Unavailable => Err(format!("{:?}", cache.last())),
        _ => Ok(()),
    });
    read(cache, table, key)
}

fn invalidated(cache: &mut Cache, tag: &str) {
    until("the invalidation", PATIENCE, || match cache.invalidate_tag(tag.as_bytes()) {
        Verdict::Done => Ok(()),
        other => Err(format!("{other:?} {:?}", cache.last())),
    });
}

#[test]
fn entries_are_read_while_the_server_of_their_tags_record_is_dead_and_their_tag_can_be_invalidated() {
    for home in 0..2 {
        let mut servers = Memcached::many(3);
        let mut host = host(&servers);
        let key = key(&servers, &mut host.cache, 2, home);
        set(&mut host.cache, 1, &key, "old");
        host.until_whole();
        servers[home].kill();
        for table in [0, 1] {
            assert_eq!(patiently(&mut host.cache, table, &key).as_deref(), Some("old"), "table {table}");
        }
        invalidated(&mut host.cache, &format!("user:{key}"));
        for table in [0, 1] {
            assert_eq!(patiently(&mut host.cache, table, &key), None, "table {table}");
            set(&mut host.cache, table, &key, "new");
        }
        servers[home].restart();
        settled(&host, 3);
        for table in [0, 1] {
            assert_eq!(read(&mut host.cache, table, &key).as_deref(), Some("new"), "table {table}");
        }
    }
}

#[test]
fn a_server_that_comes_back_with_the_record_that_it_held_brings_nothing_old_back() {
    let warm = || Memcached::start(Options { warm: true, ..Options::default() });
    for victim in 0..2 {
        let mut servers = [warm(), warm()];
        let mut one = host(&servers);
        let key = key(&servers, &mut one.cache, 1 - victim, victim);
        set(&mut one.cache, 1, &key, "old");
        one.until_whole();
        let begun = Instant::now();
        servers[victim].rest();
        invalidated(&mut one.cache, &format!("user:{key}"));
        for table in [0, 1] {
            assert_eq!(patiently(&mut one.cache, table, &key), None, "table {table}");
        }
        one.until("the server to be missed", |shared| !shared.server_up(victim));
        // Its memory is taken over only a second or more after it was written down.
        std::thread::sleep(Duration::from_millis(1_500).saturating_sub(begun.elapsed()));
        servers[victim].revive();
        let mut other = host(&servers);
        for table in [0, 1] {
            assert_eq!(patiently(&mut other.cache, table, &key), None, "another host, table {table}");
        }
        settled(&one, 2);
        for table in [0, 1] {
            assert_eq!(patiently(&mut one.cache, table, &key), None, "the same host, table {table}");
        }
    }
}

#[test]
fn a_server_that_slept_through_an_invalidation_shows_nothing_old() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    for sleeper in 0..2 {
        let key = key(&servers, &mut host.cache, 1 - sleeper, sleeper);
        set(&mut host.cache, 1, &key, "old");
        host.until_whole();
        servers[sleeper].freeze();
        invalidated(&mut host.cache, &format!("user:{key}"));
        for table in [0, 1] {
            assert_eq!(patiently(&mut host.cache, table, &key), None, "table {table}");
        }
        host.until("the server to be missed", |shared| !shared.server_up(sleeper));
        servers[sleeper].thaw();
        settled(&host, 2);
        for table in [0, 1] {
            assert_eq!(read(&mut host.cache, table, &key), None, "table {table}");
        }
    }
}

#[test]
fn an_entry_whose_tags_cannot_be_read_is_neither_there_nor_missing() {
    let servers = Memcached::many(1);
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    Memcached::specs(&servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table(TABLES[0]).unwrap();
    let mut host = Watched::with(config);
    set(&mut host.cache, 0, "k", "v");
    servers[0].freeze();
    assert_eq!(host.cache.get(0, b"k", 1), Verdict::Unavailable, "{:?}", host.last());
    assert_eq!(host.cache.mget(0, &[b"k"]), Verdict::Unavailable);
    assert_eq!(host.cache.found(0).0, Verdict::Unavailable);
    assert_eq!(host.cache.set(0, b"k", super::text("v"), None), Verdict::Unavailable);
    assert_ne!(host.cache.invalidate_tag(b"user:k"), Verdict::Done);
    servers[0].thaw();
    host.until("the server", |shared| shared.server_up(0));
    assert_eq!(patiently(&mut host.cache, 0, "k").as_deref(), Some("v"));
    invalidate(&mut host.cache, "user:k");
    assert_eq!(read(&mut host.cache, 0, "k"), None);
}
