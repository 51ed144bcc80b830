//! The watcher's work, one bounded round at a time.

use super::Shared;

/// What the script may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    ServerDown { server: usize, reason: &'static str },
    ServerUp { server: usize },
    AllDown,
}

/// Probes the servers and brings the host's shared knowledge up to date.
#[derive(Debug)]
pub struct Watcher {
    _shared: &'static Shared,
}

impl Watcher {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        Self { _shared: shared }
    }

    /// One round: returns what changed since the last one. Takes at most one `cmd_timeout`.
    pub fn tick(&mut self) -> Vec<Event> {
        Vec::new()
    }
}
