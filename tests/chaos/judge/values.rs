//! Keys that hold a value (P1, P2, P5). What was not acknowledged may take effect at any later time.

use super::super::history::{Act, Call, Fate};
use super::best::Best;
use super::{Rules, Verdict, Violation};
use std::collections::{HashMap, HashSet};

/// Judges the calls about one key, which was not there before them.
pub fn judge(calls: &[Call], rules: &Rules) -> Verdict {
    let history = History::new(calls);
    let mut verdict = Verdict::default();
    for call in calls.iter().filter(|call| call.done()) {
        match call.act {
            Act::Get => history.read(call, rules, &mut verdict),
            Act::Add if rules.keeps => verdict.violations.extend(history.add(call)),
            _ => {}
        }
    }
    verdict.violations.extend(replaced_twice(calls));
    verdict
}

struct History<'a> {
    /// Who wrote a value, and who put it under a tag for certain.
    sources: HashMap<u64, &'a Call>,
    tags: HashMap<u64, &'a Call>,
    /// Acknowledged writes, and invalidations of that tag.
    writes: Known<'a>,
    untags: Known<'a>,
    /// What may have deleted something, by its begin: the last to have taken effect.
    deletes: Best<'a>,
    /// Acknowledged writes of a value by their end, and adds by their begin: the last begun.
    stored: Best<'a>,
    added: Best<'a>,
}

fn begun(call: &Call) -> u64 {
    call.begun
}

fn ended(call: &Call) -> u64 {
    call.ended
}

impl<'a> History<'a> {
    fn new(calls: &'a [Call]) -> Self {
        let writes = || calls.iter().filter(|call| call.act.writes());
        let done = || writes().filter(|call| call.done());
        let deletes = calls.iter().filter(|call| call.act.deletes() || call.act == Act::Untag);
        let stored = || done().filter(|call| !call.act.deletes());
        let sources: HashMap<u64, &Call> = writes().filter_map(|call| Some((call.value?, call))).collect();
        let tags = calls.iter().filter(|call| call.act == Act::Tag && call.done());
        let tagged = |tag: &'a Call| {
            let source = sources.get(&tag.value?)?;
            let other = |call: &Call| call.value != tag.value && call.fate() != Fate::Refused;
            let between = |call: &Call| call.begun < tag.ended && call.ended > source.begun;
            (!writes().any(|call| other(call) && between(call))).then_some((tag.value?, tag))
        };
        Self {
            tags: tags.filter_map(tagged).collect(),
            sources,
            writes: Known::new(done()),
            untags: Known::new(calls.iter().filter(|call| call.act == Act::Untag && call.done())),
            deletes: Best::new(deletes.filter(|call| call.fate() != Fate::Refused), begun, Call::last),
            stored: Best::new(stored().filter(|call| call.act != Act::Add), ended, begun),
            added: Best::new(stored().filter(|call| call.act == Act::Add), begun, begun),
        }
    }

    fn read(&self, read: &Call, rules: &Rules, verdict: &mut Verdict) {
        let known = self.writes.to(read, rules);
        let mut found = |what, other: Option<&Call>| {
            verdict.violations.push(Violation { what, call: *read, other: other.copied() });
        };
        let Some(value) = read.value else {
            let gone = |write: &&Call| self.deletes.up_to(read.ended).is_some_and(|d| d.last() >= write.begun);
            let lost = known.filter(|write| rules.keeps && !write.act.deletes() && !gone(write));
            return lost.into_iter().for_each(|write| found("P1: an acknowledged write is lost", Some(write)));
        };
        let Some(source) = self.sources.get(&value).copied() else {
            return found("a value that nobody wrote", None);
        };
        if source.begun > read.ended {
            return found("a value was read before it was written", Some(source));
        }
        let newer = known.filter(|write| source.ended < write.begun);
        match (source.fate(), newer) {
            (Fate::Refused, _) => found("P5: a refused write was stored", Some(source)),
            (Fate::Open, Some(write)) if rules.keeps => {
                found("P1/P2: an unanswered write came over a later one", Some(write))
            }
            (Fate::Open, Some(_)) => verdict.late += 1,
            (Fate::Done, Some(write)) if write.act.deletes() => found("P2: a deleted value came back", Some(write)),
            (Fate::Done, Some(write)) => found("P1/P2: an older value was read", Some(write)),
            (Fate::Done, None) => {
                if let Some(untag) = self.untag(value, read, rules) {
                    found("P2: a value under an invalidated tag came back", Some(untag));
                }
            }
            _ => {}
        }
    }

    /// Who invalidated the tag of a value that `read` found, and which its host must know of.
    fn untag(&self, value: u64, read: &Call, rules: &Rules) -> Option<&'a Call> {
        let tag = self.tags.get(&value)?;
        let known = tag.host == read.host || tag.ended + rules.delta <= read.begun;
        self.untags.to(read, rules).filter(|untag| known && untag.begun > tag.ended)
    }

    /// Nothing is added over a value that nobody may have deleted.
    fn add(&self, add: &Call) -> Option<Violation> {
        let earlier = add.begun.checked_sub(1).and_then(|time| self.added.up_to(time));
        let there = self.stored.up_to(add.begun).into_iter().chain(earlier);
        let kept = |write: &&Call| {
            let delete = self.deletes.up_to(add.ended.max(write.ended));
            delete.is_none_or(|delete| delete.last() < write.begun)
        };
        let over = there.filter(kept).max_by_key(|write| write.begun)?;
        Some(Violation { what: "P5: an add went over a value", call: *add, other: Some(*over) })
    }
}

/// Acknowledged calls, of which reads must know.
struct Known<'a> {
    /// Of all hosts, by their end: the last begun.
    all: Best<'a>,
    /// Of each host.
    own: HashMap<usize, Best<'a>>,
}

impl<'a> Known<'a> {
    fn new(calls: impl Iterator<Item = &'a Call> + Clone) -> Self {
        let hosts: HashSet<usize> = calls.clone().map(|call| call.host).collect();
        let own = |host| (host, Best::new(calls.clone().filter(|call| call.host == host), ended, begun));
        Self { own: hosts.into_iter().map(own).collect(), all: Best::new(calls, ended, begun) }
    }

    /// The last one that `read` must know of.
    fn to(&self, read: &Call, rules: &Rules) -> Option<&'a Call> {
        let all = read.begun.checked_sub(rules.delta).and_then(|time| self.all.up_to(time));
        let own = self.own.get(&read.host).and_then(|own| own.up_to(read.begun));
        all.into_iter().chain(own).max_by_key(|call| call.begun)
    }
}

/// What a get found is replaced by cas at most once.
fn replaced_twice(calls: &[Call]) -> Option<Violation> {
    let mut first: HashMap<u64, &Call> = HashMap::new();
    calls.iter().filter(|call| call.done()).find_map(|call| {
        let Act::Cas { seen } = call.act else { return None };
        let other = first.insert(seen, call)?;
        Some(Violation { what: "two cas replaced the same value", call: *call, other: Some(*other) })
    })
}
