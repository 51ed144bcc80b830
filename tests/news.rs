//! Every change of an entry of a near table is told to all hosts: on the server that took it, behind it, in the same packet.

mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::config::Config;
use shardcache::invalidate::stripes::{Counter, STRIPES, stripe};
use shardcache::value::Value;
use std::collections::BTreeSet;
use support::{Fake, Memcached, PATIENT_MS, Watched};

const KEY: &[u8] = b"alice";

/// A host whose tables are `one` and `two` (two copies), both near, and `plain`.
fn host(servers: &[Memcached]) -> Watched {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    servers.iter().enumerate().for_each(|(at, server)| config.add_server(&server.spec(&format!("mc{at}"))).unwrap());
    for table in ["one=>near=1", "two=>near=1;copies=2", "plain=>copies=2"] {
        config.add_table(table).unwrap();
    }
    let host = Watched::with(config);
    host.until_whole();
    host.until("seats", |shared| (0..servers.len()).all(|home| shared.seat_shown(home).as_deref() == Some("home")));
    host
}

/// A server's counters: the root, then the stripes.
fn counters(server: &Memcached) -> Vec<u64> {
    let all = std::iter::once(Counter::Root).chain((0..=255).map(Counter::Stripe));
    let number = |counter: Counter| {
        let found = server.get(std::str::from_utf8(counter.key()).unwrap());
        found.map_or(0, |digits| String::from_utf8_lossy(&digits).trim().parse().unwrap())
    };
    all.map(number).collect()
}

/// Which counters a call moved on each server.
fn moved<T>(servers: &[Memcached], call: impl FnOnce() -> T) -> (T, Vec<BTreeSet<usize>>) {
    let before: Vec<Vec<u64>> = servers.iter().map(counters).collect();
    let done = call();
    let changed = |(server, old): (&Memcached, &Vec<u64>)| {
        let new = counters(server);
        (0..=STRIPES).filter(|at| new[*at] != old[*at]).collect()
    };
    (done, servers.iter().zip(&before).map(changed).collect())
}

type Deed = fn(&mut Cache, usize) -> Verdict;

/// All that may change an entry, so that each finds what it needs.
const CHANGES: [(&str, Deed); 9] = [
    ("add", |cache, table| cache.add(table, KEY, Value::Bytes(b"v"), None)),
    ("set", |cache, table| cache.set(table, KEY, Value::Bytes(b"v"), None)),
    ("replace", |cache, table| cache.replace(table, KEY, Value::Bytes(b"w"), None)),
    ("cas", |cache, table| {
        assert_eq!(cache.get(table, KEY, 1), Verdict::Done);
        cache.cas(table, KEY, Value::Bytes(b"x"), None, 1)
    }),
    ("touch", |cache, table| cache.touch(table, KEY, 100)),
    ("remove", |cache, table| cache.remove(table, KEY)),
    ("inc", |cache, table| cache.inc(table, KEY, 5, 0, None)),
    ("dec", |cache, table| cache.dec(table, KEY, 2, 0, None)),
    ("touch of a counter", |cache, table| cache.touch(table, KEY, 100)),
];

const OTHERS: [(&str, Deed); 4] = [
    ("get", |cache, table| cache.get(table, KEY, 1)),
    ("ttl", |cache, table| cache.ttl(table, KEY).0),
    ("lock", |cache, table| cache.lock(table, KEY, 60)),
    ("unlock", |cache, table| cache.unlock(table, KEY, None)),
];

#[test]
fn each_change_moves_its_stripe_and_the_root_where_it_was_made() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    let cache = &mut host.cache;
    for (table, name) in ["one", "two"].into_iter().enumerate() {
        let home = cache.locate(table, KEY).unwrap().server.unwrap();
        let told: BTreeSet<usize> = [0, 1 + usize::from(stripe(name.as_bytes(), KEY))].into();
        for (what, change) in CHANGES {
            let (done, moved) = moved(&servers, || change(cache, table));
            assert_eq!(done, Verdict::Done, "{name} {what}: {:?}", cache.last());
            assert_eq!(moved[home], told, "{name} {what}");
            assert_eq!(moved[1 - home], if name == "two" { told.clone() } else { BTreeSet::new() }, "{name} {what}");
        }
        for (what, call) in OTHERS {
            let (done, moved) = moved(&servers, || call(cache, table));
            assert_eq!((done, moved), (Verdict::Done, vec![BTreeSet::new(); 2]), "{name} {what}");
        }
    }
    for (what, change) in CHANGES {
        let (done, moved) = moved(&servers, || change(cache, 2));
        assert_eq!((done, moved), (Verdict::Done, vec![BTreeSet::new(); 2]), "plain {what}");
    }
}

#[test]
fn the_host_that_changed_an_entry_finds_its_near_entry_void_at_once() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    let (shared, cache, layout) = (host.shared, &mut host.cache, host.shared.layout());
    for (table, name) in ["one", "two"].into_iter().enumerate() {
        let (home, stripe) = (cache.locate(table, KEY).unwrap().server.unwrap(), stripe(name.as_bytes(), KEY));
        for (what, change) in CHANGES {
            let before = shared.near_stamp(&layout, table, home, stripe);
            let versions = [0, 1].map(|server| shared.versions().stamp(server, stripe));
            assert_eq!(change(cache, table), Verdict::Done, "{name} {what}");
            assert_ne!(shared.near_stamp(&layout, table, home, stripe), before, "{name} {what}");
            let now = [0, 1].map(|server| shared.versions().stamp(server, stripe));
            assert!(now[0] > versions[0] && now[1] > versions[1], "{name} {what}");
        }
    }
}

/// Takes everything but moves no counter of stripes.
fn deaf(line: &str) -> Option<String> {
    Some(match line.split_once(' ').map_or(line, |(verb, _)| verb) {
        "mg" => "EN\r\n".into(),
        "ma" if line.starts_with("ma !z:") => "SERVER_ERROR out of memory\r\n".into(),
        "ms" | "md" | "ma" => "HD\r\n".into(),
        _ => return None,
    })
}

#[test]
fn a_change_that_could_not_be_announced_is_ambiguous() {
    let server = Fake::saying(deaf);
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    config.add_server(&server.spec("mc")).unwrap();
    config.add_table("near=>near=1").unwrap();
    config.add_table("plain=>").unwrap();
    let mut cache = Cache::new(Shared::create(config).unwrap());
    assert_eq!(cache.set(0, KEY, Value::Bytes(b"v"), None), Verdict::Failed);
    assert_eq!(cache.last().err, "ambiguous");
    assert_eq!(cache.remove(0, KEY), Verdict::Failed);
    assert_eq!(cache.set(1, KEY, Value::Bytes(b"v"), None), Verdict::Done);
}
