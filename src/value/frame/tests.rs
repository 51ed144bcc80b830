//! Frames as they are written and read.

use super::*;
use crate::value::TEXT;
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
