//! One fault as the callers felt it.

use super::farm::{Farm, HOSTS, WORKERS, server_name};
use super::faults::{Fault, Kind};
use super::history::Call;
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
    /// Calls answered -2 and -3, while it lasted and afterwards.
    pub failed: [usize; 2],
    /// The last of these that began while it lasted, microseconds after its begin.
    pub failing: u64,
    /// The longest call, microseconds.
    pub longest: u64,
}

impl Outage {
    pub fn new(fault: Fault) -> Outage {
        let (noticed, paid) = ([None; HOSTS], [Counted::default(); HOSTS]);
        Outage {
            fault,
            begun: now(),
            ended: 0,
            whole: 0,
            noticed,
            paid,
            calls: 0,
            failed: [0; 2],
            failing: 0,
            longest: 0,
        }
    }

    /// Counts what was called in the round.
    pub fn count(&mut self, calls: &[Call]) {
        self.calls = calls.len();
        self.longest = calls.iter().map(Call::took).max().unwrap_or(0);
        for call in calls.iter().filter(|call| call.rc.is_some_and(|rc| rc < -1) && call.begun >= self.begun) {
            let after = call.begun > self.ended;
            self.failed[usize::from(after)] += 1;
            if !after {
                self.failing = self.failing.max(call.ended - self.begun);
            }
        }
    }

    /// More deadlines than one outage may cost: a series until the server is given up, and one for each worker that waits by
    /// then.
    pub fn overpaid(&self) -> Option<(usize, u64, u64)> {
        (0..HOSTS).filter(|host| self.fault.kind != Kind::HostDeath || *host != self.fault.host).find_map(|host| {
            let paid = self.paid[host];
            let most = paid.trips.max(1) * (SOFT_FAILURES + WORKERS as u64);
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
