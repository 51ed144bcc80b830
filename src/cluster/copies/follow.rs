//! The second half of a conditional write: the decision of one side is copied to the other, under what was seen there.

use super::mark::View;
use super::settle::Settle;
use super::{Answer, Body, Command, Hit, Leg, Legs, Mode, Outcome, Packet, Request, Scene, Side, Slot, Step, sight};

pub(super) const SET: usize = 0;
pub(super) const MARK: usize = 1;
const TOMB: usize = 1;
const COUNTER: usize = 2;
const MEET_MARK: usize = 2;

/// What is stored on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Seconds, 0 = never ends.
    pub ttl: u32,
    /// Made out of what was there: a delete in between must not be undone.
    pub derived: bool,
}

impl Store {
    /// Stores; reads the other side's mark after it, and whether a counter stands beside it. That one is deleted later, by its cas:
    /// where the store is refused, it may be a new one.
    pub fn packet(&self, scene: &Scene<'_>, view: &View, side: Side, mode: Mode) -> Packet {
        let mut packet = Packet::default();
        packet.push(self.command(mode, view.of(side).stamp(scene.rules)));
        packet.get(Slot::Mark(side.other()));
        packet.get(sight::counter(view.of(side), scene.rules));
        packet
    }

    fn command(&self, mode: Mode, stamp: u16) -> Command {
        Command::Set { slot: Slot::Item, mode, stamp, body: Body::Value, ttl: self.ttl }
    }
}

/// What a look saw on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The cas of the item, of the tombstone.
    pub item: Option<u64>,
    pub tomb: Option<u64>,
}

/// What one side decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub side: Side,
    /// What was known when it was sent.
    pub under: View,
    /// The other side's mark, read after it.
    pub record: Answer,
    /// The cas of what it stored.
    pub cas: u64,
    /// The digest of what it replaced.
    pub replaced: Option<u64>,
    /// The cas of a counter that stands beside it.
    pub counter: Option<u64>,
    /// The other side before it; `None` = not reached.
    pub place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The copy is added without a stamp first: was the key deleted meanwhile?
    Add,
    /// It was: away with the copy.
    Drop,
    Copy,
    /// The copy met something else: is the decision still the last one?
    Again,
    /// A counter beside the copy is deleted.
    Sweep,
    Settle(Settle),
}

/// The cas of the counter that a [`Store::packet`] found beside its item.
pub fn beside(leg: &Leg) -> Option<u64> {
    leg.answers[COUNTER].counter().map(|hit| hit.cas)
}

/// The copying of one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    store: Store,
    decision: Decision,
    at: At,
    tries: u8,
}

impl Follow {
    pub fn begin(scene: &Scene<'_>, view: &mut View, store: Store, decision: Decision) -> (Self, Step<Outcome>) {
        let mut follow = Self { store, decision, at: At::Copy, tries: 2 };
        let step = match decision.place.filter(|_| scene.up(decision.side.other())) {
            None => follow.settle(scene, view),
            Some(place) => follow.place(scene, view, place),
        };
        (follow, step)
    }

    pub fn next(&mut self, scene: &Scene<'_>, view: &mut View, legs: &Legs) -> Step<Outcome> {
        let other = legs.of(self.decision.side.other());
        match &mut self.at {
            At::Settle(settle) => settle.next(scene, view, legs),
            At::Again => self.again(scene, view, legs),
            At::Sweep => Step::Done(Outcome::Done),
            _ if !other.answered() || other.answers[SET] == Answer::Refused => self.settle(scene, view),
            At::Add => self.added(scene, view, other),
            At::Drop => self.meet(),
            At::Copy => self.copied(scene, view, legs),
        }
    }

    fn place(&mut self, scene: &Scene<'_>, view: &View, place: Place) -> Step<Outcome> {
        match place.item {
            Some(cas) => self.copy(scene, view, Mode::Cas(cas)),
            None if self.store.derived => self.add(),
            None => self.copy(scene, view, Mode::Add),
        }
    }

    fn copy(&mut self, scene: &Scene<'_>, view: &View, mode: Mode) -> Step<Outcome> {
        self.at = At::Copy;
        let other = self.decision.side.other();
        let mut request = Request::default();
        *request.on(other) = self.store.packet(scene, view, other, mode);
        if let Some(cas) = self.decision.counter.take() {
            let side = self.decision.side;
            request.on(side).push(Command::Delete { slot: sight::counter(view.of(side), scene.rules), cas: Some(cas) });
        }
        Step::Send(request)
    }

    fn add(&mut self) -> Step<Outcome> {
        self.at = At::Add;
        let mut request = Request::default();
        let packet = request.on(self.decision.side.other());
        packet.push(self.store.command(Mode::Add, 0));
        packet.get(Slot::Tomb);
        Step::Send(request)
    }

    fn added(&mut self, scene: &Scene<'_>, view: &View, leg: &Leg) -> Step<Outcome> {
        let Answer::Stored(cas) = leg.answers[SET] else { return self.meet() };
        if self.unburied(leg) {
            return self.copy(scene, view, Mode::Cas(cas));
        }
        self.at = At::Drop;
        let mut request = Request::default();
        request.on(self.decision.side.other()).push(Command::Delete { slot: Slot::Item, cas: Some(cas) });
        Step::Send(request)
    }

    /// Is the other side's tombstone the one that was seen before?
    fn unburied(&self, leg: &Leg) -> bool {
        let tomb = match leg.answers[TOMB] {
            Answer::Hit(hit) => Some(hit.cas),
            _ => None,
        };
        self.decision.place.is_some_and(|place| place.tomb == tomb)
    }

    fn copied(&mut self, scene: &Scene<'_>, view: &mut View, legs: &Legs) -> Step<Outcome> {
        let Decision { side, under, .. } = self.decision;
        let other = side.other();
        legs.teach(view, MARK);
        let stored = matches!(legs.of(other).answers[SET], Answer::Stored(_));
        let holds = view.of(side).epoch_is(under.of(side));
        let copy = stored && view.of(other).epoch_is(under.of(other)) && under.of(other).active(scene.rules);
        match (holds, stored) {
            (true, false) => self.meet(),
            _ if holds || copy => self.sweep(scene, view, beside(legs.of(other))),
            _ => Step::Done(Outcome::Ambiguous),
        }
    }

    fn sweep(&mut self, scene: &Scene<'_>, view: &View, counter: Option<u64>) -> Step<Outcome> {
        let Some(cas) = counter else { return Step::Done(Outcome::Done) };
        self.at = At::Sweep;
        let other = self.decision.side.other();
        let mut request = Request::default();
        let slot = sight::counter(view.of(other), scene.rules);
        request.on(other).push(Command::Delete { slot, cas: Some(cas) });
        Step::Send(request)
    }

    fn meet(&mut self) -> Step<Outcome> {
        self.at = At::Again;
        let mut request = Request::default();
        for side in Side::BOTH {
            request.on(side).get(Slot::Item);
            request.on(side).get(Slot::Tomb);
            request.on(side).get(Slot::Mark(side.other()));
        }
        Step::Send(request)
    }

    /// What stands on the other side is a copy of what was replaced, or does not count; or it is a later write, which has yet to come
    /// here or voids this side. A later decision takes care of its own copy, but it may end without: see [`Self::overtaken`].
    /// An add that does not see both its own and what it met cannot tell which was first.
    fn again(&mut self, scene: &Scene<'_>, view: &mut View, legs: &Legs) -> Step<Outcome> {
        let Decision { side, cas, .. } = self.decision;
        let other = legs.of(side.other());
        let own = legs.of(side);
        let blind = !own.answered() || !self.store.derived && !other.answered();
        match (own.answers[SET], own.answers[TOMB]) {
            _ if blind => return Step::Done(Outcome::Ambiguous),
            (Answer::Hit(hit), _) if hit.cas == cas => {}
            // Nobody deleted it: this side was flushed, and the copy is all that is left.
            (Answer::Miss, Answer::Miss) => {}
            _ if !self.store.derived => return Step::Done(Outcome::Ambiguous),
            _ => return self.overtaken(scene, view, own, other),
        }
        if !other.answered() {
            return self.settle(scene, view);
        }
        legs.teach(view, MEET_MARK);
        if self.tries == 0 || !view.of(side).epoch_is(self.decision.under.of(side)) {
            return Step::Done(Outcome::Ambiguous);
        }
        self.tries -= 1;
        match other.answers[SET] {
            // Where nothing was replaced, it may as well be one that was faster. Else it comes here too, unless it was decided there alone.
            Answer::Hit(hit) if self.later(scene, view, &hit) && !self.store.derived => Step::Done(Outcome::Ambiguous),
            Answer::Hit(hit) if self.later(scene, view, &hit) => self.meet(),
            Answer::Hit(hit) => self.copy(scene, view, Mode::Cas(hit.cas)),
            _ if self.store.derived && !self.unburied(other) => Step::Done(Outcome::Ambiguous),
            _ => self.place(scene, view, Place { item: None, tomb: None }),
        }
    }

    /// Something later stands on this side. The decision holds once something later is on the other side too.
    fn overtaken(&mut self, scene: &Scene<'_>, view: &mut View, own: &Leg, other: &Leg) -> Step<Outcome> {
        let there = match other.answers[SET] {
            _ if !other.answered() => return self.settle(scene, view),
            Answer::Hit(hit) => self.later(scene, view, &hit),
            _ => !matches!(own.answers[SET], Answer::Hit(_)) || !self.unburied(other),
        };
        if there || self.tries == 0 {
            return Step::Done(if there { Outcome::Done } else { Outcome::Ambiguous });
        }
        self.tries -= 1;
        self.meet()
    }

    fn later(&self, scene: &Scene<'_>, view: &View, hit: &Hit) -> bool {
        let other = view.of(self.decision.side.other());
        other.verifies(hit.stamp, scene.rules) && self.decision.replaced != Some(hit.digest)
    }

    fn settle(&mut self, scene: &Scene<'_>, view: &mut View) -> Step<Outcome> {
        let Decision { side, record, .. } = self.decision;
        let (settle, step) = Settle::begin(scene, view, side.other(), Some(record), Outcome::Done);
        self.at = At::Settle(settle);
        step
    }
}
