//! The promises with real processes, in short. `make chaos` goes on for half an hour.

#[path = "mod.rs"]
#[allow(dead_code)]
mod chaos;
#[path = "../support/mod.rs"]
mod support;

use chaos::report::{Outcome, Report};
use chaos::{Plan, campaign, faults::Kind};
use std::sync::Mutex;
use std::time::Duration;

/// Two farms at a time would disturb each other.
static ONE_FARM: Mutex<()> = Mutex::new(());

/// Each of these faults once.
fn run(kinds: &[Kind], copies: u8) -> Report {
    let _alone = ONE_FARM.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (kinds, rounds, length) = (kinds.to_vec(), kinds.len(), Duration::from_secs(120));
    let report = campaign::run(Plan { seed: 381, length, rounds, kinds, copies, keeps: true, rate: 20, told: true });
    println!("{}", report.markdown());
    report.broken.iter().take(5).for_each(|broken| println!("{}", broken.text));
    report
}

#[test]
fn what_is_promised_is_kept_while_one_thing_after_the_other_breaks() {
    let kinds = [Kind::KillEmpty, Kind::KillWarm, Kind::FreezeLong, Kind::CutOne];
    let report = run(&kinds, 2);
    assert_eq!(report.outages.len(), kinds.len());
    // A machine that stalls while a server is down may make it void.
    assert_ne!(report.outcome(), Outcome::Broken);
}

/// The judge bites: a table that keeps one copy does not do what two would.
#[test]
fn one_copy_judged_as_two_is_found_out() {
    let report = run(&[Kind::KillEmpty], 1);
    for what in ["P1", "P3: an acknowledged increment is lost"] {
        assert!(report.broken.iter().any(|broken| broken.what.starts_with(what)), "{what}");
    }
}
