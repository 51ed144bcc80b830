//! The judge of counters (P3): what was acknowledged is there exactly once, what was not at most once.

use super::check::Violation;
use super::history::{Act, Call};
use super::world::DELTA;

/// Judges the calls about one counter, which starts missing and only grows.
pub fn judge(calls: &[&Call], numbers: &[(usize, [Option<u64>; 2])], found: &mut Vec<Violation>) {
    let pair = calls[0].pair;
    if !numbers.iter().any(|(of, _)| *of == pair) {
        return;
    }
    let (low, high) = (sum(calls, |call| call.good()), sum(calls, |call| !call.refused()));
    let last = *calls.last().unwrap_or(&calls[0]);
    for (_, copies) in numbers.iter().filter(|(of, _)| *of == pair) {
        let what = match copies.map(|copy| copy.unwrap_or(0)) {
            [one, two] if one != two => "P3: the copies differ at the end",
            [one, _] if one < low => "P3: an increment is lost",
            [one, _] if one > high => "P3: an increment counts twice",
            _ => continue,
        };
        found.push(Violation { what, call: *last, other: None });
    }
    for call in calls.iter().copied().filter(|call| call.good()) {
        bounds(calls, call, found);
    }
}

/// No answer may lack what was acknowledged before, nor hold what had not begun.
fn bounds(calls: &[&Call], call: &Call, found: &mut Vec<Violation>) {
    let own = if let Act::Count { delta } = call.act { delta } else { 0 };
    let before = |other: &Call| {
        let bound = if other.host == call.host { 0 } else { DELTA };
        other.good() && other.ended + bound <= call.begun
    };
    let low = own + sum(calls, |other| before(other) && !std::ptr::eq(other, call));
    let high = sum(calls, |other| other.begun <= call.ended && !other.refused());
    let number = call.value.unwrap_or(0);
    let what = match number {
        number if number < low => "P3: an answer lacks an increment",
        number if number > high => "P3: an answer has too much",
        _ => return,
    };
    found.push(Violation { what, call: *call, other: None });
}

fn sum(calls: &[&Call], counts: impl Fn(&Call) -> bool) -> u64 {
    let delta = |call: &&Call| match call.act {
        Act::Count { delta } if counts(call) => Some(delta),
        _ => None,
    };
    calls.iter().filter_map(delta).sum()
}
