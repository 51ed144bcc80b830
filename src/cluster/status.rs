//! What operators are shown of servers and tables: their states and counts.

use std::sync::atomic::Ordering::Relaxed;

use super::Shared;
use super::count::{ServerStat, TableStat};
use super::greeting::version_text;
use super::patrol::CopiesView;
use super::standing::Failure;
use crate::clock;
use crate::health::State;

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

impl Shared {
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
