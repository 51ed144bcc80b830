//! The watcher makes both copies of each key equal again: real servers that die, come back and lose what they had.

#[path = "support/mod.rs"]
mod support;

use shardcache::cluster::{ServerStat, Shared, Watcher};
use shardcache::config::Config;
use std::time::{Duration, Instant};
use support::memcached::Options;
use support::worker::standing;
use support::{Memcached, PATIENT_MS, Watched, Worker};

/// How many of the first `count` keys a server holds.
fn held(server: &Memcached, count: usize) -> usize {
    let keys: std::collections::HashSet<String> = server.entries().into_iter().collect();
    (0..count).filter(|n| keys.contains(&format!("t:key{n}"))).count()
}

fn fill(server: &Memcached, count: usize) {
    let text: String = (0..count).map(|n| format!("ms t:key{n} 6 q T0\r\nval{:03}\r\n", n % 1000)).collect();
    server.raw(format!("{text}mn\r\n").as_bytes(), "MN").unwrap();
}

/// What is stored before and during an outage, and must be there after it.
const KEYS: usize = 120;
const COUNTERS: usize = 20;

/// Some are too long for a wire key, some are not printable.
fn key(n: usize) -> String {
    match n % 40 {
        38 => format!("key{n}{}", " and more".repeat(30)),
        39 => format!("key {n}\r\n"),
        _ => format!("key{n}"),
    }
}

fn before(host: &mut Watched) {
    (0..KEYS).for_each(|n| host.set(&key(n), "before"));
    for n in 0..COUNTERS {
        host.inc(&format!("count{n}"));
    }
}

/// A third is written anew, a third deleted.
fn during(host: &mut Watched) {
    for n in 0..KEYS {
        match n % 3 {
            0 => host.set(&key(n), "during"),
            1 => host.remove(&key(n)),
            _ => {}
        }
    }
    for n in 0..COUNTERS {
        host.inc(&format!("count{n}"));
    }
}

fn check(host: &mut Watched) {
    for n in 0..KEYS {
        let want = [Some("during"), None, Some("before")][n % 3];
        assert_eq!(host.get(&key(n)).as_deref(), want, "key{n}: {}", standing(host.shared));
    }
    for n in 0..COUNTERS {
        assert_eq!(host.get(&format!("count{n}")).as_deref(), Some("2"), "count{n}: {}", standing(host.shared));
    }
}

/// One server is away for a while, is back as `returns` leaves it, and once all is whole the other one dies.
fn outage(warm: bool, away: impl Fn(&mut Memcached), returns: impl Fn(&mut Memcached)) {
    let start = || Memcached::start(Options { warm, ..Options::default() });
    let mut servers = [start(), start()];
    let mut host = Watched::new(&servers);
    host.until_whole();
    before(&mut host);
    away(&mut servers[0]);
    during(&mut host);
    host.until_trouble();
    returns(&mut servers[0]);
    host.until_whole();
    servers[1].kill();
    check(&mut host);
}

#[test]
fn a_server_that_comes_back_empty_gets_everything_back() {
    outage(false, Memcached::kill, Memcached::restart);
}

#[test]
fn a_server_that_comes_back_with_what_it_had_gets_what_it_missed() {
    let returns = |server: &mut Memcached| {
        std::thread::sleep(Duration::from_millis(1100));
        server.revive();
        assert_eq!(["t:key0", "t:key1"].map(|key| server.get(key).is_some()), [true; 2], "stale as it is");
    };
    outage(true, Memcached::rest, returns);
}

#[test]
fn a_server_that_slept_gets_what_it_missed() {
    outage(false, |server| server.freeze(), |server| server.thaw());
}

#[test]
fn what_lies_on_one_server_only_is_copied() {
    let servers = Memcached::many(2);
    fill(&servers[0], 2_000);
    let host = Watched::new(&servers);
    let repaired = || host.count(ServerStat::Repaired);
    host.until_whole();
    assert_eq!((held(&servers[0], 2_000), held(&servers[1], 2_000), repaired()), (2_000, 2_000, 2_000));
    servers[1].raw(b"flush_all\r\n", "OK").unwrap();
    host.until_trouble();
    let begun = Instant::now();
    host.until_whole();
    assert_eq!((held(&servers[0], 2_000), held(&servers[1], 2_000), repaired()), (2_000, 2_000, 4_000));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_is_flushed_gets_everything_back() {
    let mut servers = Memcached::many(2);
    let mut host = Watched::new(&servers);
    host.until_whole();
    before(&mut host);
    during(&mut host);
    servers[0].raw(b"flush_all\r\n", "OK").unwrap();
    host.until_trouble();
    check(&mut host);
    host.until_whole();
    servers[1].kill();
    check(&mut host);
}

#[test]
fn a_server_that_hangs_in_the_middle_of_a_walk_is_walked_again() {
    let servers = Memcached::many(2);
    fill(&servers[0], 20_000);
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, repair_rate: 2_000, ..Config::default() };
    Memcached::specs(&servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table("t=>copies=2").unwrap();
    let host = Watched::with(config);
    for server in &servers {
        let so_far = host.count(ServerStat::Repaired);
        host.until("a walk under way", |_| host.count(ServerStat::Repaired) > so_far + 1_000);
        server.freeze();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(host.shared.whole(), Some(false));
        server.thaw();
    }
    host.until_whole();
    assert_eq!((held(&servers[0], 20_000), held(&servers[1], 20_000)), (20_000, 20_000));
}

#[test]
fn one_host_repairs_and_another_takes_over_when_it_dies() {
    let servers = Memcached::many(2);
    let mut hosts = vec![Watched::new(&servers), Watched::new(&servers)];
    hosts.iter().for_each(Watched::until_whole);
    let repaired = |hosts: &[Watched]| hosts.iter().map(|host| host.count(ServerStat::Repaired)).collect::<Vec<_>>();
    for n in 0..500 {
        hosts[0].set(&format!("key{n}"), "value");
    }
    servers[1].raw(b"flush_all\r\n", "OK").unwrap();
    hosts.iter().for_each(Watched::until_trouble);
    hosts.iter().for_each(Watched::until_whole);
    let sum: u64 = repaired(&hosts).iter().sum();
    assert_eq!((held(&servers[1], 500), sum), (500, 500), "each key once: {:?}", repaired(&hosts));
    // Each pair has its lease: the host that dies holds one at least.
    let holder = usize::from(repaired(&hosts)[1] > repaired(&hosts)[0]);
    drop(hosts.remove(holder));
    servers[1].raw(b"flush_all\r\n", "OK").unwrap();
    hosts[0].until_trouble();
    hosts[0].until_whole();
    assert_eq!(held(&servers[1], 500), 500);
}

#[test]
fn a_tick_stays_short_while_many_keys_are_walked() {
    let servers = Memcached::many(2);
    fill(&servers[0], 20_000);
    let mut config = Config { cmd_timeout_ms: 300, ..Config::default() };
    Memcached::specs(&servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table("t=>copies=2").unwrap();
    let shared = Shared::create(config).unwrap();
    let mut watcher = Watcher::new(shared);
    let (begun, mut ticks) = (Instant::now(), Vec::<Instant>::new());
    let (mut steps, mut gaps) = (Vec::new(), Vec::new());
    while shared.whole() != Some(true) {
        assert!(begun.elapsed() < Duration::from_secs(60));
        let tick = Instant::now();
        if ticks.last().is_none_or(|last| tick - *last >= Duration::from_millis(100)) {
            gaps.extend(ticks.last().map(|last| tick - *last));
            ticks.push(tick);
            watcher.tick();
        } else {
            watcher.work();
        }
        steps.push(tick.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    // A busy machine may halt the watcher for a moment, and again.
    let [step, gap] = [steps, gaps].map(|mut times| {
        times.sort_unstable_by(|a, b| b.cmp(a));
        times[2]
    });
    assert!(step < Duration::from_millis(400) && gap < Duration::from_millis(500), "{step:?} {gap:?}");
    assert_eq!((held(&servers[0], 20_000), held(&servers[1], 20_000)), (20_000, 20_000));
}
