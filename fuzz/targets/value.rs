//! Any stored bytes and flags: they read as one value, which stores and reads back as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcache::key::split_full;
use shardcache::value::{BLANKS, Digits, TEXT, Value, decimal, integer};

/// The meaning of "canonical decimal" in the standard library's words.
fn oracle(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

fn comes_back(value: Value<'_>) {
    let mut room = Digits::default();
    let (data, flags) = value.to_wire(&mut room);
    assert!(Value::from_wire(data, flags) == value);
    assert!(flags & !(TEXT | BLANKS) == 0, "other clients keep their codes in the low bits");
}

fuzz_target!(|data: &[u8]| {
    assert!(integer(data) == oracle(data));
    comes_back(Value::Bytes(data));
    let Some((head, rest)) = data.split_first_chunk::<8>() else { return };
    let number = i64::from_le_bytes(*head);
    comes_back(Value::Int(number));
    let mut room = Digits::default();
    assert!(integer(decimal(number, &mut room)) == Some(number));
    for flags in [0, TEXT, TEXT | BLANKS, number as u32] {
        let value = Value::from_wire(rest, flags);
        comes_back(value);
        match value {
            Value::Int(number) => assert!(flags & TEXT == 0 && oracle(rest.trim_ascii_end()) == Some(number)),
            // A server pads a string of digits that it decremented; that is all that may be taken off.
            Value::Bytes(bytes) if bytes != rest => {
                assert!(flags & (TEXT | BLANKS) == TEXT && oracle(bytes).is_some());
                assert!(rest[bytes.len()..].iter().all(|byte| *byte == b' '));
            }
            Value::Bytes(_) => {}
        }
    }
    if let Some((full, value)) = split_full(rest) {
        let length = u32::try_from(full.len()).expect("a 32-bit length").to_be_bytes();
        assert!([&length, full, value].concat() == rest);
    }
});
