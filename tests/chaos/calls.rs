//! Plain SIP calls by sipp, as many per second as asked for, until they are to end.

use crate::support::Sipp;
use std::collections::BTreeMap;
use std::time::Duration;

pub struct Calls(Vec<Sipp>);

/// What became of the calls, by final answer: "200", "481" and so on.
#[derive(Debug, Default)]
pub struct Tally {
    pub begun: usize,
    pub answers: BTreeMap<String, usize>,
}

impl Calls {
    pub fn start(ports: &[u16], rate: usize) -> Calls {
        let rate = rate.to_string();
        let args = ["-r", &rate, "-l", "2000", "-recv_timeout", "20000"];
        Calls(ports.iter().map(|port| Sipp::call(*port, include_str!("caller.xml"), &args)).collect())
    }

    /// Begins no further call, waits for those under way, and counts.
    pub fn end(mut self) -> Tally {
        self.0.iter().for_each(Sipp::finish);
        for sipp in &mut self.0 {
            if sipp.wait(Duration::from_secs(40)).is_none() {
                sipp.stop();
            }
        }
        self.tally()
    }

    /// What has become of the calls so far.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for sipp in &self.0 {
            for line in sipp.log().lines().map(str::trim) {
                match line {
                    "begun" => tally.begun += 1,
                    answer => *tally.answers.entry(answer.into()).or_default() += 1,
                }
            }
        }
        tally
    }
}

impl Tally {
    pub fn with(&self, answer: &str) -> usize {
        self.answers.get(answer).copied().unwrap_or(0)
    }

    /// The answers that came after `earlier`.
    pub fn since(&self, earlier: &Tally) -> Tally {
        let more = |(answer, count): (&String, &usize)| (answer.clone(), count - earlier.with(answer));
        Tally { begun: self.begun - earlier.begun, answers: self.answers.iter().map(more).collect() }
    }

    /// Calls that never got their final answer.
    pub fn unanswered(&self) -> usize {
        self.begun.saturating_sub(self.answers.values().sum())
    }
}
