//! The host's shared memory: made once before fork, read and written by every worker without a lock.

use crate::config::Config;

/// What is counted per table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum TableStat {
    /// Reads answered with a value.
    Hits,
    /// Reads that a server answered with "not there".
    Misses,
    /// Values stored: set, add, replace, cas.
    Sets,
    /// Entries deleted.
    Deletes,
    /// Increments and decrements done.
    Counts,
    /// Calls that ended with -2: nobody could answer.
    Unavailable,
    /// Calls that ended with -3.
    Errors,
}

impl TableStat {
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Hits, "hits"),
        (Self::Misses, "misses"),
        (Self::Sets, "sets"),
        (Self::Deletes, "deletes"),
        (Self::Counts, "counts"),
        (Self::Unavailable, "unavailable"),
        (Self::Errors, "errors"),
    ];
}

/// What is counted per server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ServerStat {
    /// Calls sent to this server.
    Requests,
    /// Reads it answered with a value.
    Hits,
    /// Reads it answered with "not there".
    Misses,
    /// Calls it failed for any reason.
    Errors,
    /// Of these, calls that ran out of time.
    Timeouts,
    /// Connections made to it.
    Connects,
    /// Times it was taken out of service.
    Trips,
}

impl ServerStat {
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Requests, "requests"),
        (Self::Hits, "hits"),
        (Self::Misses, "misses"),
        (Self::Errors, "errors"),
        (Self::Timeouts, "timeouts"),
        (Self::Connects, "connects"),
        (Self::Trips, "trips"),
    ];
}

/// One server as `shc.list` shows it.
#[derive(Clone, Debug)]
pub struct ServerView {
    /// `up`, `suspect`, `down`, `returning` or `drained`.
    pub state: &'static str,
    /// Why it is not up; empty when it is.
    pub reason: &'static str,
    /// Milliseconds since the last change of state.
    pub since_ms: u64,
    /// Round trip of the last probe, microseconds; 0 before the first.
    pub latency_us: u64,
    /// What the server says of itself; empty before the first probe.
    pub version: String,
}

/// Why the shared memory could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SharedError(pub String);

/// Everything the processes of one host share.
#[derive(Debug)]
pub struct Shared {
    config: Config,
}

impl Shared {
    /// Maps the shared memory. To be called once, before the host forks.
    pub fn create(config: Config) -> Result<&'static Self, SharedError> {
        Ok(Box::leak(Box::new(Self { config })))
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The index of a table by its name.
    #[must_use]
    pub fn table(&self, name: &[u8]) -> Option<usize> {
        self.config.tables.iter().position(|table| table.name.as_bytes() == name)
    }

    #[must_use]
    pub fn table_count(&self, _table: usize, _stat: TableStat) -> u64 {
        0
    }

    #[must_use]
    pub fn server_count(&self, _server: usize, _stat: ServerStat) -> u64 {
        0
    }

    #[must_use]
    pub fn server_view(&self, _server: usize) -> ServerView {
        ServerView { state: "up", reason: "", since_ms: 0, latency_us: 0, version: String::new() }
    }

    /// True while the operator keeps this server out of use, or workers may not use it.
    #[must_use]
    pub fn server_up(&self, _server: usize) -> bool {
        true
    }

    pub fn set_drained(&self, _server: usize, _drained: bool) {}
}
