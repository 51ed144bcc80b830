//! The watcher's work, one bounded round at a time: ask every server how it is, learn what other hosts changed, and
//! tell what became of the servers since the last round.
//!
//! One poll of a healthy server is one packet: its root counter, which moves when any host changed a housekeeping
//! record. A new connection first asks for version, process id and limits. Details are read only when the root moved.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::generations::Generations;
use super::greeting::Greeting;
use super::lookup::Lookups;
use super::reason;
use super::{ServerStat, Shared};
use crate::clock::{self, Deadline};
use crate::health::{Reason, State};
use crate::key::WireKey;
use crate::wire::{self, KeyRef, Link, Reply};

/// The reason of a server that the operator took out of use.
pub const DRAINED: &str = "drained";

/// What the script may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    ServerDown {
        server: usize,
        reason: &'static str,
        /// More for the log, such as what is wrong with a certificate; often empty.
        detail: String,
    },
    ServerUp {
        server: usize,
    },
    /// No server is left to ask.
    AllDown,
}

/// What the watcher keeps of one server between two rounds.
#[derive(Debug)]
struct Watched {
    incarnation: u32,
    greeting: Option<Greeting>,
    /// The root counter as last seen; a change asks for the details.
    root: Option<u64>,
    /// What was last told of it.
    told_up: bool,
}

/// Probes the servers and brings the host's shared knowledge up to date.
pub struct Watcher {
    shared: &'static Shared,
    links: Vec<Link>,
    watched: Vec<Watched>,
    generations: Generations,
    lookups: Lookups,
    root: WireKey,
    told_all_down: bool,
    jitter: u32,
}

impl Watcher {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        let servers = shared.config().servers.len();
        let mut root = WireKey::new();
        let _ = root.record("root", "", b"");
        Self {
            shared,
            links: (0..servers).map(|server| Link::new(shared.endpoint(server))).collect(),
            watched: (0..servers)
                .map(|_| Watched { incarnation: 0, greeting: None, root: None, told_up: true })
                .collect(),
            generations: Generations::new(shared),
            lookups: Lookups::default(),
            root,
            told_all_down: false,
            jitter: (clock::wall_us() as u32) | 1,
        }
    }

    /// One round: returns what changed since the last one. Takes at most two `cmd_timeout`.
    pub fn tick(&mut self) -> Vec<Event> {
        self.follow_names();
        let due: Vec<usize> = (0..self.links.len()).filter(|server| self.due(*server)).collect();
        self.poll(&due);
        let answered: Vec<usize> = due.into_iter().filter(|server| self.links[*server].status().is_ok()).collect();
        let moved = self.read_roots(&answered);
        let budget = self.budget();
        self.generations.sync(&mut self.links, &moved, budget);
        self.news()
    }

    fn budget(&self) -> Deadline {
        Deadline::after(Duration::from_millis(u64::from(self.shared.config().cmd_timeout_ms)))
    }

    fn due(&self, server: usize) -> bool {
        self.shared.server_cell(server).health.probe_due(clock::monotonic_ms())
    }

    /// A name whose server is down may lead elsewhere by now.
    fn follow_names(&mut self) {
        for (server, found) in self.lookups.finished() {
            let cell = self.shared.server_cell(server);
            if cell.address.get() != Some(found) {
                cell.address.set(found);
                cell.health.restarted();
            }
        }
        for (server, spec) in self.shared.config().servers.iter().enumerate() {
            if !matches!(self.shared.server_cell(server).health.state(), State::Up | State::Suspect) {
                self.lookups.start(server, &spec.addr);
            }
        }
    }

    /// One packet to every server that is due, and what its health makes of the answer.
    fn poll(&mut self, due: &[usize]) {
        for &server in due {
            let cell = self.shared.server_cell(server);
            let (link, watched) = (&mut self.links[server], &mut self.watched[server]);
            if watched.incarnation != cell.health.incarnation() {
                watched.incarnation = cell.health.incarnation();
                link.close();
                if let Some(address) = cell.address.get() {
                    link.redirect(address);
                }
            }
            link.begin();
            if !link.is_open() {
                watched.greeting = None;
                cell.counts.add(ServerStat::Connects as usize, 1);
            }
            link.mg(KeyRef { bytes: self.root.bytes(), base64: self.root.base64() }, "v");
            if watched.greeting.is_none() {
                Greeting::ask(link);
            }
        }
        let sent_ms = clock::monotonic_ms();
        let sent_ns = clock::monotonic_ns();
        let deadline = self.budget();
        wire::exchange(&mut self.links, due, deadline);
        for &server in due {
            self.judge(server, sent_ms, sent_ns);
        }
    }

    fn judge(&mut self, server: usize, sent_ms: u64, sent_ns: u64) {
        let cell = self.shared.server_cell(server);
        let mut outcome = match self.links[server].status() {
            Ok(()) => Ok(()),
            Err(error) if error.reused => {
                self.links[server].close();
                return;
            }
            Err(error) => Err(reason(error.kind)),
        };
        if outcome.is_ok() && self.watched[server].greeting.is_none() {
            match Greeting::read(&self.links[server]) {
                Ok(greeting) => self.greeted(server, greeting),
                Err(reason) => {
                    self.links[server].close();
                    outcome = Err(reason);
                }
            }
        }
        if outcome.is_ok() {
            cell.latency_us.store((clock::monotonic_ns() - sent_ns) / 1_000, Relaxed);
            cell.polled_ms.store(sent_ms, Relaxed);
        }
        let jitter = self.random();
        let begun = self.watched[server].incarnation;
        let change = cell.health.probed(clock::monotonic_ms(), begun, outcome, jitter, self.shared.policy());
        if change.is_some_and(|change| change.went_down()) {
            cell.counts.add(ServerStat::Trips as usize, 1);
        }
    }

    /// A new connection told who the server is: another process than before means that it was restarted.
    fn greeted(&mut self, server: usize, greeting: Greeting) {
        let cell = self.shared.server_cell(server);
        cell.version.store(greeting.version, Relaxed);
        cell.item_max.store(greeting.item_max, Relaxed);
        self.watched[server].greeting = Some(greeting);
    }

    /// The servers whose root counter is not what it was: their details have to be read.
    fn read_roots(&mut self, answered: &[usize]) -> Vec<usize> {
        let mut moved = Vec::new();
        for &server in answered {
            let root = match self.links[server].reply(0) {
                Reply::Value { data, .. } => std::str::from_utf8(data).ok().and_then(|text| text.parse().ok()),
                _ => None,
            };
            let watched = &mut self.watched[server];
            if root.is_none() || watched.root != root {
                moved.push(server);
            }
            watched.root = root;
        }
        moved
    }

    /// What changed since it was last told.
    fn news(&mut self) -> Vec<Event> {
        let mut news = Vec::new();
        for (server, watched) in self.watched.iter_mut().enumerate() {
            let up = self.shared.server_up(server);
            if up != watched.told_up {
                watched.told_up = up;
                let reason = match self.shared.server_cell(server).health.state() {
                    State::Drained => DRAINED,
                    _ => self.shared.server_view(server).reason,
                };
                let detail = self.links[server].detail().to_owned();
                news.push(if up { Event::ServerUp { server } } else { Event::ServerDown { server, reason, detail } });
            }
        }
        let all_down = !self.watched.is_empty() && self.watched.iter().all(|watched| !watched.told_up);
        if all_down && !self.told_all_down {
            news.push(Event::AllDown);
        }
        self.told_all_down = all_down;
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

impl Greeting {
    /// Too old a server is as good as none.
    fn read(link: &Link) -> Result<Self, Reason> {
        Self::parse(&link.reply(1), &link.reply(2), &link.reply(3))
    }
}
