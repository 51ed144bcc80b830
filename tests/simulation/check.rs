//! The judge: does a history keep the promises?

use std::fmt;

use super::history::{Act, Call, Claim};
use super::server::SECOND;
use super::value::origin;
use super::world::{CMD_TIMEOUT, DELTA, World};

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

/// What no call tells.
pub struct Facts {
    /// Do the counters stop at 0?
    pub floor: bool,
    /// Pairs and keys that lost something to eviction: what was decided meanwhile is outside the promises.
    pub evicted: Vec<(usize, usize)>,
    /// What both copies of each pair's counter hold at the end, where they must be exact.
    pub numbers: Vec<[Option<u64>; 2]>,
    /// When the run was over.
    pub over: u64,
}

/// Judges what happened. Writes that were not acknowledged may take effect at any later time.
pub fn judge(world: &World) -> Vec<Violation> {
    let (history, facts, mut found) = (&world.history, &world.facts(), Vec::new());
    world.outages.judge(history, &mut found);
    found.extend(history.iter().filter_map(answered));
    let mut names: Vec<(usize, usize)> = history.iter().map(|call| (call.pair, call.key)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let calls: Vec<&Call> = history.iter().filter(|call| (call.pair, call.key) == name).collect();
        let evicted = facts.evicted.contains(&name);
        if !calls.iter().any(|call| call.counts()) {
            register(&calls, evicted, &mut found);
        } else if !evicted {
            register(&calls, evicted, &mut found);
            super::counts::judge(&calls, name, facts, &mut found);
        }
    }
    found
}

/// P4 and P5, of one call.
pub fn answered(call: &Call) -> Option<Violation> {
    let what = match call {
        _ if call.ended == u64::MAX => return None,
        _ if call.ended - call.begun > CMD_TIMEOUT => "P4: too long",
        _ if call.nobody && (call.ended > call.begun || !call.refused()) => "P5: nobody to ask, and no clear no",
        _ if !call.confirmed => "P5: a miss that a copy did not confirm",
        _ => return None,
    };
    Some(Violation { what, call: *call, other: None })
}

fn register(calls: &[&Call], evicted: bool, found: &mut Vec<Violation>) {
    let writes: Vec<&Call> = calls.iter().copied().filter(|call| call.act != Act::Get).collect();
    for call in calls {
        match call.claim() {
            Some(claim) if !evicted || call.act == Act::Get => fresh(&writes, call, claim, found),
            _ => {}
        }
    }
    if !calls.iter().any(|call| call.counts()) {
        flips(&writes, calls, found);
    }
    if !evicted {
        updates(&writes, found);
        additions(&writes, found);
    }
}

/// What a get saw is replaced at most once, unless it may have been stored once more since the first replaced it: by a call that was
/// not acknowledged, at any later time and on either server, or by one that was under way yet and began again under a new epoch.
pub fn updates(writes: &[&Call], found: &mut Vec<Violation>) {
    let cas = |call: &&&Call| matches!(call.act, Act::Cas { .. }) && call.good();
    for (at, one) in writes.iter().enumerate().filter(|(_, call)| cas(call)) {
        let Act::Cas { seen } = one.act else { continue };
        let stored = |call: &&&Call| call.stores() && call.value == Some(seen);
        let last = writes.iter().filter(stored).map(|call| call.effective()).max();
        let twice = |two: &&&Call| two.act == one.act && last.is_none_or(|last| last <= one.begun.min(two.begun));
        if let Some(two) = writes[at + 1..].iter().filter(cas).find(twice) {
            found.push(Violation { what: "cas: two replaced the same value", call: **two, other: Some(**one) });
        }
    }
}

/// Nothing is added over a value that nobody may have deleted.
pub fn additions(writes: &[&Call], found: &mut Vec<Violation>) {
    let good = |act: fn(&Call) -> bool| writes.iter().copied().filter(move |call| call.good() && act(call));
    for add in good(|call| call.act == Act::Add) {
        let there = good(|call| call.stores() || call.counts()).find(|write| {
            // Of two at the same time either may be the first.
            let last = if write.ended < add.begun { add.ended } else { add.ended.max(write.ended) };
            // A count keeps the lifetime that it finds.
            let lives = |call: &Call| if write.counts() && call.life > 0 { call.life + COARSE } else { 0 };
            let since = |call: &Call| call.effective().saturating_add(lives(call)) > write.begun;
            let gone = |call: &&Call| gone(call, add) && since(call) && call.begun < last;
            let first = if write.act == Act::Add { write.begun <= add.begun } else { write.ended < add.begun };
            !std::ptr::eq(*write, add) && first && !writes.iter().copied().any(|call| gone(&call) && !call.refused())
        });
        if let Some(there) = there {
            found.push(Violation { what: "add: over a value", call: *add, other: Some(*there) });
        }
    }
}

/// Lifetimes are whole seconds, and what is about to end is not copied any more.
pub const COARSE: u64 = 4 * SECOND;

/// Can `write` be why `read` found nothing: a delete, or a value at the end of its life?
pub fn gone(write: &Call, read: &Call) -> bool {
    let faded = write.life > 0 && (write.begun + write.life).saturating_sub(COARSE) <= read.ended;
    write.act == Act::Delete || faded
}

/// Can `write` be what made the claim true?
fn explains(write: &Call, call: &Call, claim: Claim) -> bool {
    match claim {
        Claim::Holds(value) if origin(value) == 0 => {
            // What was counted beside a value may be seen before it counts with that value.
            let own = |value: u64| origin(value) == 0 || write.ended >= call.begun;
            write.counts() && write.begun <= call.ended && write.value.is_none_or(own)
        }
        Claim::Holds(value) => write.stores() && write.value.map(origin) == Some(origin(value)),
        Claim::There => (write.stores() || write.counts()) && write.begun <= call.ended && !std::ptr::eq(write, call),
        Claim::Missing => gone(write, call),
    }
}

/// Does `write`, when it is the later one, make the claim untrue?
fn denies(write: &Call, claim: Claim) -> bool {
    let counted = |zero: bool| write.counts() && write.value.is_some_and(|value| (origin(value) == 0) == zero);
    match claim {
        Claim::Holds(value) if origin(value) == 0 => write.stores() || write.act == Act::Delete,
        Claim::Holds(_) => write.stores() || write.act == Act::Delete || counted(true),
        Claim::There => write.act == Act::Delete,
        Claim::Missing => write.act != Act::Delete,
    }
}

/// The acknowledged write after `source` that makes the claim untrue, if there is one.
fn hides<'a>(writes: &[&'a Call], source: Option<&Call>, call: &Call, claim: Claim) -> Option<&'a Call> {
    let over = match source {
        Some(source) if source.good() => source.ended,
        Some(_) => return None,
        None => 0,
    };
    // A count keeps the lifetime that it finds.
    let lives = source.map_or(0, |source| if source.life > 0 { source.life + COARSE } else { 0 });
    writes.iter().copied().find(|write| {
        let over = if write.counts() { over + lives } else { over };
        let bound = if write.host == call.host { 0 } else { DELTA };
        let same = source.is_some_and(|source| std::ptr::eq(source, *write));
        write.good() && !same && over < write.begun && write.ended + bound <= call.begun && denies(write, claim)
    })
}

pub fn fresh(writes: &[&Call], call: &Call, claim: Claim, found: &mut Vec<Violation>) {
    let never = (claim == Claim::Missing).then_some(None);
    let all = || writes.iter().copied().filter(|write| explains(write, call, claim)).map(Some).chain(never);
    let mut hidden = None;
    let mut able = all().filter(|source| !source.is_some_and(Call::refused)).peekable();
    if able.peek().is_none() {
        let what = if claim == Claim::There { "P1: nothing was ever there" } else { "P5: a refused write was stored" };
        return found.push(Violation { what, call: *call, other: all().flatten().next().copied() });
    }
    if outlived(writes, call, claim) {
        return found.push(Violation { what: "a value outlived its time", call: *call, other: None });
    }
    for source in able {
        match hides(writes, source, call, claim) {
            None => return,
            by => hidden = by,
        }
    }
    let what = match (claim, hidden) {
        (Claim::Missing, _) => "P1: lost",
        (_, Some(Call { act: Act::Delete, .. })) => "P2: a deleted value came back",
        _ => "P1/P2: an old value",
    };
    found.push(Violation { what, call: *call, other: hidden.copied() });
}

/// Is a value read whose life is surely over: that of its write, and of whatever touched it later?
fn outlived(writes: &[&Call], call: &Call, claim: Claim) -> bool {
    let Claim::Holds(value) = claim else { return false };
    let Some(source) = writes.iter().find(|write| write.stores() && write.value == Some(value)) else { return false };
    let after = |write: &&&Call| write.act == Act::Touch && !write.refused() && write.begun <= call.ended;
    let lives = writes.iter().filter(after).chain([source]);
    lives.into_iter().all(|write| {
        let end = write.effective().saturating_add(write.life + COARSE);
        write.life > 0 && end < call.begun
    })
}

/// Two reads that contradict each other although nothing was written in between.
pub fn flips(writes: &[&Call], calls: &[&Call], found: &mut Vec<Violation>) {
    let source = |read: &Call| writes.iter().copied().find(|write| write.value == read.value && read.value.is_some());
    let reads = calls.iter().copied().filter(|call| call.act == Act::Get && call.good());
    let reads: Vec<(&Call, &Call)> =
        reads.filter_map(|read| Some((read, source(read).filter(|write| write.good())?))).collect();
    for (at, (first, new)) in reads.iter().copied().enumerate() {
        for (second, old) in reads[at + 1..].iter().copied() {
            if second.value == first.value || second.begun < first.ended + DELTA {
                continue;
            }
            // What the second read saw was over before the first read saw the other: and not written at the same time.
            let apart = old.ended < new.begun && old.ended + DELTA < first.begun;
            let since = |write: &&&Call| {
                let value = write.stores() || write.act == Act::Delete;
                let other = !std::ptr::eq(**write, new) && !std::ptr::eq(**write, old);
                value && other && write.ended >= old.begun.min(new.begun)
            };
            if apart && !writes.iter().filter(since).any(|write| write.begun < second.ended) {
                found.push(Violation { what: "P2: a read went back", call: *second, other: Some(*first) });
                return;
            }
        }
    }
}
