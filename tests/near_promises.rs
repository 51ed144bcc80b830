//! The promises of near tables in a simulated farm: many seeds, each one story of faults.
//!
//! `SIM_SEEDS=100000 cargo test --release --test near_promises` runs more; `make sim NEAR=1 SEED=42` tells one story, of tables with
//! one copy `make sim NEAR=1 COPIES=1 SEED=42`.

// Telling a story is the example's part.
#[allow(dead_code)]
mod simulation;

#[cfg(not(debug_assertions))]
use simulation::near::Rules;
use simulation::near::{NEAR, NEAR_SINGLE};
use simulation::runs;
use simulation::world::Options;

fn seeds() -> std::ops::Range<u64> {
    runs::seeds(100, 2_000)
}

fn hold(options: &Options, story: &str) {
    let tally = runs::many(seeds(), options, 10);
    println!("seeds {:?}: {tally}, {} near hits", seeds(), tally.near_hits);
    assert!(tally.bad.is_empty(), "make sim {story} SEED={} tells the story: {:?}", tally.bad[0].0, tally.bad);
    assert!(tally.never_whole.is_empty(), "never whole again: {:?}", tally.never_whole);
    assert!(tally.near_hits > tally.calls / 20, "hardly any near hit");
}

#[test]
fn near_tables_with_two_copies_keep_the_promises() {
    hold(&NEAR, "NEAR=1");
}

#[test]
fn near_tables_with_one_copy_keep_the_promises() {
    hold(&NEAR_SINGLE, "NEAR=1 COPIES=1");
}

/// How many seeds may be needed to show that a mechanism is missing.
#[cfg(not(debug_assertions))]
const SEARCH: u64 = 20_000;

/// Each mechanism is needed, with two copies or with one: without it an old value is served.
#[test]
#[cfg(not(debug_assertions))]
fn without_any_one_mechanism_a_near_entry_is_old() {
    let (all, one, two) = (Rules::ALL, NEAR_SINGLE, NEAR);
    for (name, rules, options) in [
        ("announcements", Rules { announced: false, ..all }, &two),
        ("the announcement behind the change", Rules { behind: false, ..all }, &one),
        ("the stripe before the root", Rules { stripe_first: false, ..all }, &one),
        ("the stamp before the read", Rules { early: false, ..all }, &two),
        ("the item's own end", Rules { lifetimes: false, ..all }, &two),
        ("the worker's own versions", Rules { own: false, ..all }, &two),
        ("the worker's own versions after its change", Rules { own_behind: false, ..all }, &two),
        ("the root before the stripes", Rules { root_first: false, ..all }, &one),
        ("the stripes before the poll counts", Rules { applied: false, ..all }, &one),
        ("polls that count from when they were sent", Rules { sent: false, ..all }, &one),
        ("a root that is missing", Rules { missing: false, ..all }, &one),
        ("a number that is smaller", Rules { smaller: false, ..all }, &one),
        ("numbers from the clock", Rules { clock: false, ..all }, &one),
        ("a new watcher that raises all", Rules { successor: false, ..all }, &two),
        ("the partner's version", Rules { partner: false, ..all }, &two),
        ("the marks", Rules { marks: false, ..all }, &two),
        ("the age of polls", Rules { young: false, ..all }, &two),
        ("the polls of both servers", Rules { both: false, ..all }, &one),
        ("the polls before the versions", Rules { polls_first: false, ..all }, &one),
    ] {
        let tally = runs::many(0..SEARCH, &Options { near: Some(rules), ..options.clone() }, 1);
        println!("without {name}: after {} runs {:?}", tally.runs, tally.bad);
        assert!(!tally.bad.is_empty(), "without {name} the judge finds nothing in {SEARCH} seeds");
    }
}
