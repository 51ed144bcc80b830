//! What this host keeps in its own memory, shared by all its processes.
//!
//! [`Region`] is memory mapped before the host forks.

#[cfg(test)]
pub(crate) mod children;
mod region;

pub use region::Region;
