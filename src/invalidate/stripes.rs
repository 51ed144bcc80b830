//! Stripes: how a host learns that an entry in its near cache is no longer true.
//!
//! Each key belongs to one of 256 stripes. Every server keeps a counter of each stripe, and a root counter above them. Whoever
//! changes an entry of a near table moves both on the entry's servers, behind the change and in the same packet
//! ([`announcement`]). Every host's watcher asks for the roots with each poll, and for the stripes behind a root that moved;
//! a stripe's number that differs in any way from the one read last makes a version of the host's own grow ([`Gauge`], [`Watch`]). A
//! near entry keeps a [stamp](Known::stamp) of the versions taken before it was read; it holds while the stamp stays the same.
//!
//! Pure: no sockets, no clock. The module and the simulator run this code.

mod gauge;
mod known;
mod watch;

pub use crate::key::STRIPES;
pub use gauge::Gauge;
pub use known::Known;
pub use watch::Watch;

use crate::hash::fnv1a;
use crate::key::{STRIPE_ROOT, stripe_key};

/// A counter that servers keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    Stripe(u8),
    Root,
}

impl Counter {
    /// Its key on the wire.
    #[must_use]
    pub fn key(self) -> &'static [u8] {
        match self {
            Self::Stripe(stripe) => stripe_key(stripe),
            Self::Root => STRIPE_ROOT,
        }
    }
}

/// What a change moves, in this order. The root comes last: whoever reads a root that has moved finds the stripe moved.
#[must_use]
pub fn announcement(stripe: u8) -> [Counter; 2] {
    [Counter::Stripe(stripe), Counter::Root]
}

/// What a watcher asks about a server whose root moved, in this order. The root comes first: a stripe that moves behind the
/// reader's back moves the root to another number than the one read.
pub fn survey() -> impl Iterator<Item = Counter> {
    std::iter::once(Counter::Root).chain((0..=u8::MAX).map(Counter::Stripe))
}

/// The stripe of a key, whatever the table's generation: FNV-1a of `table:key` in 64 bits, its eight bytes xored.
#[must_use]
pub fn stripe(table: &[u8], key: &[u8]) -> u8 {
    let sum = fnv1a(table.iter().chain(b":").chain(key));
    sum.to_le_bytes().into_iter().fold(0, |folded, byte| folded ^ byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_stripe_is_the_same_for_ever() {
        for (table, key, want) in [("t", "k", 182), ("ipauth", "alice", 106), ("ipauth", "bob", 135), ("t", "", 140)] {
            assert_eq!(stripe(table.as_bytes(), key.as_bytes()), want, "{table}:{key}");
        }
    }

    #[test]
    fn keys_spread_over_all_stripes() {
        let mut counts = [0u32; STRIPES];
        (0..256_000).for_each(|n| counts[usize::from(stripe(b"ipauth", format!("user{n}").as_bytes()))] += 1);
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(*least > 800 && *most < 1_200, "{least}..{most}");
    }

    #[test]
    fn a_survey_asks_for_every_counter_once() {
        let asked: Vec<Counter> = survey().collect();
        assert_eq!((asked.len(), asked[0], asked[256]), (1 + STRIPES, Counter::Root, Counter::Stripe(255)));
    }
}
