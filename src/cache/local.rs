//! The host's own store behind the same calls: what a first trial without any memcached runs on.
//!
//! One store serves all tables: an entry is named by table, generation and key, whatever bytes the key has.

mod dump;
mod locks;
mod tagged;

use std::io::Write as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::batch::{Batch, Blank, Tally};
use super::token::Token;
use super::{Answer, Ask, Fault, Location, Mode, Step, Verdict, Way};
use crate::clock::{self, Deadline};
use crate::cluster::seats::Seat;
use crate::cluster::{Shared, VALUE_MAX};
use crate::key::WireKey;
use crate::near::{self, Delta, Put, Removed, Store, Terms};
use crate::value::Value;
use crate::value::frame::{Tagged, Wire};

/// One worker's way to the host's own store.
#[derive(Debug)]
pub(crate) struct Local {
    shared: &'static Shared,
    store: &'static Store,
    name: Vec<u8>,
    data: Vec<u8>,
    held: Held,
    /// A record that was read beside an entry.
    record: Vec<u8>,
    /// The entry read last, where its tags make it void.
    void: Option<u64>,
    batch: Batch,
}

#[derive(Clone, Copy, Debug)]
enum Held {
    Nothing,
    Number(u64),
    Data { flags: u32, cas: u64, ttl: Option<i64> },
}

impl Local {
    pub fn new(shared: &'static Shared, store: &'static Store) -> Self {
        let (name, data, record, batch) = (Vec::new(), Vec::new(), Vec::new(), Batch::default());
        Self { shared, store, name, data, held: Held::Nothing, record, void: None, batch }
    }

    /// Nobody else counts what comes of a call.
    pub fn counted(&self) -> bool {
        false
    }

    pub fn asked(&self) -> Option<usize> {
        None
    }

    pub fn value(&self) -> Option<Value<'_>> {
        match self.held {
            Held::Nothing => None,
            Held::Number(number) => i64::try_from(number).ok().map(Value::Int),
            Held::Data { .. } => self.wire()?.shown(),
        }
    }

    /// The last entry read, as it is.
    pub fn wire(&self) -> Option<Wire<'_>> {
        self.entry().map(Tagged::inner).or_else(|| self.stored())
    }

    fn stored(&self) -> Option<Wire<'_>> {
        match self.held {
            Held::Data { flags, .. } => Some(Wire { data: &self.data, flags }),
            _ => None,
        }
    }

    /// Nobody can.
    #[expect(clippy::unused_self, reason = "as the servers are asked")]
    pub fn stands_in(&self) -> bool {
        false
    }

    pub fn token(&self) -> Token {
        match self.held {
            Held::Data { cas, .. } => Token::One { cas, seat: Seat::UNKNOWN },
            _ => Token::Unsettled,
        }
    }

    /// The remaining seconds of the last value read; `None` = never expires.
    pub fn left(&self) -> Option<i64> {
        match self.held {
            Held::Data { ttl, .. } => ttl,
            _ => None,
        }
    }

    pub fn get(&mut self, table: usize, key: &[u8], _ask: Ask) -> Answer {
        self.set_key(table, key)?;
        let found = self.read()?;
        match &self.shared.table_at(table).tag {
            Some(rule) if found => self.judge(rule, table, key),
            _ => Ok(found),
        }
    }

    /// Nothing is nearer than this store.
    pub fn fetch(&mut self, table: usize, key: &[u8], ask: Ask) -> Answer {
        self.get(table, key, ask)
    }

    pub fn ttl(&mut self, table: usize, key: &[u8]) -> Answer {
        if self.shared.table_at(table).tag.is_some() {
            return self.get(table, key, Ask::All);
        }
        self.set_key(table, key)?;
        let now = seconds();
        let Some(hit) = self.store.look(&self.name, now, self.deadline())? else { return Ok(false) };
        self.data.clear();
        self.held = held(&hit, now);
        Ok(true)
    }

    fn read(&mut self) -> Answer {
        self.held = Held::Nothing;
        let (now, deadline) = (seconds(), self.deadline());
        let Some(hit) = self.store.get(&self.name, now, &mut self.data, deadline)? else { return Ok(false) };
        self.held = held(&hit, now);
        Ok(true)
    }

    pub fn put(&mut self, mode: Mode, table: usize, key: &[u8], wire: Wire<'_>, ttl: u32) -> Answer {
        self.held = Held::Nothing;
        self.set_key(table, key)?;
        let Wire { data, flags } = wire;
        if data.len() > VALUE_MAX {
            return Err(Fault::TooLarge);
        }
        let mode = match mode {
            Mode::Set => near::Mode::Set,
            Mode::Add => near::Mode::Add,
            Mode::Replace => near::Mode::Replace,
            Mode::Cas(Token::One { cas, .. }) => near::Mode::Cas(cas),
            Mode::Cas(_) => return Err(Fault::Unsettled),
        };
        self.store_under(mode, data, flags, ttl)
    }

    fn store_under(&self, mode: near::Mode, data: &[u8], flags: u32, ttl: u32) -> Answer {
        let how = terms(flags, ttl);
        match self.store.put(mode, &self.name, data, how, self.deadline())? {
            Put::Stored { .. } => Ok(true),
            Put::TooLarge { .. } => Err(Fault::TooLarge),
            Put::NotStored | Put::Exists | Put::NotFound => Ok(false),
        }
    }

    pub fn touch(&mut self, table: usize, key: &[u8], ttl: u32) -> Answer {
        self.set_key(table, key)?;
        Ok(self.store.touch(&self.name, ttl.into(), seconds(), self.deadline())?)
    }

    pub fn remove(&mut self, table: usize, key: &[u8]) -> Answer {
        self.set_key(table, key)?;
        Ok(self.store.remove(&self.name, None, seconds(), self.deadline())? == Removed::Done)
    }

    pub fn count(&mut self, table: usize, key: &[u8], step: Step, ttl: u32) -> Answer {
        self.set_key(table, key)?;
        self.step(step, ttl)
    }

    fn step(&mut self, step: Step, ttl: u32) -> Answer {
        self.held = Held::Nothing;
        let (up, created) = (step.way == Way::Up, Some(step.created));
        let how = terms(0, ttl);
        match self.store.delta(&self.name, up, step.by, created, how, self.deadline())? {
            Delta::Number(number) => {
                self.held = Held::Number(number);
                Ok(true)
            }
            Delta::NotFound => Ok(false),
            Delta::NotANumber => Err(Fault::NotANumber),
            Delta::Overflow => Err(Fault::Overflow),
        }
    }

    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        self.batch.found(i)
    }

    /// Is nothing known of the `i`-th key?
    pub fn blank(&self, i: usize) -> Option<Blank> {
        self.batch.blank(i)
    }

    /// This is what became known of the `i`-th key.
    pub fn amend(&mut self, i: usize, answer: Result<Option<(&[u8], u32)>, Fault>) {
        self.batch.set(i, answer);
    }

    pub fn mget(&mut self, table: usize, keys: &[&[u8]]) -> Tally {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        for key in keys {
            let answer = self.get(table, key, Ask::Value);
            let found = |found| self.wire().filter(|_| found).map(|Wire { data, flags }| (data, flags));
            batch.push(answer.map(found));
        }
        (self.batch, self.held) = (batch, Held::Nothing);
        self.batch.tally()
    }

    /// Is it certain that there is nothing under any of these keys?
    pub fn lacks(&mut self, table: usize, keys: &[&[u8]]) -> bool {
        keys.iter().all(|key| self.get(table, key, Ask::Value) == Ok(false))
    }

    pub fn bump(&mut self, table: usize) -> Answer {
        self.held = Held::Nothing;
        let generation = &self.shared.table_cell(table).generation;
        let next = |known: u64| Some(clock::wall_s().max(known + 1));
        let _ = generation.fetch_update(Relaxed, Relaxed, next);
        Ok(true)
    }

    pub fn locate(&mut self, table: usize, key: &[u8]) -> Result<Location, Fault> {
        self.set_key(table, key)?;
        let mut spelled = WireKey::new();
        let generation = self.shared.table_cell(table).generation.load(Relaxed);
        spelled.set(&self.shared.table_at(table).name, generation, key)?;
        Ok(Location { server: None, wire_key: String::from_utf8_lossy(spelled.bytes()).into_owned() })
    }

    fn set_key(&mut self, table: usize, key: &[u8]) -> Result<(), Fault> {
        let generation = self.shared.table_cell(table).generation.load(Relaxed);
        (self.held, self.void) = (Held::Nothing, None);
        self.name.clear();
        let _ = write!(self.name, "{}@{generation}:", self.shared.table_at(table).name);
        self.name.extend_from_slice(key);
        if key.is_empty() { Err(Fault::EmptyKey) } else { Ok(()) }
    }

    fn set_record(&mut self, kind: &str, table: usize, key: &[u8]) -> Result<(), Fault> {
        self.name.clear();
        let _ = write!(self.name, "!{kind}:{}:", self.shared.table_at(table).name);
        self.name.extend_from_slice(key);
        if key.is_empty() { Err(Fault::EmptyKey) } else { Ok(()) }
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(Duration::from_millis(u64::from(self.shared.config().cmd_timeout_ms)))
    }
}

impl From<near::Fault> for Fault {
    fn from(fault: near::Fault) -> Self {
        match fault {
            near::Fault::Busy => Self::Busy,
            near::Fault::KeyTooLong => Self::KeyTooLong,
        }
    }
}

/// The store's ticks. It lives no longer than this host, so its clock need not be the wall's.
fn seconds() -> u64 {
    clock::monotonic_ms() / 1_000
}

fn terms(flags: u32, ttl: u32) -> Terms {
    Terms { flags, ttl: ttl.into(), now: seconds(), ..Terms::default() }
}

/// The seconds that an entry has left; `None` = it never expires.
fn left(hit: &near::Hit, now_s: u64) -> Option<u64> {
    (hit.expires > 0).then(|| hit.expires.saturating_sub(now_s))
}

fn held(hit: &near::Hit, now_s: u64) -> Held {
    Held::Data { flags: hit.flags, cas: hit.cas, ttl: left(hit, now_s).map(u64::cast_signed) }
}
