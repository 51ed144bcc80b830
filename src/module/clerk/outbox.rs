//! The clerk drains the outbox, if there is one.

use crate::cache::Verdict;
use crate::clock::{monotonic_ms, wall_us};
use crate::cluster::{Counts, Shared};
use crate::config::OutboxSpec;
use crate::host::db::{Database, DbError, Driver};
use crate::host::entry::Refused;
use crate::host::log;
use crate::invalidate::outbox::{Change, Drain, OutboxTable, Outcome, Pace, Step};
use crate::module::events::Invalidated;
use crate::module::worker;
use crate::near::Region;
use once_cell::sync::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// After so long the host is heard again, whatever is left to do, milliseconds.
const TURN_MS: u64 = 100;
/// What a host keeps the lease for, besides two operations of the cache, milliseconds.
const LEASE_MS: u64 = 5_000;
/// A database that takes longer for a failure counts as silent, milliseconds.
const PATIENCE_MS: u64 = 500;
/// Between two lines of the log about the same trouble, milliseconds.
const SAID_EVERY_MS: u64 = 10_000;
/// Between two looks for rows that no table of this host is meant by, milliseconds.
const STRANGERS_EVERY_MS: u64 = 60_000;

/// What is counted of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum OutboxStat {
    /// Rows whose changes this host made known.
    Rows,
    /// Rows that could not be done then; they are tried again.
    Failed,
    /// Statements that the database did not carry out.
    Errors,
}

impl OutboxStat {
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Rows, "outbox_rows"), (Self::Failed, "outbox_failed"), (Self::Errors, "outbox_errors")];
}

/// What all processes may read.
#[derive(Debug, Default)]
#[repr(C)]
struct Cell {
    counts: Counts<{ OutboxStat::ALL.len() }>,
    /// 1 while this host drains.
    drains: AtomicU64,
}

/// What is made before the host forks.
struct Desk {
    spec: &'static OutboxSpec,
    driver: Arc<Driver>,
    cell: Region,
}

static DESK: OnceCell<Desk> = OnceCell::new();

impl Desk {
    fn cell(&self) -> &Cell {
        // SAFETY: the region is page-aligned, zeroed, large enough and never unmapped; the cell holds atomics only.
        unsafe { self.cell.start().cast().as_ref() }
    }

    fn add(&self, stat: OutboxStat) {
        self.cell().counts.add(stat as usize, 1);
    }
}

/// Finds the driver. True where there is an outbox. To be called from mod_init.
pub fn prepare(shared: &'static Shared) -> Result<bool, Refused> {
    let Some(spec) = shared.config().outbox.as_ref().filter(|_| !shared.layout().is_empty()) else { return Ok(false) };
    let desk = desk(spec).map_err(|why| {
        log::error(why);
        Refused
    })?;
    let _ = DESK.set(desk);
    Ok(true)
}

fn desk(spec: &'static OutboxSpec) -> Result<Desk, String> {
    let driver = Driver::find(spec.url.scheme()).map_err(|unbound| spec.refused(&unbound).to_string())?;
    let cell = Region::anonymous(size_of::<Cell>())
        .map_err(|error| format!("cannot map shared memory for the outbox: {error}"))?;
    Ok(Desk { spec, driver, cell })
}

/// One of the counters; 0 where there is no outbox.
#[must_use]
pub fn count(stat: OutboxStat) -> u64 {
    DESK.get().map_or(0, |desk| desk.cell().counts.get(stat as usize))
}

/// Does this host drain the outbox?
#[must_use]
pub fn drains() -> bool {
    DESK.get().is_some_and(|desk| desk.cell().drains.load(Relaxed) != 0)
}

/// One host's part in draining.
pub struct Drainer {
    desk: &'static Desk,
    drain: Drain,
    lease_ms: u64,
    table: OutboxTable,
    down: bool,
    drains: bool,
    /// When trouble with the cluster was last told of, and when strangers were last looked for.
    said_ms: u64,
    looked_ms: u64,
}

impl Drainer {
    /// None where there is no outbox.
    pub fn new(shared: &'static Shared) -> Option<Self> {
        let desk = DESK.get()?;
        let (spec, config) = (desk.spec, shared.config());
        let lease_ms = LEASE_MS + 2 * u64::from(config.cmd_timeout_ms);
        let database = Database::new(desk.driver.clone(), spec.url.whole().clone(), PATIENCE_MS);
        let tables = config.tables.iter().map(|table| table.name.clone()).collect();
        Some(Self {
            desk,
            drain: Drain::new(Pace { poll_ms: spec.poll_ms.into(), lease_ms }),
            lease_ms,
            table: OutboxTable::new(database, spec.table.clone(), holder(), tables),
            down: false,
            drains: false,
            said_ms: 0,
            looked_ms: 0,
        })
    }

    /// Does what is to be done, and comes back to the host now and then.
    pub fn turn(&mut self) {
        let turn_ms = monotonic_ms();
        loop {
            let begun_ms = monotonic_ms();
            let answer = match self.drain.step(begun_ms) {
                Step::Rest(_) => break,
                Step::Lease => self.table.lease(self.lease_ms).map(Outcome::Held),
                Step::Read(behind) => self.table.read(behind).map(Outcome::Rows),
                Step::Delete(ids) => self.table.delete(ids).map(|()| Outcome::Deleted),
                Step::Invalidate(change) => Ok(Outcome::Invalidated(invalidate(self.desk, &mut self.said_ms, change))),
            };
            self.follow(answer.as_ref().err());
            self.drain.heed(answer.unwrap_or(Outcome::Failed), begun_ms, monotonic_ms());
            self.show_lease();
            if monotonic_ms().saturating_sub(turn_ms) >= TURN_MS {
                break;
            }
        }
        self.show_lease();
        self.look_for_strangers();
    }

    /// Counts failures of the database, and writes down when it fails and when it answers again.
    fn follow(&mut self, error: Option<&DbError>) {
        if let Some(error) = error {
            self.desk.add(OutboxStat::Errors);
            if !self.down {
                log::error(format_args!("outbox: {error}; changes wait until it does"));
            }
        } else if self.down {
            log::notice("outbox: the database answers again");
        }
        self.down = error.is_some();
    }

    fn show_lease(&mut self) {
        let drains = self.drain.holds(monotonic_ms());
        if drains == self.drains {
            return;
        }
        self.drains = drains;
        self.desk.cell().drains.store(drains.into(), Relaxed);
        let table = &self.desk.spec.table;
        match drains {
            true => log::notice(format_args!("outbox: this host drains {table} from now on")),
            false => log::notice(format_args!("outbox: this host does not drain {table} any more")),
        }
    }

    /// Rows of tables that this host does not have stay for ever, unless somebody hears of them.
    fn look_for_strangers(&mut self) {
        let now_ms = monotonic_ms();
        if !self.drains || now_ms.saturating_sub(self.looked_ms) < STRANGERS_EVERY_MS {
            return;
        }
        self.looked_ms = now_ms;
        if let Ok(Some(name)) = self.table.stranger() {
            let outbox = &self.desk.spec.table;
            log::warning(format_args!(
                "outbox: {outbox} has rows of a table \"{name}\", which this host does not have: they stay"
            ));
        }
    }
}

/// True when nothing older than the row is served any more. Tells the script.
fn invalidate(desk: &Desk, said_ms: &mut u64, change: &Change) -> bool {
    let done = worker::with(|worker| {
        let cache = &mut worker.cache;
        let verdict = match change {
            Change::Table(table) => cache.bump(*table),
            // There is no such entry, nor such a tag.
            Change::Entry { key, .. } | Change::Tag(key) if key.is_empty() => Verdict::Done,
            Change::Entry { table, key } => cache.invalidate(*table, key),
            Change::Tag(tag) => cache.invalidate_tag(tag),
        };
        (verdict == Verdict::Done).then_some(()).ok_or(cache.last().err)
    });
    if let Err(why) = done.unwrap_or(Err("not initialised")) {
        desk.add(OutboxStat::Failed);
        let now_ms = monotonic_ms();
        if *said_ms == 0 || now_ms.saturating_sub(*said_ms) >= SAID_EVERY_MS {
            *said_ms = now_ms;
            log::warning(format_args!("outbox: a row's change could not be made known: {why}; it is tried again"));
        }
        return false;
    }
    desk.add(OutboxStat::Rows);
    if let Change::Entry { table, key } = change
        && !key.is_empty()
    {
        Invalidated { table: *table, key: key.clone() }.announce();
    }
    true
}

/// A name that no other process ever has.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-');
    let host: String = host.chars().filter(plain).take(64).collect();
    format!("{host}:{}:{:x}", std::process::id(), wall_us())
}
