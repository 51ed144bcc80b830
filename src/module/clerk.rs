//! A second process of our own, where databases are configured: it may wait for them, which the watcher must not. It drains
//! the [`outbox`], fills tables from their sources ([`reload`]), and tries databases again that are down ([`probe`]).

use crate::cluster::Shared;
use crate::host::entry::Refused;
use crate::host::{log, process};
use std::sync::atomic::{AtomicBool, Ordering};

pub mod outbox;
mod probe;
pub mod reload;

/// How often the host calls, microseconds.
const STEP_US: u32 = 10_000;

/// There is something to do.
static NEEDED: AtomicBool = AtomicBool::new(false);

/// Announces the process to the host; nothing where there is no database. To be called from mod_init, after the sources.
pub fn prepare(shared: &'static Shared) -> Result<(), Refused> {
    let (drains, fills) = (outbox::prepare(shared)?, reload::prepare(shared)?);
    if !drains && !fills {
        return Ok(());
    }
    NEEDED.store(true, Ordering::Relaxed);
    process::prepare().inspect_err(|_| log::error("the clerk process could not be announced to the host"))
}

/// Starts the process. To be called from child_init of the main process, after [`prepare`].
pub fn start(shared: &'static Shared) -> Result<(), Refused> {
    if !NEEDED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut clerk = None;
    let body = move || clerk.get_or_insert_with(|| Clerk::new(shared)).turn();
    process::start(c"shardcache clerk", STEP_US, Box::new(body))
        .inspect_err(|_| log::error("the clerk process could not be started"))
}

struct Clerk {
    drainer: Option<outbox::Drainer>,
    reloader: Option<reload::Reloader>,
}

impl Clerk {
    fn new(shared: &'static Shared) -> Self {
        Self { drainer: outbox::Drainer::new(shared), reloader: reload::Reloader::new(shared) }
    }

    /// Does what is to be done, and comes back to the host now and then.
    fn turn(&mut self) {
        if let Some(drainer) = &mut self.drainer {
            drainer.turn();
        }
        if let Some(reloader) = &mut self.reloader {
            reloader.turn();
        }
        probe::turn();
    }
}
