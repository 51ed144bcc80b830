//! One fault as the callers felt it.

use super::deadlines::{self, Waits};
use super::farm::{Farm, HOSTS, SERVERS, server_name};
use super::faults::{Fault, Kind};
use super::history::{Call, host_name};
use super::ledger::Table;
use super::stalls::Stalls;
use super::{CMD_TIMEOUT_MS, now};

/// What a host's statistics say of a server.
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
        let more = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Counted { timeouts: more(self.timeouts, before.timeouts), trips: more(self.trips, before.trips) }
    }
}

/// By host, then by server.
pub type Counts = [[Counted; SERVERS]; HOSTS];

pub fn counts(farm: &Farm) -> Counts {
    std::array::from_fn(|host| std::array::from_fn(|server| Counted::of(farm, host, server)))
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
    /// Microseconds of the clock: done, made good, whole again, every key looked at.
    pub begun: u64,
    pub ended: u64,
    pub whole: u64,
    pub closed: u64,
    /// When each host had taken the server out of use.
    pub noticed: [Option<u64>; HOSTS],
    /// Deadlines that each host's workers paid to each server, and how often it was given up.
    pub paid: Counts,
    /// The longest series of deadlines one after the other, and how many were begun while the server was out of use.
    pub waits: [Waits; HOSTS],
    pub calls: usize,
    /// Of tables with two copies, and with one.
    pub failed: [Failed; 2],
    /// Failed calls on tables with two copies.
    pub refused: Vec<Call>,
    /// The longest call, and the longest time the machine kept a program from running meanwhile, microseconds.
    pub longest: u64,
    pub stall: u64,
}

impl Outage {
    pub fn new(fault: Fault) -> Outage {
        let (noticed, paid, waits, failed, refused) = Default::default();
        let (begun, ended, whole, closed, calls, longest, stall) = (now(), 0, 0, 0, 0, 0, 0);
        Outage { fault, begun, ended, whole, closed, noticed, paid, waits, calls, failed, refused, longest, stall }
    }

    /// Deadlines paid to the server that was struck, by host.
    pub fn deadlines(&self) -> [u64; HOSTS] {
        self.paid.map(|servers| servers[self.fault.server].timeouts)
    }

    /// Another server than the struck one failed a host too: nobody's doing but the machine's, and outside the promises, which
    /// hold for one fault at a time.
    pub fn second(&self) -> Option<String> {
        let struck = (self.fault.kind != Kind::HostDeath).then_some(self.fault.server);
        let other = |server: &usize| Some(*server) != struck;
        let each = (0..HOSTS).flat_map(|host| (0..SERVERS).filter(other).map(move |server| (host, server)));
        let late = each.filter(|(host, server)| self.paid[*host][*server].timeouts > 0);
        let told = late.map(|(host, server)| {
            format!("{} waited for {} {} times", host_name(host), server_name(server), self.paid[host][server].timeouts)
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// Counts what was called in the round.
    pub fn count(&mut self, calls: &[(Table, Call)], stalls: &Stalls) {
        let paid = self.deadlines();
        self.waits = std::array::from_fn(|host| deadlines::of(self, host, paid[host], calls, |call| stalls.of(call)));
        self.calls = calls.len();
        self.stall = stalls.longest(self.begun);
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
}

/// Longer than a call may take, by more than the machine can be blamed for?
pub fn too_long(call: &Call, stalled: u64) -> bool {
    // Without a stall a busy machine still lets a process wait its turn.
    let slack = 15_000 + stalled;
    call.took() > CMD_TIMEOUT_MS * 1_000 + 1_000 + slack
}
