//! A farm that exists only in numbers: model servers, hosts, faults, and a judge of every answer. One seed is one story.
//!
//! Comes in: the test of the promises, and `examples/simulate.rs`, which tells one story line by line.

pub mod actor;
pub mod check;
pub mod counts;
pub mod deeds;
pub mod faults;
pub mod history;
pub mod host;
pub mod loads;
pub mod near;
pub mod network;
pub mod outages;
pub mod rng;
pub mod runs;
pub mod server;
pub mod setup;
pub mod single;
pub mod story;
pub mod theme;
pub mod trace;
pub mod value;
pub mod watcher;
pub mod worker;
pub mod world;

use shardcache::cluster::copies::Rules;
use shardcache::cluster::seats;
use world::Options;

/// The protocol with lifetimes that fit short runs: the servers' "second" lasts 100 ms here.
pub const RULES: Rules = Rules { tomb_ttl: 120, calm_ms: 300, patience_ms: 600, ..Rules::ALL };

/// All kinds of faults.
pub const ALL: Options = Options {
    rules: RULES,
    single: None,
    near: None,
    loads: None,
    faults: 3,
    trace: false,
    kinds: &faults::ALL,
    hosts: 0,
    servers: 0,
    soft_failures: 0,
};

/// The same for tables with one copy.
pub const SEATS: seats::Rules = seats::Rules { pace_ms: [100, 800], ..seats::Rules::ALL };

pub const SINGLE: Options = Options { single: Some(SEATS), kinds: &faults::SINGLE, ..ALL };
