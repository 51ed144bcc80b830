//! What can go wrong between us and one server, in words for the operator's log.
//!
//! Three questions are answered beside the text: does it speak against the server at once (`hard`), may the request
//! have reached the server (`sent`), and was it only an old connection that had died (`reused`).

use std::fmt;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing listens at the address.
    Refused,
    /// No way to the address.
    Unreachable,
    /// The connection was reset.
    Reset,
    /// The server closed the connection before it had answered.
    Closed,
    /// The deadline passed.
    Timeout,
    /// The answer is not memcached's.
    Protocol,
    /// The server understood us and refused the command, or the command was never fit to be sent.
    Rejected,
    /// The server has no connection left for us (`-c`).
    TooMany,
    /// The server wants a user and password, or refused ours.
    Auth,
    /// The TLS session could not be made or broke.
    Tls,
    /// The server's name has no address yet.
    Unresolved,
    /// This machine could not do its part (descriptors, memory, ports, time): says nothing of the server.
    Local,
}

impl Kind {
    /// True when one such failure is enough to take the server for unusable; the others only count.
    #[must_use]
    pub fn hard(self) -> bool {
        match self {
            Self::Timeout | Self::TooMany | Self::Rejected | Self::Local => false,
            Self::Refused | Self::Unreachable | Self::Reset | Self::Closed => true,
            Self::Protocol | Self::Auth | Self::Tls | Self::Unresolved => true,
        }
    }

    /// The kind in a few words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Unreachable => "address unreachable",
            Self::Reset => "connection reset",
            Self::Closed => "connection closed by the server",
            Self::Timeout => "no answer in time",
            Self::Protocol => "the answer is not memcached's",
            Self::Rejected => "command rejected",
            Self::TooMany => "the server has too many open connections",
            Self::Auth => "authentication refused",
            Self::Tls => "TLS failed",
            Self::Unresolved => "the server's name has no address",
            Self::Local => "this machine lacks sockets or time",
        }
    }
}

/// One link's failure in one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// What happened.
    pub kind: Kind,
    /// Bytes of the request may have reached the server: a write's outcome is unknown.
    pub sent: bool,
    /// A connection from an earlier exchange was found dead before any byte of an answer: asking again on a new
    /// connection is reasonable for commands that may run twice.
    pub reused: bool,
}

impl WireError {
    /// True when this failure alone speaks against the server; a dead old connection does not.
    #[must_use]
    pub fn hard(self) -> bool {
        self.kind.hard() && !self.reused
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            Kind::Timeout if !self.sent => "no connection in time",
            kind => kind.text(),
        };
        out.write_str(text)?;
        if self.reused {
            out.write_str(" while it was idle")?;
        }
        Ok(())
    }
}

impl std::error::Error for WireError {}
