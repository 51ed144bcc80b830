//! What becomes of the copy on a side that did not count while the other did: none may stay that lacks this delta.

use super::change::Change;
use super::mark::{Mark, View};
use super::settle::Settle;
use super::{Answer, Command, Legs, Outcome, Request, Scene, Side, Step};
use super::{Slot, sight};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Is there a copy that lacks this delta?
    Check,
    /// It was being created: the delta goes there too.
    Late,
    /// It was copied, with or without this delta: it is taken away. Or a complete side has none: then it is not complete.
    Drop,
    Settle(Settle),
}

/// A counter that was there a moment ago: the caller looks again.
const GONE: Outcome = Outcome::Plain { counted: false };

const FULL: usize = 1;
const MARK: usize = 2;
const ITEM: usize = 3;

/// The rest of a count that only one side knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alone {
    /// The side that did not count.
    side: Side,
    /// The mark under which the other side did.
    under: Mark,
    /// How the call ends then.
    then: Outcome,
    change: Change,
    /// The other side was asked to count, and had no counter.
    asked: bool,
    at: At,
    tries: u8,
}

/// What is known of the side that did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// It missed the count; its mark, read after the other side counted.
    Missed(Answer),
    /// It had no counter, or was not asked to count: its server came into use only then.
    Lacks { asked: bool },
    /// Its counter is none of this life: it was made anew where all was lost.
    Anew,
    /// Its counter went on when it should have ended.
    Outlived { cas: u64 },
}

impl Alone {
    pub fn begin(
        scene: &Scene<'_>,
        view: &mut View,
        side: Side,
        then: Outcome,
        change: Change,
        other: Other,
    ) -> (Self, Step<Option<Outcome>>) {
        let asked = other != Other::Lacks { asked: false };
        let mut alone = Self { side, under: view.of(side.other()), then, change, asked, at: At::Check, tries: 2 };
        let step = match other {
            Other::Missed(record) => alone.settle(scene, view, Some(record)),
            Other::Lacks { .. } => alone.check(scene, view),
            Other::Anew => alone.drop(scene, view),
            Other::Outlived { cas } => alone.end(scene, view, cas),
        };
        (alone, step)
    }

    /// `None` = the other side was voided since: nobody has counted.
    pub fn next(&mut self, scene: &Scene<'_>, view: &mut View, legs: &Legs) -> Step<Option<Outcome>> {
        if let At::Settle(settle) = &mut self.at {
            return some(settle.next(scene, view, legs));
        }
        let leg = legs.of(self.side);
        match (self.at, leg.answers[0]) {
            _ if !leg.answered() => self.settle(scene, view, None),
            (At::Check, copy) => {
                view.learn(self.side.other(), leg.mark(MARK).unwrap_or_default());
                if !view.of(self.side.other()).epoch_is(self.under) {
                    return Step::Done(None);
                }
                if view.of(self.side).holds(leg.answers[ITEM], scene.rules) {
                    return Step::Done(Some(Outcome::Plain { counted: true }));
                }
                let complete = leg.mark(FULL) == Some(view.of(self.side));
                let own = legs.of(self.side.other());
                self.checked(scene, view, copy, own.answered().then_some(own.answers[0]), complete)
            }
            // Somebody has counted on it since.
            (At::Drop, Answer::Differs) => Step::Done(Some(Outcome::Ambiguous)),
            // It may be another counter (of two copies about to end, one was prolonged): reads, and the repair, believe the home's.
            (At::Late, Answer::Number { value, .. }) if self.side == Side::Home => {
                Step::Done(Some(Outcome::Number(value)))
            }
            (At::Late, Answer::Number { .. }) | (At::Drop, _) => Step::Done(Some(self.then)),
            _ => self.check(scene, view),
        }
    }

    fn check(&mut self, scene: &Scene<'_>, view: &View) -> Step<Option<Outcome>> {
        self.at = At::Check;
        let mut request = Request::default();
        request.on(self.side).get(sight::counter(view.of(self.side), scene.rules));
        request.on(self.side).get(Slot::Full(self.side));
        request.on(self.side).get(Slot::Mark(self.side.other()));
        request.on(self.side).get(Slot::Item);
        request.on(self.side.other()).get(sight::counter(view.of(self.side.other()), scene.rules));
        Step::Send(request)
    }

    /// A copy that a repairer made bears a stamp; one that callers are just creating does not, and lacks this delta. So does any that was
    /// not asked to count: no repairer copies a counter that moved within this call.
    /// `own`: the counter that counted, now: it may be at its end, or deleted, and this copy with it; `None` = nobody knows.
    fn checked(
        &mut self,
        scene: &Scene<'_>,
        view: &mut View,
        copy: Answer,
        own: Option<Answer>,
        complete: bool,
    ) -> Step<Option<Outcome>> {
        let touches = matches!(self.change, Change::Touch { .. });
        match copy {
            Answer::Hit(hit) if hit.stamp == 0 || !self.asked => {
                self.at = At::Late;
                let mut request = Request::default();
                request.on(self.side).push(self.change.command(sight::counter(view.of(self.side), scene.rules)));
                Step::Send(request)
            }
            Answer::Hit(_) => self.drop(scene, view),
            _ if self.tries > 0 => {
                self.tries -= 1;
                self.check(scene, view)
            }
            _ => match own {
                None => Step::Done(Some(Outcome::Ambiguous)),
                // A new lifetime may have come at the end of the old one, when the other copy was gone already.
                Some(Answer::Hit(_)) if complete && touches => Step::Done(Some(Outcome::Ambiguous)),
                Some(Answer::Hit(own)) if complete && !own.ending() => self.drop(scene, view),
                Some(Answer::Miss) if touches => Step::Done(Some(GONE)),
                _ => Step::Done(Some(self.then)),
            },
        }
    }

    /// The side is not complete without it.
    fn drop(&mut self, scene: &Scene<'_>, view: &View) -> Step<Option<Outcome>> {
        self.at = At::Drop;
        let mut request = Request::default();
        for slot in [sight::counter(view.of(self.side), scene.rules), Slot::Full(self.side)] {
            request.on(self.side).push(Command::Delete { slot, cas: None });
        }
        Step::Send(request)
    }

    /// By cas: this may come late, when others have counted on it.
    fn end(&mut self, scene: &Scene<'_>, view: &View, cas: u64) -> Step<Option<Outcome>> {
        self.at = At::Drop;
        let mut request = Request::default();
        let slot = sight::counter(view.of(self.side), scene.rules);
        request.on(self.side).push(Command::Delete { slot, cas: Some(cas) });
        Step::Send(request)
    }

    fn settle(&mut self, scene: &Scene<'_>, view: &mut View, record: Option<Answer>) -> Step<Option<Outcome>> {
        let (settle, step) = Settle::begin(scene, view, self.side, record, self.then);
        self.at = At::Settle(settle);
        some(step)
    }
}

fn some(step: Step<Outcome>) -> Step<Option<Outcome>> {
    match step {
        Step::Send(request) => Step::Send(request),
        Step::Done(outcome) => Step::Done(Some(outcome)),
    }
}
