//! The watcher's rounds, as its process makes them.

use shardcache::cluster::copies::Rules;
use shardcache::cluster::{Event, Shared, Watcher};
use std::time::{Duration, Instant};

/// Between two steps.
const STEP: Duration = Duration::from_millis(10);
/// Copies settle as soon as those of hosts that wait no longer than this for a server, milliseconds: a busy machine's patience need
/// not be everybody's.
const SETTLE_MS: u32 = 300;

pub struct Rounds {
    watcher: Watcher,
    interval: Duration,
    /// When the next round is due.
    next: Instant,
}

impl Rounds {
    pub fn new(shared: &'static Shared) -> Self {
        let config = shared.config();
        let rules = Rules::timed(config.cmd_timeout_ms.min(SETTLE_MS), config.probe_interval_ms);
        let interval = Duration::from_millis(config.probe_interval_ms.into());
        Self { watcher: Watcher::with(shared, rules), interval, next: Instant::now() }
    }

    /// A round, due or not.
    pub fn round(&mut self) -> Vec<Event> {
        self.watcher.tick()
    }

    /// A round in which every server is due.
    pub fn full(&mut self) -> Vec<Event> {
        std::thread::sleep(self.interval);
        self.round()
    }

    /// A round when one is due, else a step of what is left to do.
    pub fn step(&mut self) -> Vec<Event> {
        if Instant::now() < self.next {
            self.watcher.work();
            return Vec::new();
        }
        self.next = (self.next + self.interval).max(Instant::now());
        self.watcher.tick()
    }

    /// Goes on until it is `over`.
    pub fn run(&mut self, mut over: impl FnMut() -> bool, mut heard: impl FnMut(Vec<Event>)) {
        while !over() {
            heard(self.step());
            std::thread::sleep(STEP);
        }
    }
}
