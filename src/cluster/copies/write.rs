//! A set or a delete: both sides in parallel; a side that missed it is voided before the write is acknowledged.

use super::mark::View;
use super::settle::Settle;
use super::{Answer, Body, Command, Legs, Mode, Outcome, Packet, Request, Scene, Side, Slot, Step};
use super::{learn, sight};

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
    /// A counter that one side had and the other did not (it may just have been rebuilt there) is deleted there again.
    Again(Side),
    Settle(Settle),
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

/// The mark's place among the answers.
const MARK: usize = 1;

impl Write {
    #[must_use]
    pub fn new(view: View, kind: Kind) -> Self {
        Self { view, kind, at: At::Start, tries: 2, doubt: false }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        if scene.nobody() {
            return Step::Done(Outcome::Unavailable);
        }
        if learn::needed(scene, &self.view) {
            self.at = At::Learn;
            return learn::ask(scene);
        }
        self.send(scene)
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        self.advance(scene, legs).heeding(scene)
    }

    fn advance(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match &mut self.at {
            At::Start => self.start(scene),
            At::Learn => {
                learn::take(legs, &mut self.view);
                self.send(scene)
            }
            At::Both { under } => {
                let under = *under;
                self.judge(scene, legs, &under)
            }
            At::Again(side) if legs.of(*side).answered() => Step::Done(Outcome::Done),
            At::Again(side) => {
                let side = *side;
                self.settle(scene, side, None)
            }
            At::Settle(settle) => settle.next(scene, &mut self.view, legs),
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

    /// Another try, after one that was executed under an older mark.
    fn resend(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        self.tries -= 1;
        self.doubt = true;
        self.send(scene)
    }

    /// The write stands before the mark, so that the mark is read after it.
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

    fn judge(&mut self, scene: &Scene<'_>, legs: &Legs, under: &View) -> Step<Outcome> {
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
            return self.resend(scene);
        }
        match (holds(Side::Home), holds(Side::Partner)) {
            (true, _) | (_, true) if both => self.finish(scene, legs, under),
            (true, _) => self.settle(scene, Side::Partner, Some(&legs.home.answers)),
            (_, true) => self.settle(scene, Side::Home, Some(&legs.partner.answers)),
            _ if both && self.tries == 0 => Step::Done(Outcome::Ambiguous),
            _ if !legs.doubtful() && !self.doubt => Step::Done(Outcome::Unavailable),
            _ if self.view != *under && self.tries > 0 => self.resend(scene),
            _ => Step::Done(Outcome::Ambiguous),
        }
    }

    /// Both sides have the write; was a counter deleted on one side only?
    fn finish(&mut self, scene: &Scene<'_>, legs: &Legs, under: &View) -> Step<Outcome> {
        let at = self.count_at(scene);
        let counter = |side: Side| under.of(side).active(scene.rules).then(|| legs.of(side).answers[at]);
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

    /// `answers`: of the side that has the write.
    fn settle(&mut self, scene: &Scene<'_>, missed: Side, answers: Option<&[Answer]>) -> Step<Outcome> {
        let record = answers.filter(|_| scene.rules.witness).map(|answers| answers[MARK]);
        let (settle, step) = Settle::begin(scene, &mut self.view, missed, record, Outcome::Done);
        self.at = At::Settle(settle);
        step
    }
}
