//! What the script may hear of: event routes and one function of an embedded language.
//!
//! What becomes of the servers is told in the watcher process; inside, `$shcst(server)` and `$shcst(err)` name the server and
//! the reason. An invalidation is told in the process that was asked for it; inside, `$shcst(key)` is the key.

use super::{lifecycle, worker};
use crate::cache::Fault;
use crate::cluster::Event;
use crate::host::log;
use crate::host::route::{self, Route};
use std::ffi::{CStr, CString};

pub(super) const SERVER_DOWN: &CStr = c"shardcache:server-down";
pub(super) const SERVER_UP: &CStr = c"shardcache:server-up";
pub(super) const POOL_DOWN: &CStr = c"shardcache:pool-down";
pub(super) const POOL_UP: &CStr = c"shardcache:pool-up";
pub(super) const ALL_DOWN: &CStr = c"shardcache:all-down";
pub(super) const WHOLE: &CStr = c"shardcache:whole";
pub(super) const LISTS_DIFFER: &CStr = c"shardcache:lists-differ";
pub(super) const LISTS_AGREE: &CStr = c"shardcache:lists-agree";
/// Of one table, whose name follows.
pub(super) const INVALIDATED: &str = "shardcache:invalidated:";

/// All event routes but those of single tables.
pub(super) const NAMES: [&CStr; 8] =
    [SERVER_DOWN, SERVER_UP, POOL_DOWN, POOL_UP, ALL_DOWN, WHOLE, LISTS_DIFFER, LISTS_AGREE];

/// Who listens, found once after the script was read.
#[derive(Debug)]
pub struct Listeners {
    down: Option<Route>,
    up: Option<Route>,
    pool_down: Option<Route>,
    pool_up: Option<Route>,
    all_down: Option<Route>,
    whole: Option<Route>,
    lists_differ: Option<Route>,
    lists_agree: Option<Route>,
    callback: Option<&'static str>,
}

impl Listeners {
    /// Looks the event routes up; `callback` is the operator's function for all events.
    #[must_use]
    pub fn find(callback: Option<&'static str>) -> Self {
        let find = route::find;
        if let Some(callback) = callback.filter(|_| !route::has_language()) {
            log::error(format_args!(
                "event_callback \"{callback}\": no embedded language runs the script (cfgengine), so nobody is told"
            ));
        }
        Self {
            down: find(SERVER_DOWN),
            up: find(SERVER_UP),
            pool_down: find(POOL_DOWN),
            pool_up: find(POOL_UP),
            all_down: find(ALL_DOWN),
            whole: find(WHOLE),
            lists_differ: find(LISTS_DIFFER),
            lists_agree: find(LISTS_AGREE),
            callback,
        }
    }

    /// Lets the listeners of `event` run, one after the other.
    pub fn tell(&self, event: &Event) {
        let (name, route, server, reason) = match *event {
            Event::ServerDown { server, reason, .. } => (SERVER_DOWN, self.down, Some(server), reason),
            Event::ServerUp { server } => (SERVER_UP, self.up, Some(server), ""),
            Event::PoolDown { .. } => (POOL_DOWN, self.pool_down, None, Fault::MostDown.as_str()),
            Event::PoolUp => (POOL_UP, self.pool_up, None, ""),
            Event::AllDown => (ALL_DOWN, self.all_down, None, "no server answers"),
            Event::Whole => (WHOLE, self.whole, None, ""),
            Event::PairTorn { .. } | Event::PairWhole { .. } | Event::NoList { .. } => return,
            Event::SeatLeft { .. } | Event::SeatBack { .. } => return,
            Event::ListsDiffer { server, .. } => (LISTS_DIFFER, self.lists_differ, Some(server), "lists differ"),
            Event::ListsAgree => (LISTS_AGREE, self.lists_agree, None, ""),
        };
        // Each listener is told anew: the one before may have used the cache.
        let note = || worker::with(|worker| worker.cache.note_event(server, reason));
        if let Some(route) = route {
            note();
            route.run();
        }
        if let Some(callback) = self.callback {
            note();
            route::call(callback, name.to_str().unwrap_or_default());
        }
    }
}

/// An entry that somebody outside the script invalidated on this host.
#[derive(Debug)]
pub struct Invalidated {
    pub table: usize,
    pub key: Vec<u8>,
}

impl Invalidated {
    /// Lets the listeners run. No worker may be at work in this process: they may use the cache.
    pub fn announce(self) {
        let Some(config) = lifecycle::shared().map(|shared| shared.config()) else { return };
        let name = format!("{INVALIDATED}{}", config.tables[self.table].name);
        let route = CString::new(name.as_str()).ok().and_then(|name| route::find(&name));
        if route.is_none() && config.event_callback.is_none() {
            return;
        }
        worker::with(|worker| worker.told_key = Some(self.key));
        if let Some(route) = route {
            route.run();
        }
        if let Some(callback) = &config.event_callback {
            route::call(callback, &name);
        }
        worker::with(|worker| worker.told_key = None);
    }
}
