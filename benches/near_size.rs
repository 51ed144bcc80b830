//! What `near_size` buys: near hits and reads per second of one worker, inside Kamailio, against the megabytes. Keys are
//! drawn by Zipf's law (exponent 1); every value is on the server, so that each read is a near hit or a round trip. Beside
//! it the hit ratio of the store alone on the same requests. All on one core.
//!
//! Run with `cargo bench --bench near_size`.

mod curves;
#[path = "../tests/support/hits.rs"]
mod hits;
mod measure;
#[path = "../tests/support/mod.rs"]
mod support;

use curves::{Curve, Panel};
use hits::{Asked, KEYS, Near, Shape, trace};
use support::{Host, Memcached, Script};

const REQUESTS: usize = 400_000;
const SEED: u64 = 1;
/// Keys that one SIP request asks for.
const BATCH: usize = 100;
/// For so many SIP requests there is one that reads nothing, to show what the loop itself takes.
const IDLE: usize = 10;
/// Entries that one SIP request stores.
const FILL: usize = 5_000;
const MEGABYTES: [u32; 6] = [1, 2, 4, 8, 16, 32];

const VALUE: &str = "sip:alice@192.0.2.17:5060;x=0001";

/// What one size reached.
struct Reached {
    /// Near hits among the counted reads, in percent.
    hits: f64,
    per_second: f64,
}

fn main() {
    measure::pin_to_one_core();
    let keys = trace(Shape::Zipf(1.0), REQUESTS, SEED);
    let server = Memcached::tcp();
    let away = host(&server, None);
    fill(&away);
    println!(
        "\n## Reads against near_size\n\n{KEYS} keys, Zipf 1.0, {REQUESTS} reads, counted after the first quarter\n"
    );
    println!("| near_size, MB | near hits, % | the store alone, % | reads/s |");
    println!("|--------------:|-------------:|-------------------:|--------:|");
    println!("| without near  | {:12} | {:18} | {:7.0} |", "", "", read(&away, &keys).per_second);
    drop(away);
    let mut curves =
        ["inside Kamailio", "the store alone", "thousand reads/s"].map(|name| Curve { name, points: Vec::new() });
    for megabytes in MEGABYTES {
        let reached = read(&host(&server, Some(megabytes)), &keys);
        let store = Near::new((megabytes as usize) << 20).hits(&keys) * 100.0;
        println!("| {megabytes:13} | {:12.2} | {store:18.2} | {:7.0} |", reached.hits, reached.per_second);
        let values = [reached.hits, store, reached.per_second / 1000.0];
        for (curve, value) in curves.iter_mut().zip(values) {
            curve.points.push((f64::from(megabytes), value));
        }
    }
    let [inside, alone, speed] = curves;
    let top = speed.points.iter().map(|(_, value)| *value).fold(0.0, f64::max) * 1.1;
    let panels = [
        Panel { title: "near hits, %, against near_size, MB", curves: vec![inside, alone], top: 100.0 },
        Panel { title: "reads of one worker against near_size, MB", curves: vec![speed], top },
    ];
    curves::publish(&panels, "near_size.svg");
}

/// Reads all keys; what the last three quarters reached.
fn read(host: &Host, keys: &[u64]) -> Reached {
    let (warm, counted) = keys.split_at(keys.len() / 4);
    for keys in warm.chunks(BATCH) {
        run(host, "read", keys);
    }
    let before = near_hits(host);
    let (mut reads, mut idle) = (Vec::new(), Vec::new());
    for (number, keys) in counted.chunks(BATCH).enumerate() {
        reads.push(run(host, "read", keys));
        if number % IDLE == 0 {
            idle.push(run(host, "empty", keys));
        }
    }
    let hits = (near_hits(host) - before) as f64 / counted.len() as f64;
    let micros = measure::median(reads) - measure::median(idle);
    Reached { hits: hits * 100.0, per_second: BATCH as f64 / micros * 1e6 }
}

fn near_hits(host: &Host) -> u64 {
    host.statistic("table_t_near_hits")
}

/// Runs the route over the keys; microseconds.
fn run(host: &Host, route: &str, keys: &[u64]) -> f64 {
    let list = keys.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let outcome = host.run_with(route, &[("X-Keys", &list), ("X-N", &keys.len().to_string())]);
    assert_eq!(outcome.rc, 1, "{route}: the last value is the right one");
    outcome.out.parse().expect("microseconds")
}

/// Stores every key's value.
fn fill(host: &Host) {
    for first in (0..KEYS).step_by(FILL) {
        let [first, end] = [first, KEYS.min(first + FILL)].map(|key| key.to_string());
        assert_eq!(host.run_with("fill", &[("X-First", &first), ("X-End", &end)]).rc, 1, "stored");
    }
}

/// A host with one worker whose table is near if it has megabytes for that.
fn host(server: &Memcached, near: Option<u32>) -> Host {
    let script = Script::new().workers(1).before("max_while_loops=100000000").server(&server.spec("mc1"));
    let script = script.number("cmd_timeout", 5000);
    let script = match near {
        Some(megabytes) => script.table("t=>near=1;near_ttl=86400").number("near_size", megabytes.into()),
        None => script.table("t"),
    };
    let fill = format!(
        r#"    $var(i) = $(hdr(X-First){{s.int}});
    $var(end) = $(hdr(X-End){{s.int}});
    while ($var(i) < $var(end)) {{ $shc(t=>$var(i)) = "{VALUE}"; $var(i) = $var(i) + 1; }}
    $var(rc) = $shcst(rc);"#
    );
    let script = script
        .route("fill", &fill)
        .route("read", &each_key("$var(v) = $shc(t=>$var(k));"))
        .route("empty", &each_key(&format!(r#"$var(v) = "{VALUE}";"#)));
    script.kamailio().arg("-x").arg("fm").arg("-X").arg("fm").start()
}

/// Does `body` for each key, and tells how many microseconds that took.
fn each_key(body: &str) -> String {
    format!(
        r#"    $var(n) = $(hdr(X-N){{s.int}});
    $var(keys) = $hdr(X-Keys);
    $var(s) = $TV(sn);
    $var(u) = $TV(un);
    $var(i) = 0;
    while ($var(i) < $var(n)) {{
        $var(k) = $(var(keys){{s.select,$var(i),,}});
        {body}
        $var(i) = $var(i) + 1;
    }}
    $var(e) = $TV(sn);
    $var(out) = ($var(e) - $var(s)) * 1000000 + $TV(un) - $var(u);
    if ($var(v) == "{VALUE}") {{ $var(rc) = 1; }}"#
    )
}
