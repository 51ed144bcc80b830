//! Counters: the same delta goes to both copies in parallel; the key names the epoch, so a void copy is another key.
//!
//! A leg counts when its epoch is still current. A side that missed the delta is voided before the call is acknowledged; one
//! whose copy is not rebuilt yet must not hold one without this delta. Nothing is repeated whose outcome is not known.

use super::mark::View;
use super::sight::{self, Look, Ruling};
use super::void::Void;
use super::write::{learn, taught};
use super::{Answer, Command, Fate, Legs, Outcome, Request, Rules, Scene, Side, Slot, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Learn,
    Both {
        under: View,
        creates: bool,
    },
    /// Nobody has the counter: does the key hold a value?
    Look,
    /// Is there a copy that lacks this delta?
    Check {
        side: Side,
        number: u64,
    },
    /// It was being created: the delta goes there too.
    Late {
        side: Side,
        number: u64,
    },
    /// It was copied, with or without this delta: it is taken away.
    Drop {
        side: Side,
        number: u64,
    },
    Void {
        void: Void,
        number: u64,
    },
}

/// One increment or decrement.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub view: View,
    delta: u64,
    down: bool,
    /// What a missing counter becomes.
    init: u64,
    /// Lifetime of a new counter, seconds, 0 = never ends.
    ttl: u32,
    at: At,
    tries: u8,
}

const COUNT: usize = 0;
const ITEM: usize = 1;
const MARK: usize = 2;

impl Count {
    #[must_use]
    pub fn new(view: View, delta: u64, down: bool, init: u64, ttl: u32) -> Self {
        Self { view, delta, down, init, ttl, at: At::Start, tries: 2 }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        let unknown = Side::BOTH.iter().any(|side| scene.up(*side) && !self.view.of(*side).known());
        if scene.up == [false, false] {
            Step::Done(Outcome::Unavailable)
        } else if unknown {
            self.at = At::Learn;
            Step::Send(learn(scene))
        } else {
            self.send(scene, false)
        }
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match self.at {
            At::Start => self.start(scene),
            At::Learn => {
                taught(legs, &mut self.view);
                self.send(scene, false)
            }
            At::Both { under, creates } => self.settle(scene, legs, under, creates),
            At::Look => self.looked(scene, legs),
            At::Check { side, number } => self.checked(scene, legs, side, number),
            At::Late { side, number } => match legs.of(side).answers[COUNT] {
                _ if !legs.of(side).answered() => self.void(scene, Void::new(side), None, number),
                Answer::Number { .. } => Step::Done(Outcome::Number(number)),
                _ => self.check(scene, side, number),
            },
            At::Drop { side, number } if legs.of(side).answered() => Step::Done(Outcome::Number(number)),
            At::Drop { side, number } => self.void(scene, Void::new(side), None, number),
            At::Void { mut void, number } => {
                let step = void.next(scene, &mut self.view, legs);
                self.after_void(scene, void, step, number)
            }
        }
    }

    fn send(&mut self, scene: &Scene<'_>, creates: bool) -> Step<Outcome> {
        let rules = scene.rules;
        let takes = |side: &Side| scene.up(*side) && self.view.of(*side).active(rules);
        let mut request = Request::default();
        for side in Side::BOTH.into_iter().filter(takes) {
            let (delta, down, ttl) = (self.delta, self.down, self.ttl);
            let slot = sight::counter(self.view.of(side), rules);
            let init = creates.then_some(self.init);
            let packet = request.on(side);
            packet.push(Command::Count { slot, delta, down, init, ttl });
            packet.get(Slot::Item);
            packet.get(Slot::Mark(side.other()));
        }
        if request.home.is_empty() && request.partner.is_empty() {
            return Step::Done(Outcome::Unavailable);
        }
        self.at = At::Both { under: self.view, creates };
        Step::Send(request)
    }

    fn settle(&mut self, scene: &Scene<'_>, legs: &Legs, under: View, creates: bool) -> Step<Outcome> {
        let rules = scene.rules;
        legs.teach(&mut self.view, MARK);
        if Side::BOTH.into_iter().any(|side| self.plain(legs, side, rules)) {
            // Whatever was counted beside an item is nobody's.
            return Step::Done(Outcome::Plain);
        }
        let live = Side::BOTH.map(|side| self.live(legs, side, &under, rules));
        match live {
            [Some(number), Some(_)] => Step::Done(Outcome::Number(number)),
            [Some(number), None] => self.alone(scene, legs, Side::Home, number),
            [None, Some(number)] => self.alone(scene, legs, Side::Partner, number),
            [None, None] => self.nobody(scene, legs, under, creates),
        }
    }

    /// Does the side hold an item of the current epoch?
    fn plain(&self, legs: &Legs, side: Side, rules: &Rules) -> bool {
        let leg = legs.of(side);
        matches!(leg.answers[ITEM], Answer::Hit(hit) if leg.answered() && self.view.of(side).verifies(hit.stamp, rules))
    }

    fn live(&self, legs: &Legs, side: Side, under: &View, rules: &Rules) -> Option<u64> {
        let leg = legs.of(side);
        let current = !rules.counter_epochs || self.view.of(side).epoch_is(under.of(side));
        match leg.answers[COUNT] {
            Answer::Number { value, .. } if leg.answered() && current => Some(value),
            _ => None,
        }
    }

    /// Only `side` counted.
    fn alone(&mut self, scene: &Scene<'_>, legs: &Legs, side: Side, number: u64) -> Step<Outcome> {
        let other = side.other();
        let mark = self.view.of(other);
        let record = legs.of(side).answers[MARK];
        let reachable = scene.up(other) && legs.of(other).fate == Fate::Answered;
        let unsent = scene.up(other) && !legs.doubts(other);
        if (reachable || unsent) && mark.active(scene.rules) {
            return self.check(scene, other, number);
        }
        self.void(scene, Void::new(other), Some(record), number)
    }

    fn check(&mut self, scene: &Scene<'_>, side: Side, number: u64) -> Step<Outcome> {
        self.at = At::Check { side, number };
        let mut request = Request::default();
        request.on(side).get(sight::counter(self.view.of(side), scene.rules));
        request.on(side).get(Slot::Full(side));
        Step::Send(request)
    }

    /// A copy that a repairer made bears a stamp; one that callers are just creating does not, and lacks this delta.
    fn checked(&mut self, scene: &Scene<'_>, legs: &Legs, side: Side, number: u64) -> Step<Outcome> {
        let leg = legs.of(side);
        if !leg.answered() {
            return self.void(scene, Void::new(side), None, number);
        }
        let complete = leg.mark(1) == Some(self.view.of(side));
        let slot = sight::counter(self.view.of(side), scene.rules);
        let mut request = Request::default();
        match leg.answers[0] {
            Answer::Hit(hit) if hit.stamp == 0 => {
                self.at = At::Late { side, number };
                let (delta, down) = (self.delta, self.down);
                request.on(side).push(Command::Count { slot, delta, down, init: None, ttl: 0 });
                Step::Send(request)
            }
            Answer::Hit(_) => {
                self.at = At::Drop { side, number };
                request.on(side).push(Command::Delete { slot, cas: None });
                Step::Send(request)
            }
            _ if self.tries > 0 => {
                self.tries -= 1;
                self.check(scene, side, number)
            }
            _ if complete => self.void(scene, Void::new(side), None, number),
            _ => Step::Done(Outcome::Number(number)),
        }
    }

    fn void(&mut self, scene: &Scene<'_>, mut void: Void, record: Option<Answer>, number: u64) -> Step<Outcome> {
        let step = match record {
            Some(record) => void.judge(scene, &mut self.view, &record),
            None => void.ask(),
        };
        self.after_void(scene, void, step, number)
    }

    fn after_void(&mut self, scene: &Scene<'_>, void: Void, step: Step<bool>, number: u64) -> Step<Outcome> {
        self.at = At::Void { void, number };
        match step {
            Step::Send(request) if scene.rules.bump => Step::Send(request),
            Step::Done(false) => Step::Done(Outcome::Ambiguous),
            _ => Step::Done(Outcome::Number(number)),
        }
    }

    /// No side counted, as far as is known.
    fn nobody(&mut self, scene: &Scene<'_>, legs: &Legs, under: View, creates: bool) -> Step<Outcome> {
        if Side::BOTH.into_iter().any(|side| legs.doubts(side)) {
            return Step::Done(Outcome::Ambiguous);
        }
        if !legs.doubtful() {
            return Step::Done(Outcome::Unavailable);
        }
        if self.view != under || creates {
            if self.tries == 0 {
                return Step::Done(Outcome::Ambiguous);
            }
            self.tries -= 1;
            return self.send(scene, false);
        }
        self.at = At::Look;
        let mut request = Request::default();
        for side in Side::BOTH.into_iter().filter(|side| scene.up(*side)) {
            *request.on(side) = sight::look(side, &self.view, scene.rules);
        }
        Step::Send(request)
    }

    fn looked(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        let before = self.view;
        let look = Look::new(legs, &mut self.view);
        match look.ruling(&self.view, scene.rules) {
            Ruling::Item { .. } => Step::Done(Outcome::Plain),
            Ruling::Missing if self.view == before => self.send(scene, true),
            Ruling::Unknown => Step::Done(Outcome::Unavailable),
            _ if self.tries == 0 => Step::Done(Outcome::Unavailable),
            _ => {
                self.tries -= 1;
                self.send(scene, false)
            }
        }
    }
}
