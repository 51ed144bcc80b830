//! What the near store keeps when it is full, against what LRU keeps.

#[path = "support/hits.rs"]
mod hits;

use hits::{Asked, KEYS, Near, Shape, lru, trace};

#[test]
fn a_scan_of_ten_times_the_cache_leaves_the_hot_set() {
    let mut near = Near::new(1 << 20);
    let room = near.room();
    let mut least = lru(room);
    let hot = || 0..room as u64 / 2;
    for _ in 0..4 {
        hot().for_each(|key| {
            near.ask(key);
            least.ask(key);
        });
    }
    for key in (KEYS..).take(10 * room) {
        assert!(!near.ask(key as u64) && !least.ask(key as u64), "nobody has seen {key}");
    }
    let kept = hot().filter(|key| near.ask(*key)).count();
    // Where all is hot, one goes after 64 that are spared.
    assert!(kept >= room / 2 * 63 / 64, "{kept} of {}", room / 2);
    assert_eq!(hot().filter(|key| least.ask(*key)).count(), 0, "what such a scan does to LRU");
}

#[test]
fn what_became_hot_while_the_store_was_full_survives_a_scan_too() {
    let mut near = Near::new(1 << 20);
    let room = near.room();
    for key in (KEYS..).take(2 * room) {
        near.ask(key as u64);
    }
    let hot = || 0..room as u64 / 40;
    for _ in 0..4 {
        hot().for_each(|key| {
            near.ask(key);
        });
    }
    for key in (KEYS * 2..).take(10 * room) {
        near.ask(key as u64);
    }
    let kept = hot().filter(|key| near.ask(*key)).count();
    assert_eq!(kept, room / 40);
}

#[test]
fn hits_are_not_fewer_than_lrus() {
    for skew in [0.7, 1.0, 1.2] {
        for shape in [Shape::Zipf(skew), Shape::Scanned(skew, 1), Shape::Scanned(skew, 2)] {
            let trace = trace(shape, 150_000, 7);
            for bytes in [256 << 10, 1 << 20] {
                let mut near = Near::new(bytes);
                let mut least = lru(near.room());
                let (ours, theirs) = (near.hits(&trace), least.hits(&trace));
                assert!(ours >= theirs, "{shape:?} {bytes}: {ours:.4} against {theirs:.4}");
            }
        }
    }
}
