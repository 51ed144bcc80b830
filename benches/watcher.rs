//! What an idle watcher costs: processor time of its thread in percent of one core, for few and many servers, with tables of
//! one copy and of two, near and not.

#[path = "../tests/support/mod.rs"]
mod support;

use shardcache::cluster::Shared;
use shardcache::config::Config;
use std::time::{Duration, Instant};
use support::memcached::Options;
use support::{Memcached, Rounds};

const SETTLING: Duration = Duration::from_secs(6);
const MEASURED: Duration = Duration::from_secs(5);

fn main() {
    for servers in [3, 30, 300] {
        for (copies, near) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
            let table = format!("t=>copies={copies};near={near}");
            println!("{servers:3} servers, {table}: {:.2} % of a core", measure(servers, &table));
        }
    }
}

fn measure(servers: usize, table: &str) -> f64 {
    // One process plays them all, at so many addresses.
    let address = |at: usize| format!("127.0.{}.{}", 1 + at / 200, 1 + at % 200);
    let listen = (0..servers).map(address).collect::<Vec<_>>().join(",");
    let server = Memcached::start(Options { args: vec!["-l".to_owned(), listen], ..Options::default() });
    let mut config = Config::default();
    for at in 0..servers {
        config.add_server(&format!("name=mc{at};addr={}:{}", address(at), server.port())).expect("a server");
    }
    config.add_table(table).expect("a table");
    let mirrored = config.tables[0].mirrored();
    let shared = Shared::create(config).expect("shared memory");
    let interval = Duration::from_millis(shared.config().probe_interval_ms.into());
    let mut rounds = Rounds::new(shared);
    let mut run = |time: Duration| {
        let begun = Instant::now();
        rounds.run(|| begun.elapsed() >= time, drop);
        begun.elapsed()
    };
    while mirrored && shared.whole() != Some(true) {
        run(SETTLING);
    }
    run(interval * 3);
    let before = used();
    let time = run(MEASURED);
    100.0 * (used() - before).as_secs_f64() / time.as_secs_f64()
}

/// Processor time of this thread so far.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds"))
}
