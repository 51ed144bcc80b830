//! What a lookup falls back on: who is asked for a key that the cache does not have, and what may come of it.

use crate::value::Value;
pub use crate::value::frame::Column;

/// Somebody who can be asked for a key.
pub trait Source {
    /// Asks for one key. Waits no longer than the parameter `load_timeout` says; the answer is as new as the call: what was
    /// read before it began does not count.
    fn load(&mut self, key: &[u8]) -> Loaded<'_>;
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
    /// The source could not answer; the text is for `$shcst(err)`.
    Failed(&'static str),
}
