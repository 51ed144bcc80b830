//! Chaos: real memcached servers and real Kamailio hosts under load, one fault after the other, and a judge who holds every
//! answer against the promises P1 to P5.
//!
//! `campaign` is the story; `farm` and `faults` are what it happens to; `clients` ask and write down, `calls` are plain SIP
//! calls by sipp; `judge` is pure; `outage` and `report` say what it came to. Comes in: `make chaos` and `tests/chaos.rs`.

pub mod calls;
pub mod campaign;
pub mod clients;
pub mod deadlines;
pub mod farm;
pub mod faults;
pub mod history;
pub mod judge;
pub mod ledger;
pub mod outage;
pub mod report;
pub mod requests;
pub mod stalls;

#[path = "../simulation/rng.rs"]
mod rng;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// To be set when the round under way shall be the last.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// How long faults go on, and how many there are at most.
    pub length: Duration,
    pub rounds: usize,
    /// Which faults; they are shuffled, each comes as often as the others.
    pub kinds: Vec<faults::Kind>,
    /// `copies` of the tables that are judged as if they had two.
    pub copies: u8,
    /// Whether what is acknowledged must stay.
    pub keeps: bool,
    /// sipp calls per second and host.
    pub rate: usize,
    /// A line for each fault as it happens.
    pub told: bool,
}

pub const CMD_TIMEOUT_MS: u64 = 50;
pub const PROBE_INTERVAL_MS: u64 = 100;
pub const SOFT_FAILURES: u64 = 3;

/// How long another host may read an older value (P2), and what the clocks of a busy machine may add, microseconds.
pub const DELTA: u64 = (PROBE_INTERVAL_MS + CMD_TIMEOUT_MS) * 1_000;

/// One round in so many may have had a second fault by the machine; a run with more proves nothing.
pub const SECOND_FAULTS: usize = 4;

/// Microseconds of the machine's clock: the scripts tell theirs by the same.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock").as_micros() as u64
}
