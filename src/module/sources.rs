//! The sources of tables: found once before the host forks, opened by each process for itself when it first asks.

use crate::cluster::Shared;
use crate::host::entry::Refused;
use crate::host::log;
use crate::lookup::sql::{Sources, SqlSource};
use once_cell::sync::OnceCell;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

static SOURCES: OnceCell<&'static Sources> = OnceCell::new();

/// Set in a process that must not wait.
static CLOSED: AtomicBool = AtomicBool::new(false);

type Opened = Vec<Option<SqlSource>>;

thread_local! {
    // A plain pointer, as for the worker: nothing of ours may run when a thread ends.
    static OPENED: Cell<*mut Opened> = const { Cell::new(ptr::null_mut()) };
}

/// Finds the drivers. To be called from mod_init.
pub fn prepare(shared: &Shared) -> Result<(), Refused> {
    let sources = Sources::create(shared.config()).map_err(|error| {
        log::error(error);
        Refused
    })?;
    let _ = SOURCES.set(sources);
    Ok(())
}

/// What all processes know of the sources; none before `mod_init`.
#[must_use]
pub fn all() -> Option<&'static Sources> {
    SOURCES.get().copied()
}

/// The source of a table, by the table's place.
#[must_use]
pub fn of(table: usize) -> Option<usize> {
    all()?.find(table)
}

/// From now on this process asks no database: it must not wait.
pub fn close() {
    CLOSED.store(true, Ordering::Relaxed);
}

/// May this process ask databases?
#[must_use]
pub fn loads_here() -> bool {
    !CLOSED.load(Ordering::Relaxed)
}

/// Works with a source; `None` before `mod_init`.
pub fn with<R>(at: usize, act: impl FnOnce(&mut SqlSource) -> R) -> Option<R> {
    let sources = all()?;
    let opened = OPENED.replace(ptr::null_mut());
    let mut opened = match opened.is_null() {
        true => Box::new((0..sources.len()).map(|_| None).collect::<Opened>()),
        // SAFETY: put there below, from a box, and taken out just now.
        false => unsafe { Box::from_raw(opened) },
    };
    let result = act(opened[at].get_or_insert_with(|| SqlSource::new(sources, at)));
    OPENED.set(Box::into_raw(opened));
    Some(result)
}
