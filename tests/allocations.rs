//! A call allocates nothing once its worker is warm: the allocator counts.

#[path = "support/mod.rs"]
mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, TableStat, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use support::Memcached;

struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_worker_allocates_nothing_per_call() {
    let cases = [
        (Vec::new(), "copies=1"),
        (vec![Memcached::tcp()], "copies=1"),
        (vec![Memcached::unix()], "copies=1"),
        (Memcached::many(2), "copies=2"),
        (vec![Memcached::tcp()], "copies=1;near=1"),
        (Memcached::many(2), "copies=2;near=1"),
        (Vec::new(), "tag=user:$key"),
        (vec![Memcached::tcp()], "tag=user:$key"),
        (Memcached::many(2), "copies=2;near=1;tag=user:$key"),
    ];
    for (servers, attributes) in cases {
        let mut config = Config::default();
        for (i, server) in servers.iter().enumerate() {
            config.add_server(&server.spec(&format!("mc{i}"))).unwrap();
        }
        config.add_table(&format!("t=>autoexpire=60;{attributes}")).unwrap();
        config.cmd_timeout_ms = support::PATIENT_MS;
        let shared = Shared::create(config).unwrap();
        let mut watcher = Watcher::new(shared);
        watcher.tick();
        let mut cache = Cache::new(shared);
        let keys: [&[u8]; 3] =
            [b"alice", b"with blanks and \r\n", b"a-much-longer-key-that-is-still-printable-and-short-enough"];
        let mut round = |keys: &[&[u8]]| {
            for key in keys {
                assert_eq!(cache.set(0, key, Value::Bytes(b"thirty-two bytes of an old value"), None), Verdict::Done);
                assert_eq!(cache.get(0, key, 1), Verdict::Done);
                assert_eq!(cache.get(0, key, 1), Verdict::Done);
                assert_eq!(cache.get(0, b"nobody", 1), Verdict::Missing);
                assert_eq!(cache.set(0, key, Value::Int(7), Some(30)), Verdict::Done);
                if !attributes.contains("tag") {
                    assert_eq!(cache.inc(0, key, 1, 0, None), Verdict::Done);
                }
                assert_eq!(cache.touch(0, key, 60), Verdict::Done);
                assert_eq!(cache.remove(0, key), Verdict::Done);
                assert_eq!(cache.mget(0, keys), Verdict::Missing);
                assert_eq!(cache.get(0, b"nobody", 1), Verdict::Missing);
                assert_eq!(cache.mget(0, keys), Verdict::Missing);
            }
            for key in keys {
                assert_eq!(cache.set(0, key, Value::Int(7), Some(30)), Verdict::Done);
                assert_eq!(cache.invalidate_tag(key), Verdict::Done);
            }
            assert_eq!(cache.mget(0, keys), Verdict::Done);
            keys.iter().for_each(|key| assert_eq!(cache.remove(0, key), Verdict::Done));
        };
        round(&keys);
        watcher.tick();
        round(&keys);
        let before = COUNT.load(Relaxed);
        (0..100).for_each(|_| round(&keys));
        assert_eq!(shared.table_count(0, TableStat::NearHits) > 0, attributes.contains("near"));
        assert_eq!(COUNT.load(Relaxed) - before, 0, "{} servers, {attributes}", servers.len());
    }
}
