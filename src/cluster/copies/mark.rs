//! Marks: the state of one side's copies, as its witness (the other side) keeps it in a record.
//!
//! The record's number is `2 x epoch + active`. It only grows: by one to activate an epoch, by one or more to void all
//! that was stamped before. Nobody stamps items with an epoch before it is active, so a writer that missed a side whose mark
//! is *not* active has nothing to void. That bounds the epochs used in an outage by the activations, which watchers pace.

use super::{Answer, Rules, Side};

/// The record's number; zero = not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

impl Mark {
    pub const UNKNOWN: Self = Self(0);

    /// Where a mark begins that nobody remembers; `clock` in tenths of seconds.
    #[must_use]
    pub fn first(clock: u64) -> Self {
        Self(2 * clock.max(1) + 1)
    }

    #[must_use]
    pub fn known(self) -> bool {
        self.0 != 0
    }

    #[must_use]
    pub fn epoch(self) -> u64 {
        self.0 >> 1
    }

    /// May items be stamped with this epoch?
    #[must_use]
    pub fn active(self, rules: &Rules) -> bool {
        self.known() && (self.0 & 1 == 1 || !rules.activation)
    }

    /// Is a side under this mark complete, whose full record says `full`?
    #[must_use]
    pub fn complete(self, full: Self, rules: &Rules) -> bool {
        self.active(rules) && full == self
    }

    /// Is this still the epoch of `mark`?
    #[must_use]
    pub fn epoch_is(self, mark: Self) -> bool {
        self.epoch() == mark.epoch()
    }

    /// The next epoch, which nobody has stamped with.
    #[must_use]
    pub fn next(self) -> Self {
        Self(2 * (self.epoch() + 1))
    }

    /// The stamp of items written under this mark: 1 and up; 0 when none may be given.
    #[must_use]
    pub fn stamp(self, rules: &Rules) -> u16 {
        if !self.active(rules) {
            return 0;
        }
        let span = (1 << rules.stamp_bits) - 1;
        u16::try_from(1 + self.epoch() % span).unwrap_or(0)
    }

    /// Does an item under `stamp` belong to this epoch?
    #[must_use]
    pub fn verifies(self, stamp: u16, rules: &Rules) -> bool {
        !rules.stamps || (stamp != 0 && self.stamp(rules) == stamp)
    }

    /// Is this the item of a side under this mark?
    #[must_use]
    pub fn holds(self, answer: Answer, rules: &Rules) -> bool {
        matches!(answer, Answer::Hit(hit) if self.verifies(hit.stamp, rules))
    }
}

/// What a host knows about a pair; it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The mark of the home's copies (kept on the partner).
    pub home: Mark,
    /// The mark of the partner's copies (kept on the home).
    pub partner: Mark,
}

impl View {
    #[must_use]
    pub fn of(&self, side: Side) -> Mark {
        match side {
            Side::Home => self.home,
            Side::Partner => self.partner,
        }
    }

    /// Grows with either mark.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.home.0 + self.partner.0
    }

    /// Takes a mark seen; older ones change nothing.
    pub fn learn(&mut self, side: Side, mark: Mark) {
        let known = match side {
            Side::Home => &mut self.home,
            Side::Partner => &mut self.partner,
        };
        *known = (*known).max(mark);
    }

    pub fn merge(&mut self, other: &Self) {
        self.learn(Side::Home, other.home);
        self.learn(Side::Partner, other.partner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_epoch_gives_stamps_and_each_bump_makes_a_new_one() {
        let rules = &Rules::ALL;
        let first = Mark::first(17_000_000_000);
        assert!(first.active(rules) && first.stamp(rules) > 0);
        let bumped = first.next();
        assert_eq!((bumped.stamp(rules), bumped.active(rules), bumped.epoch()), (0, false, first.epoch() + 1));
        let active = Mark(bumped.0 + 1);
        assert!(active.verifies(active.stamp(rules), rules) && !active.verifies(first.stamp(rules), rules));
        assert_eq!(bumped.next(), active.next());
    }

    #[test]
    fn stamps_fit_their_bits_and_are_never_zero() {
        for bits in [3, 14] {
            let rules = Rules { stamp_bits: bits, ..Rules::ALL };
            let stamps: Vec<u16> = (1..100_000).map(|epoch| Mark(2 * epoch + 1).stamp(&rules)).collect();
            assert_eq!(*stamps.iter().min().unwrap(), 1);
            assert_eq!(*stamps.iter().max().unwrap(), (1 << bits) - 1);
        }
    }

    #[test]
    fn a_foreign_item_is_never_verified() {
        assert!((1..50).all(|number| !Mark(number).verifies(0, &Rules::ALL)));
    }
}
