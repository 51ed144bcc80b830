//! Any stored bytes and flags: they read as one item or as none, and what is read is written and read again as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcache::value::frame::{FRAME, Item, Loading, Row, Tagged, Wire};

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<4>() else { return };
    for flags in [FRAME, u32::from_le_bytes(*head)] {
        let wire = Wire { data: rest, flags };
        if let Some(entry) = Tagged::from_wire(wire) {
            assert!(entry.to_wire(&mut Vec::new()).data == rest && Item::from_wire(wire).is_none());
        }
        let Some(item) = Item::from_wire(wire) else { continue };
        let mut room = Vec::new();
        assert!(Item::from_wire(item.to_wire(&mut room)) == Some(item));
        assert!(!item.negative() || item.shown().is_none(), "a no has nothing to show");
        match item {
            Item::Row(row) => {
                let columns: Vec<_> = row.columns().collect();
                assert!(Row::new(&columns, &mut Vec::new()).columns().eq(columns.iter().copied()));
            }
            Item::Loading(Loading { old: Some(old), .. }) => {
                assert!(!matches!(Item::from_wire(old), Some(Item::Loading(_))), "a place within a place");
            }
            _ => {}
        }
    }
});
