//! The clerk fills tables from their sources: when it is told to, and in intervals where the source says so.
//!
//! What all processes may see of it, and how any of them asks for it. The work is a [`job`](job)'s.

use crate::clock::monotonic_ms;
use crate::cluster::{Counts, Shared};
use crate::host::entry::Refused;
use crate::host::log;
use crate::module::sources;
use crate::near::Region;
use once_cell::sync::OnceCell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

mod calendar;
mod job;

use calendar::Calendar;
use job::{Job, Step};

/// After so long the host is heard again, whatever is left to do, milliseconds.
const TURN_MS: u64 = 50;

/// What is counted of all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ReloadStat {
    /// Rows that were read.
    Rows,
    /// Of these, those whose entries were stored.
    Stored,
    /// Tables that were filled.
    Done,
    /// Tables that were not filled to the end.
    Failed,
}

impl ReloadStat {
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Rows, "reload_rows"),
        (Self::Stored, "reload_stored"),
        (Self::Done, "reload_done"),
        (Self::Failed, "reload_failed"),
    ];
}

/// How far a table is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Never,
    Waiting,
    Running,
    Done,
    Failed,
    Stopped,
}

impl State {
    const ALL: [Self; 6] = [Self::Never, Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Stopped];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// The database did not say how many rows there are.
const UNKNOWN: u64 = u64::MAX;

/// One source's table while it is filled, and afterwards.
#[derive(Debug, Default)]
#[repr(C)]
struct Cell {
    /// Rows per second at which somebody wants it filled; 0 = nobody does.
    wanted: AtomicU64,
    /// 1 = somebody wants it to end.
    stop: AtomicU64,
    state: AtomicU64,
    rate: AtomicU64,
    begun_ms: AtomicU64,
    ended_ms: AtomicU64,
    /// How many rows there are; [`UNKNOWN`] until they are counted.
    total: AtomicU64,
    rows: AtomicU64,
    stored: AtomicU64,
    left: AtomicU64,
    counts: Counts<{ ReloadStat::ALL.len() }>,
}

impl Cell {
    fn state(&self) -> State {
        usize::try_from(self.state.load(Relaxed))
            .ok()
            .and_then(|at| State::ALL.get(at))
            .copied()
            .unwrap_or(State::Never)
    }

    fn set_state(&self, state: State) {
        self.state.store(state as u64, Relaxed);
    }
}

/// What is told of a table.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub state: State,
    /// Rows per second at most.
    pub rate: u64,
    /// Rows that there are, as far as the database says so.
    pub total: Option<u64>,
    /// Rows read.
    pub rows: u64,
    /// Of these, those whose entries were stored.
    pub stored: u64,
    /// Of these, those whose entries were left as they are: the same, or newer, or being loaded by somebody.
    pub left: u64,
    /// How long it took, or has taken until now.
    pub ms: u64,
}

impl Progress {
    /// Rows read per second until now.
    #[must_use]
    pub fn speed(&self) -> u64 {
        (self.rows * 1_000).checked_div(self.ms).unwrap_or(0)
    }
}

/// The cells of all sources, by their places.
static CELLS: OnceCell<(Region, usize)> = OnceCell::new();

fn cells() -> &'static [Cell] {
    // SAFETY: the region is page-aligned, zeroed, made for so many cells and never unmapped; they hold atomics only.
    CELLS.get().map_or(&[], |(region, n)| unsafe { std::slice::from_raw_parts(region.start().cast().as_ptr(), *n) })
}

/// Maps the shared memory. True where there are sources. To be called from mod_init, after the sources.
pub fn prepare(shared: &Shared) -> Result<bool, Refused> {
    let n = shared.config().sources.len();
    if n == 0 {
        return Ok(false);
    }
    let region = Region::anonymous(n * size_of::<Cell>()).map_err(|error| {
        log::error(format_args!("cannot map shared memory for reloads: {error}"));
        Refused
    })?;
    let _ = CELLS.set((region, n));
    Ok(true)
}

/// Asks for a table to be filled from a source, unless that is under way or asked for already. True if it was not.
pub fn request(source: usize, rate: u32) -> bool {
    let Some(cell) = cells().get(source) else { return false };
    let idle = !matches!(cell.state(), State::Waiting | State::Running);
    if idle && cell.wanted.compare_exchange(0, rate.into(), Relaxed, Relaxed).is_ok() {
        cell.set_state(State::Waiting);
        return true;
    }
    false
}

/// Ends what this host does for a table, or was going to do. True if there was anything.
pub fn stop(source: usize) -> bool {
    let Some(cell) = cells().get(source) else { return false };
    if cell.wanted.swap(0, Relaxed) > 0 {
        cell.set_state(State::Stopped);
        return true;
    }
    let under_way = matches!(cell.state(), State::Waiting | State::Running);
    if under_way {
        cell.stop.store(1, Relaxed);
    }
    under_way
}

/// How far it is; none where there is no such source.
#[must_use]
pub fn progress(source: usize) -> Option<Progress> {
    let cell = cells().get(source)?;
    let state = cell.state();
    let end_ms = if state == State::Running { monotonic_ms() } else { cell.ended_ms.load(Relaxed) };
    Some(Progress {
        state,
        rate: cell.rate.load(Relaxed),
        total: Some(cell.total.load(Relaxed)).filter(|total| state != State::Never && *total != UNKNOWN),
        rows: cell.rows.load(Relaxed),
        stored: cell.stored.load(Relaxed),
        left: cell.left.load(Relaxed),
        ms: end_ms.saturating_sub(cell.begun_ms.load(Relaxed)),
    })
}

/// One of the counters, of all sources together.
#[must_use]
pub fn count(stat: ReloadStat) -> u64 {
    cells().iter().map(|cell| cell.counts.get(stat as usize)).sum()
}

/// The clerk's part: one table after the other.
pub struct Reloader {
    calendar: Calendar,
    job: Option<Job>,
}

impl Reloader {
    /// None where there are no sources.
    pub fn new(shared: &'static Shared) -> Option<Self> {
        (!cells().is_empty()).then(|| Self { calendar: Calendar::new(shared), job: None })
    }

    /// Does what is due, and comes back soon.
    pub fn turn(&mut self) {
        let turn_ms = monotonic_ms();
        self.calendar.look(turn_ms);
        while let Some(job) = self.job.as_mut().filter(|job| job.due(monotonic_ms())) {
            let stopped = cells()[job.source()].stop.load(Relaxed) != 0;
            match if stopped { Step::Stopped } else { job.step() } {
                Step::On => {}
                Step::Done => self.end(State::Done, ""),
                Step::Stopped => self.end(State::Stopped, ""),
                Step::Failed(why) => self.end(State::Failed, why),
            }
            if monotonic_ms().saturating_sub(turn_ms) >= TURN_MS {
                return;
            }
        }
        if self.job.is_none() {
            self.job = cells().iter().position(|cell| cell.wanted.load(Relaxed) > 0).and_then(begin);
        }
    }

    fn end(&mut self, state: State, why: &str) {
        let Some(job) = self.job.take() else { return };
        let (cell, name) = (&cells()[job.source()], job.name());
        cell.ended_ms.store(monotonic_ms(), Relaxed);
        let stat = if state == State::Done { ReloadStat::Done } else { ReloadStat::Failed };
        cell.counts.add(stat as usize, 1);
        cell.set_state(state);
        let Some(Progress { total, rows, stored, left, ms, .. }) = progress(job.source()) else { return };
        let of = total.map_or(String::new(), |total| format!(" of {total}"));
        let told = format!("{rows}{of} rows read, {stored} entries stored, {left} left as they are, {ms} ms");
        if state == State::Done {
            log::notice(format_args!("table {name} is filled from its source: {told}"));
        } else if state == State::Stopped {
            log::notice(format_args!("table {name} is not filled from its source to the end, as it was told: {told}"));
        } else {
            self.calendar.give_back(job.source());
            log::error(format_args!("table {name} is not filled from its source to the end: {why}; {told}"));
        }
    }
}

/// Takes a request over.
fn begin(source: usize) -> Option<Job> {
    let cell = &cells()[source];
    // Who wants it to end from here on is heard.
    cell.stop.store(0, Relaxed);
    let rate = cell.wanted.swap(0, Relaxed);
    let job = Job::new(source, rate).filter(|_| rate > 0)?;
    for number in [&cell.rows, &cell.stored, &cell.left] {
        number.store(0, Relaxed);
    }
    cell.total.store(UNKNOWN, Relaxed);
    cell.rate.store(rate, Relaxed);
    cell.begun_ms.store(monotonic_ms(), Relaxed);
    cell.set_state(State::Running);
    let driver = sources::all().map_or("", |all| all.spec(source).url.scheme());
    log::notice(format_args!(
        "table {} is being filled from its source (db_{driver}), at most {rate} rows per second",
        job.name()
    ));
    Some(job)
}
