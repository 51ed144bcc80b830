//! What a key is used for: which calls it gets.

use super::history::Act;
use super::rng::Rng;
use super::server::SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Values only.
    Items,
    /// A counter, up and down, never near 0: each number is exact.
    Sum,
    /// A counter around 0, where going down stops.
    Floor,
    /// A counter that ends so many seconds after it began.
    Window(u32),
    /// Values and counting, deletes and lifetimes.
    Mixed,
}

impl Theme {
    /// The theme of each pair's first key in a run.
    pub fn pick(rng: &mut Rng) -> Self {
        match rng.below(100) {
            0..35 => Self::Items,
            35..55 => Self::Sum,
            55..65 => Self::Floor,
            65..80 => Self::Window(5 + rng.below(20) as u32),
            _ => Self::Mixed,
        }
    }

    pub fn counts(self) -> bool {
        self != Self::Items
    }

    /// The next call, and the lifetime it gives in the servers' seconds. `rests`: the counters rest.
    pub fn call(self, rests: bool, rng: &mut Rng) -> (Act, u32) {
        let delta = 1 + rng.next() % 3;
        let (up, down) = (Act::Count { delta, down: false }, Act::Count { delta, down: true });
        let short = 5 + rng.below(20) as u32;
        let roll = rng.below(100);
        let some = if rng.chance(20) { short } else { 0 };
        match self {
            Self::Items => match roll {
                0..53 => (Act::Get, 0),
                53..70 => (Act::Set, some),
                70..78 => (Act::Add, some),
                78..84 => (Act::Replace, some),
                84..90 => (Act::Touch, some),
                _ => (Act::Delete, 0),
            },
            _ if rests => (Act::Get, 0),
            Self::Sum => match roll {
                0..35 => (up, 0),
                35..55 => (down, 0),
                _ => (Act::Get, 0),
            },
            Self::Floor => match roll {
                0..30 => (up, 0),
                30..60 => (down, 0),
                _ => (Act::Get, 0),
            },
            Self::Window(ttl) => match roll {
                0..45 => (up, ttl),
                45..50 => (Act::Touch, short),
                _ => (Act::Get, 0),
            },
            Self::Mixed => match roll {
                0..25 => (up, 0),
                25..40 => (down, 0),
                40..52 => (Act::Set, some),
                52..62 => (Act::Delete, 0),
                62..66 => (Act::Add, 0),
                66..69 => (Act::Replace, some),
                69..74 => (Act::Touch, some),
                _ => (Act::Get, 0),
            },
        }
    }
}

/// A lifetime in microseconds of the simulation.
pub fn life(ttl: u32) -> u64 {
    u64::from(ttl) * SECOND
}
