//! The words of the room: what a server's state may be, what was seen of it, and why.

use std::fmt;

/// What a server is to this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Answers; used.
    Up = 0,
    /// At least one soft failure in a row; still used.
    Suspect = 1,
    /// Not used; the watcher probes it.
    Down = 2,
    /// Answers probes again, but not yet often enough to be used.
    Returning = 3,
    /// Taken out by the operator, whatever its health is.
    Drained = 4,
}

impl State {
    /// The word the operator reads.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Returning => "returning",
            Self::Drained => "drained",
        }
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::Up,
            1 => Self::Suspect,
            2 => Self::Down,
            3 => Self::Returning,
            _ => Self::Drained,
        }
    }

    /// May a worker use a server in this state?
    #[must_use]
    pub const fn used(self) -> bool {
        matches!(self, Self::Up | Self::Suspect)
    }

    /// Is such a server out of use because it failed?
    #[must_use]
    pub const fn failed(self) -> bool {
        matches!(self, Self::Down | Self::Returning)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Why a server was given up.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason {
            #[default]
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The words for the operator's log.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

reasons! {
    /// Nothing was wrong.
    None = "",
    Timeout = "timeout",
    Refused = "connection refused",
    Unreachable = "unreachable",
    Reset = "connection reset",
    Closed = "connection closed",
    Protocol = "unintelligible answer",
    TooMany = "too many open connections",
    Auth = "authentication refused",
    Tls = "TLS failure",
    Unresolved = "name not resolved",
    TooOld = "server version too old",
    /// The server says it cannot serve now.
    Busy = "server busy",
    /// Nobody knows yet under which list of servers it was last used.
    Unasked = "not asked yet",
    /// It was last used under an older list, and may hold what has been superseded since.
    OtherList = "holds entries of another list: restart it or flush_all",
    /// Anything else; the log line has the details.
    Other = "failure",
}

impl Reason {
    /// True when one such failure is enough to give the server up.
    #[must_use]
    pub const fn hard(self) -> bool {
        !matches!(self, Self::None | Self::Timeout | Self::Protocol | Self::Busy | Self::Other)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        usize::try_from(bits).ok().and_then(|at| Self::ALL.get(at).copied()).unwrap_or(Self::Other)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What one operation showed of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It answered.
    Ok,
    /// A failure that counts only when it repeats.
    Soft(Reason),
    /// A failure that is proof enough.
    Hard(Reason),
}

impl Seen {
    /// A failure, weighed by what its reason proves.
    #[must_use]
    pub const fn failed(reason: Reason) -> Self {
        if reason.hard() { Self::Hard(reason) } else { Self::Soft(reason) }
    }
}

/// What a probe showed of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// It answered, and this host knows all its records.
    Known,
    /// It answered, but some of its records are not known yet: not to be readmitted before they are.
    Pending,
    Failed(Reason),
}

/// One visible transition; on the way up `reason` is what the server recovered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub from: State,
    pub to: State,
    pub reason: Reason,
}

impl Change {
    /// A server that was used, or drained, turned out to be down.
    #[must_use]
    pub const fn went_down(&self) -> bool {
        !self.from.failed() && self.to.failed()
    }
}
