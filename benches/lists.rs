//! What a change of the list of servers costs: which share of the keys moves when one server goes, and how long a
//! worker's first call after the change takes longer for it (processor time). Run with `cargo bench --bench lists`.

mod measure;

use shardcache::cache::Cache;
use shardcache::cluster::Shared;
use shardcache::config::Config;
use shardcache::ring::Ring;
use std::time::Duration;

const KEYS: usize = 100_000;
/// At most so many servers go, one at a time, from each list.
const GONE: usize = 10;
const TRIES: usize = 9;

fn main() {
    measure::pin_to_one_core();
    println!("\n## One of N servers goes\n");
    println!("|     N | moved, mean | moved, most | 1.3 / N | first call, ms | at most, ms |");
    println!("|------:|------------:|------------:|--------:|---------------:|------------:|");
    for count in [3, 5, 10, 20, 30, 50, 100, 300, 1_000] {
        let (mean, most) = moved(count);
        let (median, longest) = adopting(count);
        let wanted = 1.3 / count as f64;
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        println!(
            "| {count:5} | {:9.2} % | {:9.2} % | {:5.2} % | {:14.2} | {:11.2} |",
            100.0 * mean,
            100.0 * most,
            100.0 * wanted,
            ms(median),
            ms(longest)
        );
    }
}

/// The shares of the keys whose home is another one once a server is gone: the mean and the largest.
fn moved(count: usize) -> (f64, f64) {
    let names: Vec<String> = (0..count).map(|number| address(number).to_string()).collect();
    let keys: Vec<String> = (0..KEYS).map(|number| format!("t:user{number}@example.org")).collect();
    let homes = |names: &[&str]| -> Vec<String> {
        let ring = Ring::new(&names.iter().map(|name| (*name, 1)).collect::<Vec<_>>());
        keys.iter().map(|key| names[ring.home(&[key.as_bytes()])].to_owned()).collect()
    };
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let before = homes(&all);
    let share = |gone: usize| {
        let left: Vec<&str> = all.iter().copied().filter(|name| *name != all[gone]).collect();
        before.iter().zip(homes(&left)).filter(|(old, new)| *old != new).count() as f64 / KEYS as f64
    };
    let shares: Vec<f64> = (0..count).step_by(count.div_ceil(GONE)).map(share).collect();
    (shares.iter().sum::<f64>() / shares.len() as f64, shares.iter().copied().fold(0.0, f64::max))
}

/// How long a worker takes to take over a list with one server less: the median and the longest of some tries.
fn adopting(count: usize) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (0..TRIES).map(|_| adopt(count)).collect();
    times.sort();
    (times[TRIES / 2], times[TRIES - 1])
}

fn adopt(count: usize) -> Duration {
    let mut config = Config::default();
    for number in 0..count {
        config.add_server(&format!("name=mc{number};addr={}", address(number))).expect("a server");
    }
    config.add_table("t").expect("a table");
    let shared = Shared::create(config).expect("shared memory");
    let mut cache = Cache::new(shared);
    cache.locate(0, b"k").expect("a place");
    shared.remove_server("mc1").expect("a shorter list");
    let begun = processor_time();
    cache.locate(0, b"k").expect("a place");
    processor_time() - begun
}

/// What this thread has used.
fn processor_time() -> Duration {
    let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is valid to be written.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut used) }, 0);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

fn address(number: usize) -> std::net::SocketAddrV4 {
    std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(10, 0, (number / 250) as u8, 1 + (number % 250) as u8), 11211)
}
