//! Counters and locks.

use super::support::Memcached;
use super::support::worker::text;
use super::{config, everywhere};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::value::Value;

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
            for bad in [text("abc"), Value::Int(-5), text("")] {
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
        cache.set(0, b"k", text("10"), None);
        assert_eq!(cache.dec(0, b"k", 1, 0, None), Verdict::Done, "{place}: {:?}", cache.last());
        assert_eq!(cache.value(), Some(Value::Int(9)));
        cache.get(0, b"k", 1);
        assert_eq!(cache.value(), Some(text("9")), "{place}");
        cache.set(0, b"k", text("9 "), None);
        cache.get(0, b"k", 1);
        assert_eq!(cache.value(), Some(text("9 ")), "{place}: a string that ends with a blank");
    });
}

#[test]
fn a_foreign_counter_beyond_the_largest_number_stays_as_it_was() {
    let servers = Memcached::many(1);
    let mut cache = Cache::new(Shared::create(config(&Memcached::specs(&servers))).unwrap());
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
        cache.set(0, b"k", text("v"), None);
        assert_eq!(cache.lock(0, b"k", 60), Verdict::Done, "{place}: a value is no lock");
    });
}
