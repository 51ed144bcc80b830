//! Why a call did not succeed, and what that means for the script.

use crate::key::KeyError;
use crate::wire::WireError;

/// The reasons a call fails. The text goes to `$shcst(err)`, so it is short and stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server is out of use; the call did not reach it.
    Down,
    /// Most servers are out of use, so that nobody is asked.
    MostDown,
    /// The server failed this call before it could have taken effect, or the call may be repeated harmlessly.
    Wire(&'static str),
    /// The call may or may not have taken effect.
    Ambiguous,
    /// Nobody serves the key for a moment: its home and the stand-in change over.
    ChangingOver,
    /// Of the two copies none is known well enough to go by.
    Unsettled,
    /// The entry is not a number from 0 to 2^63-1.
    NotANumber,
    /// The counter would pass 2^63-1.
    Overflow,
    /// The value is larger than the server takes.
    TooLarge,
    /// The server answered that it cannot.
    Refused,
    /// The key is empty.
    EmptyKey,
    /// The key is longer than the host's own store takes.
    KeyTooLong,
    /// The host's own store is held by another worker.
    Busy,
    /// The entry stands under as many tags as it can.
    TooManyTags,
}

impl Fault {
    /// The text for `$shcst(err)`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "server down",
            Self::MostDown => "most servers down",
            Self::Wire(text) => text,
            Self::Ambiguous => "ambiguous",
            Self::ChangingOver => "changing over",
            Self::Unsettled => "copies not settled",
            Self::NotANumber => "not a number",
            Self::Overflow => "counter beyond 2^63-1",
            Self::TooLarge => "value too large",
            Self::Refused => "refused by server",
            Self::EmptyKey => "empty key",
            Self::KeyTooLong => "key too long",
            Self::Busy => "store busy",
            Self::TooManyTags => "too many tags",
        }
    }

    /// True when nobody could answer (-2), false when the call itself failed (-3).
    #[must_use]
    pub fn unavailable(self) -> bool {
        matches!(self, Self::Down | Self::MostDown | Self::ChangingOver | Self::Unsettled | Self::Wire(_) | Self::Busy)
    }

    /// What a failed exchange means: a command that must not run twice is ambiguous once it may have been sent.
    pub(crate) fn of_wire(error: WireError, repeatable: bool) -> Self {
        if error.sent && !repeatable { Self::Ambiguous } else { Self::Wire(error.kind.text()) }
    }
}

impl From<KeyError> for Fault {
    fn from(_: KeyError) -> Self {
        Self::EmptyKey
    }
}
