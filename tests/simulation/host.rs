//! A host: what all its processes know of the servers, and of what lies on them.

use shardcache::cluster::copies::View;
use shardcache::cluster::seats::Seat;
use shardcache::health::{self, Cell, Change, Policy, Poll, Reason, Seen, State, tally};

use super::RULES;
use super::rng::Rng;
use super::world::{DELTA, MS, TICK};

pub struct Host {
    pub alive: bool,
    pub life: u32,
    pub views: Vec<View>,
    /// By servers, as the module keeps it in shared memory.
    health: Vec<Cell>,
    policy: Policy,
    /// When each last failed this host.
    failed: Vec<Option<u64>>,
    /// When the last answered poll of each pair's partner was sent.
    pub polled: Vec<Option<u64>>,
    /// Tenths of seconds that this host's clock is off.
    pub skew: i64,
    /// The watcher stands still until then.
    pub stalled: u64,
    /// The seats as this host knows them (one copy).
    pub seats: Vec<Seat>,
}

impl Host {
    /// Of a farm of so many servers and pairs; gives a server up after so many failures in a row.
    pub fn new(servers: usize, pairs: usize, soft_failures: u32, rng: &mut Rng) -> Self {
        let probe_interval_ms = TICK / MS;
        let policy =
            Policy { probe_interval_ms, soft_failures, return_probes: 1, flap_window_ms: 0, ..Policy::default() };
        Self {
            alive: true,
            life: 0,
            views: vec![View::default(); pairs],
            health: cells(servers),
            policy,
            failed: vec![None; servers],
            polled: vec![None; pairs],
            skew: i64::try_from(rng.below(21)).unwrap() - 10,
            stalled: 0,
            seats: vec![Seat::UNKNOWN; pairs],
        }
    }

    /// Starts again, knowing nothing.
    pub fn reborn(&mut self) {
        self.alive = true;
        self.views.fill_with(View::default);
        self.health = cells(self.health.len());
        self.failed.fill(None);
        self.polled.fill(None);
        self.seats.fill(Seat::UNKNOWN);
    }

    pub fn uses(&self, server: usize) -> bool {
        self.health[server].admits()
    }

    pub fn drained(&self, server: usize) -> bool {
        self.health[server].state() == State::Drained
    }

    /// Are all servers in use?
    pub fn well(&self) -> bool {
        self.health.iter().all(Cell::admits)
    }

    /// Does most of the pool seem down?
    pub fn isolated(&self) -> bool {
        let (down, all) = tally(&self.health);
        all >= 2 && 2 * down > all
    }

    /// Has the server not failed this host within the promised bound?
    pub fn steady(&self, server: usize, now: u64) -> bool {
        self.failed[server].is_none_or(|at| at + DELTA < now)
    }

    /// Does the server refuse, or was it out of use for longer than the rules' patience?
    pub fn gone(&self, server: usize, now: u64) -> bool {
        let health = &self.health[server];
        let refuses = health.health() == State::Down && health.reason().hard();
        !health.admits() && (refuses || health.since_ms() + RULES.patience_ms < now / MS)
    }

    /// In which of its lives is the server?
    pub fn incarnation(&self, server: usize) -> u32 {
        self.health[server].incarnation()
    }

    /// A worker tells what became of a packet that it began in the server's life `begun`.
    pub fn observe(&mut self, server: usize, begun: u32, seen: Seen, now: u64) -> Option<Change> {
        if seen != Seen::Ok {
            self.failed[server] = Some(now);
        }
        self.health[server].observe(now / MS, begun, seen, &self.policy)
    }

    /// A watcher tells what its poll came to: it was answered, or not, or refused.
    pub fn probed(&mut self, server: usize, begun: u32, reached: bool, refused: bool, now: u64) -> Option<Change> {
        let poll = match reached {
            true => Poll::Known,
            false => Poll::Failed(if refused { Reason::Refused } else { Reason::Timeout }),
        };
        if !reached {
            self.failed[server] = Some(now);
        }
        self.health[server].probed(now / MS, begun, poll, 0, &self.policy)
    }

    pub fn drain(&mut self, server: usize, drained: bool, now: u64) -> Option<Change> {
        self.health[server].drain(now / MS, drained)
    }
}

fn cells(servers: usize) -> Vec<health::Cell> {
    (0..servers).map(|_| Cell::default()).collect()
}
