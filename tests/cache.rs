//! The worker's calls against real memcached servers and against the host's own store: the same answers from both.

#[path = "support/mod.rs"]
mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Event, ServerStat, Shared, TableStat, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::Duration;
use support::{Fake, Memcached, until};

const PATIENCE: Duration = Duration::from_secs(10);

fn config(servers: &[String]) -> Config {
    twice(servers, 1)
}

fn twice(servers: &[String], copies: u8) -> Config {
    let mut config = Config::default();
    for server in servers {
        config.add_server(server).unwrap();
    }
    for table in ["t=>autoexpire=1000", "other=>", "plain"] {
        config.add_table(table).unwrap();
    }
    config.tables.iter_mut().for_each(|table| table.copies = copies);
    // A loaded machine stalls now and then; bounds are for other tests.
    config.cmd_timeout_ms = 2_000;
    config.check().unwrap();
    config
}

fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    until(what, PATIENCE, || if happened() { Ok(()) } else { Err("not yet") });
}

fn named(servers: &[Memcached]) -> Vec<String> {
    servers.iter().enumerate().map(|(i, server)| format!("name=mc{i};addr={}", server.addr())).collect()
}

/// Runs a test against one server, three servers, and none, and against servers that keep each key twice.
fn everywhere(test: impl Fn(&mut Cache, &str)) {
    singly(&test);
    run(&test, &[(2, 2), (3, 2)]);
}

fn singly(test: impl Fn(&mut Cache, &str)) {
    run(&test, &[(0, 1), (1, 1), (3, 1)]);
}

fn run(test: &impl Fn(&mut Cache, &str), places: &[(usize, u8)]) {
    for (count, copies) in places.iter().copied() {
        let servers = Memcached::many(count);
        let shared = Shared::create(twice(&named(&servers), copies)).unwrap();
        let mut watcher = Watcher::new(shared);
        assert_eq!(watcher.tick(), []);
        test(&mut Cache::new(shared), &format!("{count} servers, {copies} copies"));
    }
}

fn bytes(text: &str) -> Value<'_> {
    Value::Bytes(text.as_bytes())
}

#[test]
fn a_value_comes_back_as_it_was_stored() {
    let long = "k".repeat(10_000);
    let big = vec![0xa5u8; 1_000_000];
    everywhere(|cache, place| {
        for key in ["alice", "a b", "x\r\nflush_all\r\n", "\0", "ü", &long] {
            for value in [
                bytes("yes"),
                bytes(""),
                bytes("42"),
                Value::Int(42),
                Value::Int(-5),
                Value::Int(i64::MAX),
                bytes("a\r\nb\0"),
            ] {
                assert_eq!(
                    cache.set(0, key.as_bytes(), value, None),
                    Verdict::Done,
                    "{place}: {key:?} {:?}",
                    cache.last()
                );
                assert_eq!(cache.get(0, key.as_bytes(), 1), Verdict::Done, "{place}: {key:?} {:?}", cache.last());
                assert_eq!(cache.value(), Some(value), "{place}: {key:?}");
            }
            assert_eq!(cache.remove(0, key.as_bytes()), Verdict::Done, "{place}: {key:?}");
            assert_eq!(cache.remove(0, key.as_bytes()), Verdict::Missing, "{place}: {key:?}");
            assert_eq!(cache.get(0, key.as_bytes(), 1), Verdict::Missing, "{place}: {key:?}");
            assert_eq!(cache.value(), None);
        }
        assert_eq!(cache.set(0, b"big", Value::Bytes(&big), None), Verdict::Done, "{place}: {:?}", cache.last());
        assert_eq!(cache.get(0, b"big", 1), Verdict::Done);
        assert_eq!(cache.value(), Some(Value::Bytes(&big)), "{place}");
    });
}

#[test]
fn a_value_too_large_is_refused_and_the_old_one_stays() {
    let large = vec![b'x'; 1_000_001];
    everywhere(|cache, place| {
        cache.set(0, b"k", bytes("old"), None);
        assert_eq!(cache.set(0, b"k", Value::Bytes(&large), None), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "value too large");
        assert_eq!(cache.get(0, b"k", 1), Verdict::Done, "{place}");
        assert_eq!(cache.value(), Some(bytes("old")), "{place}");
    });
}

#[test]
fn a_server_with_a_smaller_limit_is_asked_for_no_more() {
    let small = support::memcached::Options { args: vec!["-I".into(), "512k".into()], ..Default::default() };
    let servers = [Memcached::start(small)];
    let shared = Shared::create(config(&named(&servers))).unwrap();
    Watcher::new(shared).tick();
    let mut cache = Cache::new(shared);
    cache.set(0, b"k", bytes("old"), None);
    assert_eq!(cache.set(0, b"k", Value::Bytes(&vec![b'x'; 600_000]), None), Verdict::Failed);
    assert_eq!(cache.last().err, "value too large");
    assert_eq!(cache.get(0, b"k", 1), Verdict::Done);
    assert_eq!(cache.set(0, b"k", Value::Bytes(&vec![b'x'; 520_000]), None), Verdict::Done, "{:?}", cache.last());
}

#[test]
fn add_replace_and_cas_store_only_where_they_may() {
    everywhere(|cache, place| {
        assert_eq!(cache.replace(0, b"k", bytes("r"), None), Verdict::Missing, "{place}");
        assert_eq!(cache.add(0, b"k", bytes("a"), None), Verdict::Done, "{place}");
        assert_eq!(cache.add(0, b"k", bytes("b"), None), Verdict::Missing, "{place}");
        assert_eq!(cache.replace(0, b"k", bytes("r"), None), Verdict::Done, "{place}");
        assert_eq!(cache.cas(0, b"k", bytes("c"), None, 7), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "not read before");
        cache.get(0, b"k", 7);
        assert_eq!(cache.cas(0, b"k", bytes("c"), None, 8), Verdict::Failed, "{place}: read in another message");
        cache.get(0, b"k", 7);
        assert_eq!(cache.cas(0, b"k", bytes("c"), None, 7), Verdict::Done, "{place}");
        cache.get(0, b"k", 7);
        cache.set(0, b"k", bytes("somebody else's"), None);
        assert_eq!(cache.cas(0, b"k", bytes("d"), None, 7), Verdict::Missing, "{place}");
        cache.get(0, b"k", 7);
        assert_eq!(cache.value(), Some(bytes("somebody else's")), "{place}");
    });
}

#[test]
fn a_lifetime_is_the_tables_unless_the_call_names_one() {
    everywhere(|cache, place| {
        cache.set(0, b"k", bytes("v"), None);
        let (rc, ttl) = cache.ttl(0, b"k");
        assert!(rc == Verdict::Done && (990..=1000).contains(&ttl), "{place}: {rc:?} {ttl}");
        cache.get(0, b"k", 1);
        if place != "0 servers" {
            assert!(cache.last().age.is_some_and(|age| age < 10), "{place}: {:?}", cache.last());
        }
        for (given, least, most) in [
            (0, 0, 0),
            (50, 45, 50),
            (2_592_000, 2_591_990, 2_592_000),
            (2_592_001, 2_591_990, 2_592_003),
            (90_000_000, 89_999_990, 90_000_002),
        ] {
            cache.set(0, b"k", bytes("v"), Some(given));
            let (rc, ttl) = cache.ttl(0, b"k");
            assert!(rc == Verdict::Done && (least..=most).contains(&ttl), "{place}: set {given}, got {ttl}");
            cache.set(0, b"k2", bytes("v"), None);
            assert_eq!(cache.touch(0, b"k2", given), Verdict::Done, "{place}");
            let (_, ttl) = cache.ttl(0, b"k2");
            assert!((least..=most).contains(&ttl), "{place}: touched {given}, got {ttl}");
        }
        cache.set(2, b"k", bytes("v"), None);
        assert_eq!(cache.ttl(2, b"k"), (Verdict::Done, 0), "{place}: a table without autoexpire");
        assert_eq!(cache.touch(0, b"nobody", 5), Verdict::Missing, "{place}");
        assert_eq!(cache.ttl(0, b"nobody"), (Verdict::Missing, 0), "{place}");
        cache.set(0, b"short", bytes("v"), Some(1));
        eventually("the entry to expire", || cache.get(0, b"short", 1) == Verdict::Missing);
    });
}

#[test]
fn counters_count_from_zero_to_the_largest_number() {
    let long = "c".repeat(500);
    everywhere(|cache, place| {
        for key in ["c", "c c", &long] {
            let key = key.as_bytes();
            let now = |cache: &mut Cache, rc, number: i64| {
                assert_eq!(
                    (rc, cache.value()),
                    (Verdict::Done, Some(Value::Int(number))),
                    "{place}: {:?}",
                    cache.last()
                );
            };
            let rc = cache.inc(0, key, 1, 0, None);
            now(cache, rc, 1);
            let rc = cache.inc(0, key, 9, 0, None);
            now(cache, rc, 10);
            let rc = cache.dec(0, key, 1, 0, None);
            now(cache, rc, 9);
            let rc = cache.get(0, key, 1);
            now(cache, rc, 9);
            let rc = cache.dec(0, key, 100, 0, None);
            now(cache, rc, 0);
            cache.remove(0, key);
            let rc = cache.inc(0, key, 5, 100, Some(60));
            now(cache, rc, 105);
            assert!((50..=60).contains(&cache.ttl(0, key).1), "{place}");
            cache.remove(0, key);
            let rc = cache.dec(0, key, 5, 3, None);
            now(cache, rc, 0);
            cache.set(0, key, Value::Int(i64::MAX - 1), None);
            let rc = cache.inc(0, key, 1, 0, None);
            now(cache, rc, i64::MAX);
            assert_eq!(cache.inc(0, key, 1, 0, None), Verdict::Failed, "{place}");
            assert_eq!(cache.last().err, "counter beyond 2^63-1");
            let rc = cache.get(0, key, 1);
            now(cache, rc, i64::MAX);
            for bad in [bytes("abc"), Value::Int(-5), bytes("")] {
                cache.set(0, key, bad, None);
                assert_eq!(cache.inc(0, key, 1, 0, None), Verdict::Failed, "{place}: {bad:?}");
                assert_eq!(cache.last().err, "not a number", "{place}: {bad:?}");
                cache.get(0, key, 1);
                assert_eq!(cache.value(), Some(bad), "{place}");
            }
        }
    });
}

#[test]
fn a_string_of_digits_that_was_counted_is_a_string_without_padding() {
    everywhere(|cache, place| {
        cache.set(0, b"k", bytes("10"), None);
        assert_eq!(cache.dec(0, b"k", 1, 0, None), Verdict::Done, "{place}: {:?}", cache.last());
        assert_eq!(cache.value(), Some(Value::Int(9)));
        cache.get(0, b"k", 1);
        assert_eq!(cache.value(), Some(bytes("9")), "{place}");
        cache.set(0, b"k", bytes("9 "), None);
        cache.get(0, b"k", 1);
        assert_eq!(cache.value(), Some(bytes("9 ")), "{place}: a string that ends with a blank");
    });
}

#[test]
fn a_foreign_counter_beyond_the_largest_number_stays_as_it_was() {
    let servers = Memcached::many(1);
    let mut cache = Cache::new(Shared::create(config(&named(&servers))).unwrap());
    for written in ["9223372036854775818", "18446744073709551614"] {
        servers[0].set("t:k", written);
        for rc in [cache.dec(0, b"k", 1, 0, None), cache.inc(0, b"k", 1, 0, None)] {
            assert_eq!(rc, Verdict::Failed);
            assert_eq!(cache.last().err, "counter beyond 2^63-1");
        }
        assert_eq!(servers[0].get("t:k").as_deref(), Some(written.as_bytes()));
    }
}

#[test]
fn many_keys_come_back_in_the_order_asked() {
    let long = "k".repeat(300);
    everywhere(|cache, place| {
        let keys: Vec<String> =
            (0..100).map(|i| format!("key{i}")).chain(["a b".into(), long.clone(), "nobody".into()]).collect();
        for (i, key) in keys.iter().enumerate().filter(|(i, key)| i % 3 != 0 && *key != "nobody") {
            cache.set(
                0,
                key.as_bytes(),
                if i % 2 == 0 { Value::Int(i as i64) } else { Value::Bytes(key.as_bytes()) },
                None,
            );
        }
        let asked: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        assert_eq!(cache.mget(0, &asked), Verdict::Done, "{place}: {:?}", cache.last());
        for (i, key) in keys.iter().enumerate() {
            let want = match i {
                _ if i % 3 == 0 || key == "nobody" => (Verdict::Missing, None),
                _ if i % 2 == 0 => (Verdict::Done, Some(Value::Int(i as i64))),
                _ => (Verdict::Done, Some(Value::Bytes(key.as_bytes()))),
            };
            assert_eq!(cache.found(i), want, "{place}: {key}");
        }
        assert_eq!(cache.mget(0, &[b"nobody", b"nowhere"]), Verdict::Missing, "{place}");
        assert_eq!(cache.mget(0, &[b"", b"key1"]), Verdict::Done, "{place}");
        assert_eq!(cache.found(0).0, Verdict::Failed, "{place}: an empty key");
        assert_eq!(cache.mget(0, &[b"key1", b"key1", b"nobody", b"key1"]), Verdict::Done);
        let found: Vec<Verdict> = (0..4).map(|i| cache.found(i).0).collect();
        assert_eq!(
            found,
            [Verdict::Done, Verdict::Done, Verdict::Missing, Verdict::Done],
            "{place}: a key asked twice"
        );
    });
}

#[test]
fn only_a_call_that_brings_a_value_leaves_one() {
    let long = "k".repeat(300);
    everywhere(|cache, place| {
        let read = |cache: &mut Cache| {
            cache.set(0, long.as_bytes(), bytes("v"), None);
            cache.get(0, long.as_bytes(), 1);
            assert_eq!(cache.value(), Some(bytes("v")), "{place}");
        };
        read(cache);
        cache.mget(0, &[long.as_bytes()]);
        assert_eq!(cache.value(), None, "{place}: many at once");
        read(cache);
        cache.lock(0, b"l", 5);
        assert_eq!(cache.value(), None, "{place}: a lock");
        read(cache);
        cache.unlock(0, b"l", None);
        assert_eq!(cache.value(), None, "{place}: a lock given back");
        read(cache);
        cache.bump(0);
        assert_eq!(cache.value(), None, "{place}: a bump");
    });
}

#[test]
fn a_lock_has_one_holder_and_a_growing_fence() {
    everywhere(|cache, place| {
        let mut other = Cache::new(cache.shared());
        assert_eq!(cache.lock(0, b"k", 60), Verdict::Done, "{place}: {:?}", cache.last());
        let first = cache.last().fence.unwrap();
        assert_eq!(other.lock(0, b"k", 60), Verdict::Missing, "{place}");
        assert_eq!(other.unlock(0, b"k", None), Verdict::Failed, "{place}");
        assert_eq!(other.last().err, "not locked by this worker");
        assert_eq!(other.unlock(0, b"k", Some(first + 1)), Verdict::Missing, "{place}: another fence");
        assert_eq!(cache.unlock(0, b"k", None), Verdict::Done, "{place}");
        assert_eq!(cache.unlock(0, b"k", None), Verdict::Failed, "{place}: given back already");
        assert_eq!(other.lock(0, b"k", 60), Verdict::Done, "{place}");
        let second = other.last().fence.unwrap();
        assert!(second > first, "{place}: {second} after {first}");
        assert_eq!(cache.unlock(0, b"k", Some(second)), Verdict::Done, "{place}: by its fence from another worker");
        cache.set(0, b"k", bytes("v"), None);
        assert_eq!(cache.lock(0, b"k", 60), Verdict::Done, "{place}: a value is no lock");
    });
}

#[test]
fn a_bump_empties_its_table_and_no_other() {
    everywhere(|cache, place| {
        cache.set(0, b"k", bytes("old"), None);
        cache.set(1, b"k", bytes("stays"), None);
        for round in 0..3 {
            assert_eq!(cache.bump(0), Verdict::Done, "{place}: {:?}", cache.last());
            assert_eq!(cache.get(0, b"k", 1), Verdict::Missing, "{place}: round {round}");
            assert_eq!(cache.set(0, b"k", bytes("new"), None), Verdict::Done, "{place}");
            assert_eq!(cache.get(0, b"k", 1), Verdict::Done, "{place}");
        }
        cache.get(1, b"k", 1);
        assert_eq!(cache.value(), Some(bytes("stays")), "{place}");
    });
}

#[test]
fn a_bump_is_seen_by_another_host_at_once_without_a_poll_and_after_one_with_it() {
    let servers = Memcached::many(3);
    let (here, there) =
        (Shared::create(config(&named(&servers))).unwrap(), Shared::create(config(&named(&servers))).unwrap());
    let (mut one, mut two) = (Cache::new(here), Cache::new(there));
    one.set(0, b"k", bytes("old"), None);
    assert_eq!(two.get(0, b"k", 1), Verdict::Done);
    one.bump(0);
    assert_eq!(two.get(0, b"k", 1), Verdict::Missing, "no watcher has polled there, so every call verifies");

    let mut watcher = Watcher::new(there);
    watcher.tick();
    one.set(0, b"k", bytes("newer"), None);
    assert_eq!(two.get(0, b"k", 1), Verdict::Done);
    one.bump(0);
    eventually("the watcher to learn of the bump", || {
        watcher.tick();
        two.get(0, b"k", 1) == Verdict::Missing
    });
}

#[test]
fn a_lost_generation_is_written_back_and_brings_no_old_entry_back() {
    let mut servers = Memcached::many(2);
    let names = named(&servers);
    let here = Shared::create(config(&names)).unwrap();
    let (mut cache, mut watcher) = (Cache::new(here), Watcher::new(here));
    watcher.tick();
    cache.set(0, b"k", bytes("old"), None);
    cache.bump(0);
    servers[0].kill();
    servers[0].restart();
    eventually("the record to be written back", || {
        watcher.tick();
        let fresh = Shared::create(config(&names[..1])).unwrap();
        let mut probe = Watcher::new(fresh);
        probe.tick();
        let mut cache = Cache::new(fresh);
        cache.locate(0, b"k").unwrap().wire_key.starts_with("t@")
    });
}

#[test]
fn a_dump_shows_every_entry_once_page_by_page() {
    let long = "k".repeat(300);
    singly(|cache, place| {
        let mut want: Vec<(Vec<u8>, Vec<u8>, bool)> = Vec::new();
        for i in 0..50 {
            let key = format!("key{i}");
            cache.set(0, key.as_bytes(), Value::Int(i), None);
            want.push((key.into_bytes(), i.to_string().into_bytes(), true));
        }
        for key in ["a b", "\r\n\0", &long] {
            cache.set(0, key.as_bytes(), bytes("text"), None);
            want.push((key.as_bytes().to_vec(), b"text".to_vec(), false));
        }
        cache.set(1, b"other", bytes("not of this table"), None);
        let (mut got, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = cache.dump(0, &cursor, 7).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(page.entries.iter().all(|entry| (990..=1000).contains(&entry.ttl)), "{place}");
            got.extend(page.entries.into_iter().map(|entry| (entry.key, entry.value, entry.is_int)));
            pages += 1;
            let Some(next) = page.next else { break };
            cursor = next;
        }
        got.sort();
        want.sort();
        assert_eq!(got, want, "{place}");
        assert!(pages >= 7, "{place}: {pages} pages");
        assert!(cache.dump(0, "nonsense", 7).is_err(), "{place}");
    });
}

#[test]
fn a_dead_server_is_no_miss_and_comes_back_into_use() {
    let mut servers = Memcached::many(1);
    let shared = Shared::create(config(&named(&servers))).unwrap();
    let (mut cache, mut watcher) = (Cache::new(shared), Watcher::new(shared));
    watcher.tick();
    cache.set(0, b"k", bytes("v"), None);
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
    assert_eq!(cache.set(0, b"k", bytes("v"), None), Verdict::Done);
}

#[test]
fn a_restarted_server_costs_no_call() {
    let mut servers = Memcached::many(1);
    let shared = Shared::create(config(&named(&servers))).unwrap();
    let mut cache = Cache::new(shared);
    cache.set(0, b"k", bytes("v"), None);
    servers[0].kill();
    servers[0].restart();
    assert_eq!(cache.get(0, b"k", 1), Verdict::Missing, "{:?}", cache.last());
}

#[test]
fn after_a_restart_that_the_watcher_saw_no_increment_is_ambiguous() {
    let mut servers = Memcached::many(1);
    let shared = Shared::create(config(&named(&servers))).unwrap();
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
fn what_a_call_brought_is_gone_with_the_next_one() {
    everywhere(|cache, place| {
        cache.set(0, b"k", Value::Int(7), None);
        let calls: [fn(&mut Cache) -> Verdict; 6] = [
            |cache| cache.set(0, b"other", Value::Int(1), None),
            |cache| cache.touch(0, b"k", 60),
            |cache| cache.remove(0, b"nobody"),
            |cache| cache.lock(0, b"k", 60),
            |cache| cache.get(0, b"nobody", 1),
            |cache| cache.bump(1),
        ];
        for (i, call) in calls.iter().enumerate() {
            cache.get(0, b"k", 1);
            assert_eq!(cache.value(), Some(Value::Int(7)), "{place}");
            call(cache);
            assert_eq!(cache.value(), None, "{place}: call {i}");
        }
    });
}

#[test]
fn a_drained_server_is_left_alone_until_it_is_given_back() {
    let servers = Memcached::many(1);
    let shared = Shared::create(config(&named(&servers))).unwrap();
    let mut cache = Cache::new(shared);
    shared.set_drained(0, true);
    assert_eq!(cache.set(0, b"k", bytes("v"), None), Verdict::Unavailable);
    assert_eq!(shared.server_view(0).state, "drained");
    shared.set_drained(0, false);
    assert_eq!(cache.set(0, b"k", bytes("v"), None), Verdict::Done);
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
    let shared = Shared::create(config(&named(&servers))).unwrap();
    Watcher::new(shared).tick();
    let mut cache = Cache::new(shared);
    cache.set(0, b"k", bytes("v"), None);
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

#[test]
fn a_peek_brings_the_value_and_nothing_a_cas_could_use() {
    everywhere(|cache, place| {
        cache.set(0, b"k", bytes("v"), None);
        assert_eq!(cache.peek(0, b"k"), Verdict::Done, "{place}");
        assert_eq!(cache.value(), Some(bytes("v")), "{place}");
        assert_eq!(cache.last().age, None, "{place}");
        assert_eq!(cache.cas(0, b"k", bytes("w"), None, 0), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "not read before", "{place}");
        assert_eq!(cache.peek(0, b"nobody"), Verdict::Missing, "{place}");
    });
}
