//! Changes told to all hosts: behind the change, in the same packet, its stripe and the root above it are moved.
//!
//! The server carries out a packet's commands in their order, so whoever sees the counters unmoved has polled before the change.

use crate::clock;
use crate::invalidate::stripes::{self, Counter};
use crate::key::Kind;
use crate::table::Table;
use crate::wire::{Flags, KeyRef, Link, Reply};

/// The stripe that a change of this key has to be announced in; `None` where no host keeps near entries of it.
#[must_use]
pub(crate) fn stripe(table: &Table, kind: Kind, key: &[u8]) -> Option<u8> {
    (table.announced() && kind == Kind::Entry).then(|| stripes::stripe(table.name.as_bytes(), key))
}

/// A counter's key as the wire takes it.
pub(crate) fn counter_key(counter: Counter) -> KeyRef<'static> {
    KeyRef { bytes: counter.key(), base64: false }
}

/// So many commands is an announcement.
pub(crate) const COMMANDS: usize = 2;

/// Appends the announcement of a change to the link's request. A counter that was lost starts from the clock, so that it never
/// repeats a number.
pub(crate) fn announce(link: &mut Link, stripe: u8) {
    let step = Flags::new("N0").with('J', clock::wall_us());
    link.ma_all(stripes::announcement(stripe).map(counter_key), &step);
}

/// Were both counters moved? Their replies begin at `at`.
#[must_use]
pub(crate) fn announced(link: &Link, at: usize) -> bool {
    (at..at + COMMANDS).all(|at| matches!(link.reply(at), Reply::Done(_)))
}
