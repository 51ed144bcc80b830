//! Values as they are stored, changed and read.

use super::support::Memcached;
use super::support::memcached::Options;
use super::support::worker::text;
use super::{config, eventually, everywhere};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, Watcher};
use shardcache::value::Value;

#[test]
fn a_value_comes_back_as_it_was_stored() {
    let long = "k".repeat(10_000);
    let big = vec![0xa5u8; 1_000_000];
    everywhere(|cache, place| {
        for key in ["alice", "a b", "x\r\nflush_all\r\n", "\0", "ü", &long] {
            for value in [
                text("yes"),
                text(""),
                text("42"),
                Value::Int(42),
                Value::Int(-5),
                Value::Int(i64::MAX),
                text("a\r\nb\0"),
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
        cache.set(0, b"k", text("old"), None);
        assert_eq!(cache.set(0, b"k", Value::Bytes(&large), None), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "value too large");
        assert_eq!(cache.get(0, b"k", 1), Verdict::Done, "{place}");
        assert_eq!(cache.value(), Some(text("old")), "{place}");
    });
}

#[test]
fn a_server_with_a_smaller_limit_is_asked_for_no_more() {
    let small = Options { args: vec!["-I".into(), "512k".into()], ..Default::default() };
    let servers = [Memcached::start(small)];
    let shared = Shared::create(config(&Memcached::specs(&servers))).unwrap();
    Watcher::new(shared).tick();
    let mut cache = Cache::new(shared);
    cache.set(0, b"k", text("old"), None);
    assert_eq!(cache.set(0, b"k", Value::Bytes(&vec![b'x'; 600_000]), None), Verdict::Failed);
    assert_eq!(cache.last().err, "value too large");
    assert_eq!(cache.get(0, b"k", 1), Verdict::Done);
    assert_eq!(cache.set(0, b"k", Value::Bytes(&vec![b'x'; 520_000]), None), Verdict::Done, "{:?}", cache.last());
}

#[test]
fn add_replace_and_cas_store_only_where_they_may() {
    everywhere(|cache, place| {
        assert_eq!(cache.replace(0, b"k", text("r"), None), Verdict::Missing, "{place}");
        assert_eq!(cache.add(0, b"k", text("a"), None), Verdict::Done, "{place}");
        assert_eq!(cache.add(0, b"k", text("b"), None), Verdict::Missing, "{place}");
        assert_eq!(cache.replace(0, b"k", text("r"), None), Verdict::Done, "{place}");
        assert_eq!(cache.cas(0, b"k", text("c"), None, 7), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "not read before");
        cache.get(0, b"k", 7);
        assert_eq!(cache.cas(0, b"k", text("c"), None, 8), Verdict::Failed, "{place}: read in another message");
        cache.get(0, b"k", 7);
        assert_eq!(cache.cas(0, b"k", text("c"), None, 7), Verdict::Done, "{place}");
        cache.get(0, b"k", 7);
        cache.set(0, b"k", text("somebody else's"), None);
        assert_eq!(cache.cas(0, b"k", text("d"), None, 7), Verdict::Missing, "{place}");
        cache.get(0, b"k", 7);
        assert_eq!(cache.value(), Some(text("somebody else's")), "{place}");
    });
}

#[test]
fn a_lifetime_is_the_tables_unless_the_call_names_one() {
    everywhere(|cache, place| {
        cache.set(0, b"k", text("v"), None);
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
            cache.set(0, b"k", text("v"), Some(given));
            let (rc, ttl) = cache.ttl(0, b"k");
            assert!(rc == Verdict::Done && (least..=most).contains(&ttl), "{place}: set {given}, got {ttl}");
            cache.set(0, b"k2", text("v"), None);
            assert_eq!(cache.touch(0, b"k2", given), Verdict::Done, "{place}");
            let (_, ttl) = cache.ttl(0, b"k2");
            assert!((least..=most).contains(&ttl), "{place}: touched {given}, got {ttl}");
        }
        cache.set(2, b"k", text("v"), None);
        assert_eq!(cache.ttl(2, b"k"), (Verdict::Done, 0), "{place}: a table without autoexpire");
        assert_eq!(cache.touch(0, b"nobody", 5), Verdict::Missing, "{place}");
        assert_eq!(cache.ttl(0, b"nobody"), (Verdict::Missing, 0), "{place}");
        cache.set(0, b"short", text("v"), Some(1));
        eventually("the entry to expire", || cache.get(0, b"short", 1) == Verdict::Missing);
    });
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
fn a_peek_brings_the_value_and_nothing_a_cas_could_use() {
    everywhere(|cache, place| {
        cache.set(0, b"k", text("v"), None);
        assert_eq!(cache.peek(0, b"k"), Verdict::Done, "{place}");
        assert_eq!(cache.value(), Some(text("v")), "{place}");
        assert_eq!(cache.last().age, None, "{place}");
        assert_eq!(cache.cas(0, b"k", text("w"), None, 0), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "not read before", "{place}");
        assert_eq!(cache.peek(0, b"nobody"), Verdict::Missing, "{place}");
    });
}

#[test]
fn only_a_call_that_brings_a_value_leaves_one() {
    let long = "k".repeat(300);
    everywhere(|cache, place| {
        let read = |cache: &mut Cache| {
            cache.set(0, long.as_bytes(), text("v"), None);
            cache.get(0, long.as_bytes(), 1);
            assert_eq!(cache.value(), Some(text("v")), "{place}");
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
