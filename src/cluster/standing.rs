//! The servers' standing with this host: who may be used, what was said against them, whether most are down, and what
//! the operator was told of that.
//!
//! All changes of a server's health go through here, so that whoever makes one also counts the pool again.

use std::sync::atomic::Ordering::Relaxed;

use super::copies::{Rules, Scene};
use super::courier::Pair;
use super::layout::Layout;
use super::{Event, ServerStat, Shared};
use crate::clock;
use crate::health::{self, Change, Poll, Reason, Seen, State};

impl Shared {
    /// True while most of the pool, or all of it, seems down: then the fault is likely on this host's side, every call
    /// answers -2 at once, and nobody voids, fences or bumps anything.
    #[must_use]
    pub fn mostly_down(&self) -> bool {
        self.pool().mostly_down()
    }

    /// How many servers are down, and how many are configured and not drained.
    #[must_use]
    pub fn servers_down(&self) -> (usize, usize) {
        health::tally(self.healths(&self.layout()))
    }

    /// True when workers may use this server.
    #[must_use]
    pub fn server_up(&self, server: usize) -> bool {
        self.server_cell(server).health.admits()
    }

    /// Has this server not failed this host within the promised bound?
    #[must_use]
    pub fn steady(&self, server: usize, now_ms: u64) -> bool {
        let failure = Failure::unpack(self.server_cell(server).failure.load(Relaxed));
        failure.is_none_or(|failure| failure.at_ms + self.delta_ms() < now_ms)
    }

    /// Is this server given up for good reason: does it refuse, or was it out of use for so long?
    #[must_use]
    pub fn gone(&self, server: usize, now_ms: u64, patience_ms: u64) -> bool {
        let health = &self.server_cell(server).health;
        let refuses = health.health() == State::Down && health.reason().hard();
        !health.admits() && (refuses || health.since_ms() + patience_ms < now_ms)
    }

    /// What holds for the next exchange with a pair; `fresh`: the partner's last answered poll vouches for the home's mark.
    pub(crate) fn pair_scene<'a>(&self, rules: &'a Rules, pair: &Pair, fresh: bool, now_ms: u64) -> Scene<'a> {
        Scene {
            rules,
            up: pair.servers.map(|server| self.server_up(server)),
            fresh,
            isolated: self.mostly_down(),
            steady: pair.servers.map(|server| self.steady(server, now_ms)),
            gone: pair.servers.map(|server| self.gone(server, now_ms, rules.patience_ms)),
            clock: clock::wall_tenths(),
            now_ms,
        }
    }

    /// The operator takes a server out of use, or gives it back.
    pub fn set_drained(&self, server: usize, drained: bool) {
        let change = self.server_cell(server).health.drain(clock::monotonic_ms(), drained);
        self.changed(server, change);
    }

    /// A worker tells what became of a packet that it began in the server's life `begun`.
    pub(crate) fn observe(&self, server: usize, now_ms: u64, begun: u32, seen: Seen) {
        let cell = self.server_cell(server);
        if let Seen::Soft(reason) | Seen::Hard(reason) = seen {
            cell.counts.add(ServerStat::Errors as usize, 1);
            cell.counts.add(ServerStat::Timeouts as usize, u64::from(reason == Reason::Timeout));
            cell.failure.store(Failure { at_ms: now_ms, reason }.pack(), Relaxed);
        }
        self.changed(server, cell.health.observe(now_ms, begun, seen, self.policy()));
    }

    /// The watcher tells what its probe came to; `jitter` is any random number.
    pub(crate) fn probed(&self, server: usize, begun: u32, poll: Poll, jitter: u32) {
        let (cell, now_ms) = (self.server_cell(server), clock::monotonic_ms());
        cell.counts.add(ServerStat::Probes as usize, 1);
        if let Poll::Failed(reason) = poll {
            cell.counts.add(ServerStat::ProbeErrors as usize, 1);
            cell.failure.store(Failure { at_ms: now_ms, reason }.pack(), Relaxed);
        }
        self.changed(server, cell.health.probed(now_ms, begun, poll, jitter, self.policy()));
    }

    /// Counts the pool again, as the watcher does in each round: whoever changed something may have died before it did.
    pub(crate) fn recount(&self) {
        let layout = self.layout();
        self.pool().recount(|| self.healths(&layout));
    }

    fn healths<'a>(&'a self, layout: &'a Layout) -> impl Iterator<Item = &'a health::Cell> {
        layout.servers().map(|(server, _)| &self.server_cell(server).health)
    }

    fn changed(&self, server: usize, change: Option<Change>) {
        let Some(change) = change else { return };
        if change.went_down() {
            self.server_cell(server).counts.add(ServerStat::Trips as usize, 1);
        }
        self.recount();
    }
}

/// What was last told of the pool.
#[derive(Debug, Default)]
pub(super) struct Told {
    pool_down: bool,
    all_down: bool,
}

impl Told {
    /// Appends what changed since.
    pub fn news(&mut self, shared: &Shared, layout: &Layout, news: &mut Vec<Event>) {
        let all_down = !layout.is_empty() && layout.servers().all(|(server, _)| !shared.server_up(server));
        let now = Self { pool_down: all_down || shared.mostly_down(), all_down };
        let then = std::mem::replace(self, now);
        if then.pool_down != self.pool_down {
            let (down, of) = shared.servers_down();
            news.push(if self.pool_down { Event::PoolDown { down, of } } else { Event::PoolUp });
        }
        if self.all_down && !then.all_down {
            news.push(Event::AllDown);
        }
    }
}

/// The last failure of a server, in one word: when (ms of the monotonic clock), and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub at_ms: u64,
    pub reason: Reason,
}

impl Failure {
    fn pack(self) -> u64 {
        self.at_ms << 8 | self.reason as u64
    }

    /// `None` where nothing failed yet.
    pub fn unpack(word: u64) -> Option<Self> {
        (word != 0).then(|| Self { at_ms: word >> 8, reason: Reason::from_bits(word & 0xff) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn shared(servers: usize) -> &'static Shared {
        let mut config = Config::default();
        for number in 0..servers {
            config.add_server(&format!("name=s{number};addr=10.0.0.1:{}", 1000 + number)).unwrap();
        }
        Shared::create(config).unwrap()
    }

    fn kill(shared: &Shared, server: usize) {
        let begun = shared.server_cell(server).health.incarnation();
        shared.observe(server, 1, begun, Seen::Hard(Reason::Refused));
    }

    #[test]
    fn whoever_changes_a_server_counts_the_pool() {
        let shared = shared(4);
        let steps: [(&dyn Fn(), bool); 7] = [
            (&|| kill(shared, 0), false),
            (&|| kill(shared, 1), false),
            (&|| kill(shared, 2), true),
            (&|| shared.set_drained(2, true), true),
            (&|| shared.set_drained(1, true), false),
            (&|| shared.set_drained(1, false), true),
            (&|| (0..2).for_each(|_| shared.probed(1, 1, Poll::Known, 0)), false),
        ];
        for (at, (step, mostly)) in steps.iter().enumerate() {
            step();
            assert_eq!(shared.mostly_down(), *mostly, "after step {at}: {:?}", shared.servers_down());
        }
        assert_eq!(shared.server_cell(1).health.state(), State::Up);
    }

    #[test]
    fn a_server_is_gone_when_it_refuses_or_after_a_long_silence() {
        let shared = shared(2);
        kill(shared, 0);
        (0..3).for_each(|_| shared.observe(1, 64, 0, Seen::Soft(Reason::Timeout)));
        assert!(!shared.server_up(0) && !shared.server_up(1));
        assert!(shared.gone(0, 2, 3000));
        assert!(!shared.gone(1, 3064, 3000) && shared.gone(1, 3065, 3000));
    }

    #[test]
    fn the_last_failure_is_told() {
        let shared = shared(1);
        assert_eq!(shared.server_view(0).last_error, "");
        kill(shared, 0);
        shared.probed(0, 1, Poll::Failed(Reason::Unreachable), 0);
        assert_eq!(shared.server_view(0).last_error, "unreachable");
        let counted = [ServerStat::Errors, ServerStat::Trips, ServerStat::Probes, ServerStat::ProbeErrors];
        assert_eq!(counted.map(|stat| shared.server_count(0, stat)), [1; 4]);
    }
}
