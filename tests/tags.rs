//! Tags: one call makes void what stands under a tag, in all tables and for all hosts, wherever the entries are kept.

#[path = "tags/calls.rs"]
mod calls;
#[path = "tags/lookups.rs"]
mod lookups;
#[path = "tags/named.rs"]
mod named;
#[path = "tags/near.rs"]
mod near;
#[path = "tags/outages.rs"]
mod outages;
#[path = "support/mod.rs"]
mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use support::Memcached;
use support::worker::text;

/// Two tables under the same tags, one under others, one under none.
const TABLES: [&str; 4] =
    ["ipauth=>autoexpire=1000;tag=user:$key", "profile=>tag=user:$key", "acct=>tag=acct:$key", "plain=>"];
const IPAUTH: usize = 0;
const PROFILE: usize = 1;
const ACCT: usize = 2;
const PLAIN: usize = 3;

fn config(servers: &[Memcached], copies: u8) -> Config {
    let mut config = Config { cmd_timeout_ms: support::PATIENT_MS, ..Config::default() };
    Memcached::specs(servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    TABLES.iter().for_each(|table| config.add_table(table).unwrap());
    config.tables.iter_mut().for_each(|table| table.copies = copies);
    config.check().unwrap();
    config
}

/// Runs a test in the host's own store, on one server, and on three that keep each key once or twice.
fn everywhere(test: impl Fn(&mut Cache, &str)) {
    for (count, copies) in [(0, 1), (1, 1), (3, 1), (3, 2)] {
        let servers = Memcached::many(count);
        let shared = Shared::create(config(&servers, copies)).unwrap();
        let mut watcher = Watcher::new(shared);
        watcher.tick();
        test(&mut Cache::new(shared), &format!("{count} servers, {copies} copies"));
    }
}

/// What a read says: the value, or that there is none.
#[track_caller]
fn read(cache: &mut Cache, table: usize, key: &str) -> Option<String> {
    match cache.get(table, key.as_bytes(), 1) {
        Verdict::Done => Some(shown(cache.value().unwrap())),
        Verdict::Missing => {
            assert_eq!(cache.value(), None, "{key}");
            None
        }
        other => panic!("{key}: {other:?} {:?}", cache.last()),
    }
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
    }
}

#[track_caller]
fn set(cache: &mut Cache, table: usize, key: &str, value: &str) {
    assert_eq!(cache.set(table, key.as_bytes(), text(value), None), Verdict::Done, "{key}: {:?}", cache.last());
}

#[track_caller]
fn invalidate(cache: &mut Cache, tag: &str) {
    assert_eq!(cache.invalidate_tag(tag.as_bytes()), Verdict::Done, "{tag}: {:?}", cache.last());
}
