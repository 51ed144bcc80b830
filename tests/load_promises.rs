//! The promise of lookups in a simulated farm: a value read before an invalidation is never kept after it. Many seeds, each one story of
//! faults, and of loaders that stand still between reading and storing.
//!
//! `SIM_SEEDS=100000 cargo test --release --test load_promises` runs more; `make sim LOADS=1 SEED=42` tells one story.

// Telling a story is the example's part.
#[allow(dead_code)]
mod simulation;

use simulation::loads::{LOADS, Rules};
use simulation::runs;
use simulation::world::Options;

#[test]
fn what_was_read_before_an_invalidation_is_not_kept_after_it() {
    let seeds = runs::seeds(300, 10_000);
    let tally = runs::many(seeds.clone(), &LOADS, 10);
    let (hits, overtaken) = (tally.hits, tally.overtaken);
    println!("seeds {seeds:?}: {tally}, {hits} lookups answered from the cache, {overtaken} loads overtaken");
    assert!(tally.bad.is_empty(), "make sim LOADS=1 SEED={} tells the story: {:?}", tally.bad[0].0, tally.bad);
    assert!(tally.never_whole.is_empty(), "never whole again: {:?}", tally.never_whole);
    assert!(hits > tally.calls / 5 && overtaken as u64 > tally.runs, "hardly any load met an invalidation");
}

/// How many seeds may be needed to show that a mechanism is missing.
const SEARCH: u64 = 1_000;

/// Each mechanism is needed: without it an old value is served.
#[test]
fn without_any_one_mechanism_an_old_value_is_kept() {
    let all = Rules::ALL;
    for (name, rules) in [
        ("cas", Rules { cas: false, ..all }),
        ("the cas of the loader's own place", Rules { own: false, ..all }),
        ("the place before the reading", Rules { place_first: false, ..all }),
        ("repetition of an invalidation", Rules { repeated: false, ..all }),
    ] {
        let tally = runs::many(0..SEARCH, &Options { loads: Some(rules), ..LOADS }, 1);
        println!("without {name}: after {} runs {:?}", tally.runs, tally.bad);
        let (_, what) = tally.bad.first().unwrap_or_else(|| panic!("without {name} the judge finds nothing"));
        assert_eq!(*what, "P2: an invalidated value is served", "without {name}");
    }
}
