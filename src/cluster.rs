//! What the workers of one host share about the cluster, and the watcher that keeps it true.

pub mod shared;
pub mod watcher;

pub use shared::{ServerStat, ServerView, Shared, SharedError, TableStat};
pub use watcher::{Event, Watcher};
