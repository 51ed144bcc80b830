//! One worker's part in read-through: lookups answered or begun, loads ended, and what the script is told.
//!
//! A source that runs the script's own code must not find this worker's state borrowed, so a lookup that has to load is
//! [opened](Desk::open), loaded by the caller, and [closed](Desk::close). Other sources go through [`Desk::look`].

use std::time::Duration;

use super::dice::Dice;
use super::flow::{self, Claim, End, Next, Place, Seen, Store};
use super::memory::Memory;
use super::policy::Policy;
use super::source::{Loaded, Source};
use crate::cache::{Cache, Fault, Hold, Verdict};
use crate::clock;
use crate::cluster::TableStat;
use crate::value::frame::{Item, Row, Wire};

/// So many lookups may be under way in one worker, one within the other.
const DEPTH: usize = 8;

/// A lookup that was begun.
#[derive(Debug)]
pub enum Opened {
    /// The cache has the answer now.
    Answered(Verdict),
    /// The caller has to load, and to give this back afterwards.
    Load(Lease),
}

/// A load under way.
#[derive(Debug)]
pub struct Lease {
    table: usize,
    key: Vec<u8>,
    place: Place<Hold>,
}

/// One worker's lookups.
#[derive(Debug, Default)]
pub struct Desk {
    memory: Memory,
    dice: Dice,
    /// The keys under way, the innermost last.
    under_way: Vec<(usize, Vec<u8>)>,
    room: Vec<u8>,
}

impl Desk {
    /// Begins a lookup.
    pub fn open(&mut self, cache: &mut Cache, table: usize, key: &[u8]) -> Opened {
        self.open_within(cache, table, key, u64::MAX)
    }

    fn open_within(&mut self, cache: &mut Cache, table: usize, key: &[u8], wait_ms: u64) -> Opened {
        if self.under_way.len() == DEPTH || self.under_way.iter().any(|(at, of)| *at == table && of == key) {
            return Opened::Answered(cache.fail(Some(table), "lookup within itself"));
        }
        let policy = Policy::new(cache.shared().config(), table).waiting(wait_ms);
        let opened = flow::open(&mut Shelf { cache, dice: &mut self.dice, table, key, looked: false }, &policy);
        if opened.waited {
            cache.tally(table, TableStat::LoadWaits);
        }
        match opened.next {
            Next::Serve { stale } => Opened::Answered(cache.conclude_found(table, stale)),
            Next::Failed => Opened::Answered(cache.conclude_without(table, Verdict::Unavailable, "source failed")),
            Next::Load(place) => {
                if matches!(place, Place::Down)
                    && let Some(wire) = self.memory.find(table, key, clock::monotonic_ms())
                {
                    return Opened::Answered(cache.conclude_with(table, wire, false));
                }
                cache.tally(table, TableStat::Loads);
                self.under_way.push((table, key.to_vec()));
                Opened::Load(Lease { table, key: key.to_vec(), place })
            }
        }
    }

    /// Ends a lookup with what was loaded.
    pub fn close(&mut self, cache: &mut Cache, lease: &Lease, loaded: Loaded<'_>) -> Verdict {
        let Lease { table, key, place } = lease;
        self.under_way.retain(|(at, of)| at != table || of != key);
        let policy = Policy::new(cache.shared().config(), *table);
        let mut columns = Vec::new();
        let end = end(&loaded, &mut columns);
        flow::close(&mut Shelf { cache, dice: &mut self.dice, table: *table, key, looked: true }, &policy, place, end);
        match (end, place) {
            (End::Keep(item), place) => {
                let wire = item.to_wire(&mut self.room);
                if matches!(place, Place::Down) {
                    let until_ms = clock::monotonic_ms() + cache.shared().delta_ms();
                    self.memory.keep(*table, key, wire, until_ms);
                }
                cache.conclude_with(*table, wire, false)
            }
            (End::Uncached, _) => cache.conclude_without(*table, Verdict::Failed, "not kept"),
            (End::Failed, place) => {
                cache.tally(*table, TableStat::LoadFailures);
                let Loaded::Failed(why) = loaded else { return Verdict::Failed };
                match place {
                    Place::Own { old: Some(old), .. } => cache.conclude_with(*table, old.wire(), old.stale),
                    _ => cache.conclude_without(*table, Verdict::Unavailable, why.as_str()),
                }
            }
        }
    }

    /// Answers a lookup, from `source` where need be. The value is in the cache.
    pub fn look(&mut self, cache: &mut Cache, table: usize, key: &[u8], source: &mut dyn Source) -> Verdict {
        self.look_within(cache, table, key, u64::MAX, source)
    }

    /// The same by one who cannot wait longer than `wait_ms` milliseconds for what another one loads.
    pub fn look_within(
        &mut self,
        cache: &mut Cache,
        table: usize,
        key: &[u8],
        wait_ms: u64,
        source: &mut dyn Source,
    ) -> Verdict {
        let lease = match self.open_within(cache, table, key, wait_ms) {
            Opened::Answered(verdict) => return verdict,
            Opened::Load(lease) => lease,
        };
        let loaded = source.load(key);
        let failure = if let Loaded::Failed(why) = loaded { Some(why) } else { None };
        let verdict = self.close(cache, &lease, loaded);
        if let Some(why) = failure {
            source.failed(key, why, verdict);
        }
        verdict
    }
}

/// A place in the cache that is held for what a source says.
#[derive(Debug)]
pub struct Held(Claim<Hold>);

/// What became of a place that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    Stored,
    /// The same lay there already.
    Same,
    /// Something newer came between, or the cache did not take it.
    Left,
}

impl Desk {
    /// Takes a key's place, unasked and without waiting; `None` where another loader is at work. What is read from the source from
    /// now on may be stored there.
    ///
    /// # Errors
    /// The cache does not answer.
    pub fn hold(&mut self, cache: &mut Cache, table: usize, key: &[u8]) -> Result<Option<Held>, Fault> {
        let policy = Policy::new(cache.shared().config(), table);
        let claim = flow::claim(&mut Shelf { cache, dice: &mut self.dice, table, key, looked: true }, &policy);
        Ok(claim?.map(Held))
    }

    /// Stores what was loaded in a place that is held, or gives the place back.
    pub fn fill(&mut self, cache: &mut Cache, table: usize, key: &[u8], held: &Held, loaded: &Loaded<'_>) -> Filled {
        let policy = Policy::new(cache.shared().config(), table);
        let mut columns = Vec::new();
        let end = end(loaded, &mut columns);
        if let End::Keep(item) = end
            && held.0.holds(&policy, item)
        {
            return Filled::Same;
        }
        let mut shelf = Shelf { cache, dice: &mut self.dice, table, key, looked: true };
        if flow::close(&mut shelf, &policy, &held.0.place, end) { Filled::Stored } else { Filled::Left }
    }
}

/// What becomes of a place, by what was loaded.
fn end<'a>(loaded: &'a Loaded<'a>, columns: &'a mut Vec<u8>) -> End<'a> {
    match *loaded {
        Loaded::Value(value) | Loaded::Result { yes: true, value: Some(value) } => End::Keep(Item::Value(value)),
        Loaded::Nothing | Loaded::Result { yes: false, value: None } => End::Keep(Item::Nothing),
        Loaded::Result { yes, value } => End::Keep(Item::Result { yes, value }),
        Loaded::Row(ref row) => End::Keep(Item::Row(Row::new(row, columns))),
        Loaded::Uncached => End::Uncached,
        Loaded::Failed(_) => End::Failed,
    }
}

/// One key of the cache.
struct Shelf<'a> {
    cache: &'a mut Cache,
    dice: &'a mut Dice,
    table: usize,
    key: &'a [u8],
    /// It was read before: what this host's own memory says of it is known.
    looked: bool,
}

impl Store for Shelf<'_> {
    type Token = Hold;

    fn read(&mut self) -> Result<Option<Seen<Hold>>, Fault> {
        let near = !std::mem::replace(&mut self.looked, true);
        self.cache.see(self.table, self.key, near)
    }

    fn found(&self) -> Wire<'_> {
        self.cache.wire().unwrap_or(Wire { data: b"", flags: 0 })
    }

    fn put(&mut self, over: Option<Hold>, wire: Wire<'_>, ttl: u32) -> Result<bool, Fault> {
        self.cache.place(over, self.table, self.key, wire, ttl)
    }

    fn held_off(&mut self) -> bool {
        self.cache.held_off(self.table, self.key)
    }

    fn now_ms(&self) -> u64 {
        clock::monotonic_ms()
    }

    fn sleep(&mut self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }

    fn random(&mut self) -> u64 {
        self.dice.throw()
    }
}
