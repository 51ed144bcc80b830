//! One poll of the servers that are due, and what each answered.

use std::sync::atomic::Ordering::Relaxed;

use super::Watcher;
use crate::clock;
use crate::cluster::greeting::Greeting;
use crate::cluster::record::{key_ref, number};
use crate::cluster::{ServerStat, reason};
use crate::health::Reason;
use crate::wire::{self, Kind};

/// So many connections are begun in one round: making them costs time that the answers of others need.
const CONNECTS: usize = 64;

/// What a poll came to.
pub(super) struct Polled {
    pub server: usize,
    /// `None` says nothing of the server.
    pub outcome: Option<Result<(), Reason>>,
    pub root: Option<u64>,
}

impl Watcher {
    /// The servers to be asked now; of those without a connection only some, each in its turn.
    pub(super) fn due(&mut self) -> Vec<usize> {
        let (all, now) = (self.desk.links.len(), clock::monotonic_ms());
        let (first, mut connects, mut due) = (self.turn, 0, Vec::with_capacity(all));
        // Rounds do not come to the millisecond.
        let lead_ms = u64::from(self.shared.config().probe_interval_ms) / 2;
        for server in (first..all).chain(0..first) {
            if self.layout.server(server).is_none() {
                continue;
            }
            let health = &self.shared.server_cell(server).health;
            let away = health.health().failed();
            if !health.probe_due(if away { now } else { now + lead_ms }) {
                continue;
            }
            if !self.desk.links[server].is_open() {
                if connects == CONNECTS {
                    continue;
                }
                connects += 1;
                self.turn = (server + 1) % all;
            }
            due.push(server);
        }
        due
    }

    /// One packet to every server that is due; returns when it was sent.
    pub(super) fn poll(&mut self, due: &[usize]) -> u64 {
        self.courier.begin();
        self.ledger.begin();
        self.stripes.begin();
        for &server in due {
            let cell = self.shared.server_cell(server);
            let (link, watched) = (&mut self.desk.links[server], &mut self.watched[server]);
            if watched.incarnation != cell.health.incarnation() {
                watched.incarnation = cell.health.incarnation();
                link.close();
                if let Some(address) = cell.address.get() {
                    link.redirect(address);
                }
            }
            if !link.is_open() {
                cell.counts.add(ServerStat::Connects as usize, 1);
            }
            let anew = !link.is_open() || watched.connection != link.connections();
            if anew {
                (watched.greeting, watched.root) = (None, None);
            }
            self.courier.open(&mut self.desk, server);
            let link = &mut self.desk.links[server];
            link.mg(key_ref(&self.root), "v");
            if watched.greeting.is_none() {
                Greeting::ask(link);
            }
            self.ledger.ask(server, link);
            self.stripes.ask(server, link, anew);
        }
        self.patrol.ask(&mut self.courier, &mut self.desk, due);
        self.ushers.ask(&mut self.courier, &mut self.desk, due);
        let sent_ns = clock::monotonic_ns();
        let deadline = self.budget();
        wire::exchange(&mut self.desk.links, due, deadline);
        sent_ns
    }

    /// What a server answered.
    pub(super) fn read(&mut self, server: usize, sent_ns: u64) -> Polled {
        let nothing = |outcome| Polled { server, outcome, root: None };
        match self.desk.links[server].status() {
            Ok(()) => {}
            Err(error) if error.reused || error.kind == Kind::Local => {
                self.desk.links[server].close();
                return nothing(None);
            }
            Err(error) => return nothing(Some(Err(reason(error.kind)))),
        }
        if self.watched[server].greeting.is_none() {
            let link = &self.desk.links[server];
            match Greeting::parse(&link.reply(1), &link.reply(2), &link.reply(3)) {
                Ok(greeting) => self.greeted(server, greeting),
                Err(reason) => {
                    self.desk.links[server].close();
                    return nothing(Some(Err(reason)));
                }
            }
        }
        self.shared.server_cell(server).latency_us.store((clock::monotonic_ns() - sent_ns) / 1_000, Relaxed);
        let root = number(&self.desk.links[server].reply(0));
        self.stripes.hear(server, &self.desk.links[server]);
        Polled { server, outcome: Some(Ok(())), root }
    }

    /// A new connection told who the server is: another process than before means that the workers' connections are dead.
    fn greeted(&mut self, server: usize, greeting: Greeting) {
        let cell = self.shared.server_cell(server);
        cell.version.store(greeting.version, Relaxed);
        cell.item_max.store(greeting.item_max, Relaxed);
        let watched = &mut self.watched[server];
        if watched.process != 0 && watched.process != greeting.process {
            watched.incarnation = cell.health.restarted();
            self.stripes.forget(server);
        }
        watched.process = greeting.process;
        watched.connection = self.desk.links[server].connections();
        watched.greeting = Some(greeting);
    }
}
