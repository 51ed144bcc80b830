//! A set or a delete: both sides in parallel; a side that missed it is voided before the write is acknowledged.

use super::mark::{Mark, View};
use super::sight;
use super::{Answer, Body, Command, Legs, Mode, Outcome, Packet, Request, Scene, Side, Slot, Step};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ttl` in seconds, 0 = never.
    Set { ttl: u32 },
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Learn,
    /// Stamped under this view.
    Both { under: View },
    Bump { missed: Side, old: Mark, again: bool },
}

/// One set or delete.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// What the host knew at the start, and what this call learnt.
    pub view: View,
    kind: Kind,
    at: At,
    tries: u8,
    /// An earlier try may have been executed.
    doubt: bool,
}

impl Write {
    #[must_use]
    pub fn new(view: View, kind: Kind) -> Self {
        Self { view, kind, at: At::Start, tries: 2, doubt: false }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        let unknown = Side::BOTH.iter().any(|side| scene.up(*side) && !self.view.of(*side).known());
        if scene.up == [false, false] {
            Step::Done(Outcome::Unavailable)
        } else if unknown {
            self.at = At::Learn;
            Step::Send(learn(scene))
        } else {
            self.send(scene)
        }
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match self.at {
            At::Start => self.start(scene),
            At::Learn => {
                taught(legs, &mut self.view);
                self.send(scene)
            }
            At::Both { under } => self.settle(scene, legs, under),
            At::Bump { missed, old, again } => self.voided(scene, legs, missed, old, again),
        }
    }

    fn send(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        let trusted = |side: &Side| scene.up(*side) && self.view.of(*side).active(scene.rules);
        if !Side::BOTH.iter().any(trusted) {
            return Step::Done(if self.doubt { Outcome::Ambiguous } else { Outcome::Unavailable });
        }
        self.at = At::Both { under: self.view };
        let mut request = Request::default();
        for side in Side::BOTH.into_iter().filter(|side| scene.up(*side)) {
            *request.on(side) = self.packet(scene, side);
        }
        Step::Send(request)
    }

    /// The other side's mark is the first answer; the write itself stands before it in time only by chance.
    fn packet(&self, scene: &Scene<'_>, side: Side) -> Packet {
        let rules = scene.rules;
        let mark = self.view.of(side);
        let stamp = mark.stamp(rules);
        let mut packet = Packet::default();
        match self.kind {
            Kind::Set { ttl } => {
                packet.push(Command::Set { slot: Slot::Item, mode: Mode::Set, stamp, body: Body::Value, ttl });
            }
            Kind::Delete => {
                packet.push(Command::Delete { slot: Slot::Item, cas: None });
            }
        }
        if rules.witness {
            packet.get(Slot::Mark(side.other()));
        }
        if self.kind == Kind::Delete && rules.tombs {
            let (slot, mode, body) = (Slot::Tomb, Mode::Set, Body::Empty);
            packet.push(Command::Set { slot, mode, stamp, body, ttl: rules.tomb_ttl });
        }
        if mark.active(rules) {
            packet.push(Command::Delete { slot: sight::counter(mark, rules), cas: None });
        }
        packet
    }

    fn settle(&mut self, scene: &Scene<'_>, legs: &Legs, under: View) -> Step<Outcome> {
        let rules = scene.rules;
        if rules.witness {
            legs.teach(&mut self.view, MARK);
        }
        let done = |side: Side| legs.of(side).answered() && legs.of(side).answers[0] != Answer::Refused;
        let holds = |side: Side| {
            let mark = under.of(side);
            done(side) && mark.active(rules) && (!rules.stamps || self.view.of(side).epoch_is(mark))
        };
        match (holds(Side::Home), holds(Side::Partner)) {
            (true, true) => Step::Done(Outcome::Done),
            (true, false) if done(Side::Partner) => Step::Done(Outcome::Done),
            (false, true) if done(Side::Home) => Step::Done(Outcome::Done),
            (true, false) => self.void(scene, legs, Side::Partner),
            (false, true) => self.void(scene, legs, Side::Home),
            (false, false) if !legs.doubtful() && !self.doubt => Step::Done(Outcome::Unavailable),
            (false, false) if self.view != under && self.tries > 0 => {
                self.tries -= 1;
                self.doubt = true;
                self.send(scene)
            }
            (false, false) => Step::Done(Outcome::Ambiguous),
        }
    }

    /// Voids the side that missed the write, unless nobody has stamped under its mark.
    fn void(&mut self, scene: &Scene<'_>, legs: &Legs, missed: Side) -> Step<Outcome> {
        let rules = scene.rules;
        let known = self.view.of(missed);
        let record = if rules.witness { legs.of(missed.other()).mark(MARK) } else { Some(known) };
        let idle = record == Some(known) && known.known() && !known.active(rules);
        if idle || !rules.bump {
            return Step::Done(Outcome::Done);
        }
        self.at = At::Bump { missed, old: known, again: false };
        Step::Send(bump(scene, missed, known, record))
    }

    fn voided(&mut self, scene: &Scene<'_>, legs: &Legs, missed: Side, old: Mark, again: bool) -> Step<Outcome> {
        let Some(mark) = legs.of(missed.other()).mark(0) else { return Step::Done(Outcome::Ambiguous) };
        self.view.learn(missed, mark);
        if mark.epoch() > old.epoch() {
            Step::Done(Outcome::Done)
        } else if again {
            Step::Done(Outcome::Ambiguous)
        } else {
            self.at = At::Bump { missed, old, again: true };
            Step::Send(bump(scene, missed, old, Some(mark)))
        }
    }
}

/// The mark's place among the answers.
const MARK: usize = 1;

/// Asks both sides for what they know of the marks.
fn learn(scene: &Scene<'_>) -> Request {
    let mut request = Request::default();
    for side in Side::BOTH.into_iter().filter(|side| scene.up(*side)) {
        request.on(side).get(Slot::Mark(side.other()));
        request.on(side).get(Slot::Full(side));
    }
    request
}

fn taught(legs: &Legs, view: &mut View) {
    legs.teach(view, 0);
    for side in Side::BOTH {
        view.learn(side, legs.of(side).mark(1).unwrap_or_default());
    }
}

/// Moves the mark of `missed` beyond every epoch known; `record` is what its witness holds.
pub(super) fn bump(scene: &Scene<'_>, missed: Side, known: Mark, record: Option<Mark>) -> Request {
    let next = known.max(record.unwrap_or_default()).next();
    let init = if scene.rules.memory && known.known() && record.is_some() {
        next
    } else {
        next.max(Mark(Mark::first(scene.clock).0 - 1))
    };
    let delta = record.map_or(1, |record| next.0.saturating_sub(record.0).max(1));
    let mut request = Request::default();
    let (slot, init) = (Slot::Mark(missed), Some(init.0));
    request.on(missed.other()).push(Command::Count { slot, delta, down: false, init, ttl: 0 });
    request
}
