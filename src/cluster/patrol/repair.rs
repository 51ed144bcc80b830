//! The repair of one pair: pass after pass over its keys, slice by slice, while this host holds the pair's lease.
//!
//! Pure: it says which keys to list and to look at next, and is told what came of that. A key that needs mending is looked at
//! again once its pause is over; until then others have their turn. A pass that began before the calm can declare nothing,
//! so it begins anew when the calm comes.

use std::collections::VecDeque;

use super::catalogue::{Catalogue, Key};
use crate::cluster::copies::mend::Seen;
use crate::cluster::copies::{Mended, Polled, Request, Rules, View, Walk};

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

    /// The keys of `slice`, as both servers listed them.
    pub fn listed(&mut self, slice: Slice, keys: Catalogue, now_ms: u64) {
        if self.phase != Phase::Listing || slice != self.slice {
            return;
        }
        if keys.slices() > 1 {
            self.slice = Slice { at: 0, of: slice.of.saturating_mul(keys.slices()) };
            self.phase = Phase::List(now_ms);
            return;
        }
        self.forget();
        self.keys = keys;
        self.phase = Phase::Look;
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
                now_ms + rules.gap_ms
            }
            Mended::Wait(None) => now_ms + rules.gap_ms,
            Mended::Acted => now_ms,
        };
        if next.looks < LOOKS {
            self.again.push_back((due_ms, next));
        } else {
            self.restless += u64::from(*mended != Mended::Wait(None));
            self.walk.mended(mended);
        }
        false
    }

    /// Is all of the pass done? Then what to send to call the pair complete, if anything.
    pub fn over(&mut self, view: &View, whole: bool, rules: &Rules, now_ms: u64) -> Option<Request> {
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
        self.rest(if self.started_ms < calm_ms { calm_ms.max(now_ms) } else { now_ms + PAUSE_MS });
        self.walk.declare(view, rules).filter(|_| !whole)
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
mod tests {
    use super::*;
    use crate::cluster::copies::{Mark, Scene, Side};
    use crate::key::Kind;

    const RULES: Rules = Rules::ALL;
    const VIEW: View = View { home: Mark(101), partner: Mark(203) };
    const REPAIRS: Polled =
        Polled { reached: [true; 2], whole: false, ill: false, repairs: true, activated: [false; 2] };

    fn catalogue(keys: usize, size: u32) -> Catalogue {
        let mut catalogue = Catalogue::default();
        (0..keys).for_each(|n| catalogue.add(Kind::Entry, 0, format!("key{n:07}").as_bytes(), size));
        catalogue.settle();
        catalogue
    }

    /// What a first look at a key that needs mending leaves.
    fn seen(now_ms: u64) -> Mended {
        use crate::cluster::copies::{Answer, Fate, Hit, Leg, Legs, Mend, Step};
        let number = |n| Answer::Hit(Hit { stamp: 0, cas: 1, ttl: None, digest: 1, number: Some(n) });
        let mark = |side| Answer::Hit(Hit { stamp: VIEW.of(side).stamp(&RULES), ..hit() });
        fn hit() -> Hit {
            Hit { stamp: 0, cas: 9, ttl: None, digest: 5, number: None }
        }
        let leg = |item, side: Side| {
            let mut leg = Leg { fate: Fate::Answered, ..Leg::default() };
            (leg.answers[0], leg.answers[2]) = (item, number(VIEW.of(side.other()).0));
            leg
        };
        let legs = Legs { home: leg(mark(Side::Home), Side::Home), partner: leg(Answer::Miss, Side::Partner) };
        let scene = Scene { rules: &RULES, up: [true; 2], fresh: true, clock: 1, now_ms };
        match Mend::new(VIEW, None).next(&scene, &legs) {
            Step::Done(mended) => mended,
            Step::Send(_) => panic!("one look is not enough"),
        }
    }

    struct Clock(u64);

    /// Runs until the pass is over or `until_ms` is reached; keys answer as `look` says.
    fn run(
        repair: &mut Repair,
        clock: &mut Clock,
        until_ms: u64,
        keys: usize,
        mut look: impl FnMut(usize, u64) -> Mended,
    ) -> Option<Request> {
        let mut turns = Vec::new();
        while clock.0 < until_ms {
            clock.0 += 10;
            repair.polled(&REPAIRS, &VIEW, &RULES, clock.0);
            if let Some(slice) = repair.lists(clock.0) {
                repair.listed(slice, catalogue(keys, 100), clock.0);
            }
            repair.batch(100, clock.0, &mut turns);
            for turn in &turns {
                let mended = look(turn.at, clock.0);
                repair.looked(*turn, &mended, &RULES, clock.0);
            }
            if let Some(request) = repair.over(&VIEW, false, &RULES, clock.0) {
                return Some(request);
            }
        }
        None
    }

    #[test]
    fn a_pass_is_declared_only_when_it_began_in_the_calm() {
        let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
        let mut looks = 0;
        let declared = run(&mut repair, &mut clock, 1_010_000, 250, |_, _| {
            looks += 1;
            Mended::Whole
        });
        assert!(declared.is_some());
        assert!((1_003_000..1_003_100).contains(&clock.0), "{}", clock.0);
        assert_eq!(looks, 500, "one pass at once, one after the calm");
    }

    #[test]
    fn a_long_pass_begins_anew_when_the_calm_comes() {
        let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
        let declared = run(&mut repair, &mut clock, 1_020_000, 50_000, |_, _| Mended::Whole);
        assert!(declared.is_some());
        assert!((1_007_900..1_008_200).contains(&clock.0), "3 s of calm and 5 s of looking: {}", clock.0);
    }

    #[test]
    fn a_key_is_looked_at_again_after_its_pause_and_counted_once() {
        let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
        let mut turns = Vec::new();
        repair.polled(&REPAIRS, &VIEW, &RULES, clock.0);
        let slice = repair.lists(clock.0).unwrap();
        assert_eq!(repair.lists(clock.0), None, "it is under way");
        repair.listed(slice, catalogue(1, 100), clock.0);
        let mut step = |clock: &mut Clock, pause_ms, mended: Mended| {
            clock.0 += pause_ms;
            repair.batch(100, clock.0, &mut turns);
            let turn = *turns.first()?;
            Some((turn.before.is_some(), repair.looked(turn, &mended, &RULES, clock.0)))
        };
        assert_eq!(step(&mut clock, 0, seen(1_000_000)), Some((false, false)));
        assert_eq!(step(&mut clock, 59, Mended::Whole), None);
        assert_eq!(step(&mut clock, 1, Mended::Acted), Some((true, false)));
        assert_eq!(step(&mut clock, 0, Mended::Acted), Some((false, false)));
        assert_eq!(step(&mut clock, 0, Mended::Whole), Some((false, true)));
        assert_eq!(step(&mut clock, 1_000, Mended::Whole), None);
    }

    #[test]
    fn a_key_that_never_rests_keeps_the_pair_from_being_whole_and_is_told() {
        let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
        let restless = |at: usize, now_ms: u64| if at == 7 { seen(now_ms) } else { Mended::Whole };
        assert!(run(&mut repair, &mut clock, 1_020_000, 20, restless).is_none());
        assert_eq!(repair.progress().restless, 1);
        assert!(run(&mut repair, &mut clock, 1_025_000, 20, |_, _| Mended::Whole).is_some());
        assert_eq!(repair.progress(), Progress { percent: 100, restless: 0 });
    }

    #[test]
    fn too_many_keys_are_walked_in_slices() {
        let (mut repair, mut slices) = (Repair::default(), Vec::new());
        repair.polled(&REPAIRS, &VIEW, &RULES, 1_000);
        let mut turns = Vec::new();
        for now_ms in 1_000..1_100 {
            let Some(slice) = repair.lists(now_ms) else { break };
            slices.push((slice.at, slice.of));
            let keys = if slice.of == 1 { 3 * super::super::catalogue::MOST } else { 10 };
            repair.listed(slice, catalogue(keys, 1), now_ms);
            repair.batch(100, now_ms, &mut turns);
            for turn in &turns {
                assert!(!repair.looked(*turn, &Mended::Whole, &RULES, now_ms));
            }
            repair.over(&VIEW, false, &RULES, now_ms);
        }
        assert_eq!(slices, [(0, 1), (0, 4), (1, 4), (2, 4), (3, 4)]);
    }

    #[test]
    fn a_batch_is_bounded_by_keys_bytes_and_rate() {
        for (size, free, want) in [(100, 1_000, 100), (100, 7, 7), (64 * 1024, 1_000, 4), (1 << 20, 1_000, 1)] {
            let mut repair = Repair::default();
            repair.polled(&REPAIRS, &VIEW, &RULES, 1_000);
            let slice = repair.lists(1_000).unwrap();
            repair.listed(slice, catalogue(500, size), 1_000);
            let mut turns = Vec::new();
            assert_eq!(repair.batch(free, 1_000, &mut turns), want);
            assert_eq!(turns.len(), want, "{size} bytes each");
        }
    }

    #[test]
    fn a_pass_ends_with_the_lease_and_a_list_that_failed_is_asked_for_again() {
        let mut repair = Repair::default();
        repair.polled(&REPAIRS, &VIEW, &RULES, 1_000);
        let slice = repair.lists(1_000).unwrap();
        repair.unlisted(1_500);
        assert_eq!(repair.lists(1_499), None);
        assert_eq!(repair.lists(1_500), Some(slice));
        repair.polled(&Polled { repairs: false, ..REPAIRS }, &VIEW, &RULES, 1_600);
        repair.listed(slice, catalogue(5, 1), 1_700);
        assert_eq!(repair.batch(100, 1_700, &mut Vec::new()), 0);
    }

    #[test]
    fn a_whole_pair_is_walked_now_and_then() {
        let (mut repair, whole) = (Repair::default(), Polled { whole: true, ..REPAIRS });
        let mut lists = Vec::new();
        for now_ms in (1_000_000..1_700_000).step_by(100) {
            repair.polled(&whole, &VIEW, &RULES, now_ms);
            if let Some(slice) = repair.lists(now_ms) {
                lists.push(now_ms);
                repair.listed(slice, catalogue(0, 1), now_ms);
                assert!(repair.over(&VIEW, true, &RULES, now_ms).is_none());
            }
        }
        assert_eq!(lists, [1_000_000, 1_300_000, 1_600_000]);
    }
}
