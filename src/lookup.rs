//! Read-through: a lookup is answered from the cache, or loaded once for the whole cluster and kept.
//!
//! Whatever can be asked for a key that the cache does not have is a [`Source`]: a column of an SQL table, or a route of
//! the script. [`flow`] decides who asks it: one loader per key holds the entry's own place while it loads, the others
//! serve what was there before, or wait. What was read before an invalidation is not kept after it, because the
//! invalidation takes the loader's place away. [`Desk`] is one worker's part in that.

mod desk;
mod dice;
mod flow;
mod memory;
mod policy;
pub mod source;
pub mod sql;

pub(crate) use dice::Dice;
pub(crate) use flow::Seen;

pub use desk::{Desk, Lease, Opened};
pub use source::{Column, Failure, Loaded, Source};
