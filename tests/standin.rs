//! Tables with one copy on real servers: a stand-in serves while a key's home is away, and nothing old ever comes back.

#[path = "standin/calls.rs"]
mod calls;
#[path = "standin/hosts.rs"]
mod hosts;
#[path = "standin/outages.rs"]
mod outages;
#[path = "support/mod.rs"]
mod support;

use shardcache::cache::Verdict;
use shardcache::config::Config;
use std::time::Duration;
use support::{Memcached, Stepped};

const TIMEOUT: Duration = Duration::from_millis(1_000);
const PATIENCE: Duration = Duration::from_secs(60);

const MISS: Result<String, Verdict> = Err(Verdict::Missing);

fn start(servers: &[Memcached]) -> Stepped {
    start_at(&Memcached::specs(servers))
}

fn start_at(specs: &[String]) -> Stepped {
    let mut config = Config { cmd_timeout_ms: TIMEOUT.as_millis() as u32, ..Config::default() };
    specs.iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table("t=>autoexpire=1000").unwrap();
    let mut host = Stepped::with(config);
    host.step();
    host
}
