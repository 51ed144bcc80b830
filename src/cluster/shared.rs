//! The host's shared memory: made once before fork, read and written by every process of the host without a lock.
//!
//! Everything in it is an atomic number of its own meaning, so a process killed at any instruction leaves it valid.
//! The configuration is read-only and reaches the children as their copy of the parent's memory.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::address::SharedAddress;
use super::board::Board;
use super::count::{Counts, Lane, NearCounts, ServerStat, TableStat};
use super::editions::ledger::ListsCell;
use super::layout::{Layout, LayoutError};
use super::lists::Lists;
use super::patrol::{CopiesView, RepairCell};
use super::standing::Failure;
use super::text::SharedText;
use super::ushers::SeatCell;
use super::versions::Versions;
use super::views::PairCell;
use crate::clock;
use crate::config::{Addr, Config, ConfigError, ServerSpec};
use crate::health::{Cell, Policy, Pool, State};
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

/// What is known of one server by every process. All zero is a server nobody has asked yet.
#[derive(Debug, Default)]
#[repr(C)]
pub struct ServerCell {
    pub health: Cell,
    pub counts: Counts<{ ServerStat::ALL.len() }>,
    pub address: SharedAddress,
    /// `CLOCK_MONOTONIC` ms at which the watcher last *sent* a poll of this server that was answered.
    pub polled_ms: AtomicU64,
    /// Round trip of the last answered poll, microseconds.
    pub latency_us: AtomicU64,
    /// `major << 32 | minor << 16 | patch` of the server's version; 0 = not known.
    pub version: AtomicU64,
    /// The server's `item_size_max`, bytes; 0 = not known.
    pub item_max: AtomicU64,
    /// What is known of the pair whose home it is.
    pub pair: PairCell,
    /// The last failure (see `standing::Failure`); 0 = none yet.
    pub failure: AtomicU64,
    /// How far its copies are repaired.
    pub repair: RepairCell,
    /// Who serves its single keys.
    pub seat: SeatCell,
}

impl ServerCell {
    /// The cell is to be another server's. Nobody uses it at this time.
    pub(super) fn renew(&self, now_ms: u64) {
        let Self { health, counts, address, polled_ms, latency_us, version, item_max, pair, failure, repair, seat } =
            self;
        [polled_ms, latency_us, version, item_max, failure].into_iter().for_each(|word| word.store(0, Relaxed));
        counts.clear();
        address.forget();
        pair.clear();
        repair.clear();
        seat.clear();
        health.renew(now_ms);
    }
}

/// What is known of one table by every process.
#[derive(Debug, Default)]
#[repr(C)]
pub struct TableCell {
    pub counts: Counts<{ TableStat::ALL.len() }>,
    pub near: NearCounts,
    /// The generation: 0 until the table is bumped for the first time; only grows.
    pub generation: AtomicU64,
}

/// One server as `shc.list` shows it.
#[derive(Clone, Debug)]
pub struct ServerView {
    /// `up`, `suspect`, `down`, `returning` or `drained`.
    pub state: &'static str,
    /// Why it is not up; empty when it is.
    pub reason: &'static str,
    /// Milliseconds since the last change of state.
    pub since_ms: u64,
    /// Why a call or probe of it last failed; empty if none ever did.
    pub last_error: &'static str,
    /// Milliseconds since then; 0 if none ever did.
    pub last_error_ms: u64,
    /// Round trip of the last probe, microseconds; 0 before the first.
    pub latency_us: u64,
    /// What the server says of itself; empty before the first probe.
    pub version: String,
    pub copies: CopiesView,
}

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
    made_ms: u64,
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
        let (tags, made_ms) = (Table::tags(), clock::monotonic_ms());
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

    #[must_use]
    pub fn table_count(&self, table: usize, stat: TableStat) -> u64 {
        let cell = self.table_cell(table);
        let near = |stat| cell.near.get(stat).unwrap_or(0);
        let own = || cell.counts.get(stat as usize);
        match stat {
            TableStat::Hits => own() + near(TableStat::NearHits),
            TableStat::Misses => own() + near(TableStat::NearAbsent),
            _ => cell.near.get(stat).unwrap_or_else(own),
        }
    }

    #[must_use]
    pub fn server_count(&self, server: usize, stat: ServerStat) -> u64 {
        self.server_cell(server).counts.get(stat as usize)
    }

    #[must_use]
    pub fn server_view(&self, server: usize) -> ServerView {
        let cell = self.server_cell(server);
        let state = cell.health.state();
        let version = cell.version.load(Relaxed);
        let (now_ms, failure) = (clock::monotonic_ms(), Failure::unpack(cell.failure.load(Relaxed)));
        ServerView {
            state: state.text(),
            reason: if state == State::Up { "" } else { cell.health.reason().text() },
            since_ms: now_ms.saturating_sub(cell.health.since_ms().max(self.made_ms)),
            last_error: failure.map_or("", |failure| failure.reason.text()),
            last_error_ms: failure.map_or(0, |failure| now_ms.saturating_sub(failure.at_ms)),
            latency_us: cell.latency_us.load(Relaxed),
            version: if version == 0 { String::new() } else { version_text(version) },
            copies: cell.repair.view(self.list_version()),
        }
    }
}

/// Packs `1.6.18` so that versions compare as numbers; what follows the digits is ignored.
#[must_use]
pub fn version_number(text: &str) -> Option<u64> {
    let mut parts = text.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse::<u16>().ok()
    });
    let mut next = || parts.next().flatten().map(u64::from);
    Some(next()? << 32 | next()? << 16 | next().unwrap_or(0))
}

fn version_text(number: u64) -> String {
    format!("{}.{}.{}", number >> 32, number >> 16 & 0xffff, number & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers_and_read_back_as_text() {
        for (text, back) in [("1.6.18", "1.6.18"), ("1.6.40_beta", "1.6.40"), ("1.6", "1.6.0"), ("2.0.1-rc1", "2.0.1")]
        {
            assert_eq!(version_number(text).map(version_text).as_deref(), Some(back), "{text}");
        }
        assert_eq!(version_number("redis"), None);
        assert!(version_number("1.6.9") < version_number("1.6.18"));
    }
}
