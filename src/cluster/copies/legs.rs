//! What came back of one exchange: the answers of either side.

use super::packet::ROOM;
use super::{Mark, Side, View};

/// What a get found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub stamp: u16,
    pub cas: u64,
    /// Seconds left, `None` = never ends.
    pub ttl: Option<u32>,
    /// Equal values have equal digests.
    pub digest: u64,
    /// The value, when it is an unsigned number.
    pub number: Option<u64>,
}

impl Hit {
    /// Is it about to end? Each server counts whole seconds by its own clock: the copies end a little apart.
    #[must_use]
    pub fn ending(&self) -> bool {
        self.ttl.is_some_and(|ttl| ttl <= LAST)
    }

    /// Do both end at the same time, as far as servers can tell?
    #[must_use]
    pub fn ends_with(&self, other: &Self) -> bool {
        match (self.ttl, other.ttl) {
            (Some(one), Some(two)) => one.abs_diff(two) <= LAST,
            (one, two) => one == two,
        }
    }
}

/// Seconds.
const LAST: u32 = 2;

/// The answer to one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Hit(Hit),
    /// `EN`: a get found nothing.
    Miss,
    /// `HD` of a set, with the item's new cas.
    Stored(u64),
    /// `NS`
    NotStored,
    /// `EX`: another cas.
    Differs,
    /// `NF`
    NotFound,
    Deleted,
    Number {
        value: u64,
        cas: u64,
    },
    /// The server refused: not a number, too large, out of memory.
    Refused,
}

impl Answer {
    /// The counter that a get found; a bar in its place is none.
    #[must_use]
    pub fn counter(self) -> Option<Hit> {
        match self {
            Self::Hit(hit) if hit.number.is_some() => Some(hit),
            _ => None,
        }
    }
}

/// What became of one side's packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// Never sent, or surely never executed.
    #[default]
    Unsent,
    /// All answers are there.
    Answered,
    /// It may have been executed, or may yet be.
    Lost,
}

/// One side's answers.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub fate: Fate,
    pub answers: [Answer; ROOM],
}

impl Default for Leg {
    fn default() -> Self {
        Self { fate: Fate::Unsent, answers: [Answer::Miss; ROOM] }
    }
}

impl Leg {
    #[must_use]
    pub fn answered(&self) -> bool {
        self.fate == Fate::Answered
    }

    /// The mark in answer `at`; `None` when the leg failed or the record is missing.
    #[must_use]
    pub fn mark(&self, at: usize) -> Option<Mark> {
        match self.answers[at] {
            _ if !self.answered() => None,
            Answer::Hit(Hit { number: Some(number), .. }) | Answer::Number { value: number, .. } => Some(Mark(number)),
            _ => None,
        }
    }
}

/// Both sides' answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Legs {
    pub home: Leg,
    pub partner: Leg,
}

impl Legs {
    #[must_use]
    pub fn of(&self, side: Side) -> &Leg {
        match side {
            Side::Home => &self.home,
            Side::Partner => &self.partner,
        }
    }

    pub fn on(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Home => &mut self.home,
            Side::Partner => &mut self.partner,
        }
    }

    /// Did any leg leave in doubt whether it was executed?
    #[must_use]
    pub fn doubtful(&self) -> bool {
        Side::BOTH.iter().any(|side| self.of(*side).fate != Fate::Unsent)
    }

    /// Was this side's packet sent, and its outcome not seen?
    #[must_use]
    pub fn doubts(&self, side: Side) -> bool {
        self.of(side).fate == Fate::Lost
    }

    /// Has this side lost the records that the other one still has (it was flushed, or began again with nothing)? `at`: where the marks
    /// were read.
    #[must_use]
    pub fn flushed(&self, side: Side, at: usize) -> bool {
        let lost = self.of(side).answered() && self.of(side).mark(at).is_none();
        lost && self.of(side.other()).mark(at).is_some()
    }

    /// Takes over the marks that both sides keep of each other, read at place `at`.
    pub fn teach(&self, view: &mut View, at: usize) {
        for side in Side::BOTH {
            if let Some(mark) = self.of(side).mark(at) {
                view.learn(side.other(), mark);
            }
        }
    }
}
