//! What the operator types, and the checked cluster that comes of it.

use crate::Trouble;
use clap::{Parser, Subcommand};
use shardcache::config::Config;
use shardcache::table::{TTL_MAX, is_name};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const AFTER: &str = "Exit codes: 0 done, 1 not found, 2 a server is unavailable, 3 bad arguments.

get, set, delete, invalidate, tag, bump and warm do what a proxy does. They need one server that works, and learn the others, and
how the table is kept, from what the proxies left there. With --plain, get, set and delete take the servers that are named for
all there are, and no proxy need have used them. hash and servers always use those that are named.

Examples: shcctl --server 10.0.0.11 get ipauth alice
          shcctl --server 10.0.0.11 invalidate ipauth alice bob
          mariadb -N --raw -e 'SELECT username, shard FROM users' kamailio | shcctl --server 10.0.0.11 warm shards
          shcctl --plain --server 10.0.0.11 --server 10.0.0.12 set ipauth alice yes";

/// Look into a shardcache cluster and change entries of it.
#[derive(Parser)]
#[command(name = "shcctl", version, arg_required_else_help = true, after_help = AFTER)]
pub struct Args {
    /// A memcached server, once for each: host:port, /path/to.sock, or as in kamailio.cfg: name=mc1;addr=10.0.0.11:11211;weight=2
    #[arg(long = "server", value_name = "SERVER", global = true)]
    pub servers: Vec<String>,

    /// The servers from a file, one per line, as the module reads it: after those of --server
    #[arg(long = "server-list", value_name = "FILE", global = true)]
    pub server_list: Option<PathBuf>,

    /// How long one server may take in all, in ms
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=600_000), global = true)]
    pub timeout: u32,

    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// get, set and delete: no proxies are asked about; the servers named are all there are
    #[arg(long, global = true)]
    pub plain: bool,

    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Print the value of an entry
    Get {
        /// The table's name
        table: String,
        /// The key within the table, any bytes
        #[arg(allow_negative_numbers = true)]
        key: OsString,
        /// Print exactly the value's bytes, no newline behind them
        #[arg(long)]
        raw: bool,
    },
    /// Store an entry
    Set {
        /// The table's name
        table: String,
        /// The key within the table, any bytes
        #[arg(allow_negative_numbers = true)]
        key: OsString,
        /// The value; `-` reads it from standard input
        #[arg(allow_negative_numbers = true)]
        value: OsString,
        /// Seconds until the entry expires; 0 = never. Unless given: the table's autoexpire; with --plain: 0
        #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(0..=i64::from(TTL_MAX)))]
        ttl: Option<u32>,
        /// Store a string even if it looks like an integer
        #[arg(long)]
        string: bool,
    },
    /// Remove an entry
    Delete {
        /// The table's name
        table: String,
        /// The key within the table, any bytes
        #[arg(allow_negative_numbers = true)]
        key: OsString,
    },
    /// Delete entries for the whole farm, as a host of it does: from now on nobody is served what was stored before
    Invalidate {
        /// The table's name
        table: String,
        /// The keys within the table, any bytes
        #[arg(required = true, allow_negative_numbers = true)]
        keys: Vec<OsString>,
    },
    /// Make all entries under tags void, in all tables of the whole farm
    Tag {
        /// The tags, any bytes
        #[arg(required = true, allow_negative_numbers = true)]
        tags: Vec<OsString>,
    },
    /// Empty a table for the whole farm
    Bump {
        /// The table's name
        table: String,
    },
    /// Store entries where there are none, from lines of standard input: the key, a tab, the value
    Warm {
        /// The table's name
        table: String,
        /// So many in a second at most
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        rate: u32,
        /// Seconds until the entries expire; 0 = never. Unless given: the table's autoexpire
        #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(0..=i64::from(TTL_MAX)))]
        ttl: Option<u32>,
        /// Store strings even if they look like integers
        #[arg(long)]
        string: bool,
    },
    /// Tell where an entry lives: its server, its key there, and the servers next in order
    Hash {
        /// The table's name
        table: String,
        /// The key within the table, any bytes
        #[arg(allow_negative_numbers = true)]
        key: OsString,
    },
    /// List the servers: state, latency, version, items, memory
    Servers,
}

impl Args {
    pub fn budget(&self) -> Duration {
        Duration::from_millis(self.timeout.into())
    }

    /// The cluster named by `--server` and `--server-list`, checked as the module checks its own.
    pub fn config(&self) -> Result<Config, Trouble> {
        if self.servers.is_empty() && self.server_list.is_none() {
            return Err(Trouble::Argument("no server is named: expected --server host:port at least once".into()));
        }
        let mut config = Config { server_list: self.server_list.clone(), ..Config::default() };
        for (number, text) in (1..).zip(&self.servers) {
            config.add_server(&spelled(number, text)).map_err(|error| Trouble::Argument(error.to_string()))?;
        }
        config.servers = config.list().map_err(|error| Trouble::Argument(error.to_string()))?;
        if config.servers.is_empty() {
            return Err(Trouble::Argument("the list holds no server: expected one per line".into()));
        }
        Ok(config)
    }
}

/// A table's name as the wire knows it.
pub fn table(name: &str) -> Result<&str, Trouble> {
    if is_name(name.as_bytes()) {
        return Ok(name);
    }
    Err(Trouble::Argument(format!("table '{name}': expected 1 to 32 letters, digits and underscores")))
}

/// `host:port` and `/path` as the attributes of a server.
fn spelled(number: usize, text: &str) -> String {
    match text {
        _ if text.contains('=') => text.to_owned(),
        path if path.starts_with('/') => format!("name=server{number};addr=unix:{path}"),
        _ => format!("name=server{number};addr={text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_spelled_short_or_in_full() {
        for (text, want) in [
            ("127.0.0.1:11211", "name=server1;addr=127.0.0.1:11211"),
            ("[::1]:11211", "name=server1;addr=[::1]:11211"),
            ("cache.example.org", "name=server1;addr=cache.example.org"),
            ("/run/memcached.sock", "name=server1;addr=unix:/run/memcached.sock"),
            ("name=a;addr=10.0.0.1:11211;weight=3", "name=a;addr=10.0.0.1:11211;weight=3"),
        ] {
            assert_eq!(spelled(1, text), want);
        }
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
