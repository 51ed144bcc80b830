//! The outbox: a table of the provisioning database in which triggers write down what in the cache a change made old: entries, tables, tags.
//!
//! One host at a time drains it, by a lease on the database's clock: it reads rows, invalidates what they name, and only then
//! deletes them by their ids. So every row is done at least once, whatever dies in between. Each sweep begins at the
//! smallest id that is left, because a row may be committed long after one with a greater id.

pub mod drain;
pub mod table;

pub use drain::{Change, Drain, Outcome, Pace, Row, Step};
pub use table::OutboxTable;

#[cfg(test)]
mod simulation;
