//! The sources of tables: found once before the host forks, opened by each process for itself when it first asks.

use super::lifecycle;
use crate::cluster::Shared;
use crate::host::entry::Refused;
use crate::host::log;
use crate::lookup::sql::{Sources, SqlSource};
use once_cell::sync::OnceCell;
use std::cell::Cell;
use std::ptr;

static SOURCES: OnceCell<&'static Sources> = OnceCell::new();

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

/// Works with the source of a table, by the table's place; `None` where it has none.
pub fn with<R>(table: usize, act: impl FnOnce(&mut SqlSource) -> R) -> Option<R> {
    let sources = all()?;
    let at = sources.find(&lifecycle::shared()?.config().tables[table].name)?;
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
