//! P4: what a dead server costs. A server is dead for a host while it stands still, or nothing gets there, or nothing back.
//!
//! Of the packets that are begun in an outage at most three in a row, one after another, may wait in vain: then the server is out of
//! use, and none that is begun later may wait for it. Calls that wait already wait for that one packet only.

use super::check::Violation;
use super::history::Call;

/// From when until when a server was dead for a host; `life`: the host's.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    host: usize,
    life: u32,
    server: usize,
    from: u64,
    until: u64,
}

/// A packet of a call that waited in vain.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    pub host: usize,
    pub life: u32,
    pub server: usize,
    /// The place of its call in the history.
    pub call: usize,
    pub sent: u64,
    pub ended: u64,
    /// It waited a whole deadline: its call had that much time left.
    pub full: bool,
}

/// A server came into a host's use, or went out of it.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub host: usize,
    pub server: usize,
    pub time: u64,
    pub used: bool,
}

/// What is known of all outages of a run.
#[derive(Debug, Default)]
pub struct Outages {
    all: Vec<Outage>,
    waits: Vec<Wait>,
    turns: Vec<Turn>,
}

/// So many deadlines, one after another, may an outage cost a host.
const MOST: usize = 3;

impl Outages {
    pub fn begin(&mut self, host: usize, life: u32, server: usize, now: u64) {
        self.all.push(Outage { host, life, server, from: now, until: u64::MAX });
    }

    pub fn end(&mut self, host: usize, server: usize, now: u64) {
        let open = |it: &&mut Outage| (it.host, it.server, it.until) == (host, server, u64::MAX);
        self.all.iter_mut().filter(open).for_each(|outage| outage.until = now);
    }

    /// A host starts again and uses all servers: what is dead is so for its new life.
    pub fn reborn(&mut self, host: usize, life: u32, servers: usize, now: u64) {
        for server in 0..servers {
            self.turned(Turn { host, server, time: now, used: true });
            if self.all.iter().any(|it| (it.host, it.server, it.until) == (host, server, u64::MAX)) {
                self.end(host, server, now);
                self.begin(host, life, server, now);
            }
        }
    }

    pub fn waited(&mut self, wait: Wait) {
        self.waits.push(wait);
    }

    pub fn turned(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    /// Was the server in use for that host when the packet was sent? What turns in the same moment may have done so before or after.
    fn used(&self, wait: &Wait) -> bool {
        let ours = |turn: &&Turn| (turn.host, turn.server) == (wait.host, wait.server) && turn.time <= wait.sent;
        let mut latest = self.turns.iter().rev().filter(ours);
        latest.find(|turn| turn.used || turn.time < wait.sent).is_none_or(|turn| turn.used)
    }

    /// Judges each outage.
    pub fn judge(&self, history: &[Call], found: &mut Vec<Violation>) {
        for outage in &self.all {
            let here = |wait: &&Wait| {
                (wait.host, wait.life, wait.server) == (outage.host, outage.life, outage.server)
                    && outage.from <= wait.sent
                    && wait.ended <= outage.until
            };
            let (mut row, mut last, mut first) = (0, 0, None);
            for wait in self.waits.iter().filter(here) {
                if wait.full && wait.sent >= last {
                    (row, last) = (row + 1, wait.ended);
                }
                let what = match () {
                    () if !self.used(wait) => "P4: a call waits for a server that is out of use",
                    () if row > MOST => "P4: a dead server costs a fourth deadline",
                    () => {
                        first.get_or_insert(history[wait.call]);
                        continue;
                    }
                };
                found.push(Violation { what, call: history[wait.call], other: first });
                break;
            }
        }
    }
}
