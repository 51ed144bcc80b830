//! Two entries out of any bytes: each key is harmless and parses back, and they share one only when they are the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcache::key::{Form, KeyError, Kind, Parsed, Part, Space, WIRE_MAX, WireKey, parse};

const TABLES: [&str; 4] = ["a", "aa", "ipauth", "abcdefghijklmnopqrstuvwxyz_01234"];

struct Entry<'a>(&'static str, u64, &'a [u8]);

/// First byte: table and how many of the next eight bytes are its generation.
fn entry(data: &[u8]) -> Option<Entry<'_>> {
    let (pick, rest) = data.split_first()?;
    let (digits, key) = rest.split_at_checked(usize::from(pick >> 2) % 9)?;
    let generation = digits.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some(Entry(TABLES[usize::from(pick & 3)], generation, key))
}

fn made(entry: &Entry<'_>) -> Option<WireKey> {
    let mut key = WireKey::new();
    match key.set(entry.0, entry.1, entry.2) {
        Ok(()) => Some(key),
        Err(error) => {
            assert!(error == KeyError::Empty && entry.2.is_empty());
            None
        }
    }
}

fn sound(entry: &Entry<'_>, key: &WireKey) {
    let wire = key.bytes();
    assert!((1..=WIRE_MAX).contains(&wire.len()) && wire.iter().all(|byte| (0x21..=0x7e).contains(byte)));
    let found = parse(wire, key.base64()).expect("our own key");
    assert!(found.kind == Kind::Entry && found.part == Part::Item);
    assert!(found.table == entry.0 && found.generation == entry.1);
    match (found.form, key.full()) {
        (Form::Plain(found), None) => assert!(found == entry.2),
        (Form::Hashed, Some(full)) => assert!(full == [entry.0.as_bytes(), b":", entry.2].concat()),
        _ => panic!("a hash and nothing else carries the full key"),
    }
}

/// What parses without base64 is exactly what would be made; with it, at least the same bytes once decoded.
fn any(wire: &[u8]) {
    if let Some(key) = again(wire, false) {
        assert!(key.bytes() == wire && !key.base64());
    }
    if let Some(key) = again(wire, true) {
        assert!(!key.base64() || key.bytes() == wire);
    }
}

fn again(wire: &[u8], base64: bool) -> Option<WireKey> {
    let Parsed { kind, table, generation, part, form: Form::Plain(raw) } = parse(wire, base64)? else { return None };
    let mut key = WireKey::new();
    key.part(Space { kind, table: &table, generation }, part, &raw).expect("a parsed key");
    Some(key)
}

fuzz_target!(|data: &[u8]| {
    any(data);
    let mut record = WireKey::new();
    if record.record("gen", "ipauth", data).is_ok() {
        assert!(record.bytes().len() <= WIRE_MAX && record.bytes().iter().all(|byte| (0x21..=0x7e).contains(byte)));
        assert!(parse(record.bytes(), record.base64()).is_none());
    }
    let (first, second) = data.split_at(data.len() / 2);
    let (Some(first), Some(second)) = (entry(first), entry(second)) else { return };
    let (Some(one), Some(two)) = (made(&first), made(&second)) else { return };
    sound(&first, &one);
    sound(&second, &two);
    let same = (first.0, first.1, first.2) == (second.0, second.1, second.2);
    assert!(same == (one.bytes() == two.bytes() && one.base64() == two.base64()));
});
