//! The module's own records on the servers: how their keys go on the wire, and the decimal numbers they hold.

use crate::key::WireKey;
use crate::wire::{KeyRef, Reply};

/// A key as the wire takes it.
pub(crate) fn key_ref(key: &WireKey) -> KeyRef<'_> {
    KeyRef { bytes: key.bytes(), base64: key.base64() }
}

/// The decimal number that a record holds.
pub(crate) fn number(reply: &Reply<'_>) -> Option<u64> {
    match reply {
        Reply::Value { data, .. } => decimal(data),
        _ => None,
    }
}

/// A server pads a number that became shorter with blanks.
pub(crate) fn decimal(data: &[u8]) -> Option<u64> {
    std::str::from_utf8(data.trim_ascii_end()).ok()?.parse().ok()
}
