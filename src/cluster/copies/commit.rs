//! Add, replace and cas: decided on one side, then copied to the other ([`Follow`]).
//!
//! The home decides while its mark is active and the host reaches it; else the partner does, after the home was voided: so
//! two hosts that disagree about the home cannot both win. Whoever cannot know is told so.

use super::follow::{self, Decision, Follow, MARK, Place, SET, Store};
use super::mark::{Mark, View};
use super::sight::{self, Grade, Look, Ruling};
use super::void::Void;
use super::{Answer, Fate, Hit, Legs, Mode, Outcome, Request, Scene, Side, Step};

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

/// What the deciding side, and the other one, were seen to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    side: Side,
    mode: Mode,
    /// The digest of what is replaced.
    replaced: Option<u64>,
    /// `None` = the other side was not reached.
    other: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Look,
    /// The home is voided first.
    First {
        void: Void,
        plan: Plan,
    },
    Decide {
        plan: Plan,
        under: View,
    },
    Follow(Follow),
}

/// One conditional write.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    pub view: View,
    when: When,
    store: Store,
    at: At,
    tries: u8,
}

impl Commit {
    /// `ttl` in seconds, 0 = never ends.
    #[must_use]
    pub fn new(view: View, when: When, ttl: u32) -> Self {
        let store = Store { ttl, derived: when != When::Missing };
        Self { view, when, store, at: At::Look, tries: 2 }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        if scene.nobody() {
            return Step::Done(Outcome::Unavailable);
        }
        self.at = At::Look;
        Step::Send(sight::ask(scene.up, &self.view, scene.rules))
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        self.advance(scene, legs).heeding(scene)
    }

    fn advance(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match &mut self.at {
            At::Look => self.looked(scene, legs),
            At::First { void, plan } => match void.next(scene, &mut self.view, legs) {
                Step::Send(request) => Step::Send(request),
                Step::Done(true) => {
                    let plan = *plan;
                    self.decide(scene, plan)
                }
                Step::Done(false) => Step::Done(Outcome::Unavailable),
            },
            At::Decide { plan, under } => {
                let (plan, under) = (*plan, *under);
                self.decided(scene, legs, plan, under)
            }
            At::Follow(follow) => follow.next(scene, &mut self.view, legs),
        }
    }

    fn looked(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        let before = self.view;
        let look = Look::new(legs, &mut self.view);
        if self.view != before && self.tries > 0 {
            return self.again(scene);
        }
        if let Some(refusal) = self.refuses(scene, &look) {
            return Step::Done(refusal);
        }
        // A side that has lost its records (it was flushed) decides nothing until a watcher made them again.
        let knows = |side: Side| legs.of(side).mark(sight::MARK).is_some();
        let usable = |side: Side| knows(side) && self.view.of(side).active(scene.rules);
        let flushed = look.home.reached && !knows(Side::Home);
        let side = if usable(Side::Home) || flushed { Side::Home } else { Side::Partner };
        let (own, other) = (look.of(side), look.of(side.other()));
        let mode = own.item.map_or(Mode::Add, |item| Mode::Cas(item.cas));
        let cas = |hit: Option<Hit>| hit.map(|hit| hit.cas);
        let place = other.reached.then(|| Place { item: cas(other.item), tomb: cas(other.tomb) });
        let plan = Plan { side, mode, replaced: own.item.map(|item| item.digest), other: place };
        if !usable(side) {
            return Step::Done(Outcome::Unavailable);
        }
        // Absence is no token: another may have replaced the item and a third deleted it again. Another value, or a tombstone, on the
        // other side may be of a write that is on its way here. The repairer brings either in order soon.
        let mark = self.view.of(side.other());
        let differs = match other.grade(mark, scene.rules) {
            Grade::Item(item) => plan.replaced != Some(item.digest),
            _ => other.tomb.is_some_and(|tomb| mark.verifies(tomb.stamp, scene.rules)),
        };
        if self.store.derived && (own.item.is_none() || differs) {
            return if self.tries > 0 { self.again(scene) } else { Step::Done(Outcome::Unavailable) };
        }
        if side == Side::Home {
            return self.decide(scene, plan);
        }
        let mut void = Void::new(Side::Home);
        let record = &legs.partner.answers[sight::MARK];
        match void.judge(scene, &mut self.view, record, Some(look.partner.full)) {
            Step::Send(request) => {
                self.at = At::First { void, plan };
                Step::Send(request)
            }
            Step::Done(true) => self.decide(scene, plan),
            Step::Done(false) => Step::Done(Outcome::Unavailable),
        }
    }

    fn again(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        self.tries -= 1;
        self.start(scene)
    }

    /// Another was faster: its token is void; whether there is a value now, a new look tells.
    fn raced(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        match self.when {
            When::Same(_) => Step::Done(Outcome::Missing),
            _ if self.tries > 0 => self.again(scene),
            _ => Step::Done(Outcome::Unavailable),
        }
    }

    /// Why nothing may be stored, judged by a look.
    fn refuses(&self, scene: &Scene<'_>, look: &Look) -> Option<Outcome> {
        let ruling = look.ruling(&self.view, scene.rules);
        let there = matches!(ruling, Ruling::Item { .. } | Ruling::Counter { .. });
        let same = |token: Token| {
            let cas = look.of(token.side).item.map(|item| item.cas);
            let current = self.view.of(token.side).epoch_is(token.mark);
            ruling == Ruling::Item { side: token.side, verified: true } && current && cas == Some(token.cas)
        };
        let met = match self.when {
            _ if ruling == Ruling::Unknown => return Some(Outcome::Unavailable),
            When::Missing => !there,
            When::There => there,
            When::Same(token) => same(token),
        };
        (!met).then_some(Outcome::Missing)
    }

    fn decide(&mut self, scene: &Scene<'_>, plan: Plan) -> Step<Outcome> {
        self.at = At::Decide { plan, under: self.view };
        let mut request = Request::default();
        *request.on(plan.side) = self.store.packet(scene, &self.view, plan.side, plan.mode);
        Step::Send(request)
    }

    fn decided(&mut self, scene: &Scene<'_>, legs: &Legs, plan: Plan, under: View) -> Step<Outcome> {
        let side = plan.side;
        let leg = legs.of(side);
        let cas = match (leg.fate, leg.answers[SET]) {
            (Fate::Answered, Answer::Stored(cas)) => cas,
            (Fate::Answered, Answer::Refused) | (Fate::Unsent, _) => return Step::Done(Outcome::Unavailable),
            (Fate::Answered, _) => return self.raced(scene),
            (Fate::Lost, _) => return Step::Done(Outcome::Ambiguous),
        };
        legs.teach(&mut self.view, MARK);
        let lost = plan.mode == Mode::Add && leg.mark(MARK).is_none();
        if lost || side == Side::Partner && self.view.home.active(scene.rules) {
            // This side was flushed, or the home decides again: whether another was faster is not known.
            return Step::Done(Outcome::Ambiguous);
        }
        let counter = follow::beside(leg);
        let decision = Decision {
            side,
            under,
            record: leg.answers[MARK],
            cas,
            replaced: plan.replaced,
            counter,
            place: plan.other,
        };
        let (follow, step) = Follow::begin(scene, &mut self.view, self.store, decision);
        self.at = At::Follow(follow);
        step
    }
}
