//! The list of servers while the host runs: one process changes it, each follows at its next call or round.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::layout::{Layout, LayoutError};
use super::roster::{NoSlot, Roster, Terms};
use super::{Shared, SharedError, lookup, text};
use crate::clock::{self, Deadline};
use crate::config::{Config, ConfigError, ServerSpec};
use crate::wire::Link;

/// How long a change waits for another one to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a change waits for the addresses of new servers; the watcher looks the others up.
const NAMES: Duration = Duration::from_secs(1);
/// A slot rests so long, and a call longer, before another server gets it, milliseconds.
const REST_MS: u64 = 10_000;
/// So many slots per server that the list may hold: it can be replaced as a whole at once.
const SLOTS: usize = 2;
/// So many bytes of text per server, and twice what the first list takes.
const TEXT: usize = 1024;

/// What this process knows of the list.
#[derive(Debug)]
pub(super) struct Lists {
    /// The servers of the parameters.
    own: Vec<ServerSpec>,
    /// How many servers may be on the list.
    most: usize,
    current: Mutex<Arc<Layout>>,
}

/// What became of the servers in a change of the list, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// They stay on the list, with other attributes than before.
    pub changed: Vec<String>,
    pub kept: Vec<String>,
}

/// Why the list was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("no server '{0}' is on the list")]
    Unknown(String),
    #[error("no server_list is configured: expected modparam(\"shardcache\", \"server_list\", \"/path\")")]
    NoFile,
    #[error("this host began without servers and keeps its tables in its own memory: expected a server at the start")]
    Local,
    #[error("no server would be left, expected at least one")]
    Empty,
    #[error("there would be {servers} servers, expected at most {most} (parameter max_servers)")]
    TooMany { servers: usize, most: usize },
    #[error("the list would take {bytes} bytes, expected at most {most}")]
    TooLong { bytes: usize, most: usize },
    #[error("too many servers came and went just now: expected a pause, try again in {} s", .0.div_ceil(1000))]
    TooSoon(u64),
    #[error("another change of the list is under way")]
    Busy,
}

impl Lists {
    pub fn new(own: Vec<ServerSpec>, most: usize) -> Self {
        Self { own, most, current: Mutex::default() }
    }

    /// How many slots the host needs when it begins with `servers`.
    pub fn slots(&self, servers: &[ServerSpec]) -> usize {
        if servers.is_empty() { 0 } else { SLOTS * self.most }
    }

    /// How many words of shared memory its list takes.
    pub fn words(&self, servers: &[ServerSpec]) -> usize {
        let first: usize = servers.iter().map(|server| server.spelled().len() + 1).sum();
        text::words((TEXT * self.slots(servers)).max(2 * first))
    }
}

impl Changes {
    fn between(old: &[ServerSpec], new: &[ServerSpec]) -> Self {
        let find = |list: &[ServerSpec], name: &str| list.iter().position(|server| server.name == name);
        let mut changes = Self::default();
        for server in new {
            let list = match find(old, &server.name).map(|at| old[at] == *server) {
                None => &mut changes.added,
                Some(false) => &mut changes.changed,
                Some(true) => &mut changes.kept,
            };
            list.push(server.name.clone());
        }
        let gone = old.iter().filter(|server| find(new, &server.name).is_none());
        changes.removed = gone.map(|server| server.name.clone()).collect();
        changes
    }

    /// True when the list is what it was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Shared {
    /// Grows with each change of the list of servers.
    #[must_use]
    pub fn list_version(&self) -> u64 {
        self.list_text().version()
    }

    /// The servers and what follows from their list, as it is now. Made anew, once in each process, when the list has changed.
    #[must_use]
    pub fn layout(&self) -> Arc<Layout> {
        let mut current = self.lists().current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.version() != self.list_version()
            && let Some((version, text)) = self.list_text().read()
            && let Some(roster) = Roster::parse(&text)
            && let Ok(layout) = current.follow(version, roster.into_slots())
        {
            *current = Arc::new(layout);
        }
        Arc::clone(&current)
    }

    /// How many servers the list may hold while the host runs.
    #[must_use]
    pub fn most_servers(&self) -> usize {
        self.lists().most
    }

    /// Adapts a process's links, one per slot of `old`, to `next`: connections to servers that are reached as before stay.
    /// Returns the slots that got a new link.
    pub(crate) fn relink(&self, links: &mut Vec<Link>, old: &Layout, next: &Layout) -> Vec<usize> {
        links.resize_with(next.slots(), || Link::new(next.endpoint(usize::MAX, None)));
        let renewed: Vec<usize> = next.renewed(old).collect();
        renewed.iter().for_each(|&slot| links[slot] = Link::new(self.endpoint(next, slot)));
        renewed
    }

    /// Publishes the list that the host begins with.
    pub(super) fn begin_list(&self, servers: Vec<ServerSpec>) -> Result<(), SharedError> {
        if servers.is_empty() {
            return Ok(());
        }
        let layout = Layout::new(1, servers.iter().cloned().map(Some).collect())?;
        let text = Roster::first(servers).text();
        let held = self.list_text().hold(Deadline::after(PATIENCE));
        held.and_then(|mut held| held.publish(text.as_bytes())).ok_or(SharedError::List)?;
        *self.lists().current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(layout);
        Ok(())
    }

    /// Reads the file of `server_list` again: from now on the list is what parameters and file say.
    ///
    /// # Errors
    /// Why the list stays as it was.
    pub fn reload(&self) -> Result<Changes, ListError> {
        if self.config().server_list.is_none() {
            return Err(ListError::NoFile);
        }
        let servers = Config { servers: self.lists().own.clone(), ..self.config().clone() }.list()?;
        self.change_list(|list| {
            list.servers = servers;
            Ok(())
        })
    }

    /// Adds one server, given as in the parameter `server`.
    ///
    /// # Errors
    /// Why the list stays as it was.
    pub fn add_server(&self, text: &str) -> Result<Changes, ListError> {
        self.change_list(|list| Ok(list.add_server(text)?))
    }

    /// Removes the server of that name.
    ///
    /// # Errors
    /// Why the list stays as it was.
    pub fn remove_server(&self, name: &str) -> Result<Changes, ListError> {
        self.change_list(|list| {
            let at = list.servers.iter().position(|server| server.name == name);
            list.servers.remove(at.ok_or_else(|| ListError::Unknown(name.to_owned()))?);
            Ok(())
        })
    }

    /// Lets `edit` change the servers of the list, given as a configuration, and publishes the outcome if it is sound.
    fn change_list(&self, edit: impl FnOnce(&mut Config) -> Result<(), ListError>) -> Result<Changes, ListError> {
        if self.local().is_some() {
            return Err(ListError::Local);
        }
        let mut held = self.list_text().hold(Deadline::after(PATIENCE)).ok_or(ListError::Busy)?;
        let (version, text) = held.text();
        let old = Roster::parse(&text).unwrap_or_default();
        let mut list = Config { servers: old.servers(), ..self.config().clone() };
        edit(&mut list)?;
        self.judge(&list)?;
        let changes = Changes::between(&old.servers(), &list.servers);
        if changes.is_empty() {
            return Ok(changes);
        }
        let now_ms = clock::monotonic_ms();
        let rest_ms = REST_MS + u64::from(list.cmd_timeout_ms);
        let terms = Terms { now_ms, rest_ms, slots: SLOTS * self.lists().most };
        let (next, given) =
            old.change(&list.servers, terms).map_err(|NoSlot { wait_ms }| ListError::TooSoon(wait_ms))?;
        let before = self.layout();
        let layout = before.follow(version + 1, next.clone().into_slots())?;
        layout.check()?;
        self.prepare(&layout, &given, now_ms);
        let (text, most) = (next.text(), held.capacity());
        held.publish(text.as_bytes()).ok_or(ListError::TooLong { bytes: text.len(), most })?;
        self.recount();
        self.part(&before, &layout);
        Ok(changes)
    }

    fn judge(&self, list: &Config) -> Result<(), ListError> {
        let (servers, most) = (list.servers.len(), self.lists().most);
        if servers == 0 {
            return Err(ListError::Empty);
        }
        if servers > most {
            return Err(ListError::TooMany { servers, most });
        }
        Ok(list.check()?)
    }

    /// Clears the cells of slots that get a new server, and notes its address where that is known soon.
    fn prepare(&self, layout: &Layout, slots: &[usize], now_ms: u64) {
        let named = |slot: &usize| Some((*slot, layout.server(*slot)?.addr.clone()));
        for slot in slots {
            self.server_cell(*slot).renew(now_ms);
            self.versions().renew(*slot);
        }
        for (slot, address) in lookup::within(slots.iter().filter_map(named).collect(), NAMES) {
            self.server_cell(slot).address.set(address);
        }
    }
}

#[cfg(test)]
mod tests;
