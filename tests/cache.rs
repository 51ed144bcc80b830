//! The worker's calls against real memcached servers and against the host's own store: the same answers from both.

#[path = "cache/counters.rs"]
mod counters;
#[path = "cache/servers.rs"]
mod servers;
#[path = "support/mod.rs"]
mod support;
#[path = "cache/tables.rs"]
mod tables;
#[path = "cache/values.rs"]
mod values;

use shardcache::cache::Cache;
use shardcache::cluster::{Shared, Watcher};
use shardcache::config::Config;
use std::time::Duration;
use support::wait::until_true;
use support::{Memcached, PATIENT_MS};

const PATIENCE: Duration = Duration::from_secs(10);

fn config(servers: &[String]) -> Config {
    twice(servers, 1)
}

fn twice(servers: &[String], copies: u8) -> Config {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    for server in servers {
        config.add_server(server).unwrap();
    }
    for table in ["t=>autoexpire=1000", "other=>", "plain"] {
        config.add_table(table).unwrap();
    }
    config.tables.iter_mut().for_each(|table| table.copies = copies);
    config.check().unwrap();
    config
}

fn eventually(what: &str, happened: impl FnMut() -> bool) {
    until_true(what, PATIENCE, happened);
}

/// Runs a test against one server, three servers, and none, and against servers that keep each key twice.
fn everywhere(test: impl Fn(&mut Cache, &str)) {
    singly(&test);
    run(&test, &[(2, 2), (3, 2)]);
}

fn singly(test: impl Fn(&mut Cache, &str)) {
    run(&test, &[(0, 1), (1, 1), (3, 1)]);
}

fn run(test: &impl Fn(&mut Cache, &str), places: &[(usize, u8)]) {
    for (count, copies) in places.iter().copied() {
        let servers = Memcached::many(count);
        let shared = Shared::create(twice(&Memcached::specs(&servers), copies)).unwrap();
        let mut watcher = Watcher::new(shared);
        assert_eq!(watcher.tick(), []);
        test(&mut Cache::new(shared), &format!("{count} servers, {copies} copies"));
    }
}
