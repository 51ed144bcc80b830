//! Before workers use the list: servers are asked for their records at the start, and told when their place is gone.

use std::time::Duration;

use super::ledger::Ledger;
use super::{LEFT, keys};
use crate::clock::{self, Deadline};
use crate::cluster::record::key_ref;
use crate::cluster::{Layout, Shared};
use crate::health::Reason;
use crate::wire::{self, Link};

/// How long a start waits for the records; the watcher asks the servers that did not answer.
const FIRST_LOOK: Duration = Duration::from_millis(500);
/// How long a change of the list waits until the servers that left it know.
const FAREWELL: Duration = Duration::from_millis(500);

/// How often it is looked whether the watcher is ready.
const STEP: Duration = Duration::from_millis(2);

impl Shared {
    /// From now on a server is used only after it was asked under which list it was last used. Asks all of them, so that workers
    /// find them ready. To be called before the host forks, when a watcher will run: it asks those that do not answer now.
    pub fn close_entrance(&'static self) {
        let now_ms = clock::monotonic_ms();
        let layout = self.layout();
        layout.servers().for_each(|(server, _)| self.server_cell(server).health.renew(now_ms));
        self.recount();
        let mut ledger = Ledger::new(self);
        let servers: Vec<usize> = layout.servers().map(|(server, _)| server).collect();
        ledger.follow(&layout, &servers);
        let mut links = Vec::new();
        self.relink(&mut links, &Layout::default(), &layout);
        ledger.look(&mut links, &servers, Deadline::after(FIRST_LOOK));
    }

    /// Waits until the watcher has asked all servers that came onto the list, for up to half a second.
    pub fn await_entrance(&self) {
        let deadline = Deadline::after(FIRST_LOOK);
        let unasked = |server: usize| self.server_cell(server).health.reason() == Reason::Unasked;
        while self.layout().servers().any(|(server, _)| unasked(server)) && !deadline.passed(clock::monotonic_ns()) {
            std::thread::sleep(STEP);
        }
    }

    /// Tells the servers whose place on the ring is in `old` and not in `next` that their time is over.
    pub(in crate::cluster) fn part(&self, old: &Layout, next: &Layout) {
        let stays = |name: &str| next.servers().any(|(_, server)| server.ring_name() == name);
        let gone = old.servers().filter(|(_, server)| !stays(&server.ring_name()));
        let mut links: Vec<Link> = gone.map(|(server, _)| Link::new(self.endpoint(old, server))).collect();
        let [list, _] = keys();
        for link in &mut links {
            link.begin();
            link.ms(key_ref(&list), &[LEFT], "T0");
        }
        let all: Vec<usize> = (0..links.len()).collect();
        wire::exchange(&mut links, &all, Deadline::after(FAREWELL));
    }
}
