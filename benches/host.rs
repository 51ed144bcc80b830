//! The module inside a real Kamailio: script loops, each driven by one SIP request that says how often, timed by the
//! script itself, against what else a routing script can ask: htable, Kamailio's memcached module, redis, SQLite.
//!
//! Hosts, servers and this program share one core; the empty loop is taken off; rounds are interleaved.
//! Run with `cargo bench --bench host`; what it finds goes to `bench-out`.

mod measure;
mod memory;
mod plot;
mod redis;
mod report;
mod scripts;

#[path = "../tests/support/mod.rs"]
mod support;

use measure::{Case, interleave};
use redis::Redis;
use report::{Section, find};
use scripts::Loop;
use support::{Host, Memcached};

/// Rounds are many and short: one of a millisecond or so is seldom cut in two by other work of the machine.
const ROUNDS: usize = 400;

fn main() {
    measure::pin_to_one_core();
    let (tcp, unix, three, redis) = (Memcached::tcp(), Memcached::unix(), Memcached::many(3), Redis::start());
    let one = scripts::beside_others(&tcp, &redis);
    let near = scripts::alone(&[&unix]);
    let farm = scripts::alone(&three.iter().collect::<Vec<_>>());
    for host in [&one, &near, &farm] {
        assert_eq!(host.rc("prepare"), 1, "the entries are stored");
    }
    let mut cases = Vec::new();
    for (host, loops) in [(&one, &scripts::TCP[..]), (&near, &scripts::UNIX[..]), (&farm, &scripts::FARM[..])] {
        cases.extend(loops.iter().map(|each| case(host, each)));
    }
    let raw = interleave(&mut cases, ROUNDS);
    drop(cases);

    let series = measure::without_loop(raw);
    let title = format!("Inside Kamailio (memory manager {}), all on one core", scripts::memory_manager());
    let mut section = Section::new("host", &title, "shc_get_tcp", &series);
    let ratio = |own: &str, base: &str| find(&series, own).over(find(&series, base));
    section.goal("$shc get against $mct get, both over TCP", ratio("shc_get_tcp", "mct_get"), 0.95);
    section.goal("shc_mget of 100 keys over three servers against one get", ratio("mget_100", "shc_get_tcp"), 8.00);
    section.goal("private memory of a worker beyond Kamailio's own, in MB", memory::beyond_kamailio(&tcp), 2.00);
    section.publish();
}

fn case<'a>(host: &'a Host, what: &'static Loop) -> Case<'a> {
    Case::new(what.id, what.label, what.kind, move || {
        let outcome = host.run_with(what.id, &[("X-N", &what.count.to_string())]);
        assert_eq!(outcome.rc, 1, "{}: the loop ends with the value it should have", what.id);
        outcome.out.parse::<f64>().expect("microseconds") * 1000.0 / f64::from(what.count)
    })
}
