//! Voiding: what a writer does about a side that missed its write, before it acknowledges.
//!
//! The witness of that side moves its mark to a new epoch, so that nothing stamped before is trusted. Stores are guarded by
//! the record's cas: whoever finds that another has moved an active mark has what it wants, and a mark that is not active
//! needs nothing. So all the writers that miss a side together use up one epoch.
//!
//! What is void may be lost: a side is void only where the witness has all of it, or the side itself is gone.

use super::mark::{Mark, View};
use super::{Answer, Body, Command, Legs, Mode, Request, Scene, Side, Slot, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Asked,
    /// The record, when it was read as known to be current, and what it is moved to.
    Moved {
        from: Option<Mark>,
        to: Mark,
    },
    /// It is not void: a note keeps the pair from being called whole before the lost packet is surely gone.
    Noted,
}

/// The voiding of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Void {
    missed: Side,
    at: At,
    tries: u8,
}

impl Void {
    #[must_use]
    pub fn new(missed: Side) -> Self {
        Self { missed, at: At::Asked, tries: 3 }
    }

    /// Asks the witness for the record.
    pub fn ask(&mut self, scene: &Scene<'_>) -> Step<bool> {
        if self.tries == 0 || !scene.may_void(self.missed) {
            return Step::Done(false);
        }
        self.tries -= 1;
        self.at = At::Asked;
        let mut request = Request::default();
        let witness = self.missed.other();
        request.on(witness).get(Slot::Mark(self.missed));
        request.on(witness).get(Slot::Full(witness));
        Step::Send(request)
    }

    /// What follows from the record, read after the write was executed beside it; `full`: the witness's own full record, `None` = it
    /// was not asked for. `true` = the side is void.
    pub fn judge(&mut self, scene: &Scene<'_>, view: &mut View, record: &Answer, full: Option<Mark>) -> Step<bool> {
        let rules = scene.rules;
        let (read, mode) = match record {
            Answer::Hit(hit) => (Some(Mark(hit.number.unwrap_or(0))), Mode::Cas(hit.cas)),
            _ => (None, Mode::Add),
        };
        view.learn(self.missed, read.unwrap_or_default());
        let known = view.of(self.missed);
        let current = read == Some(known);
        if current && known.known() && !known.active(rules) {
            return Step::Done(true);
        }
        if !scene.may_void(self.missed) {
            return if scene.isolated { Step::Done(false) } else { self.note(scene) };
        }
        match full {
            _ if !rules.survivor || scene.gone(self.missed) => {}
            None => return self.ask(scene),
            Some(full) if view.of(self.missed.other()).complete(full, rules) => {}
            Some(_) => return self.note(scene),
        }
        // Only a lost record may have been further than all that this host remembers.
        let clock = if read.is_none() || !known.known() { Mark(Mark::first(scene.clock).0 - 1) } else { Mark::UNKNOWN };
        let to = known.next().max(clock);
        self.at = At::Moved { from: read.filter(|_| current), to };
        let (slot, body) = (Slot::Mark(self.missed), Body::Number(to.0));
        let mut request = Request::default();
        request.on(self.missed.other()).push(Command::Set { slot, mode, stamp: 0, body, ttl: 0 });
        Step::Send(request)
    }

    fn note(&mut self, scene: &Scene<'_>) -> Step<bool> {
        self.at = At::Noted;
        let (slot, mode, body, ttl) = (Slot::Ill(self.missed), Mode::Set, Body::Empty, scene.rules.ill_ttl);
        let mut request = Request::default();
        request.on(self.missed.other()).push(Command::Set { slot, mode, stamp: 0, body, ttl });
        Step::Send(request)
    }

    pub fn next(&mut self, scene: &Scene<'_>, view: &mut View, legs: &Legs) -> Step<bool> {
        let leg = legs.of(self.missed.other());
        if !leg.answered() {
            // A packet that was sent may be carried out whenever it arrives: as far as this host knows the side is void.
            if let (At::Moved { to, .. }, true) = (self.at, legs.doubts(self.missed.other())) {
                view.learn(self.missed, to);
            }
            return Step::Done(false);
        }
        match (self.at, leg.answers[0]) {
            (At::Noted, _) => Step::Done(false),
            (At::Asked, record) => self.judge(scene, view, &record, Some(leg.mark(1).unwrap_or_default())),
            (At::Moved { to, .. }, Answer::Stored(_)) => {
                view.learn(self.missed, to);
                Step::Done(true)
            }
            (At::Moved { from: Some(from), .. }, Answer::Differs) => {
                view.learn(self.missed, from.next());
                Step::Done(true)
            }
            _ => self.ask(scene),
        }
    }
}
