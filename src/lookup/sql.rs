//! Tables of a database as sources: one question per key, through the host's own database drivers.
//!
//! What all processes share (drivers, and whether a database is up) is made before the host forks; each process opens
//! connections of its own when it first asks.

use super::source::{Column, Failure, Loaded, Source};
use crate::cache::Verdict;
use crate::clock::monotonic_ms;
use crate::cluster::Counts;
use crate::config::{Config, ConfigError, SourceSpec};
use crate::host::db::{Database, DbError, Driver, Fault, Rows, Select};
use crate::host::log;
use crate::near::Region;
use crate::table::Table;
use breaker::{Breaker, Policy, Turn};
use question::Question;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub mod breaker;
mod paged;
pub mod pages;
mod probe;
pub mod question;
mod waits;

/// A question that is unanswered for so long is a sign to all workers that the database is down, milliseconds.
const PATIENCE_MS: u64 = 500;
/// Between two lines of the log about loads of one source that failed, milliseconds.
const SAID_EVERY_MS: u64 = 10_000;
/// So much of a key is told in them, bytes.
const SHOWN: usize = 64;

/// What is counted per source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum SourceStat {
    /// Questions sent to the database.
    Queries,
    /// Of these, those it did not answer.
    Failures,
    /// Of these, those it refused.
    Refused,
    /// Questions not sent because the database was down.
    Spared,
}

impl SourceStat {
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Queries, "queries"),
        (Self::Failures, "failures"),
        (Self::Refused, "refused"),
        (Self::Spared, "spared"),
    ];
}

/// What the processes of a host know together of one source. The breaker of a database is its first source's.
#[derive(Debug, Default)]
#[repr(C)]
struct Cell {
    breaker: Breaker,
    counts: Counts<{ SourceStat::ALL.len() }>,
    /// When a failed load was last told of.
    said_ms: AtomicU64,
    /// Failed loads that were not told of since.
    hushed: AtomicU64,
}

/// The sources of a host.
#[derive(Debug)]
pub struct Sources {
    list: Vec<Entry>,
    /// By the table's place.
    of_table: Vec<Option<usize>>,
    cells: Region,
    policy: Policy,
}

#[derive(Debug)]
struct Entry {
    spec: SourceSpec,
    driver: Arc<Driver>,
    /// The place of the first source with the same URL.
    breaker: usize,
}

/// Why sources cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot map shared memory for the sources: {0}")]
    Map(#[from] std::io::Error),
}

impl Sources {
    /// Finds the drivers and maps the shared memory. No database is asked: one that is down does not stop the start.
    /// To be called once, when all modules are loaded and before the host forks.
    ///
    /// # Errors
    /// A source without a driver, or no memory.
    pub fn create(config: &Config) -> Result<&'static Self, SourcesError> {
        let specs = &config.sources;
        let place = |spec: &SourceSpec| specs.iter().position(|other| other.url == spec.url).unwrap_or(0);
        let entry = |spec: &SourceSpec| match Driver::find(spec.url.scheme()) {
            Ok(driver) => Ok(Entry { spec: spec.clone(), driver, breaker: place(spec) }),
            Err(unbound) => Err(spec.refused(&unbound)),
        };
        let list = specs.iter().map(entry).collect::<Result<Vec<Entry>, ConfigError>>()?;
        waits::warn(&list, 2 * config.load_timeout_s);
        let of_table = |table: &Table| specs.iter().position(|spec| spec.name == table.name);
        let of_table = config.tables.iter().map(of_table).collect();
        let cells = Region::anonymous(list.len() * size_of::<Cell>())?;
        let policy = Policy { patience_ms: PATIENCE_MS, retry_ms: u64::from(config.source_retry_ms) };
        Ok(Box::leak(Box::new(Self { list, of_table, cells, policy })))
    }

    /// The source of a table, by the table's place.
    #[must_use]
    pub fn find(&self, table: usize) -> Option<usize> {
        *self.of_table.get(table)?
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    #[must_use]
    pub fn spec(&self, source: usize) -> &SourceSpec {
        &self.list[source].spec
    }

    /// May a database be asked for this key at all?
    #[must_use]
    pub fn takes(&self, source: usize, key: &[u8]) -> bool {
        question::sound(self.spec(source), key)
    }

    #[must_use]
    pub fn count(&self, source: usize, stat: SourceStat) -> u64 {
        self.cells()[source].counts.get(stat as usize)
    }

    /// Milliseconds until its database is asked again; 0 while it is up.
    #[must_use]
    pub fn pause_ms(&self, source: usize) -> u64 {
        self.breaker(source).pause_ms(monotonic_ms())
    }

    fn breaker(&self, source: usize) -> &Breaker {
        &self.cells()[self.list[source].breaker].breaker
    }

    fn cells(&self) -> &[Cell] {
        // SAFETY: the region is page-aligned, zeroed, never unmapped while `self` lives and made for so many cells, which
        // hold atomics only.
        unsafe { std::slice::from_raw_parts(self.cells.start().cast().as_ptr(), self.list.len()) }
    }

    fn add(&self, source: usize, stat: SourceStat) {
        self.cells()[source].counts.add(stat as usize, 1);
    }
}

/// One source in one process.
pub struct SqlSource {
    sources: &'static Sources,
    at: usize,
    database: Database,
    rows: Rows,
}

impl SqlSource {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(sources: &'static Sources, at: usize) -> Self {
        let Entry { spec, driver, .. } = &sources.list[at];
        let database = Database::new(driver.clone(), spec.url.whole().clone(), sources.policy.patience_ms);
        Self { sources, at, database, rows: Rows::default() }
    }

    /// Asks the database, if it is up, and keeps the rows.
    fn ask(&mut self, query: &Select<'_>) -> Result<(), Failure> {
        let Self { sources, at, database, rows } = self;
        let (breaker, policy) = (sources.breaker(*at), &sources.policy);
        let Some(leave) = breaker.admit(monotonic_ms(), policy) else {
            sources.add(*at, SourceStat::Spared);
            return Err(Failure::Down);
        };
        sources.add(*at, SourceStat::Queries);
        let answer = database.select(query, rows);
        let down = answer.as_ref().is_err_and(|error| error.fault == Fault::Down);
        let turn = breaker.done(leave, !down, monotonic_ms(), policy);
        self.tell(turn, answer.as_ref().err());
        match answer {
            Ok(()) => Ok(()),
            Err(DbError { fault: Fault::Down, .. }) => Err(Failure::Down),
            Err(DbError { fault: Fault::Refused, .. }) => Err(Failure::Refused),
        }
    }

    fn spec(&self) -> &'static SourceSpec {
        &self.sources.list[self.at].spec
    }

    /// The values of a row, which begin with that column.
    fn loaded(&self, row: usize, first: usize) -> Loaded<'_> {
        let (spec, rows) = (self.spec(), &self.rows);
        if !spec.row {
            return rows.get(row, first).map_or(Loaded::Nothing, Loaded::Value);
        }
        let column =
            |(at, name): (usize, &'static String)| Column { name: name.as_bytes(), value: rows.get(row, first + at) };
        Loaded::Row(spec.columns.iter().enumerate().map(column).collect())
    }

    /// Counts, and writes down what the operator should know: each change once per host.
    fn tell(&self, turn: Turn, error: Option<&DbError>) {
        let Self { sources, at, .. } = self;
        let name = &sources.list[*at].spec.name;
        match error.map(|error| error.fault) {
            Some(Fault::Down) => sources.add(*at, SourceStat::Failures),
            Some(Fault::Refused) => sources.add(*at, SourceStat::Refused),
            None => {}
        }
        match (turn, error) {
            (Turn::Up, _) => log::notice(format_args!("source of table {name}: the database answers again")),
            (Turn::Down(pause_ms), Some(error)) => {
                log::error(format_args!("source of table {name}: {error}; it is asked again in {pause_ms} ms"));
            }
            (Turn::Down(pause_ms), None) => {
                log::error(format_args!("source of table {name}: an answer took too long; next in {pause_ms} ms"));
            }
            (Turn::Same, _) => {}
        }
    }

    /// `None` when nothing more may be said for now, else how many were not told of before.
    fn may_say(&self) -> Option<u64> {
        let Cell { said_ms, hushed, .. } = &self.sources.cells()[self.at];
        let (last, now_ms) = (said_ms.load(Relaxed), monotonic_ms());
        let due = last == 0 || now_ms.saturating_sub(last) >= SAID_EVERY_MS;
        if due && said_ms.compare_exchange(last, now_ms, Relaxed, Relaxed).is_ok() {
            return Some(hushed.swap(0, Relaxed));
        }
        hushed.fetch_add(1, Relaxed);
        None
    }
}

impl Source for SqlSource {
    /// A column's value, or a row of named columns. Of several rows the first one counts. A single column that is NULL is
    /// not there.
    fn load(&mut self, key: &[u8]) -> Loaded<'_> {
        let spec = self.spec();
        let conditions = match question::of(spec, key) {
            Question::Ask(conditions) => conditions,
            Question::Nothing => return Loaded::Nothing,
            Question::Bad => return Loaded::Failed(Failure::BadKey),
        };
        let columns: Vec<&str> = spec.columns.iter().map(String::as_str).collect();
        let (conditions, order) = (conditions.as_slice(), spec.order.as_deref());
        let query = Select { table: &spec.table, columns: &columns, conditions, floors: &[], order, most: 1 };
        match self.ask(&query) {
            Err(why) => Loaded::Failed(why),
            Ok(()) if self.rows.is_empty() => Loaded::Nothing,
            Ok(()) => self.loaded(0, 0),
        }
    }

    /// Writes down what could not be loaded from where, and what the caller got instead: now and then.
    fn failed(&mut self, key: &[u8], why: Failure, told: Verdict) {
        let Some(hushed) = self.may_say() else { return };
        let SourceSpec { name, url, table, .. } = self.spec();
        let shown = String::from_utf8_lossy(&key[..key.len().min(SHOWN)]);
        let why = match why {
            Failure::Refused => "database refused, the driver's own line says why",
            other => other.as_str(),
        };
        let now = match told {
            Verdict::Done | Verdict::Missing => "the cached answer serves on",
            Verdict::Unavailable | Verdict::Failed => "the call ends with -2",
        };
        let others = if hushed == 0 { String::new() } else { format!(" ({hushed} such loads before it)") };
        log::error(format_args!(
            "source of table {name}: \"{}\" was not loaded from {url}, table {table}: {why}; {now}{others}",
            shown.escape_debug()
        ));
    }
}
