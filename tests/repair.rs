//! The watcher makes both copies of each key equal again: real servers that die, come back and lose what they had.

#[path = "support/mod.rs"]
mod support;

use shardcache::cluster::{ServerStat, Shared, Watcher};
use shardcache::config::Config;
use std::time::{Duration, Instant};
use support::Memcached;

const PATIENCE: Duration = Duration::from_secs(30);

/// One host: its shared memory and its watcher.
struct Host {
    shared: &'static Shared,
    watcher: Watcher,
}

impl Host {
    fn new(servers: &[Memcached]) -> Self {
        let mut config = Config::default();
        for (at, server) in servers.iter().enumerate() {
            config.add_server(&server.spec(&format!("mc{at}"))).unwrap();
        }
        config.add_table("t=>copies=2").unwrap();
        config.check().unwrap();
        let shared = Shared::create(config).unwrap();
        Self { shared, watcher: Watcher::new(shared) }
    }

    /// Lets the watcher run as it does in its process, until `happened`.
    fn until(&mut self, what: &str, mut happened: impl FnMut(&Shared) -> bool) {
        let (begun, mut next) = (Instant::now(), Instant::now());
        while !happened(self.shared) {
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
            if Instant::now() >= next {
                next += Duration::from_millis(100);
                self.watcher.tick();
            } else {
                self.watcher.work();
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn until_whole(&mut self) {
        self.until("whole copies", |shared| shared.whole() == Some(true));
    }

    fn repaired(&self) -> u64 {
        (0..self.shared.layout().len()).map(|server| self.shared.server_count(server, ServerStat::Repaired)).sum()
    }
}

/// How many of the first `count` keys a server holds.
fn held(server: &Memcached, count: usize) -> usize {
    let keys: std::collections::HashSet<String> = server.entries().into_iter().collect();
    (0..count).filter(|n| keys.contains(&format!("t:key{n}"))).count()
}

fn fill(server: &Memcached, count: usize) {
    let text: String = (0..count).map(|n| format!("ms t:key{n} 6 q T0\r\nval{:03}\r\n", n % 1000)).collect();
    server.raw(format!("{text}mn\r\n").as_bytes(), "MN").unwrap();
}

#[test]
fn what_lies_on_one_server_only_is_copied() {
    let servers = Memcached::many(2);
    fill(&servers[0], 2_000);
    let mut host = Host::new(&servers);
    host.until_whole();
    assert_eq!((held(&servers[0], 2_000), held(&servers[1], 2_000), host.repaired()), (2_000, 2_000, 2_000));
    servers[1].raw(b"flush_all\r\n", "OK").unwrap();
    host.until("trouble", |shared| shared.whole() == Some(false));
    let begun = Instant::now();
    host.until_whole();
    assert_eq!((held(&servers[0], 2_000), held(&servers[1], 2_000), host.repaired()), (2_000, 2_000, 4_000));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_tick_stays_short_while_many_keys_are_walked() {
    let servers = Memcached::many(2);
    fill(&servers[0], 20_000);
    let mut host = Host::new(&servers);
    let (mut longest, mut gap, begun) = (Duration::ZERO, Duration::ZERO, Instant::now());
    let mut ticks: Vec<Instant> = Vec::new();
    while host.shared.whole() != Some(true) {
        assert!(begun.elapsed() < PATIENCE);
        let tick = Instant::now();
        if ticks.last().is_none_or(|last| tick - *last >= Duration::from_millis(100)) {
            gap = gap.max(ticks.last().map_or(Duration::ZERO, |last| tick - *last));
            ticks.push(tick);
            host.watcher.tick();
        } else {
            host.watcher.work();
        }
        longest = longest.max(tick.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(longest < Duration::from_millis(400) && gap < Duration::from_millis(500), "{longest:?} {gap:?}");
    assert_eq!((held(&servers[0], 20_000), held(&servers[1], 20_000), host.repaired()), (20_000, 20_000, 20_000));
}
