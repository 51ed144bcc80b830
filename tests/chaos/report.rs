//! What it came to: counts, what was broken, and each outage; whether every promise was kept.

mod tables;

pub use tables::line;

use super::calls::Tally;
use super::history::{Act, Call, host_name};
use super::judge::Violation;
use super::ledger::{Key, Table};
use super::outage::Outage;
use super::{CMD_TIMEOUT_MS, Plan};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many lines of a key's history are shown around each of the calls that contradict each other.
const SHOWN: usize = 12;

/// A broken promise, with what happened about then.
pub struct Broken {
    pub what: &'static str,
    pub text: String,
}

impl Broken {
    /// Of a key whose history, in the order of time, is broken in `count` places.
    pub fn new(key: Key, count: usize, first: &Violation, calls: &[Call]) -> Broken {
        let place = |of: &Call| calls.iter().position(|call| call == of);
        let around = [first.other.as_ref().and_then(place), place(&first.call)];
        let near = |at: usize| around.iter().flatten().any(|place| place.abs_diff(at) <= SHOWN);
        let mut text = format!("{} {key}, {count} times: {first}\n  its history about then:\n", key.table.name());
        for (_, call) in calls.iter().enumerate().filter(|(at, _)| near(*at)) {
            text += &format!("    {call}\n");
        }
        Broken { what: first.what, text }
    }
}

#[derive(Default)]
pub struct Report {
    pub seed: u64,
    pub copies: u8,
    keeps: bool,
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
        Report { seed: plan.seed, copies: plan.copies, keeps: plan.keeps, ..Report::default() }
    }

    pub fn kept(&self) -> bool {
        self.broken.is_empty()
    }

    /// How many promises of this kind were broken: "P1", "P3: an increment counts twice".
    pub fn count(&self, what: &str) -> usize {
        self.broken.iter().filter(|broken| broken.what.starts_with(what)).count()
    }

    fn breaks(&mut self, what: &'static str, text: String) {
        self.broken.push(Broken { what, text: format!("{what}: {text}\n") });
    }

    pub fn stuck(&mut self, host: usize, why: &str) {
        self.stuck = true;
        self.breaks("not whole again", format!("{} after {:?}: {why}", host_name(host), self.outages.last()));
    }

    /// Takes the plain SIP calls in.
    pub fn sip(&mut self, tally: Tally, unanswered: u64) {
        let silent = tally.unanswered() + unanswered as usize;
        let forgotten = if self.keeps { tally.with("481") } else { 0 };
        for (what, count) in [
            ("SIP: a request without an answer", silent),
            ("SIP: a call found another's entry", tally.with("500")),
            ("SIP: a call's entry was lost", forgotten),
        ] {
            if count > 0 {
                self.breaks(what, format!("{count} of {}", tally.begun + self.requests as usize));
            }
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
        for call in long {
            self.breaks("P4: a call took too long", format!("{}\n  {call}", outage.fault));
        }
        if let Some((host, paid, most)) = outage.overpaid() {
            let text = format!("{} paid {paid}, at most {most} are allowed: {}", host_name(host), outage.fault);
            self.breaks("P4: too many deadlines", text);
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
    }
}
