//! libmemcached and this client share one cluster: the same server for every key, each reads what the other wrote.
//!
//! Needs libmemcached.so.11 (Debian: libmemcached11) and fails without it.

mod support;

#[path = "support/libmemcached.rs"]
mod libmemcached;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::config::Config;
use shardcache::value::Value;
use support::{Memcached, PATIENT_MS};

const KEYS: usize = 500;
const WEIGHTS: [u32; 3] = [1, 2, 3];

struct Both {
    servers: Vec<Memcached>,
    ours: Cache,
    theirs: libmemcached::Client,
}

impl Both {
    fn over(weights: &[u32]) -> Self {
        let servers = Memcached::many(weights.len());
        let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
        let mut theirs = libmemcached::Client::load().expect("libmemcached11 is installed").ketama_weighted();
        for (at, (server, weight)) in servers.iter().zip(weights).enumerate() {
            config.add_server(&format!("{};weight={weight}", server.spec(&format!("mc{at}")))).expect("a server");
            theirs = theirs.tcp(c"127.0.0.1", server.port(), *weight);
        }
        config.add_table("t").expect("a table");
        let ours = Cache::new(Shared::create(config).expect("shared memory"));
        Self { servers, ours, theirs }
    }
}

fn keys() -> impl Iterator<Item = (String, String)> {
    (0..KEYS).map(|number| (format!("user{number}@example.org"), format!("value of {number}")))
}

#[test]
fn both_choose_the_same_server_for_every_key() {
    for weights in [&[1, 1, 1][..], &WEIGHTS] {
        let mut both = Both::over(weights);
        let mut used = [0; 3];
        for (key, value) in keys() {
            let home = both.theirs.home(format!("t:{key}").as_bytes());
            let place = both.ours.locate(0, key.as_bytes()).expect("a place");
            assert_eq!(place.server, Some(home), "{key}, weights {weights:?}");
            assert_eq!(both.ours.set(0, key.as_bytes(), Value::Bytes(value.as_bytes()), None), Verdict::Done);
            assert_eq!(both.servers[home].get(&format!("t:{key}")), Some(value.into_bytes()), "{key} is there");
            used[home] += 1;
        }
        assert!(used.iter().all(|count| *count > KEYS / 20), "{weights:?}: {used:?}");
    }
}

#[test]
fn libmemcached_reads_what_we_wrote() {
    let mut both = Both::over(&WEIGHTS);
    for (key, value) in keys() {
        assert_eq!(both.ours.set(0, key.as_bytes(), Value::Bytes(value.as_bytes()), None), Verdict::Done);
        let (got, flags) = both.theirs.get(format!("t:{key}").as_bytes()).expect("the value is there");
        assert_eq!(got, value.into_bytes(), "{key}");
        assert_eq!(flags & 0xffff, 0, "{key}: other clients keep their type codes there");
    }
    assert_eq!(both.ours.set(0, b"number", Value::Int(41), None), Verdict::Done);
    assert_eq!(both.theirs.increment(b"t:number"), 42);
    assert_eq!(both.ours.get(0, b"number", 0), Verdict::Done);
    assert_eq!(both.ours.value(), Some(Value::Int(42)));
}

#[test]
fn we_read_what_libmemcached_wrote() {
    let mut both = Both::over(&WEIGHTS);
    for (key, value) in keys() {
        both.theirs.set(format!("t:{key}").as_bytes(), value.as_bytes());
        assert_eq!(both.ours.get(0, key.as_bytes(), 0), Verdict::Done, "{key}");
        assert_eq!(both.ours.value(), Some(Value::Bytes(value.as_bytes())), "{key}");
    }
    both.theirs.set(b"t:number", b"7");
    assert_eq!(both.ours.inc(0, b"number", 1, 0, None), Verdict::Done);
    assert_eq!(both.theirs.get(b"t:number"), Some((b"8".to_vec(), 0)));
}
