//! The repair of one pair: pass after pass over its keys, slice by slice, while this host holds the pair's lease.
//!
//! Pure: it says which keys to list and to look at next, and is told what came of that. A key that needs mending is looked at
//! again once its pause is over; until then others have their turn. A pass that began before the calm can declare nothing,
//! so it begins anew when the calm comes.

use std::collections::VecDeque;

use super::catalogue::{Catalogue, Key};
use crate::cluster::copies::{Mended, Polled, Request, Rules, Seen, View, Walk};

/// Between two passes over a pair that is not whole, milliseconds.
const PAUSE_MS: u64 = 1_000;
/// Between two passes over a pair that is whole, milliseconds: what was evicted on one side is noticed then.
const ROUND_MS: u64 = 300_000;
/// A key that was looked at so often in one pass waits for the next one.
const LOOKS: u8 = 8;
/// Keys of one exchange, at most ...
const BATCH: usize = 100;
/// ... and the bytes of their items, unless one alone is larger.
const BATCH_BYTES: usize = 256 * 1024;

/// One part of a pair's keys: those whose hash leaves `at` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub at: u32,
    pub of: u32,
}

/// A key whose turn it is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Its place in the catalogue.
    pub at: usize,
    /// What the last look left.
    pub before: Option<Seen>,
    looks: u8,
    acted: bool,
}

/// A pass that is over.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub began_ms: u64,
    /// It began when nothing had been wrong for long enough.
    pub calm: bool,
    /// What to send to call the pair complete.
    pub declares: Option<Request>,
}

/// How far the pass under way is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Percent of the pass; 100 between passes.
    pub percent: u64,
    /// Keys of the last full pass that are not whole, because they never rested.
    pub restless: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next pass begins then.
    Rest(u64),
    /// A slice has to be listed, not before then.
    List(u64),
    /// It is being listed.
    Listing,
    Look,
}

/// The repair of one pair.
#[derive(Debug)]
pub struct Repair {
    walk: Walk,
    phase: Phase,
    started_ms: u64,
    slice: Slice,
    keys: Catalogue,
    fresh: usize,
    /// No more keys: it begins anew once those under way are done.
    anew: bool,
    again: VecDeque<(u64, Turn)>,
    restless: u64,
    told: Progress,
}

impl Default for Repair {
    fn default() -> Self {
        Self {
            walk: Walk::default(),
            phase: Phase::Rest(0),
            started_ms: 0,
            slice: Slice { at: 0, of: 1 },
            keys: Catalogue::default(),
            fresh: 0,
            anew: false,
            again: VecDeque::new(),
            restless: 0,
            told: Progress { percent: 100, restless: 0 },
        }
    }
}

impl Repair {
    /// To be told after each poll of the pair.
    pub fn polled(&mut self, polled: &Polled, view: &View, rules: &Rules, now_ms: u64) {
        self.walk.polled(polled, view, now_ms);
        let resting = matches!(self.phase, Phase::Rest(_));
        if !polled.repairs {
            if !resting {
                self.rest(now_ms);
            }
            return;
        }
        let calm_ms = self.walk.calm_ms(rules);
        match self.phase {
            Phase::Rest(next) if now_ms < next => {}
            Phase::Rest(_) if polled.whole && now_ms < self.started_ms + ROUND_MS => {}
            Phase::Rest(_) => self.begin(view, now_ms),
            _ => self.anew |= self.started_ms < calm_ms && now_ms >= calm_ms,
        }
        if self.anew && self.again.is_empty() {
            self.begin(view, now_ms);
        }
    }

    /// Was nothing wrong with the pair for long enough?
    pub fn calm(&self, rules: &Rules, now_ms: u64) -> bool {
        self.walk.calm(rules, now_ms)
    }

    fn begin(&mut self, view: &View, now_ms: u64) {
        self.walk.begin(view, now_ms);
        (self.started_ms, self.restless) = (now_ms, 0);
        self.slice.at = 0;
        self.forget();
        self.phase = Phase::List(now_ms);
    }

    fn rest(&mut self, until_ms: u64) {
        self.forget();
        self.phase = Phase::Rest(until_ms);
        self.told.percent = 100;
    }

    fn forget(&mut self) {
        self.keys = Catalogue::default();
        (self.fresh, self.anew) = (0, false);
        self.again.clear();
    }

    /// The slice to be listed now; [`Repair::listed`] or [`Repair::unlisted`] has to follow.
    pub fn lists(&mut self, now_ms: u64) -> Option<Slice> {
        if !matches!(self.phase, Phase::List(from) if now_ms >= from) {
            return None;
        }
        self.phase = Phase::Listing;
        Some(self.slice)
    }

    /// The keys of `slice`, as both servers listed them. False when they are of no use: too many, or no longer asked for.
    pub fn listed(&mut self, slice: Slice, keys: Catalogue, now_ms: u64) -> bool {
        if self.phase != Phase::Listing || slice != self.slice {
            return false;
        }
        if keys.slices() > 1 {
            self.slice = Slice { at: 0, of: slice.of.saturating_mul(keys.slices()) };
            self.phase = Phase::List(now_ms);
            return false;
        }
        self.forget();
        self.keys = keys;
        self.phase = Phase::Look;
        true
    }

    /// The servers could not list their keys: again at `again_ms`.
    pub fn unlisted(&mut self, again_ms: u64) {
        if self.phase == Phase::Listing {
            self.phase = Phase::List(again_ms);
        }
    }

    /// The keys to be looked at now; each has to come back through [`Repair::looked`]. Only `free` new ones.
    pub fn batch(&mut self, free: usize, now_ms: u64, turns: &mut Vec<Turn>) -> usize {
        turns.clear();
        if self.phase != Phase::Look {
            return 0;
        }
        let mut bytes = 0;
        while turns.len() < BATCH && self.again.front().is_some_and(|(due_ms, _)| now_ms >= *due_ms) {
            let Some((_, turn)) = self.again.front().copied() else { break };
            if !self.fits(turn.at, turns.len(), &mut bytes) {
                break;
            }
            self.again.pop_front();
            turns.push(turn);
        }
        let old = turns.len();
        let free = if self.anew { 0 } else { free };
        while turns.len() < BATCH && turns.len() - old < free && self.fresh < self.keys.len() {
            if !self.fits(self.fresh, turns.len(), &mut bytes) {
                break;
            }
            turns.push(Turn { at: self.fresh, before: None, looks: 0, acted: false });
            self.fresh += 1;
        }
        turns.len() - old
    }

    fn fits(&self, at: usize, others: usize, bytes: &mut usize) -> bool {
        *bytes += self.key(at).map_or(0, |key| key.size as usize);
        others == 0 || *bytes <= BATCH_BYTES
    }

    #[must_use]
    pub fn key(&self, at: usize) -> Option<Key<'_>> {
        self.keys.get(at)
    }

    /// What a look at a key came to. True when it is whole now and was not.
    pub fn looked(&mut self, turn: Turn, mended: &Mended, rules: &Rules, now_ms: u64) -> bool {
        if self.phase != Phase::Look {
            return false;
        }
        let acted = turn.acted || *mended == Mended::Acted;
        let mut next = Turn { before: None, looks: turn.looks + 1, acted, ..turn };
        let due_ms = match *mended {
            Mended::Whole => return turn.acted,
            Mended::Wait(Some(seen)) => {
                next.before = Some(seen);
                seen.due_ms(rules).max(now_ms)
            }
            Mended::Wait(None) => now_ms + rules.gap_ms,
            Mended::Acted => now_ms,
        };
        if next.looks < LOOKS {
            let at = self.again.partition_point(|(due, _)| *due <= due_ms);
            self.again.insert(at, (due_ms, next));
        } else {
            self.restless += u64::from(*mended != Mended::Wait(None));
            self.walk.mended(mended);
        }
        false
    }

    /// Is all of the pass done? A pair that is `whole` need not be called complete again.
    pub fn over(&mut self, view: &View, whole: bool, rules: &Rules, now_ms: u64) -> Option<Pass> {
        let done = self.phase == Phase::Look && self.fresh == self.keys.len();
        if !done || !self.again.is_empty() {
            return None;
        }
        self.slice.at += 1;
        if self.slice.at < self.slice.of {
            self.forget();
            self.phase = Phase::List(now_ms);
            return None;
        }
        self.slice.at = 0;
        self.told.restless = self.restless;
        let calm_ms = self.walk.calm_ms(rules);
        let calm = self.started_ms >= calm_ms;
        self.rest(if calm { now_ms + PAUSE_MS } else { calm_ms.max(now_ms) });
        let declares = self.walk.declare(view, rules).filter(|_| !whole);
        Some(Pass { began_ms: self.started_ms, calm, declares })
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        let part = match self.phase {
            Phase::Rest(_) => return self.told,
            Phase::List(_) | Phase::Listing => 0,
            Phase::Look => 100 * (self.fresh - self.again.len().min(self.fresh)) as u64 / self.keys.len().max(1) as u64,
        };
        let percent = (100 * u64::from(self.slice.at) + part) / u64::from(self.slice.of);
        Progress { percent: percent.min(99), ..self.told }
    }
}

#[cfg(test)]
mod tests;
