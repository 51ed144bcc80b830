//! Two counters made at the same time whose numbers differ: a delete may have come in between on one side only.

use super::mark::View;
use super::sight;
use super::{Answer, Command, Legs, Outcome, Request, Scene, Side, Slot, Step};

/// The cas of the mark's record on either side.
pub(super) type Records = [Option<u64>; 2];

pub(super) fn records(legs: &Legs, at: usize) -> Records {
    Side::BOTH.map(|side| match legs.of(side).answers[at] {
        Answer::Hit(hit) => Some(hit.cas),
        _ => None,
    })
}

const COUNTER: usize = 0;
const ITEM: usize = 1;
const MARK: usize = 2;
const TOMB: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Twins {
    numbers: [u64; 2],
    /// As they were when the numbers were made.
    records: Records,
    /// One of them was deleted on the other side, and goes on this one too.
    gone: bool,
}

impl Twins {
    pub fn begin(scene: &Scene<'_>, view: &View, numbers: [u64; 2], records: Records) -> (Self, Step<Outcome>) {
        let mut request = Request::default();
        for side in Side::BOTH {
            request.on(side).get(sight::counter(view.of(side), scene.rules));
            request.on(side).get(Slot::Item);
            request.on(side).get(Slot::Mark(side.other()));
            request.on(side).get(Slot::Tomb);
        }
        (Self { numbers, records, gone: false }, Step::Send(request))
    }

    /// A counter that was deleted on the other side: nobody counted on it yet. Without a trace of that delete, the other one was taken
    /// away as not complete, and this one has all counts.
    pub fn next(&mut self, scene: &Scene<'_>, view: &View, legs: &Legs) -> Step<Outcome> {
        let number = Outcome::Number(self.numbers[0]);
        if self.gone {
            return Step::Done(number);
        }
        let hit = |side: Side| legs.of(side).answers[COUNTER].counter();
        let stands = |side: Side| hit(side).filter(|hit| hit.number == Some(self.numbers[side as usize]));
        let deleted = |side: Side| {
            let answers = &legs.of(side).answers;
            hit(side).is_none() && [ITEM, TOMB].iter().any(|at| matches!(answers[*at], Answer::Hit(_)))
        };
        let alone = Side::BOTH.into_iter().find(|side| stands(*side).is_some() && deleted(side.other()));
        let answered = legs.home.answered() && legs.partner.answered() && records(legs, MARK) == self.records;
        let Some((side, hit)) = alone.filter(|_| answered).and_then(|side| Some((side, hit(side)?))) else {
            return Step::Done(number);
        };
        self.gone = true;
        let mut request = Request::default();
        let slot = sight::counter(view.of(side), scene.rules);
        request.on(side).push(Command::Delete { slot, cas: Some(hit.cas) });
        Step::Send(request)
    }
}
