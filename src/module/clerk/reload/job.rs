//! One table being filled, in pages: for each, the keys are read, the places of their entries are held, and only then the rows
//! are read that go there. So whatever is invalidated or changed in between keeps its row out.

use super::{Cell, ReloadStat, cells};
use crate::clock::monotonic_ms;
use crate::lookup::sql::SqlSource;
use crate::lookup::sql::pages::Pager;
use crate::lookup::{Failure, Filled, Held, Loaded};
use crate::module::lifecycle;
use crate::module::sources;
use crate::module::worker::{self, Worker};
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

/// Rows of a page: as many as may be read in so many milliseconds, within bounds.
const PAGE_MS: u64 = 50;
const PAGE_MAX: u64 = 100;
/// More rows than keys are read, because some may have come between.
const SPARE: usize = 20;
/// After trouble with the database or the cache the page is tried again, milliseconds, and so often.
const AGAIN_MS: u64 = 1_000;
const TRIES: u32 = 180;

/// What a page came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    On,
    Done,
    /// Somebody wanted it.
    Stopped,
    Failed(&'static str),
}

/// Why a page was not done.
enum Trouble {
    /// It may pass.
    Passing(&'static str),
    Lasting(&'static str),
}

pub struct Job {
    source: usize,
    table: usize,
    rate: u64,
    page: usize,
    pager: Pager,
    counted: bool,
    next_ms: u64,
    tries: u32,
}

/// What became of a page.
#[derive(Default)]
struct Tally {
    rows: u64,
    stored: u64,
    left: u64,
}

impl Job {
    /// None where the source has no table.
    pub fn new(source: usize, rate: u64) -> Option<Self> {
        let name = &sources::all()?.spec(source).name;
        let table = lifecycle::shared()?.table(name.as_bytes())?;
        let page = usize::try_from((rate * PAGE_MS / 1_000).clamp(1, PAGE_MAX)).ok()?;
        let (pager, next_ms) = (Pager::default(), monotonic_ms());
        Some(Self { source, table, rate, page, pager, counted: false, next_ms, tries: 0 })
    }

    pub fn source(&self) -> usize {
        self.source
    }

    pub fn name(&self) -> &'static str {
        sources::all().map_or("", |all| &all.spec(self.source).name)
    }

    pub fn due(&self, now_ms: u64) -> bool {
        now_ms >= self.next_ms
    }

    /// Counts the rows, then does one page each time.
    pub fn step(&mut self) -> Step {
        if !std::mem::replace(&mut self.counted, true) {
            if let Some(total) = sources::with(self.source, SqlSource::count_rows).flatten() {
                cells()[self.source].total.store(total, Relaxed);
            }
            return Step::On;
        }
        let begun_ms = self.next_ms.max(monotonic_ms().saturating_sub(AGAIN_MS));
        let done = sources::with(self.source, |source| self.fill(source));
        match done.unwrap_or(Err(Trouble::Lasting("not initialised"))) {
            Ok(tally) => {
                self.tries = 0;
                self.next_ms = begun_ms + (tally.rows * 1_000).div_ceil(self.rate);
                note(&cells()[self.source], &tally);
                if self.pager.ended() { Step::Done } else { Step::On }
            }
            Err(Trouble::Passing(_)) if self.tries < TRIES => {
                self.tries += 1;
                self.next_ms = monotonic_ms() + AGAIN_MS;
                Step::On
            }
            Err(Trouble::Passing(why) | Trouble::Lasting(why)) => Step::Failed(why),
        }
    }

    fn fill(&mut self, source: &mut SqlSource) -> Result<Tally, Trouble> {
        source.read_keys(&self.pager, self.page).map_err(trouble)?;
        let mut next = self.pager.clone();
        source.turn(&mut next, self.page).map_err(|_| Trouble::Lasting("the order of the keys does not lead on"))?;
        let keys: Vec<Option<Vec<u8>>> = source.keys().collect();
        let mut tally = Tally { rows: keys.len() as u64, ..Tally::default() };
        let held = self.hold(keys.into_iter().flatten())?;
        if held.values().any(Option::is_some) {
            let read = source.read_rows(&self.pager, self.page + SPARE).map_err(trouble);
            self.store(source, held, &read, &mut tally);
            read?;
        } else {
            tally.left = held.len() as u64;
        }
        self.pager = next;
        Ok(tally)
    }

    /// Takes the places of all entries. Where one cannot be asked for, all are given back.
    fn hold(&self, keys: impl Iterator<Item = Vec<u8>>) -> Result<Places, Trouble> {
        let mut places = Places::new();
        let mut faults = None;
        for key in keys {
            if places.contains_key(&key) {
                continue;
            }
            let hold = |Worker { cache, lookups, .. }: &mut Worker| lookups.desk.hold(cache, self.table, &key);
            match worker::with(hold) {
                Some(Ok(held)) => drop(places.insert(key, held)),
                Some(Err(fault)) => {
                    faults = Some(fault.as_str());
                    break;
                }
                None => return Err(Trouble::Lasting("not initialised")),
            }
        }
        match faults {
            None => Ok(places),
            Some(why) => {
                self.give_back(places);
                Err(Trouble::Passing(why))
            }
        }
    }

    /// Stores the rows that were read where their places are held. The first row of a key counts.
    fn store(&self, source: &SqlSource, mut places: Places, read: &Result<(), Trouble>, tally: &mut Tally) {
        let rows = if read.is_ok() { source.keys().collect() } else { Vec::new() };
        for (row, key) in rows.into_iter().enumerate() {
            let Some((key, held)) = key.and_then(|key| places.remove_entry(&key)) else { continue };
            let filled = held.map(|held| self.put(&key, &held, &source.row(row)));
            match filled {
                Some(Filled::Stored) => tally.stored += 1,
                Some(Filled::Same | Filled::Left) | None => tally.left += 1,
            }
        }
        tally.left += places.len() as u64;
        self.give_back(places);
    }

    fn give_back(&self, places: Places) {
        for (key, held) in places {
            if let Some(held) = held {
                self.put(&key, &held, &Loaded::Uncached);
            }
        }
    }

    fn put(&self, key: &[u8], held: &Held, loaded: &Loaded<'_>) -> Filled {
        let fill = |Worker { cache, lookups, .. }: &mut Worker| lookups.desk.fill(cache, self.table, key, held, loaded);
        worker::with(fill).unwrap_or(Filled::Left)
    }
}

/// The keys of a page, and the places that are held for them; none where another loader is at work.
type Places = HashMap<Vec<u8>, Option<Held>>;

fn trouble(why: Failure) -> Trouble {
    match why {
        Failure::Down => Trouble::Passing(why.as_str()),
        Failure::Refused | Failure::BadKey | Failure::Lookup => Trouble::Lasting(why.as_str()),
    }
}

fn note(cell: &Cell, tally: &Tally) {
    cell.rows.fetch_add(tally.rows, Relaxed);
    cell.stored.fetch_add(tally.stored, Relaxed);
    cell.left.fetch_add(tally.left, Relaxed);
    cell.counts.add(ReloadStat::Rows as usize, tally.rows);
    cell.counts.add(ReloadStat::Stored as usize, tally.stored);
}
