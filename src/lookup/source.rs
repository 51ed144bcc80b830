//! What a lookup falls back on: who is asked for a key that the cache does not have, and what may come of it.

use crate::cache::Verdict;
use crate::value::Value;
pub use crate::value::frame::Column;

/// Somebody who can be asked for a key.
pub trait Source {
    /// Asks for one key. Should not take longer than the parameter `load_timeout` says: then others may ask too. The answer is
    /// as new as the call: what was read before it began does not count.
    fn load(&mut self, key: &[u8]) -> Loaded<'_>;

    /// Hears what the caller was told after a load that failed.
    fn failed(&mut self, key: &[u8], why: Failure, told: Verdict);
}

/// Why a source could not answer; as text it stands in `$shcst(err)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A route said so.
    Lookup,
    /// The database does not answer, or did not a moment ago.
    Down,
    /// The database answers, but not to this question.
    Refused,
    /// The key is none that the database could be asked for.
    BadKey,
}

impl Failure {
    /// Short and stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup failed",
            Self::Down => "database down",
            Self::Refused => "database refused",
            Self::BadKey => "bad key",
        }
    }
}

/// What a source says of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded<'a> {
    Value(Value<'a>),
    /// Several columns, each by its name.
    Row(Vec<Column<'a>>),
    /// There is nothing under this key. That is kept too, for `negexpire` seconds.
    Nothing,
    /// A yes or no, with or without a value.
    Result {
        yes: bool,
        value: Option<Value<'a>>,
    },
    /// An answer for this caller alone, not to be kept.
    Uncached,
    /// The source could not answer.
    Failed(Failure),
}
