//! Many workers of several hosts ask one cold key at once: the source is asked once, whatever keeps the entries.

#[path = "support/mod.rs"]
mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, TableStat, Watcher};
use shardcache::config::Config;
use shardcache::lookup::{Desk, Failure, Loaded, Opened, Source};
use shardcache::value::Value;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use support::{Memcached, until};

const HOSTS: usize = 8;
const WORKERS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(20);

/// A source that takes its time and counts.
struct Slow<'a> {
    loads: &'a AtomicUsize,
    takes: Duration,
}

impl Source for Slow<'_> {
    fn load(&mut self, _key: &[u8]) -> Loaded<'_> {
        self.loads.fetch_add(1, Relaxed);
        thread::sleep(self.takes);
        Loaded::Value(Value::Bytes(b"loaded"))
    }

    fn failed(&mut self, _key: &[u8], why: Failure, _told: Verdict) {
        panic!("{why:?}");
    }
}

/// A database that is down.
#[derive(Default)]
struct Failing {
    /// What its callers were told.
    told: Vec<Verdict>,
}

impl Source for Failing {
    fn load(&mut self, _key: &[u8]) -> Loaded<'_> {
        Loaded::Failed(Failure::Down)
    }

    fn failed(&mut self, _key: &[u8], why: Failure, told: Verdict) {
        assert_eq!(why, Failure::Down);
        self.told.push(told);
    }
}

fn shared(servers: &[Memcached], table: &str, load_wait_ms: u32) -> &'static Shared {
    let mut config = Config { cmd_timeout_ms: support::PATIENT_MS, load_wait_ms, ..Config::default() };
    for (number, server) in servers.iter().enumerate() {
        config.add_server(&server.spec(&format!("mc{number}"))).unwrap();
    }
    config.add_table(table).unwrap();
    Shared::create(config).unwrap()
}

/// One worker's way to the cache and its lookups.
struct Worker {
    cache: Cache,
    desk: Desk,
}

impl Worker {
    fn new(shared: &'static Shared) -> Self {
        Self { cache: Cache::new(shared), desk: Desk::default() }
    }

    fn look(&mut self, key: &str, source: &mut dyn Source) -> Verdict {
        self.desk.look(&mut self.cache, 0, key.as_bytes(), source)
    }

    fn text(&self) -> Option<String> {
        match self.cache.value()? {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Value::Int(number) => Some(number.to_string()),
        }
    }
}

/// Runs `act` while the hosts' watchers are at work.
fn watched(hosts: &[&'static Shared], act: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for host in hosts {
            let over = &over;
            scope.spawn(move || {
                let mut watcher = Watcher::new(host);
                while !over.load(Relaxed) {
                    watcher.tick();
                    thread::sleep(Duration::from_millis(50));
                }
            });
        }
        for host in hosts {
            let mut cache = Cache::new(host);
            until("the host to be ready", PATIENCE, || match cache.set(0, b"ready", Value::Int(1), None) {
                Verdict::Done => Ok(()),
                other => Err(format!("{other:?} {:?}", cache.last())),
            });
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        over.store(true, Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// All workers of all hosts ask for `key` at once. Returns the longest time that one took.
fn all_ask(hosts: &[&'static Shared], key: &str, loads: &AtomicUsize) -> Duration {
    let start = Barrier::new(HOSTS * WORKERS);
    thread::scope(|scope| {
        let asked: Vec<_> = (0..HOSTS * WORKERS)
            .map(|i| {
                let (start, host) = (&start, hosts[i % hosts.len()]);
                scope.spawn(move || {
                    let mut worker = Worker::new(host);
                    start.wait();
                    let begun = Instant::now();
                    let verdict = worker.look(key, &mut Slow { loads, takes: Duration::from_millis(300) });
                    assert_eq!((verdict, worker.text().as_deref()), (Verdict::Done, Some("loaded")));
                    begun.elapsed()
                })
            })
            .collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).max().unwrap()
    })
}

fn settings() -> Vec<(Vec<Memcached>, &'static str, usize)> {
    vec![
        (Memcached::many(2), "t=>autoexpire=1000;copies=1", HOSTS),
        (Memcached::many(2), "t=>autoexpire=1000;copies=2", HOSTS),
        (Memcached::many(2), "t=>autoexpire=1000;copies=2;near=1", HOSTS),
        (Vec::new(), "t=>autoexpire=1000", 1),
    ]
}

#[test]
fn a_cold_key_is_loaded_once_for_all_hosts() {
    for (servers, table, hosts) in settings() {
        let hosts: Vec<_> = (0..hosts).map(|_| shared(&servers, table, 10_000)).collect();
        watched(&hosts, || {
            let loads = AtomicUsize::new(0);
            for round in 1..=3 {
                all_ask(&hosts, &format!("cold{round}"), &loads);
                assert_eq!(loads.load(Relaxed), round, "{table}");
            }
            let counted: u64 = hosts.iter().map(|host| host.table_count(0, TableStat::Loads)).sum();
            assert_eq!(counted, 3);
        });
    }
}

#[test]
fn a_loader_that_dies_costs_a_second_load_and_nobody_waits_beyond_the_bound() {
    for (servers, table, hosts) in settings() {
        let hosts: Vec<_> = (0..hosts).map(|_| shared(&servers, table, 10_000)).collect();
        watched(&hosts, || {
            let mut dead = Worker::new(hosts[0]);
            assert!(matches!(dead.desk.open(&mut dead.cache, 0, b"cold"), Opened::Load(_)));
            let loads = AtomicUsize::new(0);
            let longest = all_ask(&hosts, "cold", &loads);
            assert_eq!(loads.load(Relaxed), 1, "{table}: besides the dead one's");
            assert!(longest < Duration::from_secs(5), "{table}: {longest:?}");
        });
    }
}

#[test]
fn who_may_not_wait_long_loads_for_himself() {
    let servers = Memcached::many(1);
    let hosts = [shared(&servers, "t=>autoexpire=1000", 100)];
    watched(&hosts, || {
        let mut dead = Worker::new(hosts[0]);
        assert!(matches!(dead.desk.open(&mut dead.cache, 0, b"cold"), Opened::Load(_)));
        let (loads, begun) = (AtomicUsize::new(0), Instant::now());
        let mut worker = Worker::new(hosts[0]);
        assert_eq!(worker.look("cold", &mut Slow { loads: &loads, takes: Duration::ZERO }), Verdict::Done);
        assert!((100..1_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
        assert_eq!(hosts[0].table_count(0, TableStat::LoadWaits), 1);
        assert_eq!(worker.cache.get(0, b"cold", 0), Verdict::Missing, "nothing was stored");
    });
}

#[test]
fn what_was_read_before_an_invalidation_is_not_kept_after_it() {
    for (servers, table, hosts) in settings() {
        let hosts: Vec<_> = (0..hosts.min(2)).map(|_| shared(&servers, table, 1_000)).collect();
        watched(&hosts, || {
            let (mut loader, mut other) = (Worker::new(hosts[0]), Worker::new(hosts.last().unwrap()));
            let Opened::Load(lease) = loader.desk.open(&mut loader.cache, 0, b"k") else { panic!() };
            assert_eq!(other.cache.remove(0, b"k"), Verdict::Done, "{table}");
            let old = Loaded::Value(Value::Bytes(b"old"));
            assert_eq!(loader.desk.close(&mut loader.cache, &lease, old), Verdict::Done);
            assert_eq!(loader.text().as_deref(), Some("old"), "its own caller gets what it read");
            assert_eq!(other.cache.get(0, b"k", 0), Verdict::Missing, "{table}");
        });
    }
}

#[test]
fn without_a_cache_the_source_is_asked_once_per_worker_and_moment() {
    let mut servers = Memcached::many(1);
    let host = shared(&servers, "t=>autoexpire=1000", 1_000);
    watched(&[host], || {
        servers[0].kill();
        let mut worker = Worker::new(host);
        until("the server to be found dead", PATIENCE, || match worker.cache.get(0, b"k", 0) {
            Verdict::Unavailable => Ok(()),
            other => Err(format!("{other:?}")),
        });
        let loads = AtomicUsize::new(0);
        for _ in 0..3 {
            let mut source = Slow { loads: &loads, takes: Duration::ZERO };
            assert_eq!(worker.look("k", &mut source), Verdict::Done);
            assert_eq!(worker.text().as_deref(), Some("loaded"));
        }
        assert_eq!(loads.load(Relaxed), 1);
        let mut failing = Failing::default();
        assert_eq!(worker.look("other", &mut failing), Verdict::Unavailable);
        assert_eq!((worker.cache.last().err, failing.told), ("database down", vec![Verdict::Unavailable]));
        servers[0].revive();
    });
}

#[test]
fn a_source_that_fails_is_answered_for_by_what_is_stale() {
    for (servers, table, _) in settings() {
        let table = table.replace("autoexpire=1000", "autoexpire=1000;stale=600");
        let host = shared(&servers, &table, 1_000);
        watched(&[host], || {
            let mut worker = Worker::new(host);
            let cache = &mut worker.cache;
            assert_eq!(cache.set(0, b"k", Value::Bytes(b"old"), Some(500)), Verdict::Done);
            assert_eq!((cache.get(0, b"k", 0), cache.last().stale), (Verdict::Done, true), "{table}");
            let mut failing = Failing::default();
            for _ in 0..3 {
                assert_eq!(worker.look("k", &mut failing), Verdict::Done);
                assert_eq!((worker.text().as_deref(), worker.cache.last().stale), (Some("old"), true));
            }
            assert_eq!(failing.told, [Verdict::Done]);
            assert_eq!(host.table_count(0, TableStat::LoadFailures), 1, "it is left alone for a while");
            assert_eq!(worker.cache.get(0, b"k", 0), Verdict::Done, "a plain read sees the old value too");
            assert_eq!(worker.text().as_deref(), Some("old"));
            let loads = AtomicUsize::new(0);
            until("the source to be asked again", PATIENCE, || {
                worker.look("k", &mut Slow { loads: &loads, takes: Duration::ZERO });
                if worker.cache.last().stale { Err("still stale") } else { Ok(()) }
            });
            assert_eq!((worker.text().as_deref(), loads.load(Relaxed)), (Some("loaded"), 1));
        });
    }
}

#[test]
fn nothing_is_kept_too_and_seen_as_nothing() {
    for (servers, table, _) in settings() {
        let host = shared(&servers, &table.replace("autoexpire=1000", "autoexpire=1000;negexpire=30"), 1_000);
        watched(&[host], || {
            let mut worker = Worker::new(host);
            let Opened::Load(lease) = worker.desk.open(&mut worker.cache, 0, b"k") else { panic!() };
            assert_eq!(worker.cache.get(0, b"k", 0), Verdict::Missing, "a loader's place is nothing to others");
            assert_eq!(worker.desk.close(&mut worker.cache, &lease, Loaded::Nothing), Verdict::Missing);
            let before = host.table_count(0, TableStat::NegHits);
            assert_eq!(worker.look("k", &mut Failing::default()), Verdict::Missing, "{table}");
            assert_eq!(worker.cache.get(0, b"k", 0), Verdict::Missing);
            assert_eq!(host.table_count(0, TableStat::NegHits), before + 2);
            assert!(worker.cache.dump(0, "", 100).unwrap().entries.iter().all(|entry| entry.key != b"k"));
            let (verdict, left) = worker.cache.ttl(0, b"k");
            assert!(verdict == Verdict::Done && (28..=31).contains(&left), "{left}");
        });
    }
}
