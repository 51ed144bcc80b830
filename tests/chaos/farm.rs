//! The farm: memcached servers, Kamailio hosts, and for each host a proxy of its own before each server, so that one host
//! can be cut off where another is not.

use super::{CMD_TIMEOUT_MS, PROBE_INTERVAL_MS, SOFT_FAILURES};
use crate::support::memcached::Options;
use crate::support::{Host, Memcached, Proxy, Script, rpc};
use serde_json::Value;

pub const SERVERS: usize = 3;
pub const HOSTS: usize = 2;
pub const WORKERS: usize = 4;

pub struct Farm {
    pub hosts: Vec<Host>,
    /// By host, then by server.
    pub proxies: Vec<Vec<Proxy>>,
    pub servers: Vec<Memcached>,
}

pub fn server_name(server: usize) -> String {
    format!("mc{}", server + 1)
}

impl Farm {
    pub fn start(copies: u8) -> Farm {
        let warm = || Memcached::start(Options { warm: true, ..Options::default() });
        let servers: Vec<Memcached> = (0..SERVERS).map(|_| warm()).collect();
        let before = || servers.iter().map(|server| Proxy::to(server.port())).collect();
        let proxies: Vec<Vec<Proxy>> = (0..HOSTS).map(|_| before()).collect();
        let hosts = proxies.iter().map(|before| script(before, copies).start()).collect();
        Farm { hosts, proxies, servers }
    }

    pub fn ports(&self) -> Vec<u16> {
        self.hosts.iter().map(Host::port).collect()
    }

    /// Takes the server off all hosts' lists.
    pub fn unlist(&self, server: usize) {
        self.hosts.iter().for_each(|host| drop(host.ask("shc.remove_server", &[server_name(server).into()])));
    }

    /// Empties it and adds it to all lists again: what it holds is of another list.
    pub fn list_again(&mut self, server: usize) {
        self.servers[server].raw(b"flush_all\r\n", "OK").expect("flush_all");
        for (host, before) in self.hosts.iter().zip(&self.proxies) {
            host.ask("shc.add_server", &[spec(&before[server], server).into()]);
        }
    }

    /// What a host says of the servers; `None` while it does not answer.
    pub fn list(&self, host: usize) -> Option<Value> {
        rpc::json(self.hosts[host].port(), "shc.list", &[]).ok()?.ok()
    }

    /// Whether this host has the server in use.
    pub fn uses(&self, host: usize, server: usize) -> Option<bool> {
        let list = self.list(host)?;
        let row = rows(&list).iter().find(|row| row["name"] == server_name(server))?;
        Some(matches!(row["state"].as_str(), Some("up" | "suspect")))
    }

    /// What is not whole or not in its place yet, as a host sees it.
    pub fn broken(&self, host: usize) -> Option<String> {
        let Some(list) = self.list(host) else { return Some("does not answer".into()) };
        let what = |row: &Value| match (&row["state"], &row["whole"]) {
            (state, _) if state != "up" => Some(format!("{} is {state}", row["name"])),
            (_, whole) if whole == "no" => Some(format!("the copies of {} are not whole: {row}", row["name"])),
            _ => {
                row["seat"].as_str().filter(|seat| *seat != "home").map(|seat| format!("{} is at {seat}", row["name"]))
            }
        };
        rows(&list).iter().find_map(what)
    }

    /// One of the module's statistics; `None` while the host does not answer.
    pub fn statistic(&self, host: usize, name: &str) -> Option<u64> {
        let name = format!("shardcache.{name}");
        let value = rpc::json(self.hosts[host].port(), "stats.fetch", &[Value::from(name.as_str())]).ok()?.ok()?;
        value[&name].as_str().map_or_else(|| value[&name].as_u64(), |text| text.parse().ok())
    }
}

/// The servers' rows of `shc.list`.
fn rows(list: &Value) -> &[Value] {
    list.as_array().or_else(|| list["servers"].as_array()).map_or(&[], Vec::as_slice)
}

/// As a host knows it: by its proxy, under the name that all use.
fn spec(proxy: &Proxy, server: usize) -> String {
    let name = server_name(server);
    format!("{};ring={name}", proxy.spec(&name))
}

fn script(before: &[Proxy], copies: u8) -> Script {
    let mut script = Script::new().number("cmd_timeout", CMD_TIMEOUT_MS as i64);
    script = script.number("probe_interval", PROBE_INTERVAL_MS as i64).number("soft_failures", SOFT_FAILURES as i64);
    for (server, proxy) in before.iter().enumerate() {
        script = script.server(&spec(proxy, server));
    }
    for (table, expire) in [("values", 0), ("sums", 0), ("calls", 60), ("callers", 60)] {
        script = script.table(&format!("{table}=>copies={copies};autoexpire={expire}"));
    }
    for (table, near) in [("tagged", 0), ("near", 1)] {
        script = script.table(&format!("{table}=>copies={copies};near={near};tag=user:$key"));
    }
    script.table("single=>copies=1").workers(WORKERS).raw(include_str!("routes.cfg"))
}
