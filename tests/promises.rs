//! The copies' promises in a simulated farm: many seeds, each one story of faults.
//!
//! `SIM_SEEDS=100000 cargo test --release --test promises` runs more; `make sim SEED=42` tells one story.

// Telling a story is the example's part.
#[allow(dead_code)]
mod simulation;

use shardcache::cluster::copies::Rules;
#[cfg(not(debug_assertions))]
use shardcache::cluster::seats;
#[cfg(not(debug_assertions))]
use simulation::SEATS;
use simulation::world::Options;
use simulation::{ALL, RULES, SINGLE, runs};

/// How many seeds may be needed to show that a mechanism is missing.
#[cfg(not(debug_assertions))]
const SEARCH: u64 = 20_000;

fn seeds() -> std::ops::Range<u64> {
    runs::seeds(300, 10_000)
}

#[test]
fn the_promises_hold() {
    let tally = runs::many(seeds(), &ALL, 10);
    println!("seeds {:?}: {tally}", seeds());
    assert!(tally.bad.is_empty(), "make sim SEED={} tells the story: {:?}", tally.bad[0].0, tally.bad);
    assert!(tally.never_whole.is_empty(), "never whole again: {:?}", tally.never_whole);
}

/// Each mechanism is needed: without it the judge finds a broken promise.
#[test]
#[cfg(not(debug_assertions))]
fn without_any_one_mechanism_a_promise_breaks() {
    let all = RULES;
    for (name, rules) in [
        ("stamps", Rules { stamps: false, ..all }),
        ("the bump before acknowledging", Rules { bump: false, ..all }),
        ("tombstones", Rules { tombs: false, ..all }),
        ("tombstones and complete sides", Rules { tombs: false, complete: false, ..all }),
        ("two looks before repair", Rules { two_looks: false, ..all }),
        ("epochs in the names of counters", Rules { counter_epochs: false, ..all }),
        ("the mark read in each write", Rules { witness: false, ..all }),
        ("a lost mark made again from memory", Rules { memory: false, ..all }),
        ("the question whether the other side is complete", Rules { survivor: false, ..all }),
        ("silence that is no answer about doubtful items", Rules { confirm: false, ..all }),
        ("activation", Rules { activation: false, stamp_bits: 3, ..all }),
        ("the word of both sides for a miss", Rules { sure_miss: false, ..all }),
        ("standing back while most of the pool is down", Rules { stand_back: false, ..all }),
        ("a look at the health before each packet", Rules { heed: false, ..all }),
    ] {
        let tally = runs::many(0..SEARCH, &Options { rules, ..ALL }, 1);
        println!("without {name}: after {} runs {:?} never whole {}", tally.runs, tally.bad, tally.never_whole.len());
        assert!(!tally.bad.is_empty(), "without {name} the judge finds nothing in {SEARCH} seeds");
    }
}

/// A server that hangs is given up after so many failures in a row, and then costs nobody a deadline.
#[test]
fn without_giving_up_a_server_the_deadlines_add_up() {
    let tally = runs::many(0..1_000, &Options { soft_failures: 100, ..ALL }, 1);
    println!("without giving up: after {} runs {:?}", tally.runs, tally.bad);
    assert!(tally.bad.iter().any(|(_, what)| *what == "P4: a dead server costs a fourth deadline"), "{:?}", tally.bad);
}

#[test]
fn narrow_stamps_do_not_wrap_in_an_outage() {
    let rules = Rules { stamp_bits: 3, ..RULES };
    let tally = runs::many(seeds(), &Options { rules, ..ALL }, 10);
    assert!(tally.bad.is_empty(), "{:?}", tally.bad);
}

#[test]
fn the_promises_hold_for_tables_with_one_copy() {
    let tally = runs::many(seeds(), &SINGLE, 10);
    println!("seeds {:?}: {tally}", seeds());
    assert!(tally.bad.is_empty(), "make sim COPIES=1 SEED={} tells the story: {:?}", tally.bad[0].0, tally.bad);
    assert!(tally.never_whole.is_empty(), "never whole again: {:?}", tally.never_whole);
}

/// Each mechanism of the stand-ins is needed.
#[test]
#[cfg(not(debug_assertions))]
fn without_any_one_mechanism_a_promise_of_one_copy_breaks() {
    let all = SEATS;
    for (name, rules) in [
        ("the pause before the stand-in", seats::Rules { fence_wait: false, ..all }),
        ("the pause before the home", seats::Rules { close_wait: false, ..all }),
        ("stamps", seats::Rules { stamps: false, ..all }),
        ("the seat's number in the stand-in's keys", seats::Rules { numbered: false, ..all }),
        ("notes of hosts in trouble", seats::Rules { ill: false, ..all }),
        ("a lost record made again from memory", seats::Rules { memory: false, ..all }),
        ("the home's copy of the record", seats::Rules { copy: false, ..all }),
        ("the record read by hosts that lag", seats::Rules { verify: false, ..all }),
        ("questions before commands", seats::Rules { guards: false, ..all }),
    ] {
        let tally = runs::many(0..SEARCH, &Options { single: Some(rules), ..SINGLE }, 1);
        println!("without {name}: after {} runs {:?} never whole {}", tally.runs, tally.bad, tally.never_whole.len());
        assert!(!tally.bad.is_empty(), "without {name} the judge finds nothing in {SEARCH} seeds");
    }
}
