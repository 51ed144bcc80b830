//! What lies under a key besides plain values: the marks that read-through leaves in the cache.
//!
//! A frame is told from a value by its client flags alone ([`FRAME`]). Its first byte is a version; what cannot be read, from
//! a later version or from anybody else, is a miss. Inside, values keep the text and the flags that they have outside.

use super::{BLANKS, Digits, Value, framed};
use wire::{inner, plain, write_inner};

mod row;
pub mod tagged;
mod wire;

#[cfg(test)]
mod tests;

pub use row::{Column, Row};
pub use tagged::Tagged;
pub use wire::{Kept, Wire};

/// The client flag of a frame: [`BLANKS`] without [`TEXT`], which no value has.
pub const FRAME: u32 = BLANKS;

const VERSION: u8 = 1;
const NOTHING: u8 = 0;
const LOADING: u8 = 1;
const GIVEN_UP: u8 = 2;
const ROW: u8 = 3;
const RESULT: u8 = 4;

/// What lies under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Value(Value<'a>),
    /// A source said that there is nothing.
    Nothing,
    /// A loader's place.
    Loading(Loading<'a>),
    /// A loader's place, given back without a value; `failed`: because the source could not answer.
    GivenUp {
        failed: bool,
    },
    Row(Row<'a>),
    /// What a route said, where neither a plain value nor [`Nothing`](Self::Nothing) says it.
    Result {
        yes: bool,
        value: Option<Value<'a>>,
    },
}

/// The place of one who loads an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading<'a> {
    /// The loader's own number.
    pub loader: u64,
    /// How many seconds this place had to live when it was taken.
    pub life: u32,
    /// What lay there before and may be served meanwhile.
    pub old: Option<Wire<'a>>,
}

impl<'a> Item<'a> {
    /// Reads what a server holds; `None` for a frame that is none of ours.
    #[must_use]
    pub fn from_wire(wire: Wire<'a>) -> Option<Self> {
        if !framed(wire.flags) {
            return Some(Self::Value(Value::from_wire(wire.data, wire.flags)));
        }
        let [VERSION, kind, rest @ ..] = wire.data else { return None };
        match (*kind, rest) {
            (NOTHING, []) => Some(Self::Nothing),
            (LOADING, rest) => Loading::read(rest).map(Self::Loading),
            (GIVEN_UP, [failed @ (0 | 1)]) => Some(Self::GivenUp { failed: *failed == 1 }),
            (ROW, rest) => Row::read(rest).map(Self::Row),
            (RESULT, [yes @ (0 | 1), rest @ ..]) => {
                let value = if rest.is_empty() { None } else { Some(plain(inner(rest)?)?) };
                Some(Self::Result { yes: *yes == 1, value })
            }
            _ => None,
        }
    }

    /// What a plain read brings: `None` is a miss. Of a row, its first column that has a value; of a result without a
    /// value, 1; of a loader's place, what lay there before.
    #[must_use]
    pub fn shown(self) -> Option<Value<'a>> {
        match self {
            Self::Value(value) => Some(value),
            Self::Row(row) => row.columns().find_map(|column| column.value),
            Self::Result { yes: true, value } => Some(value.unwrap_or(Value::Int(1))),
            Self::Loading(Loading { old, .. }) => old?.shown(),
            Self::Nothing | Self::GivenUp { .. } | Self::Result { yes: false, .. } => None,
        }
    }

    /// As [`shown`](Self::shown), but also the value of a "no", and no number for a yes without a value.
    #[must_use]
    pub fn told(self) -> Option<Value<'a>> {
        match self {
            Self::Result { value, .. } => value,
            Self::Loading(Loading { old, .. }) => Self::from_wire(old?)?.told(),
            item => item.shown(),
        }
    }

    /// The row that it is, or that goes on to be served in a loader's place.
    #[must_use]
    pub fn row(self) -> Option<Row<'a>> {
        match self {
            Self::Row(row) => Some(row),
            Self::Loading(Loading { old, .. }) => Self::from_wire(old?)?.row(),
            _ => None,
        }
    }

    /// Does it say that there is nothing, rather than nothing at all?
    #[must_use]
    pub fn negative(self) -> bool {
        match self {
            Self::Nothing | Self::Result { yes: false, .. } => true,
            Self::Loading(Loading { old: Some(old), .. }) => old.negative(),
            _ => false,
        }
    }

    /// Writes it into `room` and gives what is to be stored.
    pub fn to_wire(self, room: &mut Vec<u8>) -> Wire<'_> {
        room.clear();
        let start = |room: &mut Vec<u8>, kind: u8| room.extend([VERSION, kind]);
        match self {
            Self::Value(value) => {
                let mut digits = Digits::default();
                let (data, flags) = value.to_wire(&mut digits);
                room.extend_from_slice(data);
                return Wire { data: room, flags };
            }
            Self::Nothing => start(room, NOTHING),
            Self::Loading(loading) => {
                start(room, LOADING);
                loading.write(room);
            }
            Self::GivenUp { failed } => {
                start(room, GIVEN_UP);
                room.push(failed.into());
            }
            Self::Row(row) => {
                start(room, ROW);
                room.extend_from_slice(row.bytes());
            }
            Self::Result { yes, value } => {
                start(room, RESULT);
                room.push(yes.into());
                if let Some(value) = value {
                    let mut digits = Digits::default();
                    let (data, flags) = value.to_wire(&mut digits);
                    write_inner(room, Wire { data, flags });
                }
            }
        }
        Wire { data: room, flags: FRAME }
    }
}

impl<'a> Loading<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (loader, rest) = bytes.split_first_chunk()?;
        let (life, rest) = rest.split_first_chunk()?;
        let old = if rest.is_empty() { None } else { Some(inner(rest)?) };
        // A place within a place would be endless.
        let sound = old.is_none_or(|old| !matches!(old, Wire { flags: FRAME, data: [_, LOADING, ..] }));
        sound.then(|| Self { loader: u64::from_be_bytes(*loader), life: u32::from_be_bytes(*life), old })
    }

    fn write(self, room: &mut Vec<u8>) {
        room.extend(self.loader.to_be_bytes());
        room.extend(self.life.to_be_bytes());
        if let Some(old) = self.old {
            write_inner(room, old);
        }
    }
}
