//! What becomes of a call when its server is away or is none, and how calls are counted.

use super::support::worker::text;
use super::support::{Fake, Memcached};
use super::{config, eventually};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Event, ServerStat, Shared, TableStat, Watcher};
use shardcache::value::Value;

#[test]
fn a_dead_server_is_no_miss_and_comes_back_into_use() {
    let mut servers = Memcached::many(1);
    let shared = Shared::create(config(&Memcached::specs(&servers))).unwrap();
    let (mut cache, mut watcher) = (Cache::new(shared), Watcher::new(shared));
    watcher.tick();
    cache.set(0, b"k", text("v"), None);
    servers[0].kill();
    assert_eq!(cache.get(0, b"k", 1), Verdict::Unavailable);
    assert_eq!(cache.last().server, Some(0));
    assert_eq!(cache.get(0, b"k", 1), Verdict::Unavailable);
    assert_eq!(cache.last().err, "server down", "the breaker answers now");
    let mut heard = Vec::new();
    eventually("the watcher to tell", || {
        heard.extend(watcher.tick());
        heard.len() >= 3
    });
    let [Event::ServerDown { server: 0, .. }, Event::PoolDown { down: 1, of: 1 }, Event::AllDown] = heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(shared.server_view(0).state, "down");
    servers[0].restart();
    let mut heard = Vec::new();
    eventually("the server to come back", || {
        heard.extend(watcher.tick());
        !heard.is_empty()
    });
    assert_eq!(heard, [Event::ServerUp { server: 0 }, Event::PoolUp]);
    assert_eq!(cache.get(0, b"k", 1), Verdict::Missing, "{:?}", cache.last());
    assert_eq!(cache.set(0, b"k", text("v"), None), Verdict::Done);
}

#[test]
fn a_restarted_server_costs_no_call() {
    let mut servers = Memcached::many(1);
    let shared = Shared::create(config(&Memcached::specs(&servers))).unwrap();
    let mut cache = Cache::new(shared);
    cache.set(0, b"k", text("v"), None);
    servers[0].kill();
    servers[0].restart();
    assert_eq!(cache.get(0, b"k", 1), Verdict::Missing, "{:?}", cache.last());
}

#[test]
fn after_a_restart_that_the_watcher_saw_no_increment_is_ambiguous() {
    let mut servers = Memcached::many(1);
    let shared = Shared::create(config(&Memcached::specs(&servers))).unwrap();
    let (mut cache, mut watcher) = (Cache::new(shared), Watcher::new(shared));
    watcher.tick();
    assert_eq!(cache.inc(0, b"c", 1, 0, None), Verdict::Done);
    servers[0].kill();
    servers[0].restart();
    eventually("the watcher to meet the new process", || {
        let before = shared.server_count(0, ServerStat::Connects);
        watcher.tick();
        before == shared.server_count(0, ServerStat::Connects) && shared.server_count(0, ServerStat::Connects) > 2
    });
    assert_eq!(cache.inc(0, b"c", 1, 0, None), Verdict::Done, "{:?}", cache.last());
    assert_eq!(cache.value(), Some(Value::Int(1)), "the server came back empty");
}

#[test]
fn a_drained_server_is_left_alone_until_it_is_given_back() {
    let servers = Memcached::many(1);
    let shared = Shared::create(config(&Memcached::specs(&servers))).unwrap();
    let mut cache = Cache::new(shared);
    shared.set_drained(0, true);
    assert_eq!(cache.set(0, b"k", text("v"), None), Verdict::Unavailable);
    assert_eq!(shared.server_view(0).state, "drained");
    shared.set_drained(0, false);
    assert_eq!(cache.set(0, b"k", text("v"), None), Verdict::Done);
}

#[test]
fn a_stranger_behind_the_address_is_found_out() {
    let redis = Fake::redis();
    let shared = Shared::create(config(&[format!("name=mc0;addr={}", redis.addr())])).unwrap();
    let mut cache = Cache::new(shared);
    let rc = cache.get(0, b"k", 1);
    assert!(rc == Verdict::Unavailable || rc == Verdict::Failed, "{rc:?}");
    assert!(!cache.last().err.is_empty());
    let mut watcher = Watcher::new(shared);
    eventually("the watcher to give it up", || {
        watcher.tick();
        !shared.server_up(0)
    });
    assert_eq!(cache.get(0, b"k", 1), Verdict::Unavailable);
}

#[test]
fn every_call_is_counted_once() {
    let servers = Memcached::many(1);
    let shared = Shared::create(config(&Memcached::specs(&servers))).unwrap();
    Watcher::new(shared).tick();
    let mut cache = Cache::new(shared);
    cache.set(0, b"k", text("v"), None);
    cache.get(0, b"k", 1);
    cache.get(0, b"nobody", 1);
    cache.remove(0, b"k");
    cache.remove(0, b"k");
    cache.inc(0, b"c", 1, 0, None);
    cache.mget(0, &[b"c", b"nobody", b"k"]);
    cache.fail(Some(0), "bad argument");
    let counted = TableStat::ALL.iter().map(|(stat, name)| (*name, shared.table_count(0, *stat)));
    let counted: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
    let want = [("hits", 2), ("misses", 3), ("sets", 1), ("deletes", 1), ("counts", 1), ("errors", 1)];
    assert_eq!(counted, want);
    assert_eq!(shared.server_count(0, ServerStat::Hits), 2);
    assert_eq!(shared.server_count(0, ServerStat::Misses), 3);
    assert_eq!(shared.server_count(0, ServerStat::Errors), 0);
    assert_eq!(shared.server_count(0, ServerStat::Connects), 2, "the watcher's and ours");
}
