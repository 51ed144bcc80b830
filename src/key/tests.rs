//! Keys by example, hostile ones first.

mod laws;

use super::*;

fn wire(table: &str, generation: u64, key: &[u8]) -> WireKey {
    let mut wire = WireKey::new();
    wire.set(table, generation, key).unwrap();
    wire
}

fn text(key: &WireKey) -> &str {
    std::str::from_utf8(key.bytes()).unwrap()
}

fn harmless(key: &WireKey) {
    assert!((1..=WIRE_MAX).contains(&key.bytes().len()), "{key:?}");
    assert!(key.bytes().iter().all(|byte| (0x21..=0x7e).contains(byte)), "{key:?}");
}

fn comes_back(key: &WireKey, table: &str, generation: u64, raw: &[u8]) {
    part_comes_back(key, Space { kind: Kind::Entry, table, generation }, Part::Item, raw);
}

fn part_comes_back(key: &WireKey, space: Space<'_>, part: Part, raw: &[u8]) {
    let found = parse(key.bytes(), key.base64()).unwrap();
    let Parsed { kind, table, generation, .. } = &found;
    assert_eq!((Space { kind: *kind, table, generation: *generation }, found.part), (space, part));
    match &found.form {
        Form::Plain(found) => assert_eq!(**found, *raw),
        Form::Hashed => {
            let kind = if space.kind == Kind::Entry { String::new() } else { format!("!{}:", space.kind.text()) };
            assert_eq!(key.full().unwrap(), [kind.as_bytes(), space.table.as_bytes(), b":", raw].concat());
        }
    }
}

#[test]
fn a_printable_key_stays_readable() {
    assert_eq!(text(&wire("ipauth", 0, b"alice")), "ipauth:alice");
    assert_eq!(text(&wire("ipauth", 1_795_206_978, b"alice")), "ipauth@1795206978:alice");
    assert_eq!(text(&wire("t", u64::MAX, b"k")), "t@18446744073709551615:k");
}

#[test]
fn hostile_bytes_never_reach_the_command_line() {
    for raw in [
        &b"zz\r\nflush_all\r\nget k1"[..],
        b"k1 k2",
        b"k1\tk2",
        b"\0",
        b"a\0b",
        b"\x7f",
        b" ",
        b"folded\r\n  header\r\n\tvalue",
        "jos\u{e9}".as_bytes(),
        "\u{1f4de}".as_bytes(),
        b"\xff\xfe",
    ] {
        let key = wire("ipauth", 0, raw);
        harmless(&key);
        assert!(key.base64() && key.full().is_none(), "{key:?}");
        assert_eq!(STANDARD.decode(key.bytes()).unwrap(), [b"ipauth:", raw].concat());
        comes_back(&key, "ipauth", 0, raw);
    }
}

#[test]
fn each_length_takes_the_first_form_that_fits() {
    // The table `t` and its colon take two bytes of each total.
    for (total, printable, want) in [
        (3, true, Shape::Plain),
        (187, true, Shape::Plain),
        (188, true, Shape::Plain),
        (250, true, Shape::Plain),
        (251, true, Shape::Hashed),
        (10_000, true, Shape::Hashed),
        (3, false, Shape::Base64),
        (186, false, Shape::Base64),
        (187, false, Shape::Hashed),
        (188, false, Shape::Hashed),
        (250, false, Shape::Hashed),
        (251, false, Shape::Hashed),
        (10_000, false, Shape::Hashed),
    ] {
        let raw = vec![if printable { b'k' } else { b'\n' }; total - 2];
        let key = wire("t", 0, &raw);
        assert!(key.shape == want, "{total} bytes, printable: {printable}: {key:?}");
        harmless(&key);
        comes_back(&key, "t", 0, &raw);
    }
}

#[test]
fn a_hashed_key_names_table_and_generation_and_keeps_the_full_key() {
    let raw = vec![b'k'; 300];
    let full = [&b"ipauth:"[..], &raw].concat();
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&full));
    assert_eq!(hash.len(), HASH_LEN);
    for (generation, want) in [(0, format!("ipauth#:{hash}")), (77, format!("ipauth#77:{hash}"))] {
        let key = wire("ipauth", generation, &raw);
        assert_eq!(text(&key), want);
        assert!(!key.base64());
        assert_eq!(key.full(), Some(full.as_slice()));
    }
}

#[test]
fn the_longest_heads_fit() {
    let name = "n".repeat(32);
    for raw in [vec![b'k'; 5000], vec![0; 5000], vec![0; 100], vec![b'k'; 196], vec![b'k'; 197]] {
        let key = wire(&name, u64::MAX, &raw);
        harmless(&key);
        comes_back(&key, &name, u64::MAX, &raw);
        let mut key = WireKey::new();
        key.record(&name, &name, &raw).unwrap();
        harmless(&key);
        for part in [Part::Tomb, Part::Counter(u64::MAX)] {
            let space = Space { kind: Kind::Fence, table: &name, generation: u64::MAX };
            key.part(space, part, &raw).unwrap();
            harmless(&key);
            part_comes_back(&key, space, part, &raw);
        }
    }
}

#[test]
fn tombstones_and_counters_stand_beside_their_items() {
    let (entry, long) = (Space { kind: Kind::Entry, table: "t", generation: 0 }, [b'k'; 300]);
    let lock = Space { kind: Kind::Lock, ..entry };
    let bumped = Space { generation: 7, ..entry };
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest([&b"t:"[..], &long].concat()));
    let mut key = WireKey::new();
    for (space, part, raw, want) in [
        (entry, Part::Tomb, &b"k"[..], "!tomb:t:k".to_owned()),
        (entry, Part::Counter(5), b"k", "t%5:k".to_owned()),
        (bumped, Part::Tomb, b"k", "!tomb:t@7:k".to_owned()),
        (bumped, Part::Counter(5), b"k", "t@7%5:k".to_owned()),
        (lock, Part::Item, b"k", "!lock:t:k".to_owned()),
        (lock, Part::Tomb, b"k", "!tomb!lock:t:k".to_owned()),
        (lock, Part::Counter(5), b"k", "!lock:t%5:k".to_owned()),
        (bumped, Part::Item, &long, format!("t#7:{hash}")),
        (bumped, Part::Tomb, &long, format!("!tomb:t#7:{hash}")),
        (bumped, Part::Counter(5), &long, format!("t#7%5:{hash}")),
    ] {
        key.part(space, part, raw).unwrap();
        assert_eq!(text(&key), want);
        part_comes_back(&key, space, part, raw);
    }
}

#[test]
fn what_names_nothing_is_refused_and_leaves_no_key_behind() {
    let long = "n".repeat(33);
    for (table, raw, want) in [
        ("t", &b""[..], KeyError::Empty),
        ("", b"k", KeyError::Table),
        (&long, b"k", KeyError::Table),
        ("a b", b"k", KeyError::Table),
        ("a:b", b"k", KeyError::Table),
        ("!gen", b"k", KeyError::Table),
        ("t\r\nflush_all", b"k", KeyError::Table),
    ] {
        let mut key = wire("before", 0, &[0; 400]);
        assert_eq!(key.set(table, 0, raw), Err(want), "{table:?}");
        assert!(key.bytes().is_empty() && key.full().is_none());
    }
    let mut key = WireKey::new();
    assert_eq!(key.record("g n", "t", b"k"), Err(KeyError::Table));
    assert_eq!(key.record("gen", "t:", b"k"), Err(KeyError::Table));
}

#[test]
fn records_stand_beside_the_tables() {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest([&b"!lock:ipauth:"[..], &[b'k'; 300]].concat()));
    let mut key = WireKey::new();
    for (kind, table, raw, want) in [
        ("root", "", &b""[..], "!root:".to_owned()),
        ("gen", "ipauth", b"", "!gen:ipauth".to_owned()),
        ("mark", "home", b"mc1/mc2", "!mark:home:mc1/mc2".to_owned()),
        ("lock", "ipauth", b"alice", "!lock:ipauth:alice".to_owned()),
        ("lock", "ipauth", &[b'k'; 300], format!("!lock:ipauth#:{hash}")),
        ("lock", "ipauth", b"a b", STANDARD.encode("!lock:ipauth:a b")),
    ] {
        key.record(kind, table, raw).unwrap();
        assert_eq!(text(&key), want);
        let found = parse(key.bytes(), key.base64()).map(|found| found.kind);
        assert_eq!(found, (kind == "lock").then_some(Kind::Lock), "a record is no entry");
    }
}

#[test]
fn keys_that_are_not_ours_are_not_parsed() {
    for (bytes, base64) in [
        (&b""[..], false),
        (b"alice", false),
        (b"t:", false),
        (b":k", false),
        (b"t@:k", false),
        (b"t@0:k", false),
        (b"t@07:k", false),
        (b"t@7", false),
        (b"t@7:", false),
        (b"t@18446744073709551616:k", false),
        (b"t@-1:k", false),
        (b"t%:k", false),
        (b"t%0:k", false),
        (b"t%5", false),
        (b"t%5@7:k", false),
        (b"t@%5:k", false),
        (b"!tomb:t%5:k", false),
        (b"!tomb!tomb:t:k", false),
        (b"!tomb!gen:t:k", false),
        (b"!lock!tomb:t:k", false),
        (b"!:t:k", false),
        (b"!tomb", false),
        (b"t#:short", false),
        (b"t#:===========================================", false),
        (b"t-1:k", false),
        (b"t:k k", false),
        (b"not base64", true),
        (b"dDo=", true),
    ] {
        assert_eq!(parse(bytes, base64), None, "{:?}", String::from_utf8_lossy(bytes));
    }
    let hashed = format!("t#:{}", "A".repeat(HASH_LEN));
    assert_eq!(parse(hashed.as_bytes(), false).map(|found| found.form), Some(Form::Hashed));
    assert_eq!(parse(STANDARD.encode(&hashed).as_bytes(), true), None, "a hash is never sent as base64");
}

#[test]
fn buffers_are_reused() {
    let mut key = wire("t", 0, &[0; 10_000]);
    let (place, room) = (key.full.as_ptr(), key.full.capacity());
    for len in [9_999, 1, 300, 10_000] {
        key.set("t", 5, &vec![1; len]).unwrap();
    }
    assert_eq!((key.full.as_ptr(), key.full.capacity()), (place, room));
}

#[test]
fn a_full_key_is_split_from_its_value() {
    assert_eq!(split_full(b"\0\0\0\x03t:kvalue"), Some((&b"t:k"[..], &b"value"[..])));
    assert_eq!(split_full(b"\0\0\0\x03t:k"), Some((&b"t:k"[..], &b""[..])));
    for short in [&b""[..], b"\0\0\0", b"\0\0\0\x04t:k", b"\xff\xff\xff\xfft:k"] {
        assert_eq!(split_full(short), None);
    }
}

#[test]
fn a_number_is_bare_and_whatever_else_stands_behind_its_own_full_key() {
    let (long, short) = (wire("t", 0, &[b'l'; 300]), wire("t", 0, b"k"));
    let full = long.full().unwrap();
    let stored = [&full_length(full), full, b"value"].concat();
    assert_eq!(behind_full_key(&long, &stored), Some(stored.len() - 5));
    assert_eq!([&b"42"[..], b"9 ", b"-7"].map(|number| behind_full_key(&long, number)), [Some(0); 3]);
    assert_eq!([&b"value"[..], b"\0\0\0\x03t:kvalue"].map(|other| behind_full_key(&long, other)), [None; 2]);
    assert_eq!(behind_full_key(&short, b"value"), Some(0));
}
