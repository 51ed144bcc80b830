//! What a table holds: byte strings and integers, and how either travels in memcached.
//!
//! The text of an integer is its canonical decimal, so that counters, other clients and we agree without a mark.
//! A *string* that happens to look like one carries [`TEXT`] in the client flags. The low 16 bits of the flags
//! stay zero, because other clients keep their own type codes there. What read-through keeps besides values is a [`frame`].

pub mod frame;

use crate::decimal;
pub use crate::decimal::Digits;

/// Client flag: these bytes are a string although they look like an integer.
pub const TEXT: u32 = 1 << 16;

/// Client flag beside [`TEXT`]: the blanks behind the number belong to the string. Without it a server put them there
/// when it decremented the string.
pub const BLANKS: u32 = 1 << 17;

/// Do these client flags say that a [`frame`] lies there, not a value?
#[must_use]
pub const fn framed(flags: u32) -> bool {
    flags & (TEXT | BLANKS) == frame::FRAME
}

/// The client flags from this bit on hold the stamp of an item in a table with two copies.
pub const STAMP_AT: u32 = 18;

/// A value as the script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reads what a server holds under `flags`.
    #[must_use]
    pub fn from_wire(data: &'a [u8], flags: u32) -> Self {
        let digits = unpadded(data);
        match integer(digits) {
            Some(number) if flags & TEXT == 0 => Self::Int(number),
            Some(_) if flags & BLANKS == 0 => Self::Bytes(digits),
            _ => Self::Bytes(data),
        }
    }

    /// The bytes and client flags under which this value is stored; `room` holds the digits of an integer.
    #[must_use]
    pub fn to_wire<'b>(self, room: &'b mut Digits) -> (&'b [u8], u32)
    where
        'a: 'b,
    {
        match self {
            Self::Int(number) => (decimal(number, room), 0),
            Self::Bytes(bytes) if integer(bytes).is_some() => (bytes, TEXT),
            Self::Bytes(bytes) if integer(unpadded(bytes)).is_some() => (bytes, TEXT | BLANKS),
            Self::Bytes(bytes) => (bytes, 0),
        }
    }
}

/// The canonical decimal text of `number`.
pub fn decimal(number: i64, room: &mut Digits) -> &[u8] {
    let mut at = decimal::put(number.unsigned_abs(), room);
    if number < 0 {
        at -= 1;
        room[at] = b'-';
    }
    &room[at..]
}

/// The integer whose canonical decimal text this is; `007`, `-0`, `+1` and numbers beyond 64 bits are strings.
#[must_use]
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [] => false,
        [b'0'] => digits.len() == text.len(),
        [first, rest @ ..] => (b'1'..=b'9').contains(first) && rest.iter().all(u8::is_ascii_digit),
    };
    if !canonical || digits.len() > 19 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// memcached pads a decremented number with blanks up to its old length.
fn unpadded(data: &[u8]) -> &[u8] {
    let digits = data.trim_ascii_end();
    let padding = &data[digits.len()..];
    if digits.first().is_some_and(u8::is_ascii_digit) && padding.iter().all(|byte| *byte == b' ') {
        digits
    } else {
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_integer_is_its_canonical_text_and_nothing_else() {
        for (text, want) in [
            ("0", Some(0)),
            ("5", Some(5)),
            ("-5", Some(-5)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("00", None),
            ("007", None),
            ("+1", None),
            (" 1", None),
            ("1a", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(integer(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn padding_left_by_a_decrement_is_trimmed_only_behind_a_number() {
        assert_eq!(Value::from_wire(b"9 ", 0), Value::Int(9));
        assert_eq!(Value::from_wire(b"9   ", 0), Value::Int(9));
        assert_eq!(Value::from_wire(b"9\t", 0), Value::Bytes(b"9\t"));
        assert_eq!(Value::from_wire(b"a ", 0), Value::Bytes(b"a "));
        assert_eq!(Value::from_wire(b"1a ", TEXT), Value::Bytes(b"1a "));
        assert_eq!(Value::from_wire(b"9 ", TEXT), Value::Bytes(b"9"), "a string that was decremented");
        assert_eq!(Value::from_wire(b"9 ", TEXT | BLANKS), Value::Bytes(b"9 "));
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_went(number: i64, bytes: Vec<u8>, digits in "[0-9 ]{1,20}") {
            for value in [Value::Int(number), Value::Bytes(&bytes), Value::Bytes(digits.as_bytes())] {
                let mut room = Digits::default();
                let (data, flags) = value.to_wire(&mut room);
                prop_assert_eq!(Value::from_wire(data, flags), value);
                prop_assert_eq!(flags & 0xffff, 0);
            }
        }
    }
}
