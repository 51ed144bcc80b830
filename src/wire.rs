//! The wire: memcached's protocol over our own non-blocking sockets, with one deadline for everything.
//!
//! A [`Link`] is one worker's connection to one server. The caller writes commands into links, hands them to
//! [`exchange`], and reads each link's status and replies afterwards. All links of one exchange are connected, written
//! and read at the same time by one `ppoll` loop, and nothing waits longer than the deadline.
//! Only this room touches sockets. It knows no keys, no tables and no health; it may import `clock` alone.

mod address;
mod command;
mod connection;
mod dialog;
mod error;
mod exchange;
mod flags;
mod inbox;
mod link;
pub mod parse;
mod pid;
mod pipe;
mod reply;
mod socket;
mod tls;

pub use address::{Address, Endpoint};
pub use command::KeyRef;
pub use error::{Kind, WireError};
pub use exchange::{exchange, stream};
pub use flags::Flags;
pub use link::Link;
pub use pid::pid;
pub use reply::{Item, Lines, Meta, Reply, Values};
pub use tls::{Tls, TlsError, TlsOptions};
