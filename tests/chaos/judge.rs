//! The judge: does what was answered keep the promises? Pure, so that made-up histories can show that it bites.

mod best;
mod counters;
#[cfg(test)]
mod tests;
mod values;

use super::history::Call;
use std::fmt;

/// What a table's policy lets expect.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What was acknowledged stays readable (P1), and counts (P3).
    pub keeps: bool,
    /// How long other hosts may read an older value, microseconds (P2).
    pub delta: u64,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    pub what: &'static str,
    pub call: Call,
    /// The call that it contradicts.
    pub other: Option<Call>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n  {}", self.what, self.call)?;
        self.other.map_or(Ok(()), |other| write!(f, "\n  {other}"))
    }
}

/// What a key's history came to.
#[derive(Debug, Default)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    /// Reads that saw a write that was not acknowledged in the place of a later one that was.
    pub late: usize,
}

pub use counters::judge as counter;
pub use values::judge as value;
