//! What holds for any key.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..400),
        proptest::collection::vec(0x21_u8..=0x7e, 1..400),
        "[a-c:@#!0-9=]{1,12}".prop_map(String::into_bytes),
    ]
}

fn any_space() -> impl Strategy<Value = (Kind, Part)> {
    let kind = prop_oneof![Just(Kind::Entry), Just(Kind::Lock), Just(Kind::Fence)];
    let part = prop_oneof![Just(Part::Item), Just(Part::Tomb), (1..=u64::MAX).prop_map(Part::Counter)];
    (kind, part)
}

fn any_entry() -> impl Strategy<Value = (String, u64, Vec<u8>)> {
    let table = prop_oneof!["[A-Za-z0-9_]{1,32}", "[ab]{1,2}"];
    (table, prop_oneof![Just(0), 1_u64..12, any::<u64>()], any_key())
}

proptest! {
    #[test]
    fn any_entry_has_a_harmless_key_that_parses_back((table, generation, raw) in any_entry()) {
        let key = wire(&table, generation, &raw);
        harmless(&key);
        comes_back(&key, &table, generation, &raw);
    }

    #[test]
    fn any_part_of_a_key_parses_back((kind, part) in any_space(), (table, generation, raw) in any_entry()) {
        let (mut key, space) = (WireKey::new(), Space { kind, table: &table, generation });
        key.part(space, part, &raw).unwrap();
        harmless(&key);
        part_comes_back(&key, space, part, &raw);
    }

    #[test]
    fn a_prefix_and_a_key_are_the_wire_key_where_it_is_printable((table, generation, raw) in any_entry()) {
        let (key, prefix) = (wire(&table, generation, &raw), Prefix::new(&table, generation).unwrap());
        prop_assert_eq!(prefix.fits(&raw), !key.base64() && key.full().is_none());
        if prefix.fits(&raw) {
            prop_assert_eq!(key.bytes(), [prefix.bytes(), &raw].concat());
        }
    }

    #[test]
    fn different_entries_never_share_a_key(entries in proptest::collection::vec(any_entry(), 2..40)) {
        let mut seen = HashMap::new();
        for entry in entries {
            let key = wire(&entry.0, entry.1, &entry.2);
            let before = seen.insert((key.bytes().to_vec(), key.base64()), entry.clone());
            prop_assert!(before.is_none_or(|before| before == entry));
        }
    }

    #[test]
    fn a_reused_key_equals_a_fresh_one(entries in proptest::collection::vec(any_entry(), 1..8)) {
        let mut reused = WireKey::new();
        for (table, generation, raw) in &entries {
            reused.set(table, *generation, raw).unwrap();
            let fresh = wire(table, *generation, raw);
            prop_assert_eq!((reused.bytes(), reused.base64(), reused.full()), (fresh.bytes(), fresh.base64(), fresh.full()));
        }
    }

    #[test]
    fn whatever_parses_is_what_is_made(bytes in "(!(tomb|lock|fence)(!(tomb|lock))?:)?[tx]{1,3}[:@#%][0-9:%]{0,4}[a-zA-Z0-9_=-]{0,44}") {
        let found = parse(bytes.as_bytes(), false);
        if let Some(Parsed { kind, table, generation, part, form: Form::Plain(raw) }) = found {
            let mut made = WireKey::new();
            made.part(Space { kind, table: &table, generation }, part, &raw).unwrap();
            prop_assert_eq!(text(&made), bytes);
        }
    }
}
