//! What lies under a key besides plain values: the marks that read-through leaves in the cache.
//!
//! A frame is told from a value by its client flags alone ([`FRAME`]). Its first byte is a version; what cannot be read, from
//! a later version or from anybody else, is a miss. Inside, values keep the text and the flags that they have outside.

use super::{BLANKS, Digits, TEXT, Value, framed};

pub mod tagged;

pub use tagged::Tagged;

/// The client flag of a frame: [`BLANKS`] without [`TEXT`], which no value has.
pub const FRAME: u32 = BLANKS;

const VERSION: u8 = 1;
const NOTHING: u8 = 0;
const LOADING: u8 = 1;
const GIVEN_UP: u8 = 2;
const ROW: u8 = 3;
const RESULT: u8 = 4;

/// The code of a column without a value.
const NULL: u8 = 0xff;
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

impl<'a> Wire<'a> {
    /// Is this a number that a server can count with?
    #[must_use]
    pub fn counts(self) -> bool {
        self.flags & (TEXT | BLANKS) == 0 && super::integer(self.data).is_some()
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
                room.extend_from_slice(row.0);
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

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = column(rest)?.1;
        }
        Some(Self(bytes))
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

fn inner(bytes: &[u8]) -> Option<Wire<'_>> {
    let (code, data) = bytes.split_first()?;
    Some(Wire { data, flags: flags(*code)? })
}

fn write_inner(room: &mut Vec<u8>, wire: Wire<'_>) {
    room.push(code(wire.flags));
    room.extend_from_slice(wire.data);
}

fn plain(wire: Wire<'_>) -> Option<Value<'_>> {
    (!framed(wire.flags)).then(|| Value::from_wire(wire.data, wire.flags))
}

/// The flags that matter to a value, in a byte.
fn code(flags: u32) -> u8 {
    ((flags & (TEXT | BLANKS)) >> FLAGS_AT) as u8
}

fn flags(code: u8) -> Option<u32> {
    let flags = u32::from(code) << FLAGS_AT;
    (flags & !(TEXT | BLANKS) == 0).then_some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row<'a>(room: &'a mut Vec<u8>) -> Row<'a> {
        let column = |name: &'static str, value| Column { name: name.as_bytes(), value };
        let columns = [
            column("a", None),
            column("", Some(Value::Bytes(b"5"))),
            column("grp", Some(Value::Int(-7))),
            column("note", Some(Value::Bytes(b"a\0b"))),
        ];
        let row = Row::new(&columns, room);
        assert_eq!(row.columns().collect::<Vec<_>>(), columns);
        row
    }

    fn samples<'a>(room: &'a mut Vec<u8>, nothing: &'a mut Vec<u8>) -> Vec<Item<'a>> {
        let old = Item::Nothing.to_wire(nothing);
        let loading = |old| Item::Loading(Loading { loader: u64::MAX - 1, life: 1_234, old });
        vec![
            Item::Value(Value::Int(5)),
            Item::Value(Value::Bytes(b"5")),
            Item::Nothing,
            loading(None),
            loading(Some(old)),
            loading(Some(Wire { data: b"", flags: 0 })),
            loading(Some(Wire { data: b"7", flags: TEXT })),
            Item::GivenUp { failed: true },
            Item::GivenUp { failed: false },
            Item::Row(row(room)),
            Item::Result { yes: true, value: None },
            Item::Result { yes: false, value: Some(Value::Bytes(b"7 ")) },
        ]
    }

    #[test]
    fn an_item_comes_back_as_it_went() {
        let (mut a, mut b, mut room) = (Vec::new(), Vec::new(), Vec::new());
        for item in samples(&mut a, &mut b) {
            let wire = item.to_wire(&mut room);
            assert_eq!(Item::from_wire(wire), Some(item));
            assert_eq!(framed(wire.flags), !matches!(item, Item::Value(_)), "{item:?}");
        }
    }

    #[test]
    fn a_plain_read_sees_values_and_nothing_else() {
        let (mut columns, mut nothing) = (Vec::new(), Vec::new());
        let shown: Vec<_> = samples(&mut columns, &mut nothing).into_iter().map(Item::shown).collect();
        let text = |text: &'static [u8]| Some(Value::Bytes(text));
        let want = [
            Some(Value::Int(5)),
            text(b"5"),
            None,
            None,
            None,
            text(b""),
            text(b"7"),
            None,
            None,
            text(b"5"),
            Some(Value::Int(1)),
            None,
        ];
        assert_eq!(shown, want);
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x02\x00",
            b"\x01\x00more",
            b"\x01\x01short",
            b"\x01\x02",
            b"\x01\x02\x02",
            b"\x01\x03\x05ab",
            b"\x01\x03\x01a\x04\0\0\0\0",
            b"\x01\x03\x01a\x02\0\0\0\x02\x01\x00",
            b"\x01\x04\x02",
            b"\x01\x04\x01\x02\x01\x00",
            b"\x01\x09",
            b"\x01\x01\0\0\0\0\0\0\0\x01\0\0\0\x02\x02\x01\x01",
        ] {
            assert_eq!(Item::from_wire(Wire { data: bytes, flags: FRAME }), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_written_the_same(
            bytes: Vec<u8>, kind in 0u8..6, framed: bool
        ) {
            let data = if framed { [&[VERSION, kind], &bytes[..]].concat() } else { bytes };
            if let Some(item) = Item::from_wire(Wire { data: &data, flags: FRAME }) {
                let mut room = Vec::new();
                let wire = item.to_wire(&mut room);
                prop_assert_eq!(Item::from_wire(wire), Some(item));
                let _ = (item.shown(), item.negative());
            }
        }
    }
}
