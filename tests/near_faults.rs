//! Near tables while servers freeze, die, come back or are cut off: nobody reads an old value later than promised.

mod support;

use std::time::Duration;
use support::race::Outcome;
use support::races::{self, DELTA, Fault, Pace};

const PACE: Pace = Pace { state: Duration::from_secs(1), pause: Duration::from_millis(20) };

fn nobody_reads_an_old_value_late(fault: Fault) {
    races::run(fault, PACE, |table, outcome| {
        let Outcome { reads, near, unserved, .. } = outcome;
        let (changes, latest) = (outcome.late.len(), outcome.latest());
        println!("{table}: {changes} changes, {reads} reads, {near} near, {unserved} unserved, latest {latest:?}");
        assert!(latest <= DELTA, "{table}: an older value {latest:?} after the change");
        assert!(changes > 20 && near > 100, "{table}: {changes} changes, {near} near");
    });
}

#[test]
fn while_all_is_well() {
    nobody_reads_an_old_value_late(Fault::None);
}

#[test]
fn while_a_server_freezes_dies_and_comes_back() {
    nobody_reads_an_old_value_late(Fault::Servers);
}

#[test]
fn while_the_reader_is_cut_off_from_a_server() {
    nobody_reads_an_old_value_late(Fault::ReaderCutOff);
}

#[test]
fn while_the_writer_is_cut_off_from_a_server() {
    nobody_reads_an_old_value_late(Fault::WriterCutOff);
}
