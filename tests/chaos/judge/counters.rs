//! Keys that count (P3): what was acknowledged is there exactly once, what was left open at most once.

use super::super::history::{Act, Call, Fate};
use super::{Rules, Verdict, Violation};

/// Judges the calls about one counter, which was not there before them and only grows.
pub fn judge(calls: &[Call], rules: &Rules) -> Verdict {
    let counts = || calls.iter().filter(|call| call.act == Act::Count);
    let done = Sums::new(counts().filter(|call| call.done()), |call| call.ended);
    let most = Sums::new(counts().filter(|call| call.fate() != Fate::Refused), |call| call.begun);
    let hosts = calls.iter().map(|call| call.host).max().map_or(0, |last| last + 1);
    let own: Vec<Sums> =
        (0..hosts).map(|host| Sums::new(counts().filter(|c| c.done() && c.host == host), |call| call.ended)).collect();
    let mut verdict = Verdict::default();
    for call in calls.iter().filter(|call| call.done()) {
        let number = call.number.unwrap_or(0);
        let step = if call.act == Act::Count { call.value.unwrap_or(0) } else { 0 };
        let early = call.begun.saturating_sub(rules.delta);
        let recent = own[call.host].up_to(call.begun) - own[call.host].up_to(early);
        let least = step + done.up_to(early) + recent;
        let what = match number {
            number if rules.keeps && number < least => "P3: an acknowledged increment is lost",
            number if number > most.up_to(call.ended) => "P3: an increment counts twice",
            _ => continue,
        };
        verdict.violations.push(Violation { what, call: *call, other: None });
    }
    verdict
}

/// How much was added up to a time.
struct Sums(Vec<(u64, u64)>);

impl Sums {
    fn new<'a>(calls: impl Iterator<Item = &'a Call>, at: fn(&Call) -> u64) -> Sums {
        let mut steps: Vec<(u64, u64)> = calls.map(|call| (at(call), call.value.unwrap_or(0))).collect();
        steps.sort_unstable();
        let mut sum = 0;
        steps.iter_mut().for_each(|(_, step)| {
            sum += *step;
            *step = sum;
        });
        Sums(steps)
    }

    fn up_to(&self, time: u64) -> u64 {
        let after = self.0.partition_point(|(at, _)| *at <= time);
        after.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}
