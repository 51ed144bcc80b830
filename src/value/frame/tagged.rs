//! An entry that stands under tags: with what it keeps go the numbers that its tags had when it was stored.
//!
//! A tag has a record with a number that is never used again. An entry is good while each of its tags has the number that
//! the entry was stored with; a tag is invalidated by taking its record away. [`Item::from_wire`](super::Item::from_wire) reads no
//! tagged entry: whoever has not compared the numbers sees a miss.

use super::wire::{inner, write_inner};
use super::{FRAME, VERSION, Wire};
use crate::value::framed;

const TAGGED: u8 = 5;

/// Longest name of a tag that an entry is given one by one, in bytes.
pub const NAME_MAX: usize = 250;
/// Most of these that an entry may have.
pub const NAMES_MAX: usize = 8;

/// A tagged entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged<'a> {
    number: u64,
    names: &'a [u8],
    inner: Wire<'a>,
}

impl<'a> Tagged<'a> {
    /// An entry that stands under the tag of its key, which has this number.
    #[must_use]
    pub fn new(number: u64, inner: Wire<'a>) -> Self {
        Self { number, names: b"", inner }
    }

    /// Reads what a server holds; `None` where that is not tagged.
    #[must_use]
    pub fn from_wire(wire: Wire<'a>) -> Option<Self> {
        let [VERSION, TAGGED, rest @ ..] = wire.data else { return None };
        if !framed(wire.flags) {
            return None;
        }
        let (number, rest) = rest.split_first_chunk()?;
        let (count, all) = rest.split_first()?;
        let mut rest = all;
        for _ in 0..*count {
            rest = name(rest)?.1;
        }
        let (names, inner) = (&all[..all.len() - rest.len()], inner(rest)?);
        // Tags within tags would be endless.
        let sound = !matches!(inner, Wire { flags: FRAME, data: [_, TAGGED, ..] });
        sound.then(|| Self { number: u64::from_be_bytes(*number), names, inner })
    }

    /// Writes it into `room` and gives what is to be stored.
    pub fn to_wire(self, room: &mut Vec<u8>) -> Wire<'_> {
        room.clear();
        room.extend([VERSION, TAGGED]);
        room.extend(self.number.to_be_bytes());
        room.push(u8::try_from(self.names().count()).unwrap_or(u8::MAX));
        room.extend_from_slice(self.names);
        write_inner(room, self.inner);
        Wire { data: room, flags: FRAME }
    }

    /// The number of the tag that is made of the entry's key.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }

    /// The other tags and their numbers.
    pub fn names(self) -> impl Iterator<Item = Name<'a>> {
        let mut rest = self.names;
        std::iter::from_fn(move || {
            let (found, behind) = name(rest)?;
            rest = behind;
            Some(found)
        })
    }

    /// What is kept.
    #[must_use]
    pub fn inner(self) -> Wire<'a> {
        self.inner
    }

    /// The same entry under one more tag, whose name is written into `room`; `None` where there is no room for it.
    #[must_use]
    pub fn under<'r>(self, tag: &[u8], number: u64, room: &'r mut Vec<u8>) -> Option<Tagged<'r>>
    where
        'a: 'r,
    {
        let length =
            u8::try_from(tag.len()).ok().filter(|_| tag.len() <= NAME_MAX && self.names().count() < NAMES_MAX)?;
        room.clear();
        room.extend_from_slice(self.names);
        room.push(length);
        room.extend_from_slice(tag);
        room.extend(number.to_be_bytes());
        Some(Tagged { names: room, ..self })
    }
}

impl<'a> Wire<'a> {
    /// What is kept, whatever has become of its tags.
    #[must_use]
    pub fn untagged(self) -> Self {
        Tagged::from_wire(self).map_or(self, Tagged::inner)
    }
}

/// A tag's name and number.
type Name<'a> = (&'a [u8], u64);

/// The first of several, and what lies behind it.
fn name(bytes: &[u8]) -> Option<(Name<'_>, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (number, rest) = rest.split_first_chunk()?;
    Some(((name, u64::from_be_bytes(*number)), rest))
}

/// The mark before a number in a tag's record: a bare number would not carry a long tag's name with it.
const MARK: u8 = b't';

/// A tag's record: its number as text.
#[must_use]
pub fn record(number: u64) -> [u8; 17] {
    let mut text = [MARK; 17];
    for (at, digit) in text[1..].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (60 - 4 * at) & 15) as usize];
    }
    text
}

/// Reads a tag's record; `None` where it holds anything else.
#[must_use]
pub fn read_record(wire: Wire<'_>) -> Option<u64> {
    let digits = wire.data.strip_prefix(&[MARK]).filter(|digits| digits.len() == 16)?;
    let lower = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = std::str::from_utf8(digits).ok().filter(|text| text.as_bytes().iter().all(lower))?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::frame::Item;
    use crate::value::{TEXT, Value};
    use proptest::prelude::*;

    #[test]
    fn an_entry_comes_back_from_under_its_tags() {
        let (mut nothing, mut room, mut names, mut more) = Default::default();
        let wires =
            [Wire { data: b"", flags: 0 }, Wire { data: b"7", flags: TEXT }, Item::Nothing.to_wire(&mut nothing)];
        for inner in wires {
            let tagged = Tagged::new(u64::MAX - 1, inner);
            let stored = tagged.to_wire(&mut room);
            assert_eq!(Tagged::from_wire(stored), Some(tagged));
            assert_eq!((stored.untagged(), inner.untagged()), (inner, inner));
            assert_eq!((stored.shown(), Item::from_wire(stored)), (None, None), "nobody compared the numbers");
            let tagged = tagged.under(b"grp:\0", 7, &mut names).unwrap();
            let tagged = tagged.under(b"", 8, &mut more).unwrap();
            let found = Tagged::from_wire(tagged.to_wire(&mut room)).unwrap();
            assert_eq!((found.number(), found.inner()), (u64::MAX - 1, inner));
            assert_eq!(found.names().collect::<Vec<_>>(), [(&b"grp:\0"[..], 7), (b"", 8)]);
        }
    }

    #[test]
    fn there_is_room_for_some_tags_of_some_length() {
        let (bare, longest) = (Tagged::new(1, Wire { data: b"v", flags: 0 }), [b'x'; NAME_MAX]);
        let (mut all, mut room) = (Vec::new(), Vec::new());
        for at in 0..NAMES_MAX {
            let before = all.clone();
            Tagged { names: &before, ..bare }.under(&longest, at as u64, &mut all).unwrap();
        }
        let full = Tagged { names: &all, ..bare };
        assert_eq!(Tagged::from_wire(full.to_wire(&mut room)).unwrap().names().count(), NAMES_MAX);
        assert!(full.under(b"x", 2, &mut room).is_none(), "one more");
        assert!(bare.under(&[b'x'; NAME_MAX + 1], 2, &mut room).is_none(), "one byte more");
    }

    #[test]
    fn what_is_not_tagged_is_not_read() {
        let good = b"\x01\x05\0\0\0\0\0\0\0\x07\x01\x01a\0\0\0\0\0\0\0\x09\x00v";
        assert!(Tagged::from_wire(Wire { data: good, flags: FRAME }).is_some());
        assert!(Tagged::from_wire(Wire { data: good, flags: 0 }).is_none(), "a value that looks like it");
        for cut in 0..good.len() - 1 {
            assert!(Tagged::from_wire(Wire { data: &good[..cut], flags: FRAME }).is_none(), "{cut}");
        }
        let within = [&b"\x01\x05\0\0\0\0\0\0\0\x07\x00\x02"[..], good].concat();
        assert!(Tagged::from_wire(Wire { data: &within, flags: FRAME }).is_none(), "tags within tags");
        for other in [&b"\x02\x05\0\0\0\0\0\0\0\x07\x00\x00v"[..], b"\x01\x00"] {
            assert!(Tagged::from_wire(Wire { data: other, flags: FRAME }).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_record_is_its_number_and_nothing_else() {
        for number in [0, 1, 0xabc, u64::MAX] {
            let text = record(number);
            assert_eq!(text[..], *format!("t{number:016x}").as_bytes());
            let wire = Wire { data: &text, flags: 0 };
            assert_eq!(read_record(wire), Some(number));
            assert!(matches!(wire.shown(), Some(Value::Bytes(_))), "no server counts with it");
        }
        for other in
            [&b""[..], b"t", b"t000000000000000", b"t00000000000000000", b"x0000000000000000", b"t+000000000000000"]
        {
            assert_eq!(read_record(Wire { data: other, flags: 0 }), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_written_the_same(bytes: Vec<u8>) {
            let data = [&[VERSION, TAGGED][..], &bytes].concat();
            if let Some(tagged) = Tagged::from_wire(Wire { data: &data, flags: FRAME }) {
                let mut room = Vec::new();
                let wire = tagged.to_wire(&mut room);
                prop_assert_eq!(wire.data, &data[..]);
            }
        }
    }
}
