//! How a program without a configuration joins the farm: it knows one server or more, and learns the rest from them.
//!
//! What a server says is believed only if its list is the newest that any server of the list itself knows: one that was
//! taken off the list unawares still tells an old one. A guest obeys seats and voids copies as any host does, but it moves no seat:
//! a server that it cannot reach is none the hosts have to leave.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{map_key, parse, table_key};
use crate::clock::Deadline;
use crate::cluster::editions::{self, Edition, Record};
use crate::cluster::record::{key_ref, number};
use crate::cluster::{Layout, Shared, SharedError, lookup};
use crate::config::{Config, ConfigError, ServerSpec, TlsSpec};
use crate::wire::{self, Link, Reply};

/// A list may be superseded while it is being learned, so often.
const ROUNDS: usize = 4;

/// Why the farm could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    #[error("{0}")]
    Unreachable(String),
    #[error("{0} holds no list of servers: expected one that hosts with this version use, up for some seconds")]
    NoMap(String),
    #[error("the hosts are changing their list of servers: try again in some seconds")]
    Changing,
    #[error("no host has a table \"{0}\"")]
    NoTable(String),
    #[error("what the hosts tell of themselves cannot be read: {0}")]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Shared(#[from] SharedError),
}

/// Learns the farm from the servers `given` and takes part in it, with these tables, in this order. Each of the steps may
/// take `timeout_ms`, and so may each call later.
///
/// # Errors
/// No server answers, or none of them knows; a table that no host has.
pub fn join(given: &[ServerSpec], tables: &[&str], timeout_ms: u32) -> Result<&'static Shared, GuestError> {
    let patience = Duration::from_millis(timeout_ms.into());
    let (mut servers, mut learnt) = (given.to_vec(), None);
    for _ in 0..ROUNDS {
        let mut inquiry = Inquiry::new(&servers, patience)?;
        let heard = inquiry.hear(tables)?;
        if learnt == Some(heard.edition.digest) {
            return take_part(servers, heard, tables, timeout_ms);
        }
        servers = inquiry.map(heard.edition.digest, given)?;
        learnt = Some(heard.edition.digest);
    }
    Err(GuestError::Changing)
}

fn take_part(
    servers: Vec<ServerSpec>,
    heard: Heard,
    tables: &[&str],
    timeout_ms: u32,
) -> Result<&'static Shared, GuestError> {
    let mut config = Config { servers, ..Config::default() };
    config.set_cmd_timeout(timeout_ms.into())?;
    for table in tables {
        config.add_table(heard.tables.get(*table).ok_or_else(|| GuestError::NoTable((*table).to_owned()))?)?;
    }
    let shared = Shared::visit(config)?;
    shared.close_entrance();
    for (at, table) in tables.iter().enumerate() {
        let known = heard.generations.get(*table).copied().unwrap_or(0);
        shared.table_cell(at).generation.fetch_max(known, Relaxed);
    }
    Ok(shared)
}

/// What the servers told.
struct Heard {
    /// The newest of all.
    edition: Edition,
    /// As they are configured.
    tables: BTreeMap<String, String>,
    generations: BTreeMap<String, u64>,
}

/// Questions to some servers.
struct Inquiry<'a> {
    servers: &'a [ServerSpec],
    links: Vec<Link>,
    patience: Duration,
}

impl<'a> Inquiry<'a> {
    fn new(servers: &'a [ServerSpec], patience: Duration) -> Result<Self, GuestError> {
        // Its partner may not be among the servers that were given.
        let alone = |server: &ServerSpec| Some(ServerSpec { pair: None, ..server.clone() });
        let layout = Layout::new(1, servers.iter().map(alone).collect()).map_err(SharedError::from)?;
        let named = servers.iter().map(|server| server.addr.clone()).enumerate();
        let addresses: BTreeMap<_, _> = lookup::within(named.collect(), patience).into_iter().collect();
        let link = |slot: usize| Link::new(layout.endpoint(slot, addresses.get(&slot).copied()));
        Ok(Self { servers, links: (0..servers.len()).map(link).collect(), patience })
    }

    fn ask(&mut self, fill: impl Fn(&mut Link)) {
        self.links.iter_mut().for_each(|link| {
            link.begin();
            fill(link);
        });
        let all: Vec<usize> = (0..self.links.len()).collect();
        wire::exchange(&mut self.links, &all, Deadline::after(self.patience));
    }

    fn answered(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.status().is_ok())
    }

    /// Asks for the edition of the list, and for tables and their generations.
    fn hear(&mut self, tables: &[&str]) -> Result<Heard, GuestError> {
        let [list, _] = editions::keys();
        let records = |kind: &str| tables.iter().map(|table| table_key(kind, table)).collect::<Vec<_>>();
        let (policies, generations) = (records("table"), records("gen"));
        self.ask(|link| {
            link.mg(key_ref(&list), "v c");
            policies.iter().chain(&generations).for_each(|record| link.mg(key_ref(record), "v"));
        });
        let edition = self.answered().filter_map(|link| match Record::read(&link.reply(0)) {
            Some((Record::Of(edition), _)) => Some(edition),
            _ => None,
        });
        let edition = edition.max().ok_or_else(|| self.silence())?;
        let mut heard = Heard { edition, tables: BTreeMap::new(), generations: BTreeMap::new() };
        for link in self.answered() {
            for (at, table) in tables.iter().enumerate() {
                if let Reply::Value { data, .. } = link.reply(1 + at) {
                    heard.tables.entry((*table).to_owned()).or_insert(String::from_utf8_lossy(data).into_owned());
                }
                let largest = heard.generations.entry((*table).to_owned()).or_default();
                *largest = number(&link.reply(1 + tables.len() + at)).unwrap_or(0).max(*largest);
            }
        }
        Ok(heard)
    }

    /// The servers of the list with this digest, to be reached as those that were `given`.
    fn map(&mut self, digest: u64, given: &[ServerSpec]) -> Result<Vec<ServerSpec>, GuestError> {
        let key = map_key(digest);
        self.ask(|link| link.mg(key_ref(&key), "v"));
        let texts = self.answered().filter_map(|link| match link.reply(0) {
            Reply::Value { data, .. } => Some(parse(data)),
            _ => None,
        });
        let lists: Vec<_> = texts.collect::<Result<_, _>>()?;
        for listed in lists {
            let reached = |server: super::Listed| credit(server.spec, server.auth, given);
            let servers: Vec<ServerSpec> = listed.into_iter().map(reached).collect();
            let layout = Layout::new(1, servers.iter().cloned().map(Some).collect()).map_err(SharedError::from)?;
            if layout.digest() == digest {
                return Ok(servers);
            }
        }
        Err(self.silence())
    }

    /// Why the servers did not tell what they were asked for.
    fn silence(&self) -> GuestError {
        let called = |server: &ServerSpec| format!("server {} ({})", server.name, server.addr);
        let pairs = || self.servers.iter().zip(&self.links);
        let knowing: Vec<String> =
            pairs().filter(|(_, link)| link.status().is_ok()).map(|(server, _)| called(server)).collect();
        if !knowing.is_empty() {
            return GuestError::NoMap(knowing.join(", "));
        }
        let why = pairs().filter_map(|(server, link)| {
            let error = link.status().err()?;
            let detail = if link.detail().is_empty() { String::new() } else { format!(" ({})", link.detail()) };
            Some(format!("{}: {}{detail}", called(server), error.kind.text()))
        });
        GuestError::Unreachable(why.collect::<Vec<_>>().join("; "))
    }
}

/// Adds what no server tells: user, password and files of the server given with the same address, else of the first
/// given that has them.
fn credit(mut server: ServerSpec, auth: bool, given: &[ServerSpec]) -> ServerSpec {
    let same = given.iter().filter(|other| other.addr.same(&server.addr));
    let all: Vec<&ServerSpec> = same.chain(given).collect();
    if auth {
        server.auth = all.iter().find_map(|other| other.auth.clone());
    }
    if let Some(tls) = &mut server.tls
        && let Some(TlsSpec { ca, cert, key, .. }) = all.iter().find_map(|other| other.tls.clone())
    {
        (tls.ca, tls.cert, tls.key) = (ca, cert, key);
    }
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_comes_from_the_servers_that_were_given() {
        let spec = |text: &str| Config::server(text).unwrap();
        let given =
            [spec("name=x;addr=10.0.0.1;user=u;pass=p;tls=1;tls_ca=/ca"), spec("name=y;addr=10.0.0.2;user=v;pass=q")];
        for (server, auth, want) in [
            ("name=a;addr=10.0.0.1", true, "name=a;addr=10.0.0.1;user=u;pass=p"),
            ("name=b;addr=10.0.0.2", true, "name=b;addr=10.0.0.2;user=v;pass=q"),
            ("name=c;addr=10.0.0.3", true, "name=c;addr=10.0.0.3;user=u;pass=p"),
            ("name=c;addr=10.0.0.3", false, "name=c;addr=10.0.0.3"),
            ("name=b;addr=10.0.0.2;tls=1;tls_name=n", false, "name=b;addr=10.0.0.2;tls=1;tls_name=n;tls_ca=/ca"),
        ] {
            assert_eq!(credit(spec(server), auth, &given), spec(want), "{server}");
        }
        assert_eq!(credit(given[1].clone(), true, &[]).auth, None);
    }
}
