//! The seat's number, `4 x epoch + phase`. It only grows, one step at a time.

use super::Rules;

/// Who serves a home's single keys; zero = not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat(pub u64);

/// The four parts of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The home serves; its items bear the epoch's stamp.
    Home,
    /// Nobody serves: calls under way at the home come to their end.
    Fenced,
    /// The partner serves, under keys that name this number.
    StandIn,
    /// Nobody serves: calls under way at the stand-in come to their end.
    Closing,
}

impl Seat {
    pub const UNKNOWN: Self = Self(0);

    /// Where a seat begins that nobody remembers; `clock` in tenths of seconds.
    #[must_use]
    pub fn first(clock: u64) -> Self {
        Self(4 * clock.max(1))
    }

    /// The number that a record holds; one that no seat ever reaches is as good as none.
    #[must_use]
    pub fn read(number: u64) -> Self {
        const LAST: u64 = 1 << 44;
        if number < LAST { Self(number) } else { Self::UNKNOWN }
    }

    #[must_use]
    pub fn known(self) -> bool {
        self != Self::UNKNOWN
    }

    #[must_use]
    pub fn epoch(self) -> u64 {
        self.0 >> 2
    }

    #[must_use]
    pub fn phase(self) -> Phase {
        match self.0 & 3 {
            0 => Phase::Home,
            1 => Phase::Fenced,
            2 => Phase::StandIn,
            _ => Phase::Closing,
        }
    }

    /// The next phase; after the last one the next epoch's first.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The stamp of what is written at home in this epoch; never 0.
    #[must_use]
    pub fn stamp(self, rules: &Rules) -> u16 {
        let span = (1 << rules.stamp_bits) - 1;
        u16::try_from(1 + self.epoch() % span).unwrap_or(1)
    }

    /// Is an item under `stamp` good at home? One without a stamp is: a client that knows no stamps wrote it. Any other may
    /// be older than what the stand-in took meanwhile, and is void: a miss.
    #[must_use]
    pub fn accepts(self, stamp: u16, rules: &Rules) -> bool {
        !rules.stamps || stamp == 0 || stamp == self.stamp(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_four_phases_and_each_epoch_another_stamp() {
        let rules = &Rules::ALL;
        let mut seat = Seat::first(7);
        for epoch in 7..20 {
            let stamp = seat.stamp(rules);
            for phase in [Phase::Home, Phase::Fenced, Phase::StandIn, Phase::Closing] {
                assert_eq!((seat.epoch(), seat.phase(), seat.stamp(rules)), (epoch, phase, stamp));
                seat = seat.next();
            }
            assert_ne!(seat.stamp(rules), stamp);
            assert!(!seat.accepts(stamp, rules) && seat.accepts(0, rules));
        }
    }

    #[test]
    fn a_number_out_of_all_reason_is_no_seat() {
        assert_eq!([72_000_000_002, u64::MAX].map(Seat::read), [Seat(72_000_000_002), Seat::UNKNOWN]);
    }

    #[test]
    fn stamps_fit_their_bits_and_are_never_zero() {
        let rules = Rules { stamp_bits: 3, ..Rules::ALL };
        let stamps: Vec<u16> = (1..100).map(|epoch| Seat(4 * epoch).stamp(&rules)).collect();
        assert_eq!((stamps.iter().min(), stamps.iter().max()), (Some(&1), Some(&7)));
    }
}
