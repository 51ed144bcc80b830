//! The checked configuration: every module parameter as text comes in here, and only sound values leave.
//!
//! Whatever is unknown, doubled, out of range or would be ignored is one [`ConfigError`] that names the parameter's
//! whole text and what was expected; the host does not start then. Files are only named here, but for the list of
//! servers, which is read.
//! Filled by `module` while the configuration is read, fixed before the host forks.

use std::path::PathBuf;

use crate::table::{HOLDOFF_MAX, Table};

mod addr;
mod attrs;
mod error;
mod list;
mod numbers;
mod outbox;
mod server;
mod source;
mod tables;

pub use addr::Addr;
pub use error::ConfigError;
pub use outbox::OutboxSpec;
pub use server::{Auth, ServerSpec, TlsSpec};
pub use source::{KeyColumn, RELOAD_RATE_MAX, SourceSpec, Url};

/// By so many servers the list may grow while the host runs, unless the operator says otherwise.
const SPARE_SERVERS: usize = 16;

/// All that the operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// In the order given; none = this host's own store. Those of `server_list` are not among them.
    pub servers: Vec<ServerSpec>,
    /// A file with further servers.
    pub server_list: Option<PathBuf>,
    /// How many servers the list may grow to while the host runs; `None` = by [`SPARE_SERVERS`].
    pub max_servers: Option<u32>,
    /// In the order given.
    pub tables: Vec<Table>,
    /// Where tables get values that the cache does not have; in the order given.
    pub sources: Vec<SourceSpec>,
    /// Where triggers write down what changed.
    pub outbox: Option<OutboxSpec>,
    /// Pause after which a database that failed is asked again, milliseconds; it doubles while it goes on failing.
    pub source_retry_ms: u32,
    /// The total a script call may take, milliseconds.
    pub cmd_timeout_ms: u32,
    /// Pause between two probes of a server, milliseconds.
    pub probe_interval_ms: u32,
    /// Timeouts in a row that trip the breaker.
    pub soft_failures: u32,
    /// Size of the host's own store without servers, megabytes.
    pub local_mb: u32,
    /// Size of the memory for copies of tables with `near=1`, megabytes.
    pub near_mb: u32,
    /// Keys that the watcher looks at per second while it repairs second copies.
    pub repair_rate: u32,
    /// How long a source may take, seconds; a loader keeps its place twice as long.
    pub load_timeout_s: u32,
    /// How long a call may wait for what another one loads, milliseconds.
    pub load_wait_ms: u32,
    /// The KEMI function for events.
    pub event_callback: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            server_list: None,
            max_servers: None,
            tables: Vec::new(),
            sources: Vec::new(),
            outbox: None,
            source_retry_ms: 1_000,
            cmd_timeout_ms: 50,
            probe_interval_ms: 100,
            soft_failures: 3,
            local_mb: 32,
            near_mb: 32,
            repair_rate: 10_000,
            load_timeout_s: 1,
            load_wait_ms: 3_000,
            event_callback: None,
        }
    }
}

impl Config {
    /// Takes one `server` parameter: `name=mc1;addr=10.0.0.11:11211;weight=1`.
    ///
    /// # Errors
    /// Anything but a full, sound and new server.
    pub fn add_server(&mut self, text: &str) -> Result<(), ConfigError> {
        let fail = |problem| ConfigError::new("server", text, problem);
        let server = Self::server(text)?;
        self.servers.iter().try_for_each(|other| server.differs(other)).map_err(fail)?;
        self.servers.push(server);
        Ok(())
    }

    /// One server by its text alone.
    ///
    /// # Errors
    /// Anything but a full and sound server.
    pub fn server(text: &str) -> Result<ServerSpec, ConfigError> {
        server::parse(text).map_err(|problem| ConfigError::new("server", text, problem))
    }

    /// Takes one `table` parameter: `ipauth=>autoexpire=1800;copies=1`.
    ///
    /// # Errors
    /// Anything but a sound and new table.
    pub fn add_table(&mut self, text: &str) -> Result<(), ConfigError> {
        let fail = |problem| ConfigError::new("table", text, problem);
        let table = tables::parse(text).map_err(fail)?;
        if self.table(&table.name).is_some() {
            return Err(fail(format!(
                "the table \"{}\" is there already, expected one parameter per table",
                table.name
            )));
        }
        self.tables.push(table);
        Ok(())
    }

    /// Takes one `source` parameter: `ipauth=>url=mysql://...;table=grp;key=username;column=grp`.
    ///
    /// # Errors
    /// Anything but a sound source for a table that has none yet.
    pub fn add_source(&mut self, text: &str) -> Result<(), ConfigError> {
        let fail = |problem| ConfigError::new("source", text, problem);
        let source = source::parse(text).map_err(fail)?;
        if self.sources.iter().any(|other| other.name == source.name) {
            return Err(fail(format!("the table \"{}\" has a source already", source.name)));
        }
        self.sources.push(source);
        Ok(())
    }

    /// Takes the `outbox` parameter: `url=mysql://...;table=shc_outbox;poll=500`.
    ///
    /// # Errors
    /// Anything but a sound outbox, and a second one.
    pub fn set_outbox(&mut self, text: &str) -> Result<(), ConfigError> {
        let fail = |problem| ConfigError::new("outbox", text, problem);
        let outbox = outbox::parse(text).map_err(fail)?;
        if self.outbox.is_some() {
            return Err(fail("there is an outbox already".to_owned()));
        }
        self.outbox = Some(outbox);
        Ok(())
    }

    /// Names the file with further servers.
    ///
    /// # Errors
    /// Anything but an absolute path.
    pub fn set_server_list(&mut self, text: &str) -> Result<(), ConfigError> {
        if !text.starts_with('/') || text.chars().any(char::is_control) {
            return Err(ConfigError::new("server_list", text, "expected the absolute path of a file".to_owned()));
        }
        self.server_list = Some(text.into());
        Ok(())
    }

    /// How many servers the list may grow to when it begins with `servers`.
    #[must_use]
    pub fn most_servers(&self, servers: usize) -> usize {
        self.max_servers.map_or(servers + SPARE_SERVERS, |most| most as usize)
    }

    /// Names the KEMI function that is called for events.
    ///
    /// # Errors
    /// Text that is no function name.
    pub fn set_event_callback(&mut self, text: &str) -> Result<(), ConfigError> {
        let name = text.trim();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':');
        if !(1..=128).contains(&name.len()) || !name.bytes().all(good) {
            let problem = "expected the name of a function: 1 to 128 letters, digits, '_', '.' and ':'";
            return Err(ConfigError::new("event_callback", text, problem.to_owned()));
        }
        self.event_callback = Some(name.to_owned());
        Ok(())
    }

    /// Looks at the whole: at what no part can tell alone, and once more at parts that were put in by hand.
    ///
    /// # Errors
    /// The first pair of servers or tables that share what must be their own, a partner that is not there, a table
    /// whose entries cannot have as many copies as it asks for, or a source without its table, or an outbox without servers.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_placed(|_, error| error)
    }

    /// `placed` tells of an error in a server where that stands.
    fn check_placed(&self, placed: impl Fn(usize, ConfigError) -> ConfigError) -> Result<(), ConfigError> {
        for (at, server) in self.servers.iter().enumerate() {
            let fail = |problem| placed(at, ConfigError::new("server", &server.to_string(), problem));
            self.servers[..at].iter().try_for_each(|other| server.differs(other)).map_err(fail)?;
            server.paired(self.servers.iter().enumerate()).map_err(fail)?;
        }
        if let Some(most) = self.max_servers.filter(|most| self.servers.len() > *most as usize) {
            let problem = format!("there are {} servers already", self.servers.len());
            return Err(ConfigError::new("max_servers", &most.to_string(), problem));
        }
        for (at, table) in self.tables.iter().enumerate() {
            if self.table(&table.name) != Some(at) {
                return Err(ConfigError::new("table", &table.to_string(), "the table is there twice".to_owned()));
            }
            if table.mirrored() && self.servers.len() == 1 {
                let problem = format!("copies={}: expected two servers or more, there is one", table.copies);
                return Err(ConfigError::new("table", &table.to_string(), problem));
            }
        }
        if let Some(source) = self.sources.iter().find(|source| self.table(&source.name).is_none()) {
            return Err(source.refused(&format_args!("there is no table \"{}\"", source.name)));
        }
        match &self.outbox {
            Some(outbox) if self.servers.is_empty() && self.server_list.is_none() => Err(outbox.refused(
                &"expected a server: without one each host keeps its own entries, and only one would hear of a change",
            )),
            _ => Ok(()),
        }
    }

    /// Has any table two copies? Tags and the marks of a `holdoff` have.
    #[must_use]
    pub fn has_mirrored(&self) -> bool {
        self.tables.iter().any(|table| table.mirrored() || table.tag.is_some() || table.holdoff > 0)
    }

    /// Has any table one copy only?
    #[must_use]
    pub fn has_single(&self) -> bool {
        !self.tables.iter().all(Table::mirrored)
    }

    /// For how many seconds what is loaded after a tag's invalidation is not kept, at least; a guest knows no tables.
    #[must_use]
    pub fn tag_holdoff(&self, guest: bool) -> u32 {
        let tagged = self.tables.iter().filter(|table| table.tag.is_some());
        if guest { HOLDOFF_MAX } else { tagged.map(|table| table.holdoff).max().unwrap_or(0) }
    }

    /// Are copies of any table's entries kept in this host's own memory?
    #[must_use]
    pub fn has_near(&self) -> bool {
        self.tables.iter().any(|table| table.near)
    }

    /// The index of a table by its name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }
}

#[cfg(test)]
mod tests;
