//! What becomes of the copy on a side that did not count while the other did: none may stay that lacks this delta.

use super::change::Change;
use super::mark::{Mark, View};
use super::settle::Settle;
use super::{Answer, Command, Hit, Legs, Mode, Outcome, Request, Scene, Side, Step};
use super::{Slot, sight};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Is there a copy that lacks this delta?
    Check,
    /// It was being created: the delta goes there too.
    Late,
    /// It was copied, with or without this delta, or there is none: no counter may stand there until the repairer makes one.
    Bar,
    /// Its counter went on when it should have ended, and is taken away.
    End,
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
    /// The cas of the bar that was there first. Another one was stored after this delta was counted.
    bar: Option<u64>,
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
        let mut alone =
            Self { side, under: view.of(side.other()), then, change, asked, bar: None, at: At::Check, tries: 2 };
        let step = match other {
            Other::Missed(record) => alone.settle(scene, view, Some(record)),
            Other::Lacks { .. } => alone.check(scene, view),
            Other::Anew => alone.bar(scene, view, Mode::Set),
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
            (At::End, Answer::Differs) => Step::Done(Some(Outcome::Ambiguous)),
            (At::Bar, Answer::Refused) => self.settle(scene, view, None),
            // It may be another counter (of two copies about to end, one was prolonged): reads, and the repair, believe the home's.
            (At::Late, Answer::Number { value, .. }) if self.side == Side::Home => {
                Step::Done(Some(Outcome::Number(value)))
            }
            (At::Late, Answer::Number { .. }) | (At::Bar, Answer::Stored(_)) | (At::End, _) => {
                Step::Done(Some(self.then))
            }
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
        match copy.counter() {
            Some(hit) if hit.stamp == 0 || !self.asked => {
                self.at = At::Late;
                let mut request = Request::default();
                request.on(self.side).push(self.change.command(sight::counter(view.of(self.side), scene.rules)));
                Step::Send(request)
            }
            Some(_) => self.bar(scene, view, Mode::Set),
            None => self.missing(scene, view, copy, own.map(Answer::counter), complete),
        }
    }

    /// There is no copy, or a bar. A new one is due: a caller who is late may make a counter that lacks this delta, and a repairer that looked
    /// before it may replace the old one.
    fn missing(
        &mut self,
        scene: &Scene<'_>,
        view: &View,
        bar: Answer,
        own: Option<Option<Hit>>,
        complete: bool,
    ) -> Step<Option<Outcome>> {
        let (mode, renewed) = match bar {
            Answer::Hit(bar) => (Mode::Cas(bar.cas), *self.bar.get_or_insert(bar.cas) != bar.cas),
            _ if self.tries > 0 => {
                self.tries -= 1;
                return self.check(scene, view);
            }
            _ => (Mode::Add, false),
        };
        let touches = matches!(self.change, Change::Touch { .. });
        match own {
            None => Step::Done(Some(Outcome::Ambiguous)),
            // A new lifetime may have come at the end of the old one, when the other copy was gone already.
            Some(Some(_)) if complete && touches => Step::Done(Some(Outcome::Ambiguous)),
            Some(None) if touches => Step::Done(Some(GONE)),
            Some(Some(own)) if !touches && !own.ending() && (complete || !renewed) => self.bar(scene, view, mode),
            _ => Step::Done(Some(self.then)),
        }
    }

    /// Until the repairer replaces it. The side is not complete without the counter.
    fn bar(&mut self, scene: &Scene<'_>, view: &View, mode: Mode) -> Step<Option<Outcome>> {
        self.at = At::Bar;
        let slot = sight::counter(view.of(self.side), scene.rules);
        let mut request = Request::default();
        request.on(self.side).push(Command::bar(slot, mode, scene.rules));
        request.on(self.side).push(Command::Delete { slot: Slot::Full(self.side), cas: None });
        Step::Send(request)
    }

    /// By cas: this may come late, when others have counted on it.
    fn end(&mut self, scene: &Scene<'_>, view: &View, cas: u64) -> Step<Option<Outcome>> {
        self.at = At::End;
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
