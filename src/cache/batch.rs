//! Many keys in one call: all servers are written first and waited for once.
//!
//! A key that any memcached client may spell is asked for in one classic `get` per server, the cheapest way the protocol
//! has; keys with other bytes take a meta command each in the same packet. What was found is copied out, so that
//! the answers stay readable in the order of the keys.

mod fetch;
mod found;
mod tagged;

pub(crate) use found::{Blank, Tally};
pub(crate) use tagged::Standing;

use std::ops::Range;

use super::Fault;
use super::single::{Look, Spot};
use super::token::Token;
use crate::key::{Kind, Prefix, Space};
use crate::wire::Values;

/// Copies of more than this are given back after use, bytes.
const KEPT: usize = 64 * 1024;

/// The keys of one batch and what was found for each.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    wants: Vec<Want>,
    legs: Vec<Leg>,
    /// Which leg goes to a server.
    leg_of: Vec<Option<u32>>,
    /// Who serves what is at home in a slot.
    looks: Vec<Option<Look>>,
    /// Homes of whose seats too little is known.
    unknown: Vec<usize>,
    waiting: Vec<usize>,
    data: Vec<u8>,
    /// Of values of near tables and of those with tags.
    details: Vec<Detail>,
    generation: u64,
    /// Its values stand under tags that have been looked at.
    tagged: bool,
    err: &'static str,
}

/// One key: its answer, where it is asked for, and the next key of the same chain.
#[derive(Debug)]
struct Want {
    found: Found,
    /// Why nothing is known.
    fault: Fault,
    spot: Spot,
    next: u32,
}

impl Want {
    fn new(found: Found) -> Self {
        Self { found, fault: Fault::Down, spot: Spot::default(), next: END }
    }
}

#[derive(Clone, Debug)]
enum Found {
    Missing,
    Unanswered,
    Failed,
    Value { data: Range<usize>, flags: u32 },
}

/// What came with the value of key `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detail {
    pub at: usize,
    pub left: Option<i64>,
    pub token: Token,
    /// Servers confirmed it.
    pub sure: bool,
}

/// One server's share.
#[derive(Clone, Copy, Debug)]
struct Leg {
    server: usize,
    /// Keys of the one classic `get`, and keys with a meta command each.
    classic: Chain,
    alone: Chain,
    begun: u32,
    /// The first reply is the generation's record.
    unsure: bool,
}

/// Some of the keys in the order asked, linked through their [`Want`]s.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u32,
    last: u32,
}

/// What a batch asks for.
struct Keys<'a> {
    table: usize,
    /// All that belongs to a value is asked for.
    near: bool,
    name: &'a str,
    prefix: Prefix,
    keys: &'a [&'a [u8]],
}

impl<'a> Keys<'a> {
    fn space(&self, generation: u64) -> Space<'a> {
        Space { kind: Kind::Entry, table: self.name, generation }
    }
}

/// What is said of a server that answers, but does not tell.
const REFUSED: &str = Fault::Refused.as_str();
/// The bytes behind a value.
const LINE_END: usize = 2;
/// The end of a chain.
const END: u32 = u32::MAX;
const EMPTY: Chain = Chain { first: END, last: END };

impl Batch {
    /// Forgets the last batch.
    pub fn clear(&mut self) {
        self.wants.clear();
        self.legs.clear();
        self.leg_of.clear();
        self.looks.clear();
        self.unknown.clear();
        self.details.clear();
        self.data.clear();
        if self.data.capacity() > KEPT {
            self.data.shrink_to(KEPT);
        }
        (self.tagged, self.err) = (false, "");
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.wants.len()
    }

    /// Notes what came with a value.
    pub fn note(&mut self, detail: Detail) {
        self.details.push(detail);
    }

    /// Notes what a store says of the next key.
    pub fn push(&mut self, answer: Result<Option<(&[u8], u32)>, Fault>) {
        let want = Want { fault: answer.err().unwrap_or(Fault::Down), ..Want::new(self.judge(answer)) };
        self.wants.push(want);
    }

    /// Notes what a store says of key `at`, of which something was said before.
    pub fn set(&mut self, at: usize, answer: Result<Option<(&[u8], u32)>, Fault>) {
        if let Err(fault) = answer {
            (self.err, self.wants[at].fault) = (fault.as_str(), fault);
        }
        self.wants[at].found = self.judge(answer);
    }

    fn judge(&mut self, answer: Result<Option<(&[u8], u32)>, Fault>) -> Found {
        match answer {
            Ok(Some((data, flags))) => self.copy(data, flags),
            Ok(None) => Found::Missing,
            Err(fault) if fault.unavailable() => Found::Unanswered,
            Err(_) => Found::Failed,
        }
    }

    /// Nothing is known of any key, for this reason.
    pub fn refuse(&mut self, keys: usize, fault: Fault) {
        self.clear();
        (0..keys).for_each(|_| self.push(Err(fault)));
        self.err = fault.as_str();
    }

    fn copy(&mut self, data: &[u8], flags: u32) -> Found {
        let start = self.data.len();
        self.data.extend_from_slice(data);
        Found::Value { data: start..self.data.len(), flags }
    }

    /// Puts key `at` at the end of one of its server's chains.
    fn append(&mut self, at: usize, leg: u32, alone: bool) {
        let leg = &mut self.legs[leg as usize];
        let chain = if alone { &mut leg.alone } else { &mut leg.classic };
        let this = u32::try_from(at).unwrap_or(END);
        match self.wants.get_mut(chain.last as usize) {
            Some(last) => last.next = this,
            None => chain.first = this,
        }
        chain.last = this;
    }

    /// Takes what a classic `get` found: copied as a whole, in the order asked, without what is not there.
    fn take_values(&mut self, chain: Chain, mut values: Values<'_>, all: &Keys<'_>) -> Tally {
        let (start, text) = (self.data.len(), values.text());
        self.data.extend_from_slice(text);
        let mut tally = Tally::default();
        let mut next = chain.first;
        while let Some(want) = self.wants.get_mut(next as usize) {
            want.found = match values.next_of(all.prefix.bytes(), all.keys[next as usize]) {
                Some(item) if want.spot.accepts(item.flags) => {
                    tally.hits += 1;
                    let end = start + text.len() - values.text().len() - LINE_END;
                    Found::Value { data: end - item.data.len()..end, flags: item.flags }
                }
                _ => {
                    tally.misses += 1;
                    Found::Missing
                }
            };
            next = want.next;
        }
        // A value that nobody asked for in this place: then nothing is known of those left out.
        if !values.text().is_empty() {
            self.doubt(chain);
            tally.misses = 0;
        }
        tally
    }

    fn doubt(&mut self, chain: Chain) {
        let mut next = chain.first;
        while let Some(want) = self.wants.get_mut(next as usize) {
            if matches!(want.found, Found::Missing) {
                want.found = Found::Unanswered;
            }
            next = want.next;
        }
        self.err = REFUSED;
    }

    fn chain(&self, chain: Chain) -> impl Iterator<Item = usize> {
        let mut next = chain.first;
        std::iter::from_fn(move || {
            let this = next as usize;
            next = self.wants.get(this)?.next;
            Some(this)
        })
    }
}
