//! A value on its way to a server.

use crate::key::{WireKey, full_length};
use crate::value::frame::Wire;
use crate::value::{self, Digits};

/// What is to be stored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Goods<'v> {
    pub data: &'v [u8],
    /// The value's own client flags, without a stamp.
    pub flags: u32,
    /// It goes without its full key, however long that is: a server may have to count with it.
    bare: bool,
}

impl<'v> Goods<'v> {
    /// A value or frame.
    pub fn new(wire: Wire<'v>) -> Self {
        Self { data: wire.data, flags: wire.flags, bare: wire.counts() }
    }

    /// A number that is ours: of a counter, of a lock.
    pub fn number(number: i64, room: &'v mut Digits) -> Self {
        Self::bare(value::decimal(number, room), 0)
    }

    /// Data as a server is to hold it, under these client flags.
    pub fn bare(data: &'v [u8], flags: u32) -> Self {
        Self { data, flags, bare: true }
    }

    /// What a server is to hold under this key, in parts; `room` holds the length of a full key.
    pub fn parts<'p>(&'p self, key: &'p WireKey, room: &'p mut [u8; 4]) -> [&'p [u8]; 3] {
        match key.full() {
            Some(full) if !self.bare => {
                *room = full_length(full);
                [room, full, self.data]
            }
            _ => [self.data, b"", b""],
        }
    }
}
