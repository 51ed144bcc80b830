//! Chance, cheap enough for every call.

use std::hash::{BuildHasher, RandomState};

use crate::clock;
use crate::hash::mix;

/// One worker's dice: splitmix64 from a seed of its own, made on first use and so behind the fork.
#[derive(Debug, Default)]
pub struct Dice(u64);

impl Dice {
    /// Any number.
    pub fn throw(&mut self) -> u64 {
        if self.0 == 0 {
            self.0 = RandomState::new().hash_one((std::process::id(), clock::wall_us(), clock::monotonic_ns()));
        }
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}
