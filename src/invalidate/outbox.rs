//! The outbox: a table of the provisioning database in which triggers write down which entries of the cache a change made old.
//!
//! One host at a time drains it, by a lease on the database's clock: it reads rows, invalidates what they name, and only then
//! deletes them by their ids. So every row is done at least once, whatever dies in between. Each sweep begins at the
//! smallest id that is left, because a row may be committed long after one with a greater id.

pub mod drain;
pub mod table;

pub use drain::{Drain, Entry, Outcome, Pace, Row, Step};
pub use table::OutboxTable;

#[cfg(test)]
mod simulation;
