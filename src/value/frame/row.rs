//! A row of a database: named columns, one after the other.

use super::wire::{Wire, code, flags, plain};
use crate::value::{Digits, Value};

/// The code of a column without a value.
const NULL: u8 = 0xff;

/// Named columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a>(&'a [u8]);

/// One named column; SQL's NULL has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// At most 255 bytes.
    pub name: &'a [u8],
    pub value: Option<Value<'a>>,
}

impl<'a> Row<'a> {
    /// Writes columns one after the other; `room` is emptied first.
    pub fn new(columns: &[Column<'_>], room: &'a mut Vec<u8>) -> Self {
        room.clear();
        for column in columns {
            let name = &column.name[..column.name.len().min(usize::from(u8::MAX))];
            room.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            room.extend_from_slice(name);
            let mut digits = Digits::default();
            let (data, code) = match column.value {
                None => (&b""[..], NULL),
                Some(value) => {
                    let (data, flags) = value.to_wire(&mut digits);
                    (data, code(flags))
                }
            };
            room.push(code);
            room.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
            room.extend_from_slice(data);
        }
        Self(room)
    }

    /// Reads what lies behind the mark of a row.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = column(rest)?.1;
        }
        Some(Self(bytes))
    }

    /// As it lies in a frame.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The columns in their order.
    pub fn columns(self) -> impl Iterator<Item = Column<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (found, behind) = column(rest)?;
            rest = behind;
            Some(found)
        })
    }
}

/// The first column, and what lies behind it.
fn column(bytes: &[u8]) -> Option<(Column<'_>, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (code, rest) = rest.split_first()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (data, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let value = match *code {
        NULL => None,
        code => Some(plain(Wire { data, flags: flags(code)? })?),
    };
    Some((Column { name, value }, rest))
}
