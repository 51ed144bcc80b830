//! What the workers of one host share about the cluster, and the watcher that keeps it true.

pub mod address;
pub mod board;
pub mod cells;
pub mod copies;
pub mod count;
pub mod courier;
pub mod editions;
mod event;
pub mod generations;
pub mod greeting;
pub mod layout;
pub mod lifetime;
pub(crate) mod listing;
pub mod lists;
pub mod lookup;
pub mod map;
pub(crate) mod news;
pub mod pairs;
pub mod patrol;
pub(crate) mod record;
mod roster;
pub mod seats;
pub mod shared;
mod standing;
pub mod status;
mod stripes;
mod text;
pub mod ushers;
pub mod versions;
pub mod views;
pub mod watcher;

#[cfg(test)]
mod forks;

pub(crate) use count::Lane;
pub use count::{Counts, ServerStat, TableStat};
pub use event::{DRAINED, Event, Torn};
pub use layout::{Layout, LayoutError, tls_options};
pub use lists::{Changes, ListError};
pub use shared::{Shared, SharedError, VALUE_MAX};
pub use status::ServerView;
pub use versions::Versions;
pub use watcher::Watcher;

use crate::health::Reason;
use crate::wire::Kind;

/// What a failure on the wire says about a server's health.
pub(crate) fn reason(kind: Kind) -> Reason {
    match kind {
        Kind::Refused => Reason::Refused,
        Kind::Unreachable => Reason::Unreachable,
        Kind::Reset => Reason::Reset,
        Kind::Closed => Reason::Closed,
        Kind::Timeout => Reason::Timeout,
        Kind::Protocol => Reason::Protocol,
        Kind::TooMany => Reason::TooMany,
        Kind::Auth => Reason::Auth,
        Kind::Tls => Reason::Tls,
        Kind::Unresolved => Reason::Unresolved,
        Kind::Rejected | Kind::Local => Reason::Other,
    }
}
