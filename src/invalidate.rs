//! How one host's change makes void what the others keep in their own memory, and how a change of a database reaches the cache.

pub mod outbox;
pub mod stripes;
