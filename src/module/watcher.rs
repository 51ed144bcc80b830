//! Our own process, one per host: it probes the servers, writes down what changed and lets the script know.

use super::events::Listeners;
use super::sources;
use crate::clock::monotonic_ms;
use crate::cluster::{Shared, Watcher};
use crate::host::entry::Refused;
use crate::host::{log, process};

mod journal;
mod outlook;

use journal::Journal;

/// Between two rounds the process works in steps that come so often, milliseconds.
const STEP_MS: u32 = 10;

/// Announces the process to the host. Without servers there is nothing to watch, and no process. To be called from mod_init.
pub fn prepare(shared: &'static Shared) -> Result<(), Refused> {
    if shared.layout().is_empty() {
        return Ok(());
    }
    shared.close_entrance();
    // One connection per server in every process, and a second one while a dump reads a key list.
    if process::reserve_files(shared.most_servers() + 1).is_err() {
        log::warning("the host could not be told how many connections each of its processes may open");
    }
    process::prepare().inspect_err(|_| log::error("the watcher process could not be announced to the host"))
}

/// Starts the process. To be called from child_init of the main process, after [`prepare`].
pub fn start(shared: &'static Shared) -> Result<(), Refused> {
    if shared.layout().is_empty() {
        return Ok(());
    }
    let step_us = shared.config().probe_interval_ms.min(STEP_MS) * 1000;
    // Everything that belongs to the new process is made there, on its first round.
    let mut round = None;
    let body = move || round.get_or_insert_with(|| Round::new(shared)).run();
    process::start(c"shardcache watcher", step_us, Box::new(body))
        .inspect_err(|_| log::error("the watcher process could not be started"))
}

struct Round {
    shared: &'static Shared,
    watcher: Watcher,
    listeners: Listeners,
    journal: Journal,
    /// When the next round is due.
    next_ms: u64,
}

impl Round {
    fn new(shared: &'static Shared) -> Self {
        sources::close();
        let listeners = Listeners::find(shared.config().event_callback.as_deref());
        Self { shared, watcher: Watcher::new(shared), listeners, journal: Journal::default(), next_ms: 0 }
    }

    /// A round when one is due or the list of servers was changed, else a step of what is left to do.
    fn run(&mut self) {
        let (now_ms, interval_ms) = (monotonic_ms(), u64::from(self.shared.config().probe_interval_ms));
        if now_ms < self.next_ms && self.watcher.layout().version() == self.shared.list_version() {
            return self.watcher.work();
        }
        // Rounds keep their pace, whatever each takes; those that were missed are not made up for.
        self.next_ms = (self.next_ms + interval_ms).max(now_ms + 1);
        self.round();
    }

    fn round(&mut self) {
        let events = self.watcher.tick();
        self.journal.follow(self.watcher.layout());
        for event in events {
            let outlook = outlook::of(self.shared, self.watcher.layout(), &event);
            if let Some((level, line)) = self.journal.line(&event, &outlook, monotonic_ms()) {
                log::write(level, std::panic::Location::caller(), &line);
            }
            self.listeners.tell(&event);
        }
        let up = |server: Option<_>| server.map_or(!self.shared.mostly_down(), |server| self.shared.server_up(server));
        for line in self.journal.summary(monotonic_ms(), up) {
            log::warning(line);
        }
    }
}
