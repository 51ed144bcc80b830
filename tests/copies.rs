//! Tables with two copies on real servers: what was acknowledged is there after either server died, hung or came back.

#[path = "copies/bumps.rs"]
mod bumps;
#[path = "copies/calls.rs"]
mod calls;
#[path = "copies/outages.rs"]
mod outages;
#[path = "support/mod.rs"]
mod support;

use shardcache::config::Config;
use std::time::{Duration, Instant};
use support::{Memcached, PATIENT_MS, Stepped};

const TIMEOUT: Duration = Duration::from_millis(PATIENT_MS as u64);
/// What a busy machine may add to a call.
const NOISE: Duration = Duration::from_millis(500);

fn start(servers: &[Memcached]) -> Stepped {
    start_patient(servers, Config::default().soft_failures)
}

/// A host that takes so many timeouts in a row before it gives a server up.
fn start_patient(servers: &[Memcached], soft_failures: u32) -> Stepped {
    start_at(&Memcached::specs(servers), soft_failures)
}

fn start_at(specs: &[String], soft_failures: u32) -> Stepped {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, soft_failures, ..Config::default() };
    specs.iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table("t=>copies=2;autoexpire=1000").unwrap();
    let mut host = Stepped::with(config);
    (0..3).for_each(|_| drop(host.round()));
    host
}

/// The calls go on at once, and take no longer than they may.
fn in_time<T>(what: &str, call: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = call();
    assert!(begun.elapsed() < TIMEOUT + NOISE, "{what} took {:?}", begun.elapsed());
    result
}
