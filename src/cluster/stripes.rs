//! The watcher's poll of the stripes, where a table has near entries: each server's root with every tick, all its stripes in one
//! more packet when the root moved.

use super::Shared;
use super::news::counter_key;
use super::record::number;
use crate::clock::{self, Deadline};
use crate::invalidate::stripes::{Counter, Watch, survey};
use crate::wire::{self, Flags, Link};

/// The stripes of so many servers are read in one exchange.
const CROWD: usize = 16;

/// What is known of the servers' stripes.
pub struct Stripes {
    shared: &'static Shared,
    /// Has any table near entries?
    used: bool,
    servers: Vec<Watched>,
    /// The server from which on stripes are read next: a round may have no time for all.
    turn: usize,
}

/// One server's.
#[derive(Default)]
struct Watched {
    watch: Watch,
    /// Where the answer about the root will be.
    at: usize,
}

impl Stripes {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        Self { shared, used: shared.config().has_near(), servers: Vec::new(), turn: 0 }
    }

    /// The list of servers is another one: it has so many slots, of which these got another server.
    pub fn follow(&mut self, slots: usize, renewed: &[usize]) {
        if self.used {
            self.servers.resize_with(slots, Watched::default);
            renewed.iter().for_each(|server| self.servers[*server] = Watched::default());
            self.turn = 0;
        }
    }

    /// Adds the question for a server's root to its packet. `anew`: over a new connection.
    pub fn ask(&mut self, server: usize, link: &mut Link, anew: bool) {
        if let Some(watched) = self.servers.get_mut(server) {
            if anew {
                watched.watch.connected();
            }
            watched.at = link.commands();
            link.mg(counter_key(Counter::Root), "v");
        }
    }

    /// Another process answers than before.
    pub fn forget(&mut self, server: usize) {
        if let Some(watched) = self.servers.get_mut(server) {
            watched.watch.forget();
        }
    }

    /// Takes the answer of a server to this tick's packet, before anything else is sent to it.
    pub fn hear(&mut self, server: usize, link: &Link) {
        if let Some(watched) = self.servers.get_mut(server) {
            watched.watch.hear(number(&link.reply(watched.at)));
        }
    }

    /// Reads the stripes behind the roots that moved, as many as the time allows, and raises the versions of those that changed.
    pub fn read(&mut self, links: &mut [Link], deadline: Deadline) {
        let slots = self.servers.len();
        let moved = |server: &usize| self.servers[*server].watch.moved() && links[*server].is_open();
        let moved: Vec<usize> = (self.turn..slots).chain(0..self.turn).filter(moved).collect();
        for crowd in moved.chunks(CROWD) {
            self.turn = crowd[0];
            if deadline.passed(clock::monotonic_ns()) {
                return;
            }
            self.survey(links, crowd, deadline);
        }
    }

    /// Reads all counters of some servers.
    fn survey(&mut self, links: &mut [Link], crowd: &[usize], deadline: Deadline) {
        let clock_us = clock::wall_us();
        for &server in crowd {
            let (link, watch) = (&mut links[server], &self.servers[server].watch);
            link.begin();
            for counter in survey() {
                let flags = Flags::new("v N0 D0").with('J', watch.start(counter, clock_us));
                link.ma(counter_key(counter), &flags);
            }
        }
        wire::exchange(links, crowd, deadline);
        for &server in crowd {
            let (link, versions) = (&links[server], self.shared.versions());
            if link.status().is_err() {
                continue;
            }
            let told = |counter| number(&link.reply(place(counter)));
            self.servers[server].watch.read(clock_us, told, |stripe| versions.raise(server, stripe));
        }
    }

    /// The poll that was sent at `sent_ms` is good in all else that a call goes by.
    pub fn vouch(&mut self, server: usize, sent_ms: u64) {
        if self.servers.get(server).is_some_and(|watched| watched.watch.vouches()) {
            self.shared.versions().polled(server, sent_ms);
        }
    }

    /// Begins a tick.
    pub fn begin(&mut self) {
        self.servers.iter_mut().for_each(|watched| watched.watch.begin());
    }
}

/// Where a survey's answer about a counter is.
fn place(counter: Counter) -> usize {
    match counter {
        Counter::Root => 0,
        Counter::Stripe(stripe) => 1 + usize::from(stripe),
    }
}
