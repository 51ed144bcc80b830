//! Add, replace and cas: decided on one side, then copied to the other under the cas seen there.
//!
//! The home decides while its mark is active and the host reaches it; else the partner does, after the home was voided: so
//! two hosts that disagree about the home cannot both win. Whoever cannot know is told so.

use super::mark::{Mark, View};
use super::sight::{self, Look, Ruling};
use super::void::Void;
use super::{Answer, Body, Command, Fate, Legs, Mode, Outcome, Packet, Request, Scene, Side, Slot, Step};

/// What a get saw: only it may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub side: Side,
    pub mark: Mark,
    pub cas: u64,
}

/// On which condition to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Missing,
    There,
    Same(Token),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Look,
    /// The home is voided first.
    First {
        void: Void,
        other: Option<Mode>,
        mode: Mode,
    },
    Decide {
        side: Side,
        under: View,
        other: Option<Mode>,
    },
    Copy {
        side: Side,
        under: View,
        record: Answer,
        cas: u64,
    },
    /// The copy met another item: is the decision still the last one?
    Again {
        side: Side,
        under: View,
        record: Answer,
        cas: u64,
    },
    Last(Void),
}

/// One conditional write.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    pub view: View,
    when: When,
    /// Seconds, 0 = never ends.
    ttl: u32,
    at: At,
    again: bool,
    tries: u8,
}

const SET: usize = 0;
const MARK: usize = 1;

impl Commit {
    #[must_use]
    pub fn new(view: View, when: When, ttl: u32) -> Self {
        Self { view, when, ttl, at: At::Look, again: false, tries: 2 }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        if scene.up == [false, false] {
            return Step::Done(Outcome::Unavailable);
        }
        self.at = At::Look;
        let mut request = Request::default();
        for side in Side::BOTH.into_iter().filter(|side| scene.up(*side)) {
            *request.on(side) = sight::look(side, &self.view, scene.rules);
        }
        Step::Send(request)
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match self.at {
            At::Look => self.looked(scene, legs),
            At::First { mut void, other, mode } => match void.next(scene, &mut self.view, legs) {
                Step::Send(request) => {
                    self.at = At::First { void, other, mode };
                    Step::Send(request)
                }
                Step::Done(true) => self.decide(scene, Side::Partner, mode, other),
                Step::Done(false) => Step::Done(Outcome::Unavailable),
            },
            At::Decide { side, under, other } => self.decided(scene, legs, side, under, other),
            At::Copy { side, under, record, cas } => self.copied(scene, legs, side, under, record, cas),
            At::Again { side, under, record, cas } => self.anew(scene, legs, side, under, record, cas),
            At::Last(mut void) => {
                let step = void.next(scene, &mut self.view, legs);
                self.last(void, step)
            }
        }
    }

    fn looked(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        let before = self.view;
        let look = Look::new(legs, &mut self.view);
        if self.view != before && !self.again {
            self.again = true;
            return self.start(scene);
        }
        let ruling = look.ruling(&self.view, scene.rules);
        let there = matches!(ruling, Ruling::Item { .. } | Ruling::Counter { .. });
        let same = |token: Token| {
            let cas = look.of(token.side).item.map(|item| item.cas);
            let current = self.view.of(token.side).epoch_is(token.mark);
            ruling == Ruling::Item { side: token.side, verified: true } && current && cas == Some(token.cas)
        };
        match self.when {
            _ if ruling == Ruling::Unknown => return Step::Done(Outcome::Unavailable),
            When::Missing if there => return Step::Done(Outcome::Missing),
            When::There if !there => return Step::Done(Outcome::Missing),
            When::Same(token) if !same(token) => return Step::Done(Outcome::Missing),
            _ => {}
        }
        let mode = |side: Side| look.of(side).item.map_or(Mode::Add, |item| Mode::Cas(item.cas));
        let other = |side: Side| look.of(side).reached.then(|| mode(side));
        let home = look.home.reached && self.view.home.active(scene.rules);
        // Absence is no token: another may have replaced the item and a third deleted it again. The repairer brings it soon.
        let decides = if home { Side::Home } else { Side::Partner };
        if self.when != When::Missing && mode(decides) == Mode::Add {
            return Step::Done(Outcome::Unavailable);
        }
        if home {
            return self.decide(scene, Side::Home, mode(Side::Home), other(Side::Partner));
        }
        if !look.partner.reached || !self.view.partner.active(scene.rules) {
            return Step::Done(Outcome::Unavailable);
        }
        let (mode, other) = (mode(Side::Partner), other(Side::Home));
        let mut void = Void::new(Side::Home);
        match void.judge(scene, &mut self.view, &legs.partner.answers[sight::MARK]) {
            Step::Send(request) => {
                self.at = At::First { void, other, mode };
                Step::Send(request)
            }
            Step::Done(_) => self.decide(scene, Side::Partner, mode, other),
        }
    }

    fn packet(&self, scene: &Scene<'_>, side: Side, mode: Mode) -> Packet {
        let mark = self.view.of(side);
        let (slot, body, ttl) = (Slot::Item, Body::Value, self.ttl);
        let mut packet = Packet::default();
        packet.push(Command::Set { slot, mode, stamp: mark.stamp(scene.rules), body, ttl });
        packet.get(Slot::Mark(side.other()));
        if mark.active(scene.rules) {
            packet.push(Command::Delete { slot: sight::counter(mark, scene.rules), cas: None });
        }
        packet
    }

    fn decide(&mut self, scene: &Scene<'_>, side: Side, mode: Mode, other: Option<Mode>) -> Step<Outcome> {
        self.at = At::Decide { side, under: self.view, other };
        let mut request = Request::default();
        *request.on(side) = self.packet(scene, side, mode);
        Step::Send(request)
    }

    fn decided(
        &mut self,
        scene: &Scene<'_>,
        legs: &Legs,
        side: Side,
        under: View,
        other: Option<Mode>,
    ) -> Step<Outcome> {
        let leg = legs.of(side);
        let cas = match (leg.fate, leg.answers[SET]) {
            (Fate::Answered, Answer::Stored(cas)) => cas,
            (Fate::Answered, Answer::Refused) | (Fate::Unsent, _) => return Step::Done(Outcome::Unavailable),
            (Fate::Answered, _) => return Step::Done(Outcome::Missing),
            (Fate::Lost, _) => return Step::Done(Outcome::Ambiguous),
        };
        legs.teach(&mut self.view, MARK);
        let record = leg.answers[MARK];
        if side == Side::Partner && self.view.home.active(scene.rules) {
            // The home may decide again: whether it did meanwhile is not known.
            return Step::Done(Outcome::Ambiguous);
        }
        let Some(mode) = other.filter(|_| scene.up(side.other())) else {
            return self.void(scene, side.other(), &record);
        };
        self.at = At::Copy { side, under, record, cas };
        let mut request = Request::default();
        *request.on(side.other()) = self.packet(scene, side.other(), mode);
        Step::Send(request)
    }

    fn copied(
        &mut self,
        scene: &Scene<'_>,
        legs: &Legs,
        side: Side,
        under: View,
        record: Answer,
        cas: u64,
    ) -> Step<Outcome> {
        let other = side.other();
        let leg = legs.of(other);
        if !leg.answered() || leg.answers[SET] == Answer::Refused {
            return self.void(scene, other, &record);
        }
        legs.teach(&mut self.view, MARK);
        let stored = matches!(leg.answers[SET], Answer::Stored(_));
        let holds = self.view.of(side).epoch_is(under.of(side));
        let copy = stored && self.view.of(other).epoch_is(under.of(other)) && under.of(other).active(scene.rules);
        if holds && !stored {
            self.at = At::Again { side, under, record, cas };
            let mut request = Request::default();
            request.home.get(Slot::Item);
            request.partner.get(Slot::Item);
            return Step::Send(request);
        }
        Step::Done(if holds || copy { Outcome::Done } else { Outcome::Ambiguous })
    }

    /// A later decision takes care of its own copy; else what stands on the other side is older, or written just now.
    fn anew(
        &mut self,
        scene: &Scene<'_>,
        legs: &Legs,
        side: Side,
        under: View,
        record: Answer,
        cas: u64,
    ) -> Step<Outcome> {
        let other = side.other();
        match legs.of(side).answers[0] {
            _ if !legs.of(side).answered() => return Step::Done(Outcome::Ambiguous),
            Answer::Hit(hit) if hit.cas == cas => {}
            _ => return Step::Done(Outcome::Done),
        }
        if !legs.of(other).answered() || self.tries == 0 {
            return self.void(scene, other, &record);
        }
        self.tries -= 1;
        let mode = match legs.of(other).answers[0] {
            Answer::Hit(hit) => Mode::Cas(hit.cas),
            _ => Mode::Add,
        };
        self.at = At::Copy { side, under, record, cas };
        let mut request = Request::default();
        *request.on(other) = self.packet(scene, other, mode);
        Step::Send(request)
    }

    fn void(&mut self, scene: &Scene<'_>, missed: Side, record: &Answer) -> Step<Outcome> {
        let mut void = Void::new(missed);
        let step = void.judge(scene, &mut self.view, record);
        if !scene.rules.bump {
            return Step::Done(Outcome::Done);
        }
        self.last(void, step)
    }

    fn last(&mut self, void: Void, step: Step<bool>) -> Step<Outcome> {
        self.at = At::Last(void);
        match step {
            Step::Send(request) => Step::Send(request),
            Step::Done(true) => Step::Done(Outcome::Done),
            Step::Done(false) => Step::Done(Outcome::Ambiguous),
        }
    }
}
