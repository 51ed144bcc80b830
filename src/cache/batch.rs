//! Many keys in one call: all servers are written first and waited for once.
//!
//! A key that any memcached client may spell is asked for in one classic `get` per server, the cheapest way the protocol
//! has; keys with other bytes take a meta command each in the same packet. What was found is copied out, so that
//! the answers stay readable in the order of the keys.

use std::ops::Range;

use super::farm::{BUMPED, CHASES, Farm, behind_full_key};
use super::single::{LOOKS, Look, Spot};
use super::{Fault, Verdict};
use crate::clock::Deadline;
use crate::cluster::ServerStat;
use crate::cluster::record::key_ref;
use crate::key::{Kind, Prefix, Space};
use crate::value::Value;
use crate::wire::{self, Reply, Values};

/// Copies of more than this are given back after use, bytes.
const KEPT: usize = 64 * 1024;

/// What a batch came to, for the statistics and the script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub hits: u64,
    pub misses: u64,
    pub unanswered: u64,
    pub failed: u64,
    pub err: &'static str,
}

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
    generation: u64,
    err: &'static str,
}

/// One key: its answer, where it is asked for, and the next key of the same chain.
#[derive(Debug)]
struct Want {
    found: Found,
    spot: Spot,
    next: u32,
}

impl Want {
    fn new(found: Found) -> Self {
        Self { found, spot: Spot::default(), next: END }
    }
}

#[derive(Clone, Debug)]
enum Found {
    Missing,
    Unanswered,
    Failed,
    Value { data: Range<usize>, flags: u32 },
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
        self.data.clear();
        if self.data.capacity() > KEPT {
            self.data.shrink_to(KEPT);
        }
        self.err = "";
    }

    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        match self.wants.get(i).map(|want| &want.found) {
            None | Some(Found::Failed) => (Verdict::Failed, None),
            Some(Found::Missing) => (Verdict::Missing, None),
            Some(Found::Unanswered) => (Verdict::Unavailable, None),
            Some(Found::Value { data, flags }) => {
                (Verdict::Done, Some(Value::from_wire(&self.data[data.clone()], *flags)))
            }
        }
    }

    pub fn tally(&self) -> Tally {
        let mut tally = Tally { err: self.err, ..Tally::default() };
        for want in &self.wants {
            match want.found {
                Found::Value { .. } => tally.hits += 1,
                Found::Missing => tally.misses += 1,
                Found::Unanswered => tally.unanswered += 1,
                Found::Failed => tally.failed += 1,
            }
        }
        tally
    }

    /// Notes what a store says of the next key.
    pub fn push(&mut self, answer: Result<Option<(&[u8], u32)>, Fault>) {
        let found = self.judge(answer);
        self.wants.push(Want::new(found));
    }

    /// Notes what a store says of key `at`, of which something was said before.
    pub fn set(&mut self, at: usize, answer: Result<Option<(&[u8], u32)>, Fault>) {
        if let Err(fault) = answer {
            self.err = fault.as_str();
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

impl Farm {
    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        self.batch.found(i)
    }

    pub fn mget(&mut self, table: usize, keys: &[&[u8]]) -> Tally {
        let deadline = self.begin();
        let mut batch = std::mem::take(&mut self.batch);
        let name = &self.shared.config().tables[table].name;
        for _ in 0..CHASES {
            let newest = match self.plan(&mut batch, table, keys, deadline) {
                Ok(prefix) => self.fetch(&mut batch, &Keys { table, name, prefix, keys }, deadline),
                Err(fault) => {
                    batch.refuse(keys.len(), fault);
                    break;
                }
            };
            if newest <= batch.generation {
                break;
            }
            // What was read under an older generation counts for nothing.
            batch.wants.iter_mut().for_each(|want| want.found = Found::Unanswered);
            batch.err = BUMPED.as_str();
        }
        self.batch = batch;
        self.batch.tally()
    }

    /// Finds who serves every key and the form in which it is asked for. Seats of which too little is known are read first.
    fn plan(&mut self, batch: &mut Batch, table: usize, keys: &[&[u8]], deadline: Deadline) -> Result<Prefix, Fault> {
        self.refuse()?;
        let mut prefix = self.assign(batch, table, keys)?;
        for _ in 1..LOOKS {
            if batch.unknown.is_empty() {
                break;
            }
            let failed = self.read_seats(&batch.unknown, self.leg_deadline(deadline)?);
            prefix = self.assign(batch, table, keys)?;
            if let Some(fault) = failed {
                batch.err = fault.as_str();
                break;
            }
        }
        Ok(prefix)
    }

    fn assign(&self, batch: &mut Batch, table: usize, keys: &[&[u8]]) -> Result<Prefix, Fault> {
        batch.clear();
        batch.wants.reserve(keys.len());
        batch.leg_of.resize(self.links.len(), None);
        batch.looks.resize(self.links.len(), None);
        let name = &self.shared.config().tables[table].name;
        batch.generation = self.shared.generation(table);
        let prefix = Prefix::new(name, batch.generation)?;
        self.layout.ring().homes(Prefix::new(name, 0)?.bytes(), keys, |at, home| {
            if keys[at].is_empty() {
                return batch.wants.push(Want::new(Found::Failed));
            }
            let mut want = Want::new(Found::Unanswered);
            let leg = self.seek(batch, home).and_then(|spot| {
                want.spot = spot;
                batch.leg_of[spot.server].or_else(|| self.begin_leg(batch, spot.server))
            });
            let alone = want.spot.stands_in() || !prefix.fits(keys[at]);
            batch.wants.push(want);
            if let Some(leg) = leg {
                batch.append(at, leg, alone);
            }
        });
        Ok(prefix)
    }

    /// Who serves what is at home on `home`, if anybody does.
    fn seek(&self, batch: &mut Batch, home: usize) -> Option<Spot> {
        let look = match batch.looks[home] {
            Some(look) => look,
            None => {
                let look = self.look(home);
                if let Look::Ask = look {
                    batch.unknown.push(home);
                }
                *batch.looks[home].insert(look)
            }
        };
        match look {
            Look::Serve(spot) => return Some(spot),
            Look::Ask => batch.err = Fault::ChangingOver.as_str(),
            Look::Nobody(fault) => batch.err = fault.as_str(),
        }
        None
    }

    /// The number of a new leg to a server, if that may be asked.
    fn begin_leg(&self, batch: &mut Batch, server: usize) -> Option<u32> {
        if let Err(fault) = self.admit(server) {
            batch.err = fault.as_str();
            return None;
        }
        let number = u32::try_from(batch.legs.len()).ok()?;
        batch.legs.push(Leg { server, classic: EMPTY, alone: EMPTY, begun: 0, unsure: false });
        batch.leg_of[server] = Some(number);
        Some(number)
    }

    /// Asks all servers and takes their answers. Returns the newest generation that a server told of, which those are
    /// asked for whom the watcher cannot vouch.
    fn fetch(&mut self, batch: &mut Batch, all: &Keys<'_>, deadline: Deadline) -> u64 {
        let mut newest = 0;
        let mut waiting = std::mem::take(&mut batch.waiting);
        waiting.clear();
        waiting.extend(batch.legs.iter().map(|leg| leg.server));
        for retry in [true, false] {
            self.exchange_batch(batch, &waiting, all, deadline);
            waiting.retain(|&server| match self.links[server].status() {
                Ok(()) => {
                    newest = newest.max(self.collect(batch, server, all));
                    false
                }
                Err(error) => {
                    batch.err = error.kind.text();
                    error.reused
                }
            });
            if waiting.is_empty() || !retry {
                break;
            }
        }
        batch.waiting = waiting;
        newest
    }

    fn exchange_batch(&mut self, batch: &mut Batch, used: &[usize], all: &Keys<'_>, deadline: Deadline) {
        for at in 0..batch.legs.len() {
            let leg = batch.legs[at];
            if !used.contains(&leg.server) {
                continue;
            }
            batch.legs[at].begun = self.prepare(leg.server);
            batch.legs[at].unsure = !self.vouched(leg.server);
            if batch.legs[at].unsure {
                let _ = self.record.record("gen", all.name, b"");
                self.links[leg.server].mg(key_ref(&self.record), "v");
            }
            let link = &mut self.links[leg.server];
            link.get(all.prefix.bytes(), batch.chain(leg.classic).map(|at| all.keys[at]));
            for at in batch.chain(leg.alone) {
                let _ = self.key.part(all.space(batch.generation), batch.wants[at].spot.part(), all.keys[at]);
                link.mg(key_ref(&self.key), "v f");
            }
        }
        wire::exchange(&mut self.links, used, deadline);
        for leg in batch.legs.iter().filter(|leg| used.contains(&leg.server)) {
            let status = self.links[leg.server].status();
            self.report(leg.server, leg.begun, status.err());
        }
    }

    /// Takes one server's answers, and returns the generation it told of. What is neither a value nor a clear "not there"
    /// stays unanswered.
    fn collect(&mut self, batch: &mut Batch, server: usize, all: &Keys<'_>) -> u64 {
        let Some(leg) = batch.leg_of[server].map(|leg| batch.legs[leg as usize]) else { return 0 };
        let told = if leg.unsure { self.learn(all.table, &self.links[server].reply(0)) } else { Ok(0) };
        let Ok(told) = told else {
            batch.err = REFUSED;
            return 0;
        };
        let (first, classic) = (usize::from(leg.unsure), leg.classic.first != END);
        let mut tally = match self.links[server].reply(first) {
            Reply::Values(values) if classic => batch.take_values(leg.classic, values, all),
            _ if classic => {
                batch.err = REFUSED;
                Tally::default()
            }
            _ => Tally::default(),
        };
        let mut next = leg.alone.first;
        for reply in first + usize::from(classic).. {
            let Some(want) = batch.wants.get(next as usize) else { break };
            let (at, link) = (next as usize, &self.links[server]);
            let spot = want.spot;
            next = want.next;
            let value = match link.reply(reply) {
                Reply::Value { data, meta } if spot.accepts(meta.flags) => {
                    let _ = self.key.part(all.space(batch.generation), spot.part(), all.keys[at]);
                    behind_full_key(&self.key, data).map(|skip| (&data[skip..], meta.flags))
                }
                Reply::Value { .. } | Reply::Miss => None,
                _ => {
                    batch.err = REFUSED;
                    continue;
                }
            };
            self.count_failover(all.table, spot.home, spot.server);
            tally.hits += u64::from(value.is_some());
            tally.misses += u64::from(value.is_none());
            batch.wants[at].found = value.map_or(Found::Missing, |(data, flags)| batch.copy(data, flags));
        }
        let counts = &self.shared.server_cell(server).counts;
        counts.add(ServerStat::Hits as usize, tally.hits);
        counts.add(ServerStat::Misses as usize, tally.misses);
        told
    }
}
