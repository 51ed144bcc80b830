//! Deadlines that callers paid to a server that does not answer (P4): at most three one after the other per host and outage, none
//! once the server is out of use.

use super::history::Call;
use super::ledger::Table;
use super::outage::Outage;
use super::{CMD_TIMEOUT_MS, SOFT_FAILURES};

/// What a host's callers waited for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// The longest series of calls, each begun after the one before had ended, that waited for a deadline.
    pub series: usize,
    /// Calls that were begun while the server was out of use, and waited all the same.
    pub needless: usize,
}

impl Waits {
    /// More than an outage may cost in which the server was given up `trips` times.
    pub fn too_many(&self, trips: u64) -> bool {
        self.series as u64 > SOFT_FAILURES + trips.saturating_sub(1) || self.needless > 0
    }
}

/// What `host` waited for in an outage, in which it counted `paid` deadlines; `stalled` is how much of a call's time the machine is to
/// blame for. A slow server that answers makes calls as long as a deadline, and costs none.
pub fn of(outage: &Outage, host: usize, paid: u64, calls: &[(Table, Call)], stalled: impl Fn(&Call) -> u64) -> Waits {
    let meets = |call: &Call| call.host == host && (outage.begun..outage.whole).contains(&call.begun);
    let late = |(table, call): &&(Table, Call)| meets(call) && call.took() >= deadline(*table) + stalled(call);
    let mut waited: Vec<&Call> = calls.iter().filter(late).map(|(_, call)| call).collect();
    let needless = waited.iter().filter(|call| outage.covers(call)).count();
    Waits { series: series(&mut waited).min(usize::try_from(paid).unwrap_or(usize::MAX)), needless }
}

/// What a call waits at least that meets a deadline, microseconds.
fn deadline(table: Table) -> u64 {
    if table == Table::Single { CMD_TIMEOUT_MS * 1_000 } else { CMD_TIMEOUT_MS * 400 }
}

/// The most calls that follow each other without overlapping.
fn series(calls: &mut [&Call]) -> usize {
    calls.sort_by_key(|call| call.ended);
    let mut until = 0;
    let follows = |call: &&&Call| {
        let follows = call.begun >= until;
        until = if follows { call.ended } else { until };
        follows
    };
    calls.iter().filter(follows).count()
}

#[cfg(test)]
mod tests {
    use super::super::history::Act;
    use super::*;

    fn waits(times: &[(u64, u64)]) -> usize {
        let call = |(begun, ended): &(u64, u64)| Call {
            act: Act::Get,
            host: 0,
            value: None,
            number: None,
            begun: *begun,
            ended: *ended,
            rc: Some(1),
            error: "",
        };
        let calls: Vec<Call> = times.iter().map(call).collect();
        series(&mut calls.iter().collect::<Vec<_>>())
    }

    #[test]
    fn calls_that_wait_at_the_same_time_are_one_of_the_series() {
        assert_eq!(waits(&[]), 0);
        assert_eq!(waits(&[(0, 20), (1, 21), (2, 22), (19, 39)]), 1);
        assert_eq!(waits(&[(0, 20), (5, 25), (20, 40), (26, 46), (41, 61)]), 3);
    }

    #[test]
    fn three_one_after_the_other_are_allowed_and_one_more_for_each_further_trip() {
        let waits = |series, needless| Waits { series, needless };
        assert_eq!([3, 4].map(|series| waits(series, 0).too_many(1)), [false, true]);
        assert_eq!([4, 5].map(|series| waits(series, 0).too_many(2)), [false, true]);
        assert!(waits(1, 1).too_many(1));
    }
}
