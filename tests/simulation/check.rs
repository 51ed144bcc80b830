//! The judge: does a history keep the promises P1, P2, P4 and P5?

use std::fmt;

use super::history::{Act, Call};
use super::server::SECOND;
use super::world::{CMD_TIMEOUT, DELTA, MS};

/// A broken promise.
#[derive(Clone, Copy)]
pub struct Violation {
    pub what: &'static str,
    pub call: Call,
    /// The write that should have been seen, or what was seen before.
    pub other: Option<Call>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.call)?;
        self.other.map_or(Ok(()), |other| write!(f, "; but {other}"))
    }
}

/// Judges a history. Writes that were not acknowledged may take effect at any later time.
/// `numbers`: what both copies of each pair's counter hold at the end. `evicted`: keys that lost an item; what was decided
/// while it was thrown away is outside the promises.
pub fn judge(history: &[Call], numbers: &[(usize, [Option<u64>; 2])], evicted: &[(usize, usize)]) -> Vec<Violation> {
    let mut found = Vec::new();
    for call in history.iter().filter(|call| call.ended != u64::MAX) {
        if call.ended - call.begun > CMD_TIMEOUT + MS {
            found.push(Violation { what: "P4: too long", call: *call, other: None });
        }
    }
    let mut names: Vec<(usize, usize)> = history.iter().map(|call| (call.pair, call.key)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let calls: Vec<&Call> = history.iter().filter(|call| (call.pair, call.key) == name).collect();
        if calls.iter().any(|call| matches!(call.act, Act::Count { .. })) {
            super::counts::judge(&calls, numbers, &mut found);
        } else {
            register(&calls, evicted.contains(&name), &mut found);
        }
    }
    found
}

fn register(calls: &[&Call], evicted: bool, found: &mut Vec<Violation>) {
    let writes: Vec<&Call> = calls.iter().copied().filter(|call| call.act != Act::Get).collect();
    let reads: Vec<&Call> = calls.iter().copied().filter(|call| call.act == Act::Get && call.good()).collect();
    for read in &reads {
        fresh(&writes, read, found);
    }
    flips(&writes, &reads, found);
    if !evicted {
        updates(&writes, found);
        additions(&writes, found);
    }
}

/// What a get saw is replaced at most once.
pub fn updates(writes: &[&Call], found: &mut Vec<Violation>) {
    let cas = |call: &&&Call| matches!(call.act, Act::Cas { .. }) && call.good();
    for (at, one) in writes.iter().enumerate().filter(|(_, call)| cas(call)) {
        if let Some(two) = writes[at + 1..].iter().filter(cas).find(|two| two.act == one.act) {
            found.push(Violation { what: "cas: two replaced the same value", call: **two, other: Some(**one) });
        }
    }
}

/// Nothing is added over a value that nobody may have deleted.
pub fn additions(writes: &[&Call], found: &mut Vec<Violation>) {
    let good = |act: fn(&Act) -> bool| writes.iter().copied().filter(move |call| call.good() && act(&call.act));
    for add in good(|act| *act == Act::Add) {
        let there = good(|act| *act != Act::Delete).find(|write| {
            // Of two at the same time either may be the first.
            let last = if write.ended < add.begun { add.ended } else { add.ended.max(write.ended) };
            let gone = |call: &&Call| gone(call, add) && call.ended > write.begun && call.begun < last;
            let first = if write.act == Act::Add { write.begun <= add.begun } else { write.ended < add.begun };
            !std::ptr::eq(*write, add) && first && !writes.iter().copied().any(|call| gone(&call) && !call.refused())
        });
        if let Some(there) = there {
            found.push(Violation { what: "add: over a value", call: *add, other: Some(*there) });
        }
    }
}

/// The writes that may have left what `read` saw; `None` = the key was never written.
fn sources<'a>(writes: &[&'a Call], read: &Call) -> Vec<Option<&'a Call>> {
    match read.value {
        Some(value) => writes.iter().copied().filter(|write| write.value == Some(value)).map(Some).collect(),
        None => writes.iter().copied().filter(|write| gone(write, read)).map(Some).chain([None]).collect(),
    }
}

/// Lifetimes are whole seconds, and what is about to end is not copied any more.
const COARSE: u64 = 4 * SECOND;

/// Can `write` be why `read` found nothing: a delete, or a value at the end of its life?
pub fn gone(write: &Call, read: &Call) -> bool {
    let faded = write.life > 0 && (write.begun + write.life).saturating_sub(COARSE) <= read.ended;
    write.act == Act::Delete || faded
}

/// The acknowledged write that hides `source` from `read`, if there is one.
pub fn hides<'a>(writes: &[&'a Call], source: Option<&Call>, read: &Call) -> Option<&'a Call> {
    let over = match source {
        Some(source) if source.good() => source.ended,
        Some(_) => return None,
        None => 0,
    };
    writes.iter().copied().find(|write| {
        let bound = if write.host == read.host { 0 } else { DELTA };
        let same = source.is_some_and(|source| std::ptr::eq(source, *write));
        write.good() && !same && over < write.begun && write.ended + bound <= read.begun
    })
}

pub fn fresh(writes: &[&Call], read: &Call, found: &mut Vec<Violation>) {
    let mut hidden = None;
    let all = sources(writes, read);
    let mut able = all.iter().copied().filter(|source| !source.is_some_and(Call::refused)).peekable();
    if able.peek().is_none() {
        let (call, other) = (*read, all.into_iter().flatten().next().copied());
        return found.push(Violation { what: "P5: a refused write was stored", call, other });
    }
    for source in able {
        if let Some(write) = source.filter(|write| read.value.is_some() && write.life > 0 && write.ended != u64::MAX)
            && read.begun > write.ended + write.life + COARSE
        {
            return found.push(Violation { what: "a value outlived its time", call: *read, other: Some(*write) });
        }
        match hides(writes, source, read) {
            None => return,
            by => hidden = by,
        }
    }
    let what = match (read.value, hidden) {
        (None, _) => "P1: lost",
        (Some(_), Some(Call { act: Act::Delete, .. })) => "P2: a deleted value came back",
        _ => "P1/P2: an old value",
    };
    found.push(Violation { what, call: *read, other: hidden.copied() });
}

/// Two reads that contradict each other although nothing was written in between.
pub fn flips(writes: &[&Call], reads: &[&Call], found: &mut Vec<Violation>) {
    let source = |read: &Call| writes.iter().copied().find(|write| write.value == read.value && read.value.is_some());
    for (at, first) in reads.iter().enumerate() {
        let Some(new) = source(first).filter(|write| write.good()) else { continue };
        for second in &reads[at + 1..] {
            if second.value == first.value || second.begun < first.ended + DELTA {
                continue;
            }
            let Some(old) = source(second).filter(|write| write.good()) else { continue };
            // What the second read saw was over before the first read saw the other: and not written at the same time.
            let apart = old.ended < new.begun && old.ended + DELTA < first.begun;
            let since = |write: &&&Call| {
                !std::ptr::eq(**write, new) && !std::ptr::eq(**write, old) && write.ended >= old.begun.min(new.begun)
            };
            if apart && !writes.iter().filter(since).any(|write| write.begun < second.ended) {
                found.push(Violation { what: "P2: a read went back", call: **second, other: Some(**first) });
                return;
            }
        }
    }
}
