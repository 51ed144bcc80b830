//! Many keys in one call: all servers are written first and waited for once.
//!
//! A key that any memcached client may spell is asked for in one classic `get` per server, the cheapest way the protocol
//! has; keys with other bytes take a meta command each in the same packet. What was found is copied out, so that
//! the answers stay readable in the order of the keys.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use super::farm::{Farm, key_ref};
use super::{Fault, Verdict};
use crate::clock::Deadline;
use crate::cluster::ServerStat;
use crate::key::WireKey;
use crate::value::Value;
use crate::wire::{self, KeyRef, Reply};

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
    wire_keys: Vec<u8>,
    data: Vec<u8>,
    used: Vec<usize>,
    begun: Vec<u32>,
}

#[derive(Debug)]
struct Want {
    server: usize,
    wire_key: Range<usize>,
    base64: bool,
    hashed: bool,
    found: Found,
}

#[derive(Clone, Debug)]
enum Found {
    Missing,
    Unanswered,
    Failed,
    Value { data: Range<usize>, flags: u32 },
}

impl Want {
    fn asks(&self, server: usize) -> bool {
        self.server == server && !matches!(self.found, Found::Failed)
    }

    /// Takes a meta command of its own.
    fn alone(&self) -> bool {
        self.base64 || self.hashed
    }
}

impl Batch {
    /// Forgets the last batch.
    pub fn clear(&mut self) {
        self.wants.clear();
        self.wire_keys.clear();
        self.used.clear();
        self.data.clear();
        if self.data.capacity() > KEPT {
            self.data.shrink_to(KEPT);
        }
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
        let mut tally = Tally::default();
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

    /// Notes what the host's own store says of the next key.
    pub fn push(&mut self, answer: Result<Option<(&[u8], u32)>, Fault>) {
        let found = match answer {
            Ok(Some((data, flags))) => self.copy(data, flags),
            Ok(None) => Found::Missing,
            Err(fault) if fault.unavailable() => Found::Unanswered,
            Err(_) => Found::Failed,
        };
        self.wants.push(Want { server: 0, wire_key: 0..0, base64: false, hashed: false, found });
    }

    fn copy(&mut self, data: &[u8], flags: u32) -> Found {
        let start = self.data.len();
        self.data.extend_from_slice(data);
        Found::Value { data: start..self.data.len(), flags }
    }

    fn classic(&self, server: usize) -> impl Iterator<Item = &[u8]> {
        let mine = move |want: &&Want| want.asks(server) && !want.alone();
        self.wants.iter().filter(mine).map(|want| &self.wire_keys[want.wire_key.clone()])
    }
}

impl Farm {
    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        self.batch.found(i)
    }

    pub fn mget(&mut self, table: usize, keys: &[&[u8]]) -> Tally {
        let deadline = self.deadline();
        let mut batch = std::mem::take(&mut self.batch);
        let generation = &self.shared.table_cell(table).generation;
        let planned = generation.load(Relaxed);
        self.plan(&mut batch, table, keys);
        let doubtful = self.verify(&batch, table, deadline);
        if generation.load(Relaxed) != planned {
            self.plan(&mut batch, table, keys);
        }
        batch.used.retain(|server| !doubtful.contains(server));
        let err = self.fetch(&mut batch, table, keys, deadline);
        let err = doubtful
            .first()
            .map_or(err, |server| self.links[*server].status().map_or_else(|e| e.kind.text(), |()| err));
        let tally = Tally { err, ..batch.tally() };
        self.batch = batch;
        tally
    }

    /// Spells every key and finds its home.
    fn plan(&mut self, batch: &mut Batch, table: usize, keys: &[&[u8]]) {
        batch.clear();
        for key in keys {
            let start = batch.wire_keys.len();
            let found = match self.set_key(table, key) {
                Ok(_) => Found::Unanswered,
                Err(_) => Found::Failed,
            };
            let server = self.home(table, key);
            if matches!(found, Found::Unanswered) {
                batch.wire_keys.extend_from_slice(self.key.bytes());
                if !batch.used.contains(&server) && self.admit(server).is_ok() {
                    batch.used.push(server);
                }
            }
            let wire_key = start..batch.wire_keys.len();
            let (base64, hashed) = (self.key.base64(), self.key.full().is_some());
            batch.wants.push(Want { server, wire_key, base64, hashed, found });
        }
    }

    /// Asks for the table's generation where the watcher cannot vouch for it; returns the servers that did not tell.
    fn verify(&mut self, batch: &Batch, table: usize, deadline: Deadline) -> Vec<usize> {
        let unsure: Vec<usize> = batch.used.iter().copied().filter(|server| !self.vouched(*server)).collect();
        let mut record = WireKey::new();
        if unsure.is_empty() || record.record("gen", &self.shared.config().tables[table].name, b"").is_err() {
            return unsure;
        }
        let told = self.send_each(unsure.clone(), deadline, |link| link.mg(key_ref(&record), "v"));
        let knows = |server: &usize| told.contains(server) && self.learn(table, &self.links[*server].reply(0)).is_ok();
        unsure.into_iter().filter(|server| !knows(server)).collect()
    }

    fn fetch(&mut self, batch: &mut Batch, table: usize, keys: &[&[u8]], deadline: Deadline) -> &'static str {
        let mut err =
            if batch.wants.iter().any(|want| !batch.used.contains(&want.server)) { "server down" } else { "" };
        let mut waiting = batch.used.clone();
        for retry in [true, false] {
            self.exchange_batch(batch, &waiting, deadline);
            waiting.retain(|&server| match self.links[server].status() {
                Ok(()) => {
                    if !self.collect(batch, server, table, keys) {
                        err = Fault::Refused.as_str();
                    }
                    false
                }
                Err(error) => {
                    err = error.kind.text();
                    error.reused
                }
            });
            if waiting.is_empty() || !retry {
                break;
            }
        }
        err
    }

    fn exchange_batch(&mut self, batch: &mut Batch, used: &[usize], deadline: Deadline) {
        batch.begun.clear();
        for &server in used {
            let begun = self.prepare(server);
            batch.begun.push(begun);
            let link = &mut self.links[server];
            if batch.classic(server).next().is_some() {
                link.get(batch.classic(server));
            }
            for want in batch.wants.iter().filter(|want| want.asks(server) && want.alone()) {
                let bytes = &batch.wire_keys[want.wire_key.clone()];
                link.mg(KeyRef { bytes, base64: want.base64 }, "v f");
            }
        }
        wire::exchange(&mut self.links, used, deadline);
        for (&server, &begun) in used.iter().zip(&batch.begun) {
            let status = self.links[server].status();
            self.report(server, begun, status.err());
        }
    }

    /// Takes one server's answers: a classic `get` leaves out what is not there, in the order asked. What is neither a
    /// value nor a clear "not there" stays unanswered; false when there is such a key.
    fn collect(&mut self, batch: &mut Batch, server: usize, table: usize, keys: &[&[u8]]) -> bool {
        let classic = batch.classic(server).next().is_some();
        let mut at = usize::from(classic);
        let mut values = match self.links[server].reply(0) {
            Reply::Values(values) if classic => Some(values.peekable()),
            _ => None,
        };
        for (i, key) in keys.iter().enumerate() {
            let want = &batch.wants[i];
            if !want.asks(server) {
                continue;
            }
            let found = if want.alone() {
                at += 1;
                match self.links[server].reply(at - 1) {
                    Reply::Value { data, meta } => Some((data, meta.flags)),
                    Reply::Miss => None,
                    _ => continue,
                }
            } else {
                let Some(values) = &mut values else { continue };
                let wire_key = &batch.wire_keys[want.wire_key.clone()];
                values.next_if(|item| item.key == wire_key).map(|item| (item.data, item.flags))
            };
            let value = match found {
                Some((data, flags)) if want.hashed => {
                    let _ = self.key.set(&self.shared.config().tables[table].name, 0, key);
                    super::farm::behind_full_key(&self.key, data).map(|skip| (&data[skip..], flags))
                }
                found => found,
            };
            let stat = if value.is_some() { ServerStat::Hits } else { ServerStat::Misses };
            self.shared.server_cell(server).counts.add(stat as usize, 1);
            batch.wants[i].found = value.map_or(Found::Missing, |(data, flags)| batch.copy(data, flags));
        }
        // A value that nobody asked for in this place: then nothing is known of those left out.
        if values.is_some_and(|mut values| values.next().is_some()) {
            let missing = |want: &&mut Want| want.asks(server) && !want.alone() && matches!(want.found, Found::Missing);
            batch.wants.iter_mut().filter(missing).for_each(|want| want.found = Found::Unanswered);
        }
        !batch.wants.iter().any(|want| want.asks(server) && matches!(want.found, Found::Unanswered))
    }
}
