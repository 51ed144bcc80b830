//! What a call wants of whoever keeps the entries, and what that one says.

use super::{Fault, Token};

/// How a value is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Set,
    Add,
    Replace,
    /// Only over the value with this token.
    Cas(Token),
}

/// What a read wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Value,
    /// Its token and lifetime too.
    All,
}

/// Which way a counter moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

/// One step of a counter: by how much, and what a missing one is created as.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub way: Way,
    pub by: u64,
    pub created: u64,
}

/// The largest number a counter may hold: 2^63-1.
pub const COUNTER_MAX: u64 = i64::MAX as u64;

/// What a store answers: done, or "not there" / "not stored".
pub type Answer = Result<bool, Fault>;
