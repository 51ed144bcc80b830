//! One fault as the callers felt it.

use super::farm::{Farm, HOSTS, WORKERS, server_name};
use super::faults::{Fault, Kind};
use super::history::Call;
use super::ledger::Table;
use super::{CMD_TIMEOUT_MS, SOFT_FAILURES, now};

/// What a host's statistics say of the server that is struck.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    pub timeouts: u64,
    pub trips: u64,
}

impl Counted {
    pub fn of(farm: &Farm, host: usize, server: usize) -> Counted {
        let name = server_name(server);
        let number = |what: &str| farm.statistic(host, &format!("server_{name}_{what}")).unwrap_or(0);
        Counted { timeouts: number("timeouts"), trips: number("trips") }
    }

    /// What came on top; a host that was started again counts from 0.
    pub fn since(self, before: Counted) -> Counted {
        let (timeouts, trips) =
            (self.timeouts.saturating_sub(before.timeouts), self.trips.saturating_sub(before.trips));
        Counted { timeouts, trips }
    }
}

/// Calls that were answered -2 or -3.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failed {
    /// While the fault lasted, and when it was over.
    pub during: usize,
    pub later: usize,
    /// The end of the last one during the fault, microseconds after its begin.
    pub until: u64,
}

#[derive(Clone, Debug)]
pub struct Outage {
    pub fault: Fault,
    /// Microseconds of the clock: done, made good, whole again.
    pub begun: u64,
    pub ended: u64,
    pub whole: u64,
    /// When each host had taken the server out of use.
    pub noticed: [Option<u64>; HOSTS],
    /// Deadlines that each host's workers paid to the struck server, and how often it was given up.
    pub paid: [Counted; HOSTS],
    pub calls: usize,
    /// Of tables with two copies, and with one.
    pub failed: [Failed; 2],
    /// Failed calls on tables with two copies.
    pub refused: Vec<Call>,
    /// The longest call, microseconds.
    pub longest: u64,
}

impl Outage {
    pub fn new(fault: Fault) -> Outage {
        let (noticed, paid, failed, refused) = Default::default();
        Outage { fault, begun: now(), ended: 0, whole: 0, noticed, paid, calls: 0, failed, refused, longest: 0 }
    }

    /// Counts what was called in the round.
    pub fn count(&mut self, calls: &[(Table, Call)]) {
        self.calls = calls.len();
        self.longest = calls.iter().map(|(_, call)| call.took()).max().unwrap_or(0);
        let begun = self.begun;
        let failed = |call: &Call| call.rc.is_some_and(|rc| rc < -1);
        let two = calls.iter().filter(|(table, call)| *table != Table::Single && failed(call));
        self.refused = two.map(|(_, call)| *call).collect();
        for (table, call) in calls.iter().filter(|(_, call)| failed(call) && call.begun >= begun) {
            let failed = &mut self.failed[usize::from(*table == Table::Single)];
            if call.begun > self.ended {
                failed.later += 1;
            } else {
                failed.during += 1;
                failed.until = failed.until.max(call.ended - begun);
            }
        }
    }

    /// A call in a line, with its time after the begin of the fault.
    pub fn told(&self, call: &Call) -> String {
        format!("{:>+8.1} ms: {call}", call.begun as f64 / 1e3 - self.begun as f64 / 1e3)
    }

    /// Whether this call met the fault at its height: its host had taken the server out of use.
    pub fn covers(&self, call: &Call) -> bool {
        self.noticed[call.host].is_some_and(|noticed| (noticed..self.ended).contains(&call.begun))
    }

    /// More deadlines than one outage may cost: a series until the server is given up, and one for each other worker, which
    /// may be waiting by then.
    pub fn overpaid(&self) -> Option<(usize, u64, u64)> {
        (0..HOSTS).filter(|host| self.fault.kind != Kind::HostDeath || *host != self.fault.host).find_map(|host| {
            let paid = self.paid[host];
            let most = paid.trips.max(1) * (SOFT_FAILURES + WORKERS as u64 - 1);
            (paid.timeouts > most).then_some((host, paid.timeouts, most))
        })
    }
}

/// Longer than a call may take, by more than the machine can be blamed for?
pub fn too_long(call: &Call, stalled: u64) -> bool {
    // Without a stall a busy machine still lets a process wait its turn.
    let slack = 15_000 + stalled;
    call.took() > CMD_TIMEOUT_MS * 1_000 + 1_000 + slack
}
