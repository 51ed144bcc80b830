//! What one look at a key shows on a side, and which side is believed.

use super::{Answer, Hit, Leg, Legs, Mark, Packet, Request, Rules, Side, Slot, View};

/// The answers' places in a look.
const ITEM: usize = 0;
/// Where a look asks a side for the tombstone.
pub const TOMB: usize = 1;
pub(super) const MARK: usize = 2;
/// Where a look asks a side for its full record.
pub const FULL: usize = 3;
const COUNTER: usize = 4;

/// The packet of a look at `side`.
fn look(side: Side, view: &View, rules: &Rules) -> Packet {
    let mut packet = Packet::default();
    packet.get(Slot::Item);
    packet.get(Slot::Tomb);
    packet.get(Slot::Mark(side.other()));
    packet.get(Slot::Full(side));
    packet.get(counter(view.of(side), rules));
    packet
}

/// Looks at the sides that are `up`.
#[must_use]
pub fn ask(up: [bool; 2], view: &View, rules: &Rules) -> Request {
    let mut request = Request::default();
    for side in Side::BOTH.into_iter().filter(|side| up[*side as usize]) {
        *request.on(side) = look(side, view, rules);
    }
    request
}

/// Where a counter lives under `mark`.
#[must_use]
pub fn counter(mark: Mark, rules: &Rules) -> Slot {
    Slot::Counter(if rules.counter_epochs { mark.epoch() } else { 0 })
}

/// One side of a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    pub reached: bool,
    /// Has it lost its records? Then its counters were made anew, and lack what the other side's have.
    pub flushed: bool,
    pub item: Option<Hit>,
    pub tomb: Option<Hit>,
    pub counter: Option<Hit>,
    /// What keeps a counter from being made here.
    pub bar: Option<Hit>,
    pub full: Mark,
}

/// How much a side's sight is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    Unreached,
    /// An item of the current epoch.
    Item(Hit),
    /// A counter of the current epoch.
    Counter(Hit),
    /// A tombstone of the current epoch.
    Gone,
    /// An item that may be old.
    Doubtful(Hit),
    /// Nothing; `true` = and nothing is missing there.
    Silent(bool),
}

impl Sight {
    fn new(leg: &Leg, flushed: bool) -> Self {
        let hit = |at: usize| match leg.answers[at] {
            Answer::Hit(hit) if leg.answered() => Some(hit),
            _ => None,
        };
        Self {
            reached: leg.answered(),
            flushed,
            item: hit(ITEM),
            tomb: hit(TOMB),
            counter: hit(COUNTER).filter(|hit| hit.number.is_some()),
            bar: hit(COUNTER).filter(|hit| hit.number.is_none()),
            full: leg.mark(FULL).unwrap_or_default(),
        }
    }

    /// Of the counter, or of the bar in its place.
    #[must_use]
    pub fn counter_cas(&self) -> Option<u64> {
        self.counter.or(self.bar).map(|hit| hit.cas)
    }

    /// `mark`: the side's, as known now.
    #[must_use]
    pub fn grade(&self, mark: Mark, rules: &Rules) -> Grade {
        let verified = |hit: &Hit| mark.verifies(hit.stamp, rules);
        match (self.item, self.counter, self.tomb) {
            _ if !self.reached => Grade::Unreached,
            (Some(item), ..) if verified(&item) => Grade::Item(item),
            (_, Some(counter), _) if !self.flushed => Grade::Counter(counter),
            (.., Some(tomb)) if verified(&tomb) => Grade::Gone,
            (Some(_), ..) if self.complete(mark, rules) => Grade::Silent(true),
            (Some(item), ..) => Grade::Doubtful(item),
            _ => Grade::Silent(self.complete(mark, rules)),
        }
    }

    /// Is every acknowledged write here that `mark` does not void?
    #[must_use]
    pub fn complete(&self, mark: Mark, rules: &Rules) -> bool {
        rules.complete && mark.complete(self.full, rules)
    }
}

/// A look at both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub home: Sight,
    pub partner: Sight,
}

/// What the two sides together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    Item {
        side: Side,
        verified: bool,
    },
    Counter {
        side: Side,
        number: u64,
    },
    Missing,
    /// Who may have it was not reached.
    Unknown,
}

impl Look {
    /// Reads both answers; `view` learns the marks.
    pub fn new(legs: &Legs, view: &mut View) -> Self {
        legs.teach(view, MARK);
        let [home, partner] = Side::BOTH.map(|side| Sight::new(legs.of(side), legs.flushed(side, MARK)));
        let look = Self { home, partner };
        view.learn(Side::Home, look.home.full);
        view.learn(Side::Partner, look.partner.full);
        look
    }

    #[must_use]
    pub fn of(&self, side: Side) -> &Sight {
        match side {
            Side::Home => &self.home,
            Side::Partner => &self.partner,
        }
    }

    /// Where a bar has to go before a counter can be made, and its cas: each side that was reached has one.
    #[must_use]
    pub fn barred(&self) -> Option<(Side, u64)> {
        let mut reached = Side::BOTH.into_iter().filter(|side| self.of(*side).reached);
        if !reached.clone().all(|side| self.of(side).bar.is_some()) {
            return None;
        }
        reached.find_map(|side| Some((side, self.of(side).bar?.cas)))
    }

    /// What is believed: the home's item of the current epoch, else the partner's, else a counter, else a tombstone or a complete side's
    /// silence, else the partner's doubtful item, else the home's. (A tombstone may outlive a later item that was evicted.)
    #[must_use]
    pub fn ruling(&self, view: &View, rules: &Rules) -> Ruling {
        let grades = [self.home.grade(view.home, rules), self.partner.grade(view.partner, rules)];
        let sides = || Side::BOTH.into_iter().zip(grades);
        for (side, grade) in sides() {
            if let Grade::Item(_) = grade {
                return Ruling::Item { side, verified: true };
            }
        }
        for (side, grade) in sides() {
            if let Grade::Counter(hit) = grade {
                return Ruling::Counter { side, number: hit.number.unwrap_or(0) };
            }
        }
        let unreached = grades.contains(&Grade::Unreached);
        // A counter that was made after the delete may not be copied to this side yet, unless the other one is void.
        let lacks = |side: Side| {
            let (own, other) = (view.of(side), view.of(side.other()));
            unreached && other.active(rules) && !self.of(side).complete(own, rules)
        };
        if sides().any(|(side, grade)| match grade {
            Grade::Gone => !lacks(side),
            grade => grade == Grade::Silent(true),
        }) {
            return Ruling::Missing;
        }
        for (side, grade) in sides().rev().filter(|_| !unreached || !rules.confirm) {
            if let Grade::Doubtful(_) = grade {
                return Ruling::Item { side, verified: false };
            }
        }
        if unreached && rules.sure_miss { Ruling::Unknown } else { Ruling::Missing }
    }
}
