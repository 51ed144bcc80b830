//! The promises with real processes, in short. `make chaos` goes on for half an hour.

#[path = "mod.rs"]
#[allow(dead_code)]
mod chaos;
#[path = "../support/mod.rs"]
mod support;

use chaos::{Plan, campaign, faults::Kind, report::Report};
use std::sync::Mutex;
use std::time::Duration;

/// Two farms at a time would disturb each other.
static ONE_FARM: Mutex<()> = Mutex::new(());

fn run(seconds: u64, kinds: &[Kind], copies: u8, keeps: bool) -> Report {
    let _alone = ONE_FARM.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let length = Duration::from_secs(seconds);
    let report = campaign::run(Plan { seed: 1, length, kinds: kinds.to_vec(), copies, keeps, rate: 20, told: true });
    println!("{}", report.markdown());
    report.broken.iter().take(5).for_each(|broken| println!("{}", broken.text));
    report
}

#[test]
fn what_is_promised_is_kept_while_one_thing_after_the_other_breaks() {
    let report = run(22, &Kind::ALL, 1, false);
    assert!(report.outages.len() > 5, "only {} faults", report.outages.len());
    assert!(report.kept());
}

/// The judge bites: a table that keeps one copy does not do what two would.
#[test]
fn one_copy_judged_as_two_is_found_out() {
    let report = run(4, &[Kind::KillEmpty], 1, true);
    assert!(report.count("P1") > 0);
    assert!(report.count("P3: an acknowledged increment is lost") > 0);
}
