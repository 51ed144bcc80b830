//! What the module adds to a worker: its private dirty memory with and without it, after the same SIP requests.

use crate::support::{Memcached, Script};

const REQUESTS: usize = 200;

/// Megabytes of private dirty memory that a warmed-up worker has more than one of a host without the module.
pub fn beyond_kamailio(server: &Memcached) -> f64 {
    let lookups = "    $shc(b=>$fU) = \"x\";\n    $var(v) = $shc(b=>$fU);\n    $var(v) = $shcinc(b=>count);
    shc_mget(\"b\", \"k1,k2,k3,k4,k5,k6,k7,k8,k9\", \"got\");\n    $var(out) = $pp;";
    let with = Script::new().server(&server.spec("mc1")).table("b").route("warm", lookups);
    let without = Script::new().without_module().route("warm", "    $var(out) = $pp;");
    let (with, without) = (private_dirty(&with), private_dirty(&without));
    println!("private dirty memory of a worker: {with} kB with the module, {without} kB without");
    (with as f64 - without as f64) / 1024.0
}

fn private_dirty(script: &Script) -> u64 {
    let host = script.clone().workers(1).start();
    for _ in 0..REQUESTS {
        host.run("warm");
    }
    let worker = host.out("warm");
    let map = std::fs::read_to_string(format!("/proc/{worker}/smaps_rollup")).expect("the worker's memory map");
    let line = map.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).expect("a line Private_Dirty");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}
