//! What a call does to a counter, and what a side answers to it.

use super::{Answer, Command, Hit, Leg, Packet, Side, Slot};

/// The answers' places.
pub(super) const COUNT: usize = 0;
pub(super) const ITEM: usize = 1;
pub(super) const MARK: usize = 2;
/// A new lifetime comes last: the answer at [`COUNT`] tells how the counter was before.
const PROLONGED: usize = 3;

/// What is done to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Step {
        delta: u64,
        down: bool,
    },
    /// A new lifetime, seconds, 0 = never ends.
    Touch {
        ttl: u32,
    },
}

impl Change {
    /// For `side`; `new`: what a missing counter becomes, and its lifetime. The item and the mark are read after a count.
    pub fn packet(self, side: Side, slot: Slot, new: Option<(u64, u32)>) -> Packet {
        let mut packet = Packet::default();
        packet.push(match (self, new) {
            (Self::Step { delta, down }, Some((init, ttl))) => {
                Command::Count { slot, delta, down, init: Some(init), ttl }
            }
            (Self::Step { .. }, None) => self.command(slot),
            (Self::Touch { .. }, _) => Command::Get { slot },
        });
        packet.get(Slot::Item);
        packet.get(Slot::Mark(side.other()));
        if let Self::Touch { .. } = self {
            packet.push(self.command(slot));
        }
        packet
    }

    /// For a counter that is there.
    pub fn command(self, slot: Slot) -> Command {
        match self {
            Self::Step { delta, down } => Command::Count { slot, delta, down, init: None, ttl: 0 },
            Self::Touch { ttl } => Command::Prolong { slot, ttl },
        }
    }

    /// The number that a side has changed.
    pub fn number(self, leg: &Leg) -> Option<u64> {
        self.changed(leg).map(|(value, _)| value)
    }

    /// The same with its cas, which only a new lifetime asks for.
    pub fn changed(self, leg: &Leg) -> Option<(u64, u64)> {
        let at = if let Self::Touch { .. } = self { PROLONGED } else { COUNT };
        match leg.answers[at] {
            Answer::Number { value, cas } if leg.answered() => Some((value, cas)),
            _ => None,
        }
    }

    /// The counter as it was before it got a new lifetime.
    pub fn found(self, leg: &Leg) -> Option<Hit> {
        match (self, leg.answers[COUNT]) {
            (Self::Touch { .. }, Answer::Hit(hit)) if leg.answered() => Some(hit),
            _ => None,
        }
    }
}
