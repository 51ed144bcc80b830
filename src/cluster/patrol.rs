//! What the watcher does for tables with two copies: it polls all pairs, and repairs those whose lease it holds.

pub mod catalogue;
pub mod lister;
mod mender;
mod news;
mod polls;
pub mod rate;
pub mod repair;
mod shown;
pub mod sieve;
mod strays;
pub mod sweep;
mod work;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use super::copies::{Pace, Polled, Rules, Scene};
use super::courier::{Lines, Pair, Place};
use super::{Event, Layout, Shared};
use crate::clock;
use crate::key::{Kind, Space};
use crate::wire::Link;

pub use shown::{CopiesView, RepairCell};

use lister::Lister;
use mender::Mender;
use news::Trouble;
use rate::Rate;
use repair::{Progress, Repair};
use sweep::Sweep;

/// The watcher's links.
pub struct Desk {
    pub links: Vec<Link>,
}

impl Lines for Desk {
    fn links(&mut self) -> &mut [Link] {
        &mut self.links
    }

    fn open(&mut self, server: usize) {
        self.links[server].begin();
    }

    fn over(&mut self, _: usize) {}
}

/// A request about a pair and no key.
pub(crate) fn place(pair: &Pair) -> Place<'_> {
    Place { pair, space: Space { kind: Kind::Entry, table: "", generation: 0 }, key: b"", stripe: None }
}

/// Polls and repairs.
pub struct Patrol {
    shared: &'static Shared,
    layout: Arc<Layout>,
    rules: Rules,
    /// This host's name in leases: another one at each start.
    host: u64,
    beats: Vec<Beat>,
    polls: Vec<polls::Round>,
    lister: Lister,
    mender: Mender,
    rate: Rate,
    /// Whose turn it is to be worked on.
    next: usize,
    news: Vec<Event>,
    /// Was it told that a pair is not whole, and not yet that all are again?
    torn: bool,
    /// Servers that were told to make no lists.
    listless: Vec<usize>,
}

/// One pair on this host's round.
struct Beat {
    pair: Pair,
    pace: [Pace; 2],
    polled: Polled,
    repair: Repair,
    sweep: Sweep,
    trouble: Trouble,
}

impl Patrol {
    #[must_use]
    pub fn new(shared: &'static Shared, rules: Rules) -> Self {
        Self {
            shared,
            layout: Arc::default(),
            rules,
            host: RandomState::new().build_hasher().finish() | 1,
            beats: Vec::new(),
            polls: Vec::new(),
            lister: Lister::default(),
            mender: Mender::default(),
            rate: Rate::new(shared.config().repair_rate),
            next: 0,
            news: Vec::new(),
            torn: false,
            listless: Vec::new(),
        }
    }

    /// The list of servers is another one: each pair of it is walked anew. Where no table has two copies, only a list
    /// that changed is walked, for what it left behind.
    pub fn follow(&mut self, layout: &Arc<Layout>) {
        self.layout = Arc::clone(layout);
        self.beats.clear();
        self.polls.clear();
        self.listless.clear();
        self.next = 0;
        let changed = layout.version() > 1;
        if changed || self.shared.config().has_mirrored() {
            self.walk(changed);
        }
    }

    /// Begins to walk all pairs; with `strays` they are not whole before a pass has found none.
    fn walk(&mut self, strays: bool) {
        let (interval_ms, now_ms) = (u64::from(self.shared.config().probe_interval_ms), clock::monotonic_ms());
        let layout = &self.layout;
        let beat = |pair: &Pair| Beat {
            pair: pair.clone(),
            pace: [Pace::new(interval_ms, 8 * interval_ms); 2],
            polled: Polled::default(),
            repair: Repair::default(),
            sweep: Sweep::new(layout.digest(), strays, now_ms),
            trouble: Trouble::default(),
        };
        self.beats = layout.servers().filter_map(|(home, _)| layout.pair(home)).map(beat).collect();
        // A server alone keeps all there is.
        for (server, _) in layout.servers().filter(|(server, _)| layout.pair(*server).is_none()) {
            self.shared.server_cell(server).repair.tell(layout.version(), true, Progress::default());
        }
    }

    /// A host with another list leaves as much behind as a change of this one.
    fn heed_other_lists(&mut self) {
        if self.beats.is_empty() && self.layout.len() > 1 && !self.shared.lists_agree() {
            self.walk(true);
        }
    }

    /// How long an exchange may take.
    fn budget(&self) -> Duration {
        Duration::from_millis(u64::from(self.shared.config().cmd_timeout_ms))
    }

    fn scene(&self, pair: &Pair) -> Scene<'_> {
        self.shared.pair_scene(&self.rules, pair, true, clock::monotonic_ms())
    }
}
