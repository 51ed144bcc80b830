//! The module's life: collect the configuration, make the shared state before fork, start what runs beside the workers.
//!
//! `mod_init` runs once in the main process, `child_init` in most processes (not in all of them: workers must not
//! depend on it), `destroy` once at the very end, even when nothing was ever made.

use super::{clerk, kemi, names, sources, stats, watcher, worker};
use crate::cluster::Shared;
use crate::config::{Config, ConfigError};
use crate::host::entry::{Refused, entry};
use crate::host::ffi::PROC_MAIN;
use crate::host::log;
use once_cell::sync::OnceCell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static CONFIG: Mutex<Option<Config>> = Mutex::new(None);
static SHARED: OnceCell<&'static Shared> = OnceCell::new();
/// The script is read and fixed up; from now on it runs.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// The host's shared state; none before `mod_init`.
#[must_use]
pub fn shared() -> Option<&'static Shared> {
    SHARED.get().copied()
}

/// Does the script run already? Until then a wrong constant can still stop the start.
#[must_use]
pub fn running() -> bool {
    RUNNING.load(Ordering::Relaxed)
}

/// Changes the configuration while it is being read.
///
/// # Errors
/// What `change` refused.
pub fn configure(change: impl FnOnce(&mut Config) -> Result<(), ConfigError>) -> Result<(), ConfigError> {
    let mut config = CONFIG.lock().unwrap_or_else(PoisonError::into_inner);
    change(config.get_or_insert_with(Config::default))
}

/// Called by the loader once the tables are read, before any parameter.
#[unsafe(no_mangle)]
pub extern "C" fn mod_register(_: *mut c_char, _: *mut c_int, _: *mut c_void, _: *mut c_void) -> c_int {
    entry("mod_register", kemi::register)
}

/// Called once, before the host forks.
pub extern "C" fn mod_init() -> c_int {
    entry("mod_init", || {
        worker::watch_forks();
        let shared = create().map_err(|error| {
            log::error(error);
            Refused
        })?;
        let _ = SHARED.set(shared);
        names::settle(shared)?;
        sources::prepare(shared)?;
        stats::register(shared)?;
        watcher::prepare(shared)?;
        clerk::prepare(shared)
    })
}

/// The checked configuration becomes the state that all processes share.
fn create() -> Result<&'static Shared, String> {
    let config = CONFIG.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    if config.tables.is_empty() {
        log::warning("there is no table: name one with modparam(\"shardcache\", \"table\", \"name=>\")");
    }
    let shared = Shared::create(config).map_err(|error| error.to_string())?;
    if shared.layout().is_empty() {
        log::notice("there is no server: the tables live in this host's shared memory alone");
    }
    Ok(shared)
}

/// Called in a new process with its rank; first of all in the main process, before any fork.
pub extern "C" fn child_init(rank: c_int) -> c_int {
    entry("child_init", || {
        RUNNING.store(true, Ordering::Relaxed);
        match shared() {
            Some(shared) if rank == PROC_MAIN as c_int => {
                watcher::start(shared)?;
                clerk::start(shared)
            }
            _ => Ok(()),
        }
    })
}

/// Called once in the main process, after all others ended. The mapping goes with the process.
pub extern "C" fn destroy() {
    entry("destroy", || ());
}
