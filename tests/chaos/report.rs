//! What it came to: counts, what was broken, and each outage; whether every promise was kept.

mod tables;

pub use tables::line;

use super::calls::Tally;
use super::history::{Act, Call, host_name};
use super::judge::Violation;
use super::ledger::{Key, Table};
use super::outage::Outage;
use super::{CMD_TIMEOUT_MS, Plan, SECOND_FAULTS};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many lines of a key's history are shown around each of the calls that contradict each other.
const SHOWN: usize = 12;

/// A broken promise, with what happened about then.
pub struct Broken {
    pub what: &'static str,
    pub text: String,
    /// Which round it belongs to, if it was seen in one.
    round: Option<usize>,
}

/// What a run proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Kept,
    Broken,
    /// Nothing: in too many rounds the machine added a second fault.
    Void,
}

impl Broken {
    /// Of a key whose history, in the order of time, is broken in `count` places. As all keys are read at the end of each
    /// round, the round in which the first was seen is the one that broke it.
    fn new(key: Key, count: usize, first: &Violation, calls: &[Call], round: Option<usize>) -> Broken {
        let place = |of: &Call| calls.iter().position(|call| call == of);
        let around = [first.other.as_ref().and_then(place), place(&first.call)];
        let near = |at: usize| around.iter().flatten().any(|place| place.abs_diff(at) <= SHOWN);
        let mut text = format!("{} {key}, {count} times: {first}\n  its history about then:\n", key.table.name());
        for (_, call) in calls.iter().enumerate().filter(|(at, _)| near(*at)) {
            text += &format!("    {call}\n");
        }
        Broken { what: first.what, text, round }
    }
}

#[derive(Default)]
pub struct Report {
    pub seed: u64,
    pub copies: u8,
    pub lasted: Duration,
    pub outages: Vec<Outage>,
    /// Calls by operation.
    pub calls: BTreeMap<&'static str, usize>,
    pub ambiguous: usize,
    pub unavailable: usize,
    /// Microseconds.
    pub longest: u64,
    /// Calls above `cmd_timeout` and 1 ms, those among them for which the machine is to blame too.
    pub above: usize,
    /// Reads of a write that was left open, in the place of a later one that was acknowledged.
    pub late: usize,
    /// How long gets took in health, and while a server was out of use, microseconds.
    gets: [Vec<u64>; 2],
    pub requests: u64,
    pub sip: Tally,
    /// The longest time the machine kept a program from running, microseconds.
    pub stall: u64,
    pub broken: Vec<Broken>,
    /// The farm did not become whole again.
    pub stuck: bool,
}

impl Report {
    pub fn new(plan: &Plan) -> Report {
        Report { seed: plan.seed, copies: plan.copies, ..Report::default() }
    }

    pub fn outcome(&self) -> Outcome {
        let most = self.outages.len().div_ceil(SECOND_FAULTS);
        match () {
            () if self.broken.iter().any(|broken| !self.apart(broken)) => Outcome::Broken,
            () if self.second_faults() > most => Outcome::Void,
            () => Outcome::Kept,
        }
    }

    /// Rounds in which the machine added a second fault to the one that was meant.
    pub fn second_faults(&self) -> usize {
        self.outages.iter().filter(|outage| outage.second().is_some()).count()
    }

    /// Whether it was broken in such a round: the promises hold for one fault at a time.
    pub fn apart(&self, broken: &Broken) -> bool {
        broken.round.and_then(|round| self.outages.get(round)).is_some_and(|outage| outage.second().is_some())
    }

    /// How many promises of this kind were broken, in rounds with one fault: "P1", "P3: an increment counts twice".
    pub fn count(&self, what: &str) -> usize {
        self.broken.iter().filter(|broken| broken.what.starts_with(what) && !self.apart(broken)).count()
    }

    fn breaks(&mut self, round: Option<usize>, what: &'static str, text: String) {
        self.broken.push(Broken { what, text: format!("{what}: {text}\n"), round });
    }

    pub fn stuck(&mut self, host: usize, why: &str) {
        self.stuck = true;
        self.breaks(None, "not whole again", format!("{} after {:?}: {why}", host_name(host), self.outages.last()));
    }

    /// A key whose history contradicts itself.
    pub fn key(&mut self, key: Key, violations: &[Violation], calls: &[Call]) {
        let Some(first) = violations.iter().min_by_key(|violation| violation.call.begun) else { return };
        let round = self.outages.iter().position(|outage| first.call.begun <= outage.closed);
        self.broken.push(Broken::new(key, violations.len(), first, calls, round));
    }

    /// What became of plain SIP calls in a round, whose outage is not known yet.
    pub fn sip(&mut self, tally: &Tally, keeps: bool) {
        let round = Some(self.outages.len());
        let forgotten = if keeps { tally.with("481") } else { 0 };
        for (what, count) in
            [("SIP: a call found another's entry", tally.with("500")), ("SIP: a call's entry was lost", forgotten)]
        {
            if count > 0 {
                self.breaks(round, what, format!("{count} times"));
            }
        }
    }

    /// Takes all the plain SIP calls in; `unanswered` are other requests.
    pub fn sip_in_all(&mut self, tally: Tally, unanswered: u64) {
        let silent = tally.unanswered() + unanswered as usize;
        if silent > 0 {
            let all = tally.begun + self.requests as usize;
            self.breaks(None, "SIP: a request without an answer", format!("{silent} of {all}"));
        }
        self.sip = tally;
    }

    /// Takes a round in; `long` are the calls that took too long whatever the machine did.
    pub fn round(&mut self, outage: Outage, calls: &[(Table, Call)], long: &[Call]) {
        for (_, call) in calls {
            *self.calls.entry(operation(call.act)).or_default() += 1;
            self.ambiguous += usize::from(call.rc == Some(-3));
            self.unavailable += usize::from(call.rc == Some(-2));
            self.above += usize::from(call.took() > CMD_TIMEOUT_MS * 1_000 + 1_000);
            self.longest = self.longest.max(call.took());
            if call.act == Act::Get && call.done() {
                let healthy = call.begun < outage.begun || call.begun > outage.whole;
                self.gets[0].extend(healthy.then_some(call.took()));
                self.gets[1].extend(outage.covers(call).then_some(call.took()));
            }
        }
        let round = Some(self.outages.len());
        for call in long {
            self.breaks(round, "P4: a call took too long", format!("{}\n  {call}", outage.fault));
        }
        for (host, waits) in outage.waits.iter().enumerate() {
            if waits.too_many(outage.paid[host][outage.fault.server].trips) {
                let text = format!("{}: {waits:?} in {}", host_name(host), outage.fault);
                self.breaks(round, "P4: too many deadlines", text);
            }
        }
        self.outages.push(outage);
    }
}

fn operation(act: Act) -> &'static str {
    match act {
        Act::Get => "get",
        Act::Set => "set",
        Act::Add => "add",
        Act::Replace => "replace",
        Act::Delete => "delete",
        Act::Cas { .. } => "cas",
        Act::Count => "inc",
        Act::Tag => "tag",
        Act::Void | Act::Untag => "invalidate_tag",
    }
}

#[cfg(test)]
mod tests {
    use super::super::farm::SERVERS;
    use super::super::faults::{Fault, Kind};
    use super::super::history::NEVER;
    use super::super::outage::Counted;
    use super::super::rng::Rng;
    use super::*;

    /// Rounds of one second; in these another server than the struck one was late.
    fn report(rounds: u64, with_second: &[u64]) -> Report {
        let round = |number: u64| {
            let mut outage = Outage::new(Fault::new(Kind::KillEmpty, &mut Rng::new(number)));
            outage.closed = (number + 1) * 1_000_000;
            let server = (outage.fault.server + usize::from(with_second.contains(&number))) % SERVERS;
            outage.paid[0][server] = Counted { timeouts: 3, trips: 1 };
            outage
        };
        Report { outages: (0..rounds).map(round).collect(), ..Report::default() }
    }

    fn lost(report: &mut Report, at: u64) {
        let call = Call {
            act: Act::Get,
            host: 0,
            value: None,
            number: None,
            begun: at,
            ended: NEVER,
            rc: Some(-1),
            error: "",
        };
        let key = Key { table: Table::Values, slot: 0, generation: 0 };
        report.key(key, &[Violation { what: "P1: lost", call, other: None }], &[call]);
    }

    #[test]
    fn what_breaks_while_two_servers_fail_is_told_apart() {
        let mut report = report(8, &[2]);
        assert_eq!((report.second_faults(), report.outcome()), (1, Outcome::Kept));
        lost(&mut report, 2_500_000);
        assert_eq!((report.count("P1"), report.outcome()), (0, Outcome::Kept));
        lost(&mut report, 3_500_000);
        assert_eq!((report.count("P1"), report.outcome()), (1, Outcome::Broken));
    }

    #[test]
    fn a_run_with_too_many_second_faults_proves_nothing() {
        assert_eq!(report(8, &[0, 1]).outcome(), Outcome::Kept);
        let mut report = report(8, &[0, 1, 2]);
        assert_eq!(report.outcome(), Outcome::Void);
        lost(&mut report, 9_000_000);
        assert_eq!(report.outcome(), Outcome::Broken);
    }
}
