//! Counters: the same delta goes to both copies in parallel; the key names the epoch, so a void copy is another key.
//!
//! A leg counts when its epoch is still current. A side that missed the delta is voided before the call is acknowledged; one
//! whose copy is not rebuilt yet must not hold one without this delta ([`Alone`]). Nothing is repeated whose outcome is not known.

use super::alone::{Alone, Other};
use super::change::{Change, ITEM, MARK};
use super::mark::View;
use super::settle::Settle;
use super::sight::{self, Look, Ruling};
use super::twins::{Records, Twins, records};
use super::{Command, Fate, Legs, Outcome, Request, Rules, Scene, Side, Step, learn};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Learn,
    Both {
        under: View,
        /// When a missing counter is made: the marks' records as they were when it was missing.
        creates: Option<Records>,
    },
    /// Nobody has the counter: does the key hold a value?
    Look,
    /// Nobody has it, and none may be made: one side's bar goes.
    Clear,
    Alone(Alone),
    /// It was new on both sides, and the numbers differ.
    Twins(Twins),
    /// A side may yet count beside a value.
    Settle(Settle),
}

/// One increment or decrement, or a counter's new lifetime.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub view: View,
    change: Change,
    /// What a missing counter becomes, and its lifetime in seconds, 0 = never ends; `None` = it stays missing.
    new: Option<(u64, u32)>,
    at: At,
    tries: u8,
    /// A side has counted that was voided since: somebody may have seen it.
    seen: bool,
}

impl Count {
    #[must_use]
    pub fn new(view: View, delta: u64, down: bool, init: u64, ttl: u32) -> Self {
        Self {
            view,
            change: Change::Step { delta, down },
            new: Some((init, ttl)),
            at: At::Start,
            tries: 2,
            seen: false,
        }
    }

    /// Gives a counter a lifetime of `ttl` seconds, 0 = it never ends.
    #[must_use]
    pub fn touch(view: View, ttl: u32) -> Self {
        Self { view, change: Change::Touch { ttl }, new: None, at: At::Start, tries: 2, seen: false }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        if scene.nobody() {
            return Step::Done(Outcome::Unavailable);
        }
        if learn::needed(scene, &self.view) {
            self.at = At::Learn;
            return learn::ask(scene);
        }
        self.send(scene, None)
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match self.advance(scene, legs) {
            Step::Done(Outcome::Unavailable) if self.seen => Step::Done(Outcome::Ambiguous),
            step => step.heeding(scene),
        }
    }

    fn advance(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match &mut self.at {
            At::Start => self.start(scene),
            At::Learn => {
                learn::take(legs, &mut self.view);
                self.send(scene, None)
            }
            At::Both { under, creates } => {
                let (under, creates) = (*under, *creates);
                self.judge(scene, legs, &under, creates)
            }
            At::Look => self.looked(scene, legs),
            At::Clear => self.again(scene, Outcome::Unavailable),
            At::Twins(twins) => twins.next(scene, &self.view, legs),
            At::Settle(settle) => settle.next(scene, &mut self.view, legs),
            At::Alone(alone) => {
                let step = alone.next(scene, &mut self.view, legs);
                self.ended(scene, step)
            }
        }
    }

    fn takes(&self, scene: &Scene<'_>, side: Side) -> bool {
        scene.up(side) && self.view.of(side).active(scene.rules)
    }

    fn send(&mut self, scene: &Scene<'_>, creates: Option<Records>) -> Step<Outcome> {
        let new = self.new.filter(|_| creates.is_some());
        let mut request = Request::default();
        for side in Side::BOTH.into_iter().filter(|side| self.takes(scene, *side)) {
            let slot = sight::counter(self.view.of(side), scene.rules);
            *request.on(side) = self.change.packet(side, slot, new);
        }
        if request.is_empty() {
            return Step::Done(Outcome::Unavailable);
        }
        self.at = At::Both { under: self.view, creates };
        Step::Send(request)
    }

    fn judge(&mut self, scene: &Scene<'_>, legs: &Legs, under: &View, creates: Option<Records>) -> Step<Outcome> {
        let rules = scene.rules;
        legs.teach(&mut self.view, MARK);
        if Side::BOTH.into_iter().any(|side| self.plain(legs, side, rules)) {
            return self.beside(scene, legs);
        }
        match Side::BOTH.map(|side| self.live(legs, side, under, rules)) {
            [Some(home), Some(partner)] => self.both(scene, legs, creates, [home, partner]),
            [Some(number), None] => self.alone(scene, legs, Side::Partner, number),
            [None, Some(number)] => self.alone(scene, legs, Side::Home, number),
            [None, None] => self.nobody(scene, legs, under, creates.is_some()),
        }
    }

    /// Whatever was counted beside an item is nobody's. What was lost may yet be counted: its side is void first.
    fn beside(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        let number = |side: Side| self.change.number(legs.of(side)).is_some();
        let lost = Side::BOTH.into_iter().find(|side| legs.doubts(*side));
        let counted = self.seen || lost.is_some() || Side::BOTH.into_iter().any(number);
        let then = Outcome::Plain { counted };
        let Some(side) = lost else { return Step::Done(then) };
        let record = legs.of(side.other()).answers[MARK];
        let (settle, step) = Settle::begin(scene, &mut self.view, side, Some(record), then);
        self.at = At::Settle(settle);
        step
    }

    /// Does the side hold an item of the current epoch?
    fn plain(&self, legs: &Legs, side: Side, rules: &Rules) -> bool {
        let leg = legs.of(side);
        leg.answered() && self.view.of(side).holds(leg.answers[ITEM], rules)
    }

    fn live(&self, legs: &Legs, side: Side, under: &View, rules: &Rules) -> Option<u64> {
        let current = !rules.counter_epochs || self.view.of(side).epoch_is(under.of(side));
        self.change.number(legs.of(side)).filter(|_| current && !legs.flushed(side, MARK))
    }

    /// Both sides counted. One that lost its records meanwhile (it was flushed) may have made anew what the other still had.
    fn both(&mut self, scene: &Scene<'_>, legs: &Legs, creates: Option<Records>, numbers: [u64; 2]) -> Step<Outcome> {
        let now = records(legs, MARK);
        let same = |side: Side| creates.is_none_or(|before| before[side as usize] == now[side as usize]);
        let number = |side: Side| Outcome::Number(numbers[side as usize]);
        match Side::BOTH.map(same) {
            [false, true] => self.finish(scene, Side::Home, number(Side::Partner), Other::Anew),
            [true, false] => self.finish(scene, Side::Partner, number(Side::Home), Other::Anew),
            _ if creates.is_none() || numbers[0] == numbers[1] => Step::Done(number(Side::Home)),
            _ => {
                let (twins, step) = Twins::begin(scene, &self.view, numbers, now);
                self.at = At::Twins(twins);
                step
            }
        }
    }

    /// The cas of this side's counter, if it was given a new lifetime when it was about to end and the other side's had ended already.
    fn outlives(&self, legs: &Legs, side: Side) -> Option<u64> {
        let ending = self.change.found(legs.of(side)).is_some_and(|hit| hit.ending());
        let changed = self.change.changed(legs.of(side)).filter(|_| ending && legs.of(side.other()).answered());
        changed.map(|(_, cas)| cas)
    }

    /// `side` did not count, the other did.
    fn alone(&mut self, scene: &Scene<'_>, legs: &Legs, side: Side, number: u64) -> Step<Outcome> {
        let (counted, then) = (side.other(), Outcome::Number(number));
        let asks = scene.up(side) && legs.of(side).fate != Fate::Lost && self.view.of(side).active(scene.rules);
        if legs.flushed(side, MARK) {
            self.finish(scene, side, then, Other::Anew)
        } else if let Some(cas) = self.outlives(legs, counted).filter(|_| asks) {
            self.finish(scene, counted, Outcome::Missing, Other::Outlived { cas })
        } else if asks {
            self.finish(scene, side, then, Other::Lacks { asked: legs.of(side).answered() })
        } else {
            self.finish(scene, side, then, Other::Missed(legs.of(counted).answers[MARK]))
        }
    }

    /// What `side` holds lacks what was counted, or should be there no more. Then the call ends.
    fn finish(&mut self, scene: &Scene<'_>, side: Side, then: Outcome, other: Other) -> Step<Outcome> {
        let (alone, step) = Alone::begin(scene, &mut self.view, side, then, self.change, other);
        self.at = At::Alone(alone);
        self.ended(scene, step)
    }

    fn ended(&mut self, scene: &Scene<'_>, step: Step<Option<Outcome>>) -> Step<Outcome> {
        match step {
            Step::Send(request) => Step::Send(request),
            Step::Done(Some(outcome)) => Step::Done(outcome),
            Step::Done(None) => {
                self.seen = true;
                self.again(scene, Outcome::Ambiguous)
            }
        }
    }

    /// No side counted, as far as is known.
    fn nobody(&mut self, scene: &Scene<'_>, legs: &Legs, under: &View, creates: bool) -> Step<Outcome> {
        if Side::BOTH.into_iter().any(|side| legs.doubts(side)) {
            return Step::Done(Outcome::Ambiguous);
        }
        if !legs.doubtful() {
            return Step::Done(Outcome::Unavailable);
        }
        if self.view == *under && !creates {
            self.at = At::Look;
            return Step::Send(sight::ask(scene.up, &self.view, scene.rules));
        }
        self.again(scene, Outcome::Ambiguous)
    }

    fn again(&mut self, scene: &Scene<'_>, last: Outcome) -> Step<Outcome> {
        if self.tries == 0 {
            return Step::Done(last);
        }
        self.tries -= 1;
        self.send(scene, None)
    }

    fn looked(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        let before = self.view;
        let look = Look::new(legs, &mut self.view);
        // A side that came into use since is not known to lack the counter.
        let seen = Side::BOTH.into_iter().all(|side| look.of(side).reached || !self.takes(scene, side));
        match look.ruling(&self.view, scene.rules) {
            Ruling::Item { .. } => Step::Done(Outcome::Plain { counted: self.seen }),
            Ruling::Missing if self.new.is_none() => Step::Done(Outcome::Missing),
            Ruling::Missing if seen && self.view == before => match look.barred() {
                Some((side, cas)) => self.clear(scene, side, cas),
                None => self.send(scene, Some(records(legs, sight::MARK))),
            },
            Ruling::Unknown => Step::Done(Outcome::Unavailable),
            _ => self.again(scene, Outcome::Unavailable),
        }
    }

    fn clear(&mut self, scene: &Scene<'_>, side: Side, cas: u64) -> Step<Outcome> {
        self.at = At::Clear;
        let mut request = Request::default();
        let slot = sight::counter(self.view.of(side), scene.rules);
        request.on(side).push(Command::Delete { slot, cas: Some(cas) });
        Step::Send(request)
    }
}
