//! What one caller may rely on, as tables.

use super::*;
use crate::clock::monotonic_ns;
use std::time::Duration;

pub(super) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

pub(super) fn how(ttl: u64, now: u64) -> Terms {
    Terms { ttl, now, ..Terms::default() }
}

pub(super) fn read(store: &Store, key: &[u8], now: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    store.get(key, now, &mut out, soon()).unwrap().map(|_| out)
}

fn put(store: &Store, mode: Mode, key: &[u8], value: &[u8]) -> Put {
    store.put(mode, key, value, how(0, 1), soon()).unwrap()
}

#[test]
fn a_mode_stores_only_where_it_may() {
    let store = Store::create(0).unwrap();
    let Put::Stored { cas } = put(&store, Mode::Set, b"there", b"old") else { panic!("not stored") };
    let stored = None;
    for (mode, key, want) in [
        (Mode::Add, "there", Some(Put::NotStored)),
        (Mode::Replace, "gone", Some(Put::NotStored)),
        (Mode::Cas(cas), "gone", Some(Put::NotFound)),
        (Mode::Cas(cas + 1), "there", Some(Put::Exists)),
        (Mode::Cas(cas), "there", stored),
        (Mode::Cas(cas), "there", Some(Put::Exists)),
        (Mode::Add, "new", stored),
        (Mode::Replace, "new", stored),
        (Mode::Set, "new", stored),
    ] {
        let before = read(&store, key.as_bytes(), 1);
        let got = put(&store, mode, key.as_bytes(), b"value");
        let after = read(&store, key.as_bytes(), 1);
        match want {
            Some(refusal) => assert_eq!((got, after), (refusal, before), "{mode:?} {key}"),
            None => {
                assert!(matches!(got, Put::Stored { cas: new } if new > cas), "{mode:?} {key}: {got:?}");
                assert_eq!(after.as_deref(), Some(&b"value"[..]));
            }
        }
    }
}

#[test]
fn sizes_at_every_edge_come_back_as_they_went() {
    let store = Store::create(32 << 20).unwrap();
    let bytes: Vec<u8> = (0..MAX_VALUE).map(|at| (at * 31 % 251) as u8).collect();
    for key_len in [0, 1, 75, 76, 77, 195, 196, 197, 1_000, MAX_KEY] {
        for value_len in [0, 1, 75, 76, 77, 119, 120, 121, 196, 5_000, MAX_VALUE] {
            let (key, value) = (&bytes[..key_len], &bytes[7..][..value_len.min(MAX_VALUE - 7)]);
            assert!(matches!(put(&store, Mode::Set, key, value), Put::Stored { .. }), "{key_len} {value_len}");
            assert_eq!(read(&store, key, 1).as_deref(), Some(value), "{key_len} {value_len}");
        }
    }
    super::model::sweep(&store);
}

#[test]
fn what_is_too_large_is_refused_with_the_limit_and_leaves_the_old() {
    for (bytes, want) in [(0, 100_000..140_000), (1 << 20, 450_000..550_000), (32 << 20, MAX_VALUE..MAX_VALUE + 1)] {
        let store = Store::create(bytes).unwrap();
        let limit = store.limit(1);
        assert!(want.contains(&limit), "{bytes}: {limit}");
        put(&store, Mode::Set, b"k", b"old");
        assert_eq!(put(&store, Mode::Set, b"k", &vec![1; limit + 1]), Put::TooLarge { limit });
        assert_eq!(read(&store, b"k", 1).as_deref(), Some(&b"old"[..]));
        assert!(matches!(put(&store, Mode::Set, b"k", &vec![1; limit]), Put::Stored { .. }));
        assert_eq!(read(&store, b"k", 1).map(|value| value.len()), Some(limit));
    }
    let store = Store::create(0).unwrap();
    let long = vec![b'k'; MAX_KEY + 1];
    assert_eq!(store.put(Mode::Set, &long, b"", how(0, 1), soon()), Err(Fault::KeyTooLong));
    assert_eq!(store.remove(&long, None, 1, soon()), Err(Fault::KeyTooLong));
}

#[test]
fn an_entry_lives_as_long_as_its_ttl() {
    let store = Store::create(0).unwrap();
    for (ttl, touched, alive, gone) in
        [(5, None, 104, Some(105)), (0, None, u64::MAX, None), (5, Some(60), 161, Some(162))]
    {
        store.put(Mode::Set, b"k", b"v", Terms { flags: 9, ..how(ttl, 100) }, soon()).unwrap();
        if let Some(ttl) = touched {
            assert_eq!(store.touch(b"k", ttl, 102, soon()), Ok(true));
        }
        let hit = store.look(b"k", alive, soon()).unwrap().unwrap();
        assert_eq!((hit.flags, hit.stored, hit.expires), (9, 100, gone.unwrap_or(0)));
        if let Some(gone) = gone {
            assert_eq!(read(&store, b"k", gone), None);
            assert_eq!(store.touch(b"k", 9, gone, soon()), Ok(false));
            assert_eq!(store.stats(soon()).unwrap().items, 0);
        }
    }
    assert_eq!(store.stats(soon()).unwrap().expired, 2);
}

#[test]
fn counters_stay_between_zero_and_the_largest_integer() {
    use Delta::{NotANumber, NotFound, Number, Overflow};
    const MOST: u64 = i64::MAX as u64;
    let store = Store::create(0).unwrap();
    for (before, up, n, initial, want, after) in [
        (None, true, 1, None, NotFound, None),
        (None, true, 1, Some(7), Number(7), Some("7")),
        (None, true, 1, Some(MOST + 1), Overflow, None),
        (Some("7"), true, 3, Some(0), Number(10), Some("10")),
        (Some("10"), false, 1, None, Number(9), Some("9")),
        (Some("10"), false, 11, None, Number(0), Some("0")),
        (Some("9 "), true, 1, None, Number(10), Some("10")),
        (Some("9223372036854775806"), true, 1, None, Number(MOST), Some("9223372036854775807")),
        (Some("9223372036854775807"), true, 1, None, Overflow, Some("9223372036854775807")),
        (Some("1"), true, u64::MAX, None, Overflow, Some("1")),
        (Some("9223372036854775808"), false, 1, None, NotANumber, Some("9223372036854775808")),
        (Some("-1"), true, 1, None, NotANumber, Some("-1")),
        (Some("x"), true, 1, Some(1), NotANumber, Some("x")),
        (Some(""), true, 1, None, NotANumber, Some("")),
        (Some("1111111111111111111111111"), true, 1, None, NotANumber, Some("1111111111111111111111111")),
    ] {
        store.remove(b"n", None, 1, soon()).unwrap();
        if let Some(before) = before {
            put(&store, Mode::Set, b"n", before.as_bytes());
        }
        assert_eq!(store.delta(b"n", up, n, initial, how(0, 1), soon()), Ok(want), "{before:?} {up} {n}");
        assert_eq!(read(&store, b"n", 1).as_deref(), after.map(str::as_bytes), "{before:?} {up} {n}");
    }
}

#[test]
fn a_counter_keeps_its_ttl_and_flags() {
    let store = Store::create(0).unwrap();
    store.delta(b"n", true, 1, Some(5), Terms { flags: 3, ..how(10, 100) }, soon()).unwrap();
    store.delta(b"n", true, 1, Some(5), Terms { flags: 4, ..how(99, 105) }, soon()).unwrap();
    let hit = store.look(b"n", 109, soon()).unwrap().unwrap();
    assert_eq!((hit.flags, hit.expires), (3, 110));
    assert_eq!(read(&store, b"n", 109).as_deref(), Some(&b"6"[..]));
}

#[test]
fn remove_can_insist_on_the_cas_number() {
    let store = Store::create(0).unwrap();
    let Put::Stored { cas } = put(&store, Mode::Set, b"k", b"v") else { panic!("not stored") };
    for (asked, want) in [
        (Some(cas + 1), Removed::Exists),
        (Some(cas), Removed::Done),
        (Some(cas), Removed::NotFound),
        (None, Removed::NotFound),
    ] {
        assert_eq!(store.remove(b"k", asked, 1, soon()), Ok(want));
    }
}

#[test]
fn what_is_used_survives_a_flood_of_what_is_not() {
    let store = Store::create(0).unwrap();
    put(&store, Mode::Set, b"hot", b"value");
    for number in 0..20_000 {
        put(&store, Mode::Set, format!("cold{number}").as_bytes(), &[1; 100]);
        if number % 500 == 0 {
            assert!(read(&store, b"hot", 1).is_some(), "lost after {number}");
        }
    }
    let stats = store.stats(soon()).unwrap();
    assert!(stats.evictions > 15_000 && stats.used <= stats.capacity, "{stats:?}");
    super::model::sweep(&store);
}

#[test]
fn what_has_expired_goes_before_what_lives() {
    let store = Store::create(0).unwrap();
    let fill = |name: &str, ttl, now| {
        for number in 0..700 {
            let key = format!("{name}{number}");
            assert!(matches!(
                store.put(Mode::Set, key.as_bytes(), &[1; 20], how(ttl, now), soon()),
                Ok(Put::Stored { .. })
            ));
        }
    };
    fill("short", 1, 100);
    fill("new", 0, 200);
    fill("newer", 0, 200);
    let stats = store.stats(soon()).unwrap();
    assert!((stats.evictions, stats.expired > 0) == (0, true), "{stats:?}");
}

#[test]
fn a_dump_gives_every_entry_once_while_others_come_and_go() {
    let store = Store::create(32 << 20).unwrap();
    for number in 0..3_000 {
        put(&store, Mode::Set, format!("keep:{number}").as_bytes(), format!("{number}").as_bytes());
        put(&store, Mode::Set, format!("other:{number}").as_bytes(), b"");
    }
    let (mut cursor, mut found, mut pages) = (0, Vec::new(), 0);
    loop {
        let page = store.scan(cursor, 100, b"keep:", 1, soon()).unwrap();
        assert!(page.entries.len() < 120);
        found.extend(page.entries.into_iter().map(|entry| (entry.key, entry.value)));
        pages += 1;
        put(&store, Mode::Set, format!("other:{}", 10_000 + pages).as_bytes(), b"");
        put(&store, Mode::Set, format!("keep:{}", pages % 3_000).as_bytes(), format!("{}", pages % 3_000).as_bytes());
        store.remove(format!("other:{pages}").as_bytes(), None, 1, soon()).unwrap();
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    found.sort();
    let mut want: Vec<_> = (0..3_000).map(|n| (format!("keep:{n}").into_bytes(), n.to_string().into_bytes())).collect();
    want.sort();
    assert_eq!((found == want, pages >= 30), (true, true), "{} of {} in {pages}", found.len(), want.len());
    assert_eq!(store.scan(u64::MAX, 1, b"", 1, soon()), Ok(Page::default()));
}

#[test]
fn a_dump_gets_on_even_with_a_deadline_that_is_over() {
    let store = Store::create(0).unwrap();
    put(&store, Mode::Set, b"k", b"v");
    let (mut cursor, mut found) = (0, 0);
    for _ in 0..10_000 {
        let page = store.scan(cursor, 100, b"", 1, Deadline::at_ns(monotonic_ns())).unwrap();
        found += page.entries.len();
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(found, 1);
}
