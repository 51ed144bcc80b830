//! What a host has counted: the script's own counters and the module's statistics, read through the host's RPC.

use crate::Outcome;
use crate::support::Host;
use serde_json::{Value, json};
use std::ops::Sub;

pub const SERVERS: [&str; 3] = ["mc1", "mc2", "mc3"];

/// Counted since the start of the host, or between two readings.
#[derive(Default, Clone, Copy)]
pub struct Counts {
    /// Calls that asked for "ipauth".
    pub calls: u64,
    /// Of these, those that found the cache out of reach.
    pub no_cache: u64,
    /// SQL queries made for them.
    pub sql: u64,
    /// Reads that each memcached server answered with a value.
    pub hits: [u64; 3],
}

impl Counts {
    pub fn of(host: &Host) -> Outcome<Counts> {
        let script = fetch(host, "script:")?;
        let module = fetch(host, "shardcache:")?;
        let own = |name: &str| number(&script, &format!("script.{name}"));
        Ok(Counts {
            calls: own("ipauth_calls"),
            no_cache: own("ipauth_no_cache"),
            sql: own("ipauth_sql"),
            hits: SERVERS.map(|s| number(&module, &format!("shardcache.server_{s}_hits"))),
        })
    }

    /// Calls that needed no SQL query: the cache answered.
    pub fn cached(&self) -> u64 {
        self.calls.saturating_sub(self.sql)
    }

    pub fn sum(all: &[Counts]) -> Counts {
        all.iter().fold(Counts::default(), |a, b| Counts {
            calls: a.calls + b.calls,
            no_cache: a.no_cache + b.no_cache,
            sql: a.sql + b.sql,
            hits: std::array::from_fn(|i| a.hits[i] + b.hits[i]),
        })
    }
}

impl Sub for Counts {
    type Output = Counts;

    fn sub(self, earlier: Counts) -> Counts {
        Counts {
            calls: self.calls - earlier.calls,
            no_cache: self.no_cache - earlier.no_cache,
            sql: self.sql - earlier.sql,
            hits: std::array::from_fn(|i| self.hits[i] - earlier.hits[i]),
        }
    }
}

/// A whole group of statistics; an empty object while the group does not exist.
fn fetch(host: &Host, group: &str) -> Outcome<Value> {
    host.rpc("stats.fetch", &[json!(group)]).map_err(|fault| format!("stats.fetch {group} {fault}").into())
}

fn number(stats: &Value, name: &str) -> u64 {
    let value = &stats[name];
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// The state of a server as the host sees it: `shc.list`.
pub fn state(host: &Host, server: &str) -> Outcome<String> {
    let list = host.rpc("shc.list", &[]).map_err(|fault| format!("shc.list {fault}"))?;
    let rows = list.as_array().or_else(|| list["servers"].as_array()).cloned().unwrap_or_default();
    let row = rows.iter().find(|r| r["name"] == server);
    Ok(row.and_then(|r| r["state"].as_str()).unwrap_or("?").to_string())
}
