//! What a batch found, for each key and in all.

use std::ops::Range;

use super::{Batch, Detail, Found, Want};
use crate::cache::Verdict;
use crate::cache::near::Brought;
use crate::value::frame::Wire;
use crate::value::{Value, framed};

/// What a batch came to, for the statistics and the script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub hits: u64,
    pub misses: u64,
    pub unanswered: u64,
    pub failed: u64,
    /// Values from the near cache, beside the hits; they are counted there.
    pub near: u64,
    pub err: &'static str,
}

/// Why nothing is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blank {
    Missing,
    Unanswered,
    /// This host's own memory has nothing to say, and counted that.
    Near,
}

impl Batch {
    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        match self.wants.get(i).map(|want| &want.found) {
            None | Some(Found::Failed) => (Verdict::Failed, None),
            Some(Found::Missing) => (Verdict::Missing, None),
            Some(Found::Unanswered) => (Verdict::Unavailable, None),
            Some(Found::Value { data, flags }) => match self.shown(data, *flags) {
                None => (Verdict::Missing, None),
                found => (Verdict::Done, found),
            },
        }
    }

    /// Is nothing known of key `i`? A "there is nothing" is known.
    pub fn blank(&self, i: usize) -> Option<Blank> {
        match &self.wants.get(i)?.found {
            Found::Missing => Some(Blank::Missing),
            Found::Unanswered => Some(Blank::Unanswered),
            Found::Failed => None,
            Found::Value { data, flags } => {
                let wire = self.kept(data, *flags);
                let known = wire.negative() || wire.shown().is_some() || wire.row().is_some();
                (!known).then_some(Blank::Missing)
            }
        }
    }

    /// What servers confirmed of keys of a near table.
    pub fn confirmed(&self) -> impl Iterator<Item = (usize, Option<Brought<'_>>)> {
        let void = |at| self.details.iter().any(|detail| detail.at == at);
        let absent = move |(at, want): (usize, &Want)| {
            (matches!(want.found, Found::Missing) && !(self.tagged && void(at))).then_some((at, None))
        };
        let there = |detail: &Detail| {
            let Detail { at, left, token, sure } = *detail;
            let Wire { data, flags } = self.wire(at).filter(|_| sure)?;
            Some((at, Some(Brought { data, flags, left, token })))
        };
        self.details.iter().filter_map(there).chain(self.wants.iter().enumerate().filter_map(absent))
    }

    /// The entry found for key `at`, as it is.
    pub(super) fn wire(&self, at: usize) -> Option<Wire<'_>> {
        let Found::Value { data, flags } = &self.wants.get(at)?.found else { return None };
        Some(Wire { data: &self.data[data.clone()], flags: *flags })
    }

    fn shown(&self, data: &Range<usize>, flags: u32) -> Option<Value<'_>> {
        self.kept(data, flags).shown()
    }

    /// What is kept under tags that have been looked at, or without any.
    fn kept(&self, data: &Range<usize>, flags: u32) -> Wire<'_> {
        let wire = Wire { data: &self.data[data.clone()], flags };
        if self.tagged { wire.untagged() } else { wire }
    }

    pub fn tally(&self) -> Tally {
        let mut tally = Tally { err: self.err, ..Tally::default() };
        for want in &self.wants {
            match want.found {
                Found::Value { ref data, flags } if framed(flags) && self.shown(data, flags).is_none() => {
                    tally.misses += 1;
                }
                Found::Value { .. } => tally.hits += 1,
                Found::Missing => tally.misses += 1,
                Found::Unanswered => tally.unanswered += 1,
                Found::Failed => tally.failed += 1,
            }
        }
        tally
    }
}
