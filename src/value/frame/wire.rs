//! Bytes with their client flags: as a server keeps them, and as they lie within a frame, where one byte holds the flags.

use super::{Item, Row};
use crate::value::{BLANKS, TEXT, Value, framed, integer};

/// Where a value's flags stand.
const FLAGS_AT: u32 = 16;

/// Bytes and client flags, as a server keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire<'a> {
    pub data: &'a [u8],
    pub flags: u32,
}

/// Bytes and client flags of one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    data: Vec<u8>,
    flags: u32,
}

impl<'a> Wire<'a> {
    /// Is this a number that a server can count with?
    #[must_use]
    pub fn counts(self) -> bool {
        self.flags & (TEXT | BLANKS) == 0 && integer(self.data).is_some()
    }

    /// What a plain read brings; see [`Item::shown`].
    #[must_use]
    pub fn shown(self) -> Option<Value<'a>> {
        Item::from_wire(self)?.shown()
    }

    /// Its columns, if it is a row; see [`Item::row`].
    #[must_use]
    pub fn row(self) -> Option<Row<'a>> {
        Item::from_wire(self)?.row()
    }

    /// Does it say that there is nothing? See [`Item::negative`].
    #[must_use]
    pub fn negative(self) -> bool {
        Item::from_wire(self).is_some_and(Item::negative)
    }
}

impl Kept {
    /// Keeps this; the room of what was kept before serves again.
    pub fn keep(&mut self, wire: Wire<'_>) {
        self.data.clear();
        self.data.extend_from_slice(wire.data);
        self.flags = wire.flags;
    }

    #[must_use]
    pub fn wire(&self) -> Wire<'_> {
        Wire { data: &self.data, flags: self.flags }
    }
}

impl From<Wire<'_>> for Kept {
    fn from(wire: Wire<'_>) -> Self {
        Self { data: wire.data.to_vec(), flags: wire.flags }
    }
}

/// What lies within a frame, to its end.
pub(super) fn inner(bytes: &[u8]) -> Option<Wire<'_>> {
    let (code, data) = bytes.split_first()?;
    Some(Wire { data, flags: flags(*code)? })
}

pub(super) fn write_inner(room: &mut Vec<u8>, wire: Wire<'_>) {
    room.push(code(wire.flags));
    room.extend_from_slice(wire.data);
}

/// The value that it is; `None` for a frame.
pub(super) fn plain(wire: Wire<'_>) -> Option<Value<'_>> {
    (!framed(wire.flags)).then(|| Value::from_wire(wire.data, wire.flags))
}

/// The flags that matter to a value, in a byte.
pub(super) fn code(flags: u32) -> u8 {
    ((flags & (TEXT | BLANKS)) >> FLAGS_AT) as u8
}

pub(super) fn flags(code: u8) -> Option<u32> {
    let flags = u32::from(code) << FLAGS_AT;
    (flags & !(TEXT | BLANKS) == 0).then_some(flags)
}
