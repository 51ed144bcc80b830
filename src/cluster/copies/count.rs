//! Counters: the same delta goes to both copies in parallel; the key names the epoch, so a void copy is another key.
//!
//! A leg counts when its epoch is still current. A side that missed the delta is voided before the call is acknowledged; one
//! whose copy is not rebuilt yet must not hold one without this delta ([`Alone`]). Nothing is repeated whose outcome is not known.

use super::alone::{Alone, Other};
use super::mark::View;
use super::settle::Settle;
use super::sight::{self, Look, Ruling};
use super::{Answer, Command, Fate, Legs, Outcome, Request, Rules, Scene, Side, Slot, Step, learn};

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
    Alone(Alone),
    /// It was new on one side only: was it deleted on the other in between?
    New {
        numbers: [u64; 2],
        records: Records,
    },
    /// Then it goes on this one too.
    Gone(u64),
    /// A side may yet count beside a value.
    Settle(Settle),
}

/// The cas of the mark's record on either side.
type Records = [Option<u64>; 2];

fn records(legs: &Legs, at: usize) -> Records {
    Side::BOTH.map(|side| match legs.of(side).answers[at] {
        Answer::Hit(hit) => Some(hit.cas),
        _ => None,
    })
}

/// What is done to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Step {
        delta: u64,
        down: bool,
    },
    /// A new lifetime, seconds, 0 = never ends.
    Touch {
        ttl: u32,
    },
}

impl Change {
    /// For a counter that is there.
    pub fn command(self, slot: Slot) -> Command {
        match self {
            Self::Step { delta, down } => Command::Count { slot, delta, down, init: None, ttl: 0 },
            Self::Touch { ttl } => Command::Prolong { slot, ttl },
        }
    }
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

const COUNT: usize = 0;
const ITEM: usize = 1;
const MARK: usize = 2;
/// Where the tombstone is when two new counters are compared.
const TOMB: usize = 3;

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
            At::New { numbers, records } => {
                let (numbers, records) = (*numbers, *records);
                self.compared(scene, legs, numbers, records)
            }
            At::Settle(settle) => settle.next(scene, &mut self.view, legs),
            At::Gone(number) => Step::Done(Outcome::Number(*number)),
            At::Alone(alone) => {
                let step = alone.next(scene, &mut self.view, legs);
                self.ended(scene, step)
            }
        }
    }

    fn send(&mut self, scene: &Scene<'_>, creates: Option<Records>) -> Step<Outcome> {
        let rules = scene.rules;
        let takes = |side: &Side| scene.up(*side) && self.view.of(*side).active(rules);
        let mut request = Request::default();
        for side in Side::BOTH.into_iter().filter(takes) {
            let slot = sight::counter(self.view.of(side), rules);
            let packet = request.on(side);
            packet.push(self.command(slot, creates.is_some()));
            packet.get(Slot::Item);
            packet.get(Slot::Mark(side.other()));
        }
        if request.home.is_empty() && request.partner.is_empty() {
            return Step::Done(Outcome::Unavailable);
        }
        self.at = At::Both { under: self.view, creates };
        Step::Send(request)
    }

    fn command(&self, slot: Slot, creates: bool) -> Command {
        match (self.change, self.new) {
            (Change::Step { delta, down }, Some((init, ttl))) if creates => {
                Command::Count { slot, delta, down, init: Some(init), ttl }
            }
            (change, _) => change.command(slot),
        }
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
        let number = |side: Side| matches!(legs.of(side).answers[COUNT], Answer::Number { .. });
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
        let leg = legs.of(side);
        let current = !rules.counter_epochs || self.view.of(side).epoch_is(under.of(side));
        match leg.answers[COUNT] {
            Answer::Number { value, .. } if leg.answered() && current => Some(value),
            _ => None,
        }
    }

    /// Both sides counted. One that lost its records meanwhile (it was flushed) may have made anew what the other still had.
    fn both(&mut self, scene: &Scene<'_>, legs: &Legs, creates: Option<Records>, numbers: [u64; 2]) -> Step<Outcome> {
        let now = records(legs, MARK);
        let same = |side: Side| creates.is_none_or(|before| before[side as usize] == now[side as usize]);
        match Side::BOTH.map(same) {
            [false, true] => self.finish(scene, Side::Home, numbers[1], Other::Anew),
            [true, false] => self.finish(scene, Side::Partner, numbers[0], Other::Anew),
            _ if creates.is_none() || numbers[0] == numbers[1] => Step::Done(Outcome::Number(numbers[0])),
            _ => self.compare(scene, numbers, now),
        }
    }

    fn compare(&mut self, scene: &Scene<'_>, numbers: [u64; 2], records: Records) -> Step<Outcome> {
        self.at = At::New { numbers, records };
        let mut request = Request::default();
        for side in Side::BOTH {
            request.on(side).get(sight::counter(self.view.of(side), scene.rules));
            request.on(side).get(Slot::Item);
            request.on(side).get(Slot::Mark(side.other()));
            request.on(side).get(Slot::Tomb);
        }
        Step::Send(request)
    }

    /// Of two counters made at the same time as a delete came, one may stand on one side only: nobody counted on it yet.
    /// Without a trace of that delete, the other one was taken away as not complete, and this one has all counts.
    fn compared(&mut self, scene: &Scene<'_>, legs: &Legs, numbers: [u64; 2], before: Records) -> Step<Outcome> {
        let number = numbers[0];
        let hit = |side: Side| match legs.of(side).answers[COUNT] {
            Answer::Hit(hit) => Some(hit),
            _ => None,
        };
        let stands = |side: Side| hit(side).filter(|hit| hit.number == Some(numbers[side as usize]));
        let deleted = |side: Side| {
            let answers = &legs.of(side).answers;
            hit(side).is_none() && [ITEM, TOMB].iter().any(|at| matches!(answers[*at], Answer::Hit(_)))
        };
        let alone = Side::BOTH.into_iter().find(|side| stands(*side).is_some() && deleted(side.other()));
        let answered = legs.home.answered() && legs.partner.answered() && records(legs, MARK) == before;
        let Some((side, hit)) = alone.filter(|_| answered).and_then(|side| Some((side, hit(side)?))) else {
            return Step::Done(Outcome::Number(number));
        };
        self.at = At::Gone(number);
        let mut request = Request::default();
        let slot = sight::counter(self.view.of(side), scene.rules);
        request.on(side).push(Command::Delete { slot, cas: Some(hit.cas) });
        Step::Send(request)
    }

    /// `side` did not count, the other did.
    fn alone(&mut self, scene: &Scene<'_>, legs: &Legs, side: Side, number: u64) -> Step<Outcome> {
        let asks = scene.up(side) && legs.of(side).fate != Fate::Lost && self.view.of(side).active(scene.rules);
        let missed = Other::Missed(legs.of(side.other()).answers[MARK]);
        self.finish(scene, side, number, if asks { Other::Lacks } else { missed })
    }

    fn finish(&mut self, scene: &Scene<'_>, side: Side, number: u64, other: Other) -> Step<Outcome> {
        let (alone, step) = Alone::begin(scene, &mut self.view, side, number, self.change, other);
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
        match look.ruling(&self.view, scene.rules) {
            Ruling::Item { .. } => Step::Done(Outcome::Plain { counted: self.seen }),
            Ruling::Missing if self.new.is_none() => Step::Done(Outcome::Missing),
            Ruling::Missing if self.view == before => self.send(scene, Some(records(legs, sight::MARK))),
            Ruling::Unknown => Step::Done(Outcome::Unavailable),
            _ => self.again(scene, Outcome::Unavailable),
        }
    }
}
