//! What this host believes about each server, shared by all its processes.
//!
//! Workers ask [`Cell::admit`] before an operation and report with [`Cell::observe`]; the watcher asks
//! [`Cell::probe_due`] and reports with [`Cell::probed`]. Time and jitter are arguments, nothing here touches a
//! socket. A [`Cell`] is made of atomics only: zeroed memory is a fresh one, and a process killed between any two
//! instructions leaves it valid, because each transition is one compare-and-swap of one word.

mod cell;
mod policy;
mod pool;
mod reason;
mod word;

#[cfg(test)]
mod forks;
#[cfg(test)]
mod model;
#[cfg(test)]
mod rules;

pub use cell::Cell;
pub use policy::Policy;
pub use pool::{Pool, tally};
pub use reason::{Change, Poll, Reason, Seen, State};
