//! Read-through: a lookup is answered from the cache, or loaded once for the whole cluster and kept.
//!
//! Whatever can be asked for a key that the cache does not have is a [`Source`]: a column of an SQL table, or a route of
//! the script.

pub mod source;

pub use source::{Column, Loaded, Source};
