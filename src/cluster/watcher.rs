//! The watcher's work, one bounded round at a time: ask every server how it is, learn what other hosts changed, and
//! tell what became of the servers since the last round.
//!
//! One poll of a healthy server is one packet: its root counters, which move when any host changed a housekeeping record, or an
//! entry of a near table. A new connection first asks for version, process id and limits. Details are read only when a root moved.

mod poll;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::copies::Rules;
use super::courier::Courier;
use super::editions::ledger::Ledger;
use super::generations::Generations;
use super::greeting::Greeting;
use super::layout::Layout;
use super::lookup::Lookups;
use super::patrol::{Desk, Patrol};
use super::standing::Told;
use super::stripes::Stripes;
use super::ushers::Ushers;
use super::{DRAINED, Event, Shared};
use crate::clock::{self, Deadline};
use crate::health::{self, State};
use crate::key::WireKey;
use poll::Polled;

/// What the watcher keeps of one server between two rounds.
#[derive(Debug)]
struct Watched {
    incarnation: u32,
    greeting: Option<Greeting>,
    /// The connection that it came over.
    connection: u64,
    /// The process that greeted last; 0 = none yet.
    process: u64,
    /// The root counter under which the details were last read on this connection; a change asks for them again.
    root: Option<u64>,
    /// What was last told of it.
    told_up: bool,
}

impl Default for Watched {
    fn default() -> Self {
        Self { incarnation: 0, greeting: None, connection: 0, process: 0, root: None, told_up: true }
    }
}

/// Probes the servers and brings the host's shared knowledge up to date.
pub struct Watcher {
    shared: &'static Shared,
    layout: Arc<Layout>,
    desk: Desk,
    courier: Courier,
    watched: Vec<Watched>,
    generations: Generations,
    ledger: Ledger,
    stripes: Stripes,
    patrol: Patrol,
    ushers: Ushers,
    lookups: Lookups,
    root: WireKey,
    told: Told,
    jitter: u32,
    /// The server from which on connections are made next.
    turn: usize,
}

impl Watcher {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        let config = shared.config();
        Self::with(shared, Rules::timed(config.cmd_timeout_ms, config.probe_interval_ms))
    }

    /// One that looks after copies by other rules than those for the host's time limits.
    #[must_use]
    pub fn with(shared: &'static Shared, rules: Rules) -> Self {
        let mut watcher = Self {
            shared,
            layout: Arc::default(),
            desk: Desk { links: Vec::new() },
            courier: Courier::default(),
            watched: Vec::new(),
            generations: Generations::new(shared),
            ledger: Ledger::new(shared),
            stripes: Stripes::new(shared),
            patrol: Patrol::new(shared, rules),
            ushers: Ushers::new(shared),
            lookups: Lookups::default(),
            root: WireKey::of_record("root", "", b""),
            told: Told::default(),
            jitter: (clock::wall_us() as u32) | 1,
            turn: 0,
        };
        watcher.follow();
        watcher
    }

    /// The list of servers that the last round followed.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Takes over the host's list of servers as it is now.
    fn follow(&mut self) {
        let next = self.shared.layout();
        let renewed = self.shared.relink(&mut self.desk.links, &self.layout, &next);
        self.generations.follow(&next);
        self.ledger.follow(&next, &renewed);
        self.stripes.follow(next.slots(), &renewed);
        self.watched.resize_with(next.slots(), Watched::default);
        for slot in renewed {
            let incarnation = self.shared.server_cell(slot).health.incarnation();
            self.watched[slot] = Watched { incarnation, ..Watched::default() };
            self.lookups.forget(slot);
        }
        self.patrol.follow(&next);
        self.ushers.follow(&next);
        self.turn = self.turn.min(next.slots().saturating_sub(1));
        self.layout = next;
    }

    /// One round: returns what changed since the last one. Takes at most five `cmd_timeout`, and a step of
    /// [`work`](Self::work).
    ///
    /// A poll vouches for a server, and counts towards its return, only once the details behind its root are known.
    pub fn tick(&mut self) -> Vec<Event> {
        if self.layout.version() != self.shared.list_version() {
            self.follow();
            let all: Vec<usize> = self.layout.servers().map(|(server, _)| server).collect();
            let budget = self.budget();
            self.ledger.look(&mut self.desk.links, &all, budget);
        }
        self.follow_names();
        let due = self.due();
        let sent_ns = self.poll(&due);
        let polled: Vec<Polled> = due.into_iter().map(|server| self.read(server, sent_ns)).collect();
        self.ledger.read(&self.desk.links);
        let moved: Vec<usize> = polled.iter().filter(|poll| self.moved(poll)).map(|poll| poll.server).collect();
        let budget = self.budget();
        self.ushers.hear(&self.courier, &self.desk);
        self.patrol.hear(&mut self.courier, &mut self.desk, budget);
        self.ushers.act(&mut self.courier, &mut self.desk, budget);
        let read = self.generations.sync(&mut self.desk.links, &moved, budget);
        let budget = self.budget();
        self.stripes.read(&mut self.desk.links, budget);
        for poll in &polled {
            let known = !moved.contains(&poll.server) || read.contains(&poll.server);
            self.judge(poll, known, sent_ns / 1_000_000);
        }
        let budget = self.budget();
        self.ledger.write(&mut self.desk.links, budget);
        self.shared.recount();
        self.work();
        self.news()
    }

    /// A step of the work that does not fit into a round: a few milliseconds, or one `cmd_timeout` per exchange with a server that
    /// does not answer.
    pub fn work(&mut self) {
        let budget = self.budget();
        self.ushers.work(&mut self.courier, &mut self.desk, budget);
        self.patrol.work(&mut self.courier, &mut self.desk);
    }

    fn budget(&self) -> Deadline {
        Deadline::after(Duration::from_millis(u64::from(self.shared.config().cmd_timeout_ms)))
    }

    /// A name whose server is down may lead elsewhere by now.
    fn follow_names(&mut self) {
        let now = clock::monotonic_ms();
        for (server, found) in self.lookups.finished(now) {
            let cell = self.shared.server_cell(server);
            if cell.address.get() != Some(found) {
                cell.address.set(found);
                cell.health.restarted();
            }
        }
        for (server, spec) in self.layout.servers() {
            if self.shared.server_cell(server).health.health().failed() {
                self.lookups.start(server, &spec.addr, now);
            }
        }
    }

    /// True when a server's root counter is not what it was: its details have to be read.
    fn moved(&self, poll: &Polled) -> bool {
        poll.outcome == Some(Ok(())) && (poll.root.is_none() || self.watched[poll.server].root != poll.root)
    }

    /// What a server's health makes of its answer; `known` when nothing is hidden behind its root any more.
    fn judge(&mut self, poll: &Polled, known: bool, sent_ms: u64) {
        let (server, Some(outcome)) = (poll.server, poll.outcome) else { return };
        let watched = &mut self.watched[server];
        let seen = match outcome.map(|()| self.ledger.admit(server)) {
            Err(reason) => health::Poll::Failed(reason),
            Ok(Err(kept_out)) => kept_out,
            Ok(Ok(())) if known => health::Poll::Known,
            Ok(Ok(())) => health::Poll::Pending,
        };
        if seen == health::Poll::Known {
            watched.root = poll.root;
            self.shared.server_cell(server).polled_ms.store(sent_ms, Relaxed);
            self.stripes.vouch(server, sent_ms);
        }
        let begun = watched.incarnation;
        let jitter = self.random();
        self.shared.probed(server, begun, seen, jitter);
    }

    /// What changed since it was last told.
    fn news(&mut self) -> Vec<Event> {
        let mut news = Vec::new();
        for (server, _) in self.layout.servers() {
            let watched = &mut self.watched[server];
            let up = self.shared.server_up(server);
            if up != watched.told_up {
                watched.told_up = up;
                let reason = match self.shared.server_cell(server).health.state() {
                    State::Drained => DRAINED,
                    _ => self.shared.server_view(server).reason,
                };
                let detail = self.desk.links[server].detail().to_owned();
                news.push(if up { Event::ServerUp { server } } else { Event::ServerDown { server, reason, detail } });
            }
        }
        self.told.news(self.shared, &self.layout, &mut news);
        self.patrol.news(&mut news);
        self.ushers.news(&mut news);
        news.extend(self.ledger.news());
        news
    }

    /// Spreads the probes of many hosts; quality is no concern.
    fn random(&mut self) -> u32 {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 17;
        self.jitter ^= self.jitter << 5;
        self.jitter
    }
}
