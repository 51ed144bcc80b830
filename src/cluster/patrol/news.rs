//! What the patrol has to tell: the operator and the script by events, the host's other processes by shared memory.

use super::Patrol;
use crate::cluster::{Event, ServerStat};

/// Since when a pair is not whole.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Since>);

#[derive(Debug)]
struct Since {
    at_ms: u64,
    /// Keys that had been repaired by then.
    repaired: u64,
}

impl Patrol {
    /// Tells whether the copies of a pair are whole.
    pub(super) fn tell(&mut self, at: usize, whole: bool, now_ms: u64) {
        let beat = &mut self.beats[at];
        let [home, partner] = beat.pair.servers;
        let cell = self.shared.server_cell(home);
        let repaired = cell.counts.get(ServerStat::Repaired as usize);
        cell.repair.tell(self.layout.version(), whole, beat.repair.progress());
        if !whole {
            beat.trouble.0.get_or_insert(Since { at_ms: now_ms, repaired });
        } else if let Some(since) = beat.trouble.0.take() {
            let (after_ms, repaired) = (now_ms - since.at_ms, repaired.saturating_sub(since.repaired));
            self.news.push(Event::PairWhole { home, partner, after_ms, repaired });
        }
    }

    /// After each round: are all copies whole again?
    pub(super) fn sum_up(&mut self) {
        let whole = self.shared.whole();
        if (self.whole, whole) == (Some(false), Some(true)) {
            self.news.push(Event::Whole);
        }
        self.whole = whole;
        if whole == Some(true) && !self.shared.config().has_mirrored() {
            // Nothing is left behind any more, and nothing else is to be watched.
            self.beats.clear();
        }
    }

    /// A server makes no lists: told once.
    pub(super) fn listless(&mut self, server: usize) {
        if !self.listless.contains(&server) {
            self.listless.push(server);
            self.news.push(Event::NoList { server });
        }
    }

    /// What happened since the last call.
    pub fn news(&mut self, news: &mut Vec<Event>) {
        news.append(&mut self.news);
    }
}
