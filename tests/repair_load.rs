//! Copies become whole while the farm is busy: keys that are written all the time, counters that never rest.

#[path = "support/mod.rs"]
mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::value::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use support::{Memcached, Watched, Worker};

const KEYS: usize = 50;
const WORKERS: usize = 2;

/// Workers that do the same over and over, each on all keys.
struct Load {
    ends: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Sums>>,
}

/// What was counted on each counter.
#[derive(Clone, Copy)]
struct Sums {
    /// Acknowledged.
    least: [u64; KEYS],
    /// And what may have been.
    most: [u64; KEYS],
}

const NOTHING: Sums = Sums { least: [0; KEYS], most: [0; KEYS] };

/// What a worker does with a key in its turn.
type Act = fn(&mut Cache, usize, i64, &mut Sums);

impl Load {
    fn new(shared: &'static Shared, act: Act) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let worker = |_| {
            let ends = Arc::clone(&ends);
            std::thread::spawn(move || {
                let (mut cache, mut sums) = (Cache::new(shared), NOTHING);
                for turn in 0.. {
                    if ends.load(Relaxed) {
                        break;
                    }
                    (0..KEYS).for_each(|key| act(&mut cache, key, turn, &mut sums));
                }
                sums
            })
        };
        let workers = (0..WORKERS).map(worker).collect();
        Self { ends, workers }
    }

    /// Ends it; what all workers counted together.
    fn end(self) -> Sums {
        self.ends.store(true, Relaxed);
        let mut all = NOTHING;
        for sums in self.workers.into_iter().map(|worker| worker.join().unwrap()) {
            for key in 0..KEYS {
                all.least[key] += sums.least[key];
                all.most[key] += sums.most[key];
            }
        }
        all
    }
}

fn write(cache: &mut Cache, key: usize, turn: i64, _: &mut Sums) {
    cache.set(0, format!("key{key}").as_bytes(), Value::Int(turn), None);
}

fn count(cache: &mut Cache, key: usize, _: i64, sums: &mut Sums) {
    let done = cache.inc(0, format!("count{key}").as_bytes(), 1, 0, None);
    sums.least[key] += u64::from(done == Verdict::Done);
    sums.most[key] += u64::from(matches!(done, Verdict::Done | Verdict::Failed));
}

fn write_and_count(cache: &mut Cache, key: usize, turn: i64, sums: &mut Sums) {
    write(cache, key, turn, sums);
    count(cache, key, turn, sums);
}

/// Each counter has its exact sum.
fn check(host: &mut Watched, sums: &Sums) {
    for key in 0..KEYS {
        let number: u64 = host.get(&format!("count{key}")).unwrap_or_default().parse().unwrap();
        let (least, most) = (sums.least[key], sums.most[key]);
        assert!(least > 10 && (least..=most).contains(&number), "count{key}: {least} <= {number} <= {most}");
    }
}

#[test]
fn keys_and_counters_that_never_rest_become_whole_when_nothing_is_missing() {
    let mut servers = Memcached::many(2);
    let mut host = Watched::new(&servers);
    host.until_trouble();
    let load = Load::new(host.shared, write_and_count);
    host.until_whole();
    let sums = load.end();
    check(&mut host, &sums);
    servers[0].kill();
    check(&mut host, &sums);
}

#[test]
fn a_server_that_comes_back_empty_gets_all_of_what_is_written_all_the_time() {
    let mut servers = Memcached::many(2);
    let mut host = Watched::new(&servers);
    host.until_whole();
    for key in 0..1000 {
        host.set(&format!("still{key}"), "still");
    }
    let load = Load::new(host.shared, write);
    servers[0].restart();
    host.until_trouble();
    host.until_whole();
    load.end();
    servers[1].kill();
    for key in 0..1000 {
        assert_eq!(host.get(&format!("still{key}")).as_deref(), Some("still"), "{key}");
    }
}

#[test]
fn counters_that_never_rest_stay_single_and_are_told_until_they_rest() {
    let mut servers = Memcached::many(2);
    let mut host = Watched::new(&servers);
    host.until_whole();
    let load = Load::new(host.shared, count);
    let single = |shared: &Shared| {
        shared.layout().servers().map(|(server, _)| shared.server_view(server).copies.single).sum::<u64>()
    };
    servers[0].restart();
    host.until("single counters", |shared| single(shared) > KEYS as u64 / 2);
    assert_eq!(host.shared.whole(), Some(false));
    let sums = load.end();
    host.until_whole();
    assert_eq!(single(host.shared), 0);
    check(&mut host, &sums);
    servers[1].kill();
    check(&mut host, &sums);
}
