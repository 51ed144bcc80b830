//! The judge of counters (P3): what was acknowledged is there exactly once, what was not at most once.
//!
//! Each number must be the result of *some* order of the calls that fits what was acknowledged before what. A set, a delete, or the end
//! of a lifetime begins anew; where counters stop at 0, so does each moment at which one may have stood there.

use shardcache::cluster::copies::Outcome;

use super::check::{COARSE, Facts, Violation};
use super::history::{Act, Call};
use super::value::{MIDDLE, counted, origin};
use super::world::DELTA;

/// Judges the calls about one key on which somebody counts.
pub fn judge(calls: &[&Call], name: (usize, usize), facts: &Facts, found: &mut Vec<Violation>) {
    for call in calls.iter().copied().filter(|call| call.good()) {
        if let (Some(number), Act::Get | Act::Count { .. }) = (call.value, call.act) {
            let what = ["P3: an answer lacks a count", "P3: an answer has too much"];
            number_fits(calls, call, number, facts.floor, what, found);
        }
    }
    let Some(copies) = facts.numbers.get(name.0) else { return };
    let host = calls[0].host;
    for number in copies {
        let (number, outcome) = (number.unwrap_or(if facts.floor { 0 } else { MIDDLE }), Some(Outcome::Number(0)));
        let (begun, ended) = (facts.over, facts.over);
        let end = Call { act: Act::Get, host, value: Some(number), begun, ended, outcome, ..*calls[0] };
        let what = ["P3: a count is lost", "P3: a count counts twice"];
        number_fits(calls, &end, number, facts.floor, what, found);
    }
    if copies[0] != copies[1] {
        found.push(Violation { what: "P3: the copies differ at the end", call: **calls.last().unwrap(), other: None });
    }
}

/// One count: by how much, and what is known of it.
struct Step {
    by: i64,
    begun: u64,
    ended: u64,
    /// Surely, possibly in the number.
    must: bool,
    may: bool,
}

fn number_fits(
    calls: &[&Call],
    call: &Call,
    number: u64,
    floor: bool,
    what: [&'static str; 2],
    found: &mut Vec<Violation>,
) {
    let (since, before) = window(calls, call, number);
    let steps = calls.iter().filter_map(|other| step(other, call, number, since, before));
    let steps: Vec<Step> = steps.filter(|step| step.may).collect();
    let value = if floor { number as i64 } else { counted(number) };
    let (least, most) = (greatest(&steps, floor, 1), greatest(&steps, floor, -1));
    if value < least {
        found.push(Violation { what: what[0], call: *call, other: None });
    } else if value > most {
        found.push(Violation { what: what[1], call: *call, other: None });
    }
}

/// What the later steps give, whatever stood at 0 before them: the greatest of the least sums (`sure` = 1: going up only what
/// surely counts), of the greatest ones (-1: going down).
fn greatest(steps: &[Step], floor: bool, sure: i64) -> i64 {
    let terms = steps.iter().filter_map(|step| match step.by.signum() == sure {
        true => step.must.then_some((step.begun, step.by)),
        false => Some((step.ended, step.by)),
    });
    if !floor {
        return terms.map(|(_, by)| by).sum();
    }
    let mut terms: Vec<(u64, i64)> = terms.collect();
    let mut starts: Vec<u64> =
        steps.iter().flat_map(|step| [step.begun, step.begun + 1]).chain([0, u64::MAX]).collect();
    terms.sort_unstable();
    starts.sort_unstable();
    let mut sum = 0;
    let sums = starts.iter().rev().map(|from| {
        while let Some((_, by)) = terms.pop_if(|(time, _)| *time >= *from) {
            sum += by;
        }
        sum
    });
    sums.max().unwrap_or(0)
}

/// The last moment at which something may have begun anew before `call`, and the last at which something surely did.
fn window(calls: &[&Call], call: &Call, number: u64) -> (u64, u64) {
    let (mut since, mut before) = (0, 0);
    for other in calls.iter().copied().filter(|other| !other.refused() && !std::ptr::eq(*other, call)) {
        let kills = other.stores() || other.act == Act::Delete;
        let own = other.stores() && other.value.map(origin) == Some(origin(number));
        // A set that nobody acknowledged may come to the second server when others have counted on what it left on the first.
        if kills && !(own && other.good()) && other.begun <= call.ended {
            since = since.max(other.effective());
        }
        let creates = other.good() && created(other, 0);
        // Where several make it at once, none may have been told its own number.
        let fades = other.life > 0 && (!other.counts() || created(other, TOGETHER) || !other.good());
        if fades && (other.begun + other.life).saturating_sub(COARSE) <= call.ended {
            since = since.max(other.effective().saturating_add(other.life + COARSE));
        }
        let bound = if other.host == call.host { 0 } else { DELTA };
        if other.good() && (kills || creates) && (own || other.ended + bound <= call.begun) {
            before = before.max(other.begun);
        }
    }
    (since, before)
}

/// How much others may have counted on a counter while somebody was making it.
const TOGETHER: u64 = 6;

/// Did this count make a counter that ends, on which others counted `more` at most? (Those only go up, so nothing else stands at the beginning.)
fn created(call: &Call, more: u64) -> bool {
    let Act::Count { delta, .. } = call.act else { return false };
    let first = MIDDLE + delta;
    call.life > 0 && call.value.is_some_and(|value| (first..=first + more).contains(&value))
}

fn step(other: &Call, call: &Call, number: u64, since: u64, before: u64) -> Option<Step> {
    let Act::Count { delta, down } = other.act else { return None };
    let by = if down { -(delta as i64) } else { delta as i64 };
    let itself = std::ptr::eq(other, call);
    let same = other.value.is_none_or(|value| origin(value) == origin(number));
    let bound = if other.host == call.host { 0 } else { DELTA };
    let must = itself || other.good() && same && other.ended + bound <= call.begun && other.begun > since;
    let past = other.good() && (!same && other.ended < call.begun || other.ended < before);
    let may = itself || !other.refused() && other.begun <= call.ended && !past;
    Some(Step { by, begun: other.begun, ended: other.effective(), must, may })
}
