//! The copies' promises in a simulated farm: many seeds, each one story of faults.
//!
//! `SIM_SEEDS=100000 cargo test --release --test simulation` runs more; `make sim SEED=42` tells one story.

#[path = "simulation/check.rs"]
mod check;
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/history.rs"]
mod history;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/runs.rs"]
mod runs;
#[path = "simulation/server.rs"]
mod server;
#[path = "simulation/setup.rs"]
mod setup;
#[path = "simulation/trace.rs"]
mod trace;
#[path = "simulation/watcher.rs"]
mod watcher;
#[path = "simulation/worker.rs"]
mod worker;
#[path = "simulation/world.rs"]
mod world;

use shardcache::cluster::copies::Rules;
use world::Options;

/// The protocol with lifetimes that fit short runs: the servers' "second" lasts 100 ms here.
const RULES: Rules = Rules { tomb_ttl: 120, calm_ms: 300, ..Rules::ALL };

const ALL: Options = Options { rules: RULES, faults: 3, trace: false, kinds: &[], counters: false, hosts: 0, servers: 0 };

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn seeds() -> std::ops::Range<u64> {
    let first = number("SIM_FIRST").unwrap_or(0);
    first..first + number("SIM_SEEDS").unwrap_or(if cfg!(debug_assertions) { 300 } else { 10_000 })
}

#[test]
fn the_promises_hold() {
    let tally = runs::many(seeds(), &ALL, 10);
    println!("{tally:?}");
    assert!(tally.bad.is_empty(), "make sim SEED={} tells the story: {:?}", tally.bad[0].0, tally.bad);
    assert!(tally.never_whole.is_empty(), "never whole again: {:?}", tally.never_whole);
}

/// For `make sim SEED=…`.
#[test]
#[ignore = "tells the story of SIM_SEED"]
fn story() {
    println!("{}", runs::replay(number("SIM_SEED").unwrap_or(0), &ALL));
}
