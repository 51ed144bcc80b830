//! What a server's outage costs a host of many worker processes: the deadlines they pay, one after another and in all,
//! while it is frozen, when it returns, and when it answers probes but no calls.

mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::clock::monotonic_ns;
use shardcache::cluster::{ServerStat, Shared, Watcher};
use shardcache::config::Config;
use shardcache::near::Region;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use support::children::Child;
use support::{Fake, Memcached, until};

const WORKERS: usize = 8;
/// Long enough that a busy machine makes nobody late.
const TIMEOUT_MS: u32 = 600;
/// Between two rounds of a watcher.
const INTERVAL: Duration = Duration::from_millis(100);
/// The server in trouble; the others are well.
const BAD: usize = 0;

/// Programs started by one test would wait for the end of workers that another forked meanwhile.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shared(servers: &[String]) -> &'static Shared {
    let mut config = Config { cmd_timeout_ms: TIMEOUT_MS, ..Config::default() };
    for (i, addr) in servers.iter().enumerate() {
        config.add_server(&format!("name=mc{i};addr={addr}")).unwrap();
    }
    config.add_table("t=>").unwrap();
    Shared::create(config).unwrap()
}

/// What the workers write down about calls to the bad server.
#[repr(C)]
struct Ledger {
    stop: AtomicU32,
    /// Calls it answered.
    served: AtomicU64,
    /// Calls that went on without it: refused at once, or answered by its stand-in.
    spared: AtomicU64,
    /// Deadlines begun although it was known to be down.
    late: AtomicU64,
    rows: AtomicUsize,
    /// When each deadline that was paid began and ended, microseconds.
    paid: [[AtomicU64; 2]; 4096],
}

/// Where a crowd of workers waits to start together.
#[repr(C)]
struct Gate {
    ready: AtomicUsize,
    /// When they start, microseconds; 0 = not known yet.
    start_us: AtomicU64,
    longest_us: AtomicU64,
}

/// Made of atomics only: zero bytes are a fresh one.
trait Atomics: Sized {
    /// A fresh one in memory that all processes forked later share.
    fn mapped() -> &'static Self {
        let region = Box::leak(Box::new(Region::anonymous(size_of::<Self>()).unwrap()));
        // SAFETY: the region is zeroed, page-aligned, large enough and never unmapped; the types below are all atomics.
        unsafe { region.start().cast().as_ref() }
    }
}

impl Atomics for Ledger {}
impl Atomics for Gate {}

fn now_us() -> u64 {
    monotonic_ns() / 1_000
}

impl Ledger {
    /// The deadlines paid since `from`: how many at most lay one after another, and how many in all.
    fn cost(&self, from: usize) -> (usize, usize) {
        let rows = from..self.rows.load(SeqCst);
        let mut paid: Vec<[u64; 2]> = rows.map(|row| [0, 1].map(|end| self.paid[row][end].load(SeqCst))).collect();
        paid.sort_by_key(|paid| paid[1]);
        let (mut row, mut free_us) = (0, 0);
        for [begun, ended] in &paid {
            if *begun >= free_us {
                (row, free_us) = (row + 1, *ended);
            }
        }
        (row, paid.len())
    }
}

/// The workers of a host, calling the bad server about every two milliseconds each; ended when dropped.
struct Crew {
    ledger: &'static Ledger,
    workers: Vec<Child>,
}

impl Crew {
    fn new(shared: &'static Shared) -> Self {
        let ledger = Ledger::mapped();
        let work = || {
            let mut cache = Cache::new(shared);
            let key = (0..1000).map(|n: u32| n.to_string()).find(|key| home(&mut cache, key) == Some(BAD)).unwrap();
            while ledger.stop.load(SeqCst) == 0 {
                call(shared, &mut cache, ledger, key.as_bytes());
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        Self { ledger, workers: (0..WORKERS).map(|_| Child::fork(work)).collect() }
    }

    fn end(self) {
        self.ledger.stop.store(1, SeqCst);
        assert!(self.workers.into_iter().all(Child::done));
    }
}

fn home(cache: &mut Cache, key: &str) -> Option<usize> {
    cache.locate(0, key.as_bytes()).unwrap().server
}

fn call(shared: &Shared, cache: &mut Cache, ledger: &Ledger, key: &[u8]) {
    let (up, begun) = (shared.server_up(BAD), now_us());
    let verdict = cache.get(0, key, 1);
    match (verdict, cache.last().err) {
        (Verdict::Done | Verdict::Missing, _) if cache.last().server == Some(BAD) => {
            ledger.served.fetch_add(1, SeqCst);
        }
        (Verdict::Done | Verdict::Missing, _) | (_, "server down" | "changing over") => {
            ledger.spared.fetch_add(1, SeqCst);
        }
        (_, "no answer in time") => {
            ledger.late.fetch_add(u64::from(!up), SeqCst);
            let row = &ledger.paid[ledger.rows.fetch_add(1, SeqCst)];
            row[0].store(begun, SeqCst);
            row[1].store(now_us(), SeqCst);
        }
        (verdict, err) => panic!("{verdict:?} {err}"),
    }
}

/// The watcher's rounds, in their time, until it happened.
fn ticks(watcher: &mut Watcher, what: &str, mut happened: impl FnMut() -> bool) {
    let mut next = Instant::now();
    until(what, Duration::from_secs(60), || {
        if next <= Instant::now() {
            next = Instant::now() + INTERVAL;
            drop(watcher.tick());
        }
        if happened() { Ok(()) } else { Err("not yet") }
    });
}

fn ticks_for(watcher: &mut Watcher, time: Duration) {
    let end = Instant::now() + time;
    ticks(watcher, "time to pass", || Instant::now() >= end);
}

fn deadlines(count: u32) -> Duration {
    Duration::from_millis(u64::from(TIMEOUT_MS * count))
}

#[test]
fn each_time_a_server_freezes_a_host_pays_three_deadlines_in_a_row_and_a_waiting_call_one() {
    let _alone = alone();
    let servers = Memcached::many(3);
    let shared = shared(&servers.iter().map(Memcached::addr).collect::<Vec<_>>());
    let mut watcher = Watcher::new(shared);
    ticks_for(&mut watcher, Duration::from_millis(50));
    let crew = Crew::new(shared);
    let ledger = crew.ledger;
    for outage in 0..3 {
        let (served, rows) = (ledger.served.load(SeqCst), ledger.rows.load(SeqCst));
        ticks(&mut watcher, "calls to be served", || ledger.served.load(SeqCst) > served + 100);
        let probes = shared.server_count(BAD, ServerStat::ProbeErrors);
        servers[BAD].freeze();
        ticks(&mut watcher, "the breaker", || !shared.server_up(BAD));
        ticks_for(&mut watcher, deadlines(2));
        let paid = ledger.cost(rows);
        assert!((1..=3).contains(&paid.0), "outage {outage}: {paid:?}");
        assert!(paid.1 <= WORKERS + 2, "outage {outage}: {paid:?}");
        let spared = ledger.spared.load(SeqCst);
        ticks_for(&mut watcher, deadlines(4));
        assert!(ledger.spared.load(SeqCst) > spared + 100, "the others go on");
        assert_eq!(ledger.cost(rows), paid, "outage {outage}: nobody pays while it is down");
        assert!(shared.server_count(BAD, ServerStat::ProbeErrors) - probes <= 15, "probes become rarer");
        servers[BAD].thaw();
        ticks(&mut watcher, "its return", || shared.server_up(BAD));
    }
    let served = ledger.served.load(SeqCst);
    ticks(&mut watcher, "calls to be served", || ledger.served.load(SeqCst) > served + 100);
    assert_eq!(ledger.late.load(SeqCst), 0, "deadlines begun after the trip");
    assert_eq!(shared.server_count(BAD, ServerStat::Trips), 3);
    crew.end();
}

/// Says what the watcher wants to hear, and nothing to a call.
fn hypocrite() -> Fake {
    Fake::saying(|line| match line {
        "version" => Some("VERSION 1.6.18\r\n".into()),
        "stats" => Some("STAT pid 1\r\nEND\r\n".into()),
        "stats settings" => Some("STAT item_size_max 1048576\r\nEND\r\n".into()),
        _ if line.starts_with("mg !root:") => Some("VA 1\r\n7\r\n".into()),
        _ if line.starts_with("ma !root:") || line.starts_with("ms !list:") => Some("HD\r\n".into()),
        _ if line.starts_with("mg !") => Some("EN\r\n".into()),
        _ if line.starts_with("ms !") => Some("HD\r\n".into()),
        _ => None,
    })
}

#[test]
fn a_server_that_answers_probes_but_no_calls_costs_three_deadlines_and_one_per_return() {
    let _alone = alone();
    let bad = hypocrite();
    let others = Memcached::many(2);
    let shared = shared(&[bad.addr(), others[0].addr(), others[1].addr()]);
    let mut watcher = Watcher::new(shared);
    ticks_for(&mut watcher, Duration::from_millis(50));
    let crew = Crew::new(shared);
    ticks(&mut watcher, "four trips", || shared.server_count(BAD, ServerStat::Trips) >= 4);
    ticks_for(&mut watcher, deadlines(2));
    let (trips, paid) = (shared.server_count(BAD, ServerStat::Trips) as usize, crew.ledger.cost(0));
    assert!(paid.0 <= 2 + trips, "{paid:?} in {trips} trips");
    assert!(paid.1 <= 2 + trips * WORKERS, "{paid:?} in {trips} trips");
    assert_eq!(crew.ledger.served.load(SeqCst), 0);
    crew.end();
}

#[test]
fn a_hundred_workers_that_connect_at_once_to_a_returning_server_are_all_served() {
    const CROWD: usize = 100;
    let _alone = alone();
    let mut servers = Memcached::many(1);
    let shared = shared(&[servers[0].addr()]);
    let mut watcher = Watcher::new(shared);
    servers[0].kill();
    ticks(&mut watcher, "the loss", || !shared.server_up(0));
    servers[0].restart();
    ticks(&mut watcher, "the return", || shared.server_up(0));
    let gate = Gate::mapped();
    let worker = || {
        let mut cache = Cache::new(shared);
        gate.ready.fetch_add(1, SeqCst);
        while gate.start_us.load(SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_micros(gate.start_us.load(SeqCst).saturating_sub(now_us())));
        let begun = now_us();
        assert_eq!(cache.get(0, b"k", 1), Verdict::Missing, "{:?}", cache.last());
        gate.longest_us.fetch_max(now_us() - begun, SeqCst);
    };
    let crowd: Vec<Child> = (0..CROWD).map(|_| Child::fork(worker)).collect();
    until("the crowd", Duration::from_secs(20), || match gate.ready.load(SeqCst) {
        CROWD => Ok(()),
        some => Err(some),
    });
    gate.start_us.store(now_us() + 50_000, SeqCst);
    assert!(crowd.into_iter().all(Child::done));
    assert_eq!(shared.server_count(0, ServerStat::Timeouts), 0);
    println!("the longest of {CROWD} first calls took {} us", gate.longest_us.load(SeqCst));
}
