//! What an idle watcher costs: processor time of its thread in percent of one core, for few and many servers, with tables of
//! one copy and of two, near and not. Run with `cargo bench --bench watcher`.

mod curves;
#[path = "../tests/support/mod.rs"]
mod support;

use curves::{Curve, Panel};
use shardcache::cluster::Shared;
use shardcache::config::Config;
use std::time::{Duration, Instant};
use support::memcached::Options;
use support::{Memcached, Rounds};

const SETTLING: Duration = Duration::from_secs(6);
const MEASURED: Duration = Duration::from_secs(5);

const SERVERS: [usize; 3] = [3, 30, 300];

fn main() {
    println!("\n## An idle watcher, % of a core\n");
    println!("| copies | near | servers | % of a core |");
    println!("|-------:|-----:|--------:|------------:|");
    let panels = [("one copy: % of a core against servers", 1), ("two copies: % of a core against servers", 2)];
    let mut panels = panels.map(|(title, copies)| Panel {
        title,
        curves: [("near=0", 0), ("near=1", 1)].map(|(name, near)| curve(name, copies, near)).into(),
        top: 0.0,
    });
    let all = panels.iter().flat_map(|panel| &panel.curves).flat_map(|curve| &curve.points);
    let top = all.map(|(_, percent)| *percent).fold(0.0, f64::max) * 1.1;
    panels.iter_mut().for_each(|panel| panel.top = top);
    curves::publish(&panels, "watcher.svg");
}

fn curve(name: &'static str, copies: u8, near: u8) -> Curve {
    let table = format!("t=>copies={copies};near={near}");
    let point = |servers: usize| {
        let percent = measure(servers, &table);
        println!("| {copies:6} | {near:4} | {servers:7} | {percent:11.2} |");
        (servers as f64, percent)
    };
    Curve { name, points: SERVERS.map(point).into() }
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
