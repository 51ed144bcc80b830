//! The host's shared memory: made once before fork, read and written by every process of the host without a lock.
//!
//! Everything in it is an atomic number of its own meaning, so a process killed at any instruction leaves it valid.
//! The configuration is read-only and reaches the children as their copy of the parent's memory.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use super::board::Board;
use super::cells::{ServerCell, TableCell};
use super::count::Lane;
use super::editions::ledger::ListsCell;
use super::layout::{Layout, LayoutError};
use super::lists::Lists;
use super::text::SharedText;
use super::versions::Versions;
use crate::clock;
use crate::config::{Addr, Config, ConfigError, ServerSpec};
use crate::health::{Policy, Pool};
use crate::near::Store;
use crate::table::Table;
use crate::wire::Endpoint;

/// Sizes up to which memcached surely takes a value before its own limit is known: its default limit is 1 MiB.
const DEFAULT_ITEM_MAX: u64 = 1024 * 1024;
/// What memcached's item limit has to hold besides key and value.
const ITEM_OVERHEAD: u64 = 512;
/// Looking names up may hold the start back so long, milliseconds; the watcher looks the others up.
const NAMES_MS: u64 = 5_000;
/// No value may be larger, whatever the servers allow, in bytes.
pub const VALUE_MAX: usize = 1_000_000;

/// Why the shared memory could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    #[error("cannot map {bytes} bytes of shared memory: {cause}")]
    Map { bytes: usize, cause: std::io::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("the list of servers has no room in shared memory")]
    List,
    #[error("{parameter} {megabytes}: no room for so many MB of shared memory: {cause}")]
    Store { parameter: &'static str, megabytes: u32, cause: String },
}

/// Everything the processes of one host share.
#[derive(Debug)]
pub struct Shared {
    config: Config,
    /// The table of tags.
    tags: Table,
    lists: Lists,
    policy: Policy,
    board: Board,
    local: Option<Store>,
    near: Option<Store>,
    /// This is no host of the farm: see [`map::guest`](super::map::guest).
    guest: bool,
    /// When this host started.
    pub(super) made_ms: u64,
}

impl Shared {
    /// Checks the configuration, reads the list of servers, maps the shared memory and looks the servers' names up, as far
    /// as that goes quickly. To be called once, before the host forks.
    pub fn create(config: Config) -> Result<&'static Self, SharedError> {
        Self::make(config, false)
    }

    /// The same for a program that is no host of the farm.
    pub(super) fn visit(config: Config) -> Result<&'static Self, SharedError> {
        Self::make(config, true)
    }

    fn make(mut config: Config, guest: bool) -> Result<&'static Self, SharedError> {
        let servers = config.list()?;
        let lists = Lists::new(std::mem::take(&mut config.servers), config.most_servers(servers.len()));
        let board = Board::map(lists.slots(&servers), config.tables.len() + 1, lists.words(&servers))?;
        let local = if servers.is_empty() { Some(Self::store("local_size", config.local_mb)?) } else { None };
        // A guest's watcher does not poll, so nothing near would ever be served.
        let nearby = local.is_none() && !guest && config.has_near();
        let near = if nearby { Some(Self::store("near_size", config.near_mb)?) } else { None };
        let policy = Policy {
            soft_failures: config.soft_failures,
            probe_interval_ms: u64::from(config.probe_interval_ms),
            ..Policy::default()
        };
        let (tags, made_ms) = (Table { holdoff: config.tag_holdoff(guest), ..Table::tags() }, clock::monotonic_ms());
        let shared = Self { config, tags, lists, policy, board, local, near, guest, made_ms };
        shared.begin_list(servers)?;
        shared.look_up_names();
        Ok(Box::leak(Box::new(shared)))
    }

    fn look_up_names(&self) {
        let begun_ms = clock::monotonic_ms();
        for (server, ServerSpec { addr, .. }) in self.layout().servers() {
            let patient = clock::monotonic_ms() - begun_ms < NAMES_MS;
            if let Addr::Tcp { host, port } = addr
                && (patient || super::address::numeric(host))
                && let Some(found) = super::address::lookup(host, *port)
            {
                self.server_cell(server).address.set(found);
            }
        }
    }

    fn store(parameter: &'static str, megabytes: u32) -> Result<Store, SharedError> {
        Store::create(megabytes as usize * 1024 * 1024).map_err(|cause| SharedError::Store {
            parameter,
            megabytes,
            cause: cause.to_string(),
        })
    }

    /// The configuration but for its servers: those are the layout's.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// True where nobody has a say in who serves which keys.
    pub(crate) fn is_guest(&self) -> bool {
        self.guest
    }

    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The list of servers as all processes of the host share it.
    pub(super) fn list_text(&self) -> SharedText<'_> {
        SharedText::new(self.board.words())
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The host's own store, where no server is configured.
    pub(crate) fn local(&self) -> Option<&Store> {
        self.local.as_ref()
    }

    /// What this host keeps near, where a table asks for it and there are servers.
    pub(crate) fn near(&self) -> Option<&Store> {
        self.near.as_ref()
    }

    /// The index of a table by its name.
    #[must_use]
    pub fn table(&self, name: &[u8]) -> Option<usize> {
        self.config.tables.iter().position(|table| table.name.as_bytes() == name)
    }

    /// The index of the table of tags, behind the configured ones.
    pub(crate) fn tags(&self) -> usize {
        self.config.tables.len()
    }

    /// A table by its index.
    pub(crate) fn table_at(&self, table: usize) -> &Table {
        self.config.tables.get(table).unwrap_or(&self.tags)
    }

    /// All tables in the order of their indices, that of tags last.
    pub(super) fn all_tables(&self) -> impl Iterator<Item = &Table> {
        self.config.tables.iter().chain([&self.tags])
    }

    pub(super) fn pool(&self) -> &Pool {
        self.board.pool()
    }

    pub(super) fn lists_cell(&self) -> &ListsCell {
        self.board.lists()
    }

    pub(crate) fn server_cell(&self, server: usize) -> &ServerCell {
        &self.board.servers()[server]
    }

    /// What this host knows of the servers' stripes.
    #[must_use]
    pub fn versions(&self) -> Versions<'_> {
        Versions::new(self.board.stripes())
    }

    pub(crate) fn table_cell(&self, table: usize) -> &TableCell {
        &self.board.tables()[table]
    }

    /// A place to count in, for a new worker.
    pub(crate) fn lane(&self) -> Lane {
        self.board.lanes().take()
    }

    /// The table's generation as this host knows it; 0 = it was never bumped.
    pub(crate) fn generation(&self, table: usize) -> u64 {
        self.table_cell(table).generation.load(Relaxed)
    }

    /// How to reach a server of a layout, by the newest address known.
    pub(crate) fn endpoint(&self, layout: &Layout, server: usize) -> Endpoint {
        layout.endpoint(server, self.address(server))
    }

    /// The address a name was last looked up as; `None` for unix sockets and names that nobody knows.
    pub(crate) fn address(&self, server: usize) -> Option<SocketAddr> {
        self.server_cell(server).address.get()
    }

    /// How many milliseconds old a poll may be and still vouch for what the host remembers (Δ).
    pub(crate) fn delta_ms(&self) -> u64 {
        u64::from(self.config.probe_interval_ms) + u64::from(self.config.cmd_timeout_ms)
    }

    /// The largest value this server takes under a key of `key` bytes, in bytes.
    pub(crate) fn value_max(&self, server: usize, key: usize) -> usize {
        let limit = match self.server_cell(server).item_max.load(Relaxed) {
            0 => DEFAULT_ITEM_MAX,
            known => known,
        };
        let room = limit.saturating_sub(ITEM_OVERHEAD + key as u64);
        usize::try_from(room).unwrap_or(usize::MAX).min(VALUE_MAX)
    }
}
