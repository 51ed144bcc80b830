//! A set or a delete: both sides in parallel; a side that missed it is voided before the write is acknowledged.

use super::mark::View;
use super::sight;
use super::void::Void;
use super::{Answer, Body, Command, Legs, Mode, Outcome, Packet, Request, Scene, Side, Slot, Step};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ttl` in seconds, 0 = never.
    Set {
        ttl: u32,
    },
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    Learn,
    /// Stamped under this view.
    Both {
        under: View,
    },
    Void(Void),
    /// A counter that one side had and the other did not (it may just have been rebuilt there) is deleted there again.
    Again(Side),
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
            At::Again(side) if legs.of(side).answered() => Step::Done(Outcome::Done),
            At::Again(side) => {
                let void = Void::new(side);
                self.void_blind(scene, void)
            }
            At::Void(mut void) => {
                let step = void.next(scene, &mut self.view, legs);
                self.after_void(scene, void, step)
            }
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
        // Under a newer active epoch a counter may have been rebuilt: it must go too.
        let renewed = |side: Side| self.view.of(side) > under.of(side) && self.view.of(side).active(rules);
        let both = done(Side::Home) && done(Side::Partner);
        if both && self.tries > 0 && Side::BOTH.into_iter().any(renewed) {
            self.tries -= 1;
            self.doubt = true;
            return self.send(scene);
        }
        match (holds(Side::Home), holds(Side::Partner)) {
            (false, false) if both && self.tries == 0 => Step::Done(Outcome::Ambiguous),
            (true, _) | (_, true) if both => self.finish(scene, legs, under),
            (true, _) => self.void(scene, legs, Side::Partner),
            (_, true) => self.void(scene, legs, Side::Home),
            (false, false) if !legs.doubtful() && !self.doubt => Step::Done(Outcome::Unavailable),
            (false, false) if self.view != under && self.tries > 0 => {
                self.tries -= 1;
                self.doubt = true;
                self.send(scene)
            }
            (false, false) => Step::Done(Outcome::Ambiguous),
        }
    }

    /// Both sides have the write; was a counter deleted on one side only?
    fn finish(&mut self, scene: &Scene<'_>, legs: &Legs, under: View) -> Step<Outcome> {
        let counter = |side: Side| {
            let sent = under.of(side).active(scene.rules).then_some(self.count_at(scene));
            sent.map(|at| legs.of(side).answers[at])
        };
        let one = Side::BOTH
            .into_iter()
            .find(|side| counter(*side) == Some(Answer::NotFound) && counter(side.other()) == Some(Answer::Deleted));
        let Some(side) = one else { return Step::Done(Outcome::Done) };
        self.at = At::Again(side);
        let mut request = Request::default();
        let slot = sight::counter(self.view.of(side), scene.rules);
        request.on(side).push(Command::Delete { slot, cas: None });
        Step::Send(request)
    }

    /// The place of the counter's deletion among the answers.
    fn count_at(&self, scene: &Scene<'_>) -> usize {
        1 + usize::from(scene.rules.witness) + usize::from(self.kind == Kind::Delete && scene.rules.tombs)
    }

    fn void_blind(&mut self, scene: &Scene<'_>, mut void: Void) -> Step<Outcome> {
        let step = void.ask();
        self.after_void(scene, void, step)
    }

    /// Voids the side that missed the write, unless nobody has stamped under its mark.
    fn void(&mut self, scene: &Scene<'_>, legs: &Legs, missed: Side) -> Step<Outcome> {
        let mut void = Void::new(missed);
        let step = if scene.rules.witness {
            void.judge(scene, &mut self.view, &legs.of(missed.other()).answers[MARK])
        } else if !self.view.of(missed).active(scene.rules) {
            Step::Done(true)
        } else {
            void.ask()
        };
        self.after_void(scene, void, step)
    }

    fn after_void(&mut self, scene: &Scene<'_>, void: Void, step: Step<bool>) -> Step<Outcome> {
        self.at = At::Void(void);
        match step {
            Step::Send(request) if scene.rules.bump => Step::Send(request),
            Step::Done(false) => Step::Done(Outcome::Ambiguous),
            _ => Step::Done(Outcome::Done),
        }
    }
}

/// The mark's place among the answers.
const MARK: usize = 1;

/// Asks both sides for what they know of the marks.
pub(super) fn learn(scene: &Scene<'_>) -> Request {
    let mut request = Request::default();
    for side in Side::BOTH.into_iter().filter(|side| scene.up(*side)) {
        request.on(side).get(Slot::Mark(side.other()));
        request.on(side).get(Slot::Full(side));
    }
    request
}

pub(super) fn taught(legs: &Legs, view: &mut View) {
    legs.teach(view, 0);
    for side in Side::BOTH {
        view.learn(side, legs.of(side).mark(1).unwrap_or_default());
    }
}
