//! What this host keeps in its own memory, shared by all its processes.
//!
//! A [`Region`] is memory mapped before the host forks; a [`Store`] over it holds the tables of a host that has no
//! server configured, or what a host keeps near. Callers give the time and a deadline; nothing here waits longer than that.

#[cfg(test)]
pub(crate) mod children;
pub(crate) mod owner;
mod region;
mod store;

pub use region::Region;
pub use store::{
    Copied, Delta, Entry, Fault, Found, Hit, MAX_KEY, MAX_VALUE, Mode, Page, Put, Removed, Stats, Store, Terms, spell,
};
