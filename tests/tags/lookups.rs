//! Lookups under tags: what was read from a source before a tag was invalidated is never served after it.

use super::support::Memcached;
use super::{IPAUTH, PROFILE, config, everywhere, invalidate, read, set, shown};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, TableStat, Watcher};
use shardcache::lookup::{Desk, Failure, Lease, Loaded, Opened, Source};
use shardcache::value::Value;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

struct Says<'a>(&'a str);

impl Source for Says<'_> {
    fn load(&mut self, _key: &[u8]) -> Loaded<'_> {
        Loaded::Value(Value::Bytes(self.0.as_bytes()))
    }

    fn failed(&mut self, _: &[u8], _: Failure, _: Verdict) {}
}

#[track_caller]
fn opened(desk: &mut Desk, cache: &mut Cache) -> Lease {
    match desk.open(cache, IPAUTH, b"k") {
        Opened::Load(lease) => lease,
        Opened::Answered(verdict) => panic!("{verdict:?} {:?}", cache.last()),
    }
}

#[test]
fn a_value_loaded_before_an_invalidation_is_not_served_after_it() {
    everywhere(|cache, place| {
        let mut other = Cache::new(cache.shared());
        for revived in [false, true] {
            let mut desk = Desk::default();
            let lease = opened(&mut desk, cache);
            // The loader has read its source, and is paused.
            invalidate(&mut other, "user:k");
            if revived {
                // The tag has a number again.
                set(&mut other, PROFILE, "k", "theirs");
            }
            let verdict = desk.close(cache, &lease, Loaded::Value(Value::Bytes(b"old")));
            assert_eq!(verdict, Verdict::Done, "{place}: the loader's own caller had asked before");
            assert_eq!(read(&mut other, IPAUTH, "k"), None, "{place}, revived {revived}");
            assert_eq!(desk.look(&mut other, IPAUTH, b"k", &mut Says("new")), Verdict::Done, "{place}");
            assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("new"), "{place}, revived {revived}");
            invalidate(cache, "user:k");
        }
    });
}

#[test]
fn a_place_under_an_invalidated_tag_is_anybodys() {
    everywhere(|cache, place| {
        let (mut desk, mut others) = (Desk::default(), Desk::default());
        let mut other = Cache::new(cache.shared());
        let lease = opened(&mut desk, cache);
        invalidate(&mut other, "user:k");
        assert_eq!(others.look(&mut other, IPAUTH, b"k", &mut Says("new")), Verdict::Done, "{place}");
        assert_eq!(cache.shared().table_count(IPAUTH, TableStat::LoadWaits), 0, "{place}");
        desk.close(cache, &lease, Loaded::Value(Value::Bytes(b"old")));
        assert_eq!(read(&mut other, IPAUTH, "k").as_deref(), Some("new"), "{place}");
    });
}

#[test]
fn a_lookup_keeps_yes_no_and_rows_under_tags() {
    everywhere(|cache, place| {
        let mut desk = Desk::default();
        let lease = opened(&mut desk, cache);
        assert_eq!(desk.close(cache, &lease, Loaded::Nothing), Verdict::Missing, "{place}");
        let told = |cache: &Cache| cache.shared().table_count(IPAUTH, TableStat::NegHits);
        let before = told(cache);
        assert!(matches!(desk.open(cache, IPAUTH, b"k"), Opened::Answered(Verdict::Missing)), "{place}");
        assert_eq!(told(cache) - before, 1, "{place}");
        invalidate(cache, "user:k");
        let lease = opened(&mut desk, cache);
        desk.close(cache, &lease, Loaded::Result { yes: true, value: None });
        assert!(matches!(desk.open(cache, IPAUTH, b"k"), Opened::Answered(Verdict::Done)), "{place}");
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("1"), "{place}");
    });
}

/// A database of one number.
struct Database<'a>(&'a AtomicI64);

impl Source for Database<'_> {
    fn load(&mut self, _key: &[u8]) -> Loaded<'_> {
        let number = self.0.load(SeqCst);
        thread::sleep(Duration::from_millis(1));
        Loaded::Value(Value::Int(number))
    }

    fn failed(&mut self, _: &[u8], _: Failure, _: Verdict) {}
}

/// Workers look one key up all the time; one changes the database and invalidates the tag, again and again.
#[test]
fn no_worker_is_served_what_is_older_than_the_last_invalidation() {
    const CHANGES: i64 = 150;
    for (count, copies) in [(0, 1), (1, 1), (2, 1), (2, 2)] {
        let servers = Memcached::many(count);
        let hosts = [(); 2].map(|()| Shared::create(config(&servers, copies)).unwrap());
        let hosts = if count == 0 { [hosts[0], hosts[0]] } else { hosts };
        hosts.iter().for_each(|host| drop(Watcher::new(host).tick()));
        let (database, acknowledged, over) = (AtomicI64::new(0), AtomicI64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let lookers: Vec<_> = (0..4)
                .map(|n| {
                    let (database, acknowledged, over) = (&database, &acknowledged, &over);
                    scope.spawn(move || {
                        let (mut cache, mut desk, mut looks) = (Cache::new(hosts[n % 2]), Desk::default(), 0);
                        while !over.load(SeqCst) {
                            let before = acknowledged.load(SeqCst);
                            let verdict = desk.look(&mut cache, IPAUTH, b"k", &mut Database(database));
                            assert_eq!(verdict, Verdict::Done, "{:?}", cache.last());
                            let found: i64 = shown(cache.value().unwrap()).parse().unwrap();
                            assert!(found >= before, "{found} after {before}: {count} servers, {copies} copies");
                            looks += 1;
                        }
                        looks
                    })
                })
                .collect();
            let mut cache = Cache::new(hosts[1]);
            for number in 1..=CHANGES {
                database.store(number, SeqCst);
                invalidate(&mut cache, "user:k");
                acknowledged.store(number, SeqCst);
                thread::sleep(Duration::from_millis(3));
            }
            over.store(true, SeqCst);
            let looks: i64 = lookers.into_iter().map(|looker| looker.join().expect("a looker")).sum();
            assert!(looks > CHANGES, "{looks} looks");
        });
    }
}
