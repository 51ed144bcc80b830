//! Two hosts and real servers: a change on one makes void what the other keeps in its own memory, within the promised bound, whatever
//! becomes of the servers' counters.

mod support;

use shardcache::cache::Verdict;
use shardcache::clock;
use shardcache::config::Config;
use shardcache::invalidate::stripes::{announcement, stripe};
use shardcache::value::Value;
use std::time::{Duration, Instant};
use support::worker::standing;
use support::{Memcached, Watched, until};

const KEY: &[u8] = b"alice";
const TABLES: [&str; 2] = ["one", "two"];
const CMD_TIMEOUT_MS: u32 = 300;
/// The promised bound, milliseconds.
const DELTA_MS: u64 = 100 + CMD_TIMEOUT_MS as u64;
const PATIENCE: Duration = Duration::from_secs(20);

fn host(servers: &[Memcached]) -> Watched {
    let mut config = Config { cmd_timeout_ms: CMD_TIMEOUT_MS, ..Config::default() };
    servers.iter().enumerate().for_each(|(at, server)| config.add_server(&server.spec(&format!("mc{at}"))).unwrap());
    config.add_table("one=>near=1").unwrap();
    config.add_table("two=>near=1;copies=2").unwrap();
    Watched::with(config)
}

/// An entry that a host keeps in its own memory.
#[derive(Clone, Copy, Debug)]
struct Kept {
    table: usize,
    stamp: u64,
}

impl Kept {
    fn home(host: &Watched, table: usize) -> usize {
        host.shared.layout().ring().home(&[TABLES[table].as_bytes(), b":", KEY])
    }

    /// Keeps what is there now.
    fn now(host: &Watched, table: usize) -> Self {
        let stripe = stripe(TABLES[table].as_bytes(), KEY);
        let stamp = host.shared.near_stamp(&host.shared.layout(), table, Self::home(host, table), stripe);
        Self { table, stamp }
    }

    fn fresh(host: &Watched, table: usize) -> bool {
        host.shared.near_fresh(&host.shared.layout(), table, Self::home(host, table), clock::monotonic_ms())
    }

    /// Would it be served?
    fn served(&self, host: &Watched) -> bool {
        Self::fresh(host, self.table) && Self::now(host, self.table).stamp == self.stamp
    }

    /// Looks at it from an acknowledged change on: it is served no longer than promised, and another is in time.
    fn ends(&self, host: &Watched, why: &str) -> Duration {
        let (begun, acknowledged_ms) = (Instant::now(), clock::monotonic_ms());
        let mut last = Duration::ZERO;
        until(why, PATIENCE, || {
            let begins_ms = clock::monotonic_ms();
            if self.served(host) {
                let late = begins_ms.saturating_sub(acknowledged_ms);
                assert!(late <= DELTA_MS, "{why}: served {late} ms after the change");
                last = begun.elapsed();
                return Err("still served");
            }
            if Self::fresh(host, self.table) { Ok(()) } else { Err("no polls") }
        });
        last
    }
}

fn until_fresh(host: &Watched) {
    for table in 0..TABLES.len() {
        host.until("young polls", |_| Kept::fresh(host, table));
    }
}

fn set(host: &mut Watched, table: usize) {
    let done = host.cache.set(table, KEY, Value::Bytes(b"v"), None);
    assert_eq!(done, Verdict::Done, "{:?} {}", host.cache.last(), standing(host.shared));
}

/// Two hosts that know their servers.
fn hosts(servers: &[Memcached]) -> (Watched, Watched) {
    let (one, two) = (host(servers), host(servers));
    one.until_whole();
    two.until_whole();
    until_fresh(&two);
    (one, two)
}

#[test]
fn a_change_is_seen_by_the_other_host_within_the_bound() {
    let servers = Memcached::many(3);
    let (mut one, two) = hosts(&servers);
    let mut latest = Duration::ZERO;
    for round in 0..20 {
        let table = round % 2;
        until_fresh(&two);
        let kept = Kept::now(&two, table);
        set(&mut one, table);
        latest = latest.max(kept.ends(&two, "a set"));
    }
    println!("last served {latest:?} after the change");
    let kept = Kept::now(&two, 0);
    std::thread::sleep(Duration::from_millis(3 * DELTA_MS));
    assert_eq!(Kept::now(&two, 0).stamp, kept.stamp, "nothing changed, nothing is void");
}

type Loss = fn(&Memcached, usize);

#[test]
fn lost_counters_hide_nothing() {
    let servers = Memcached::many(2);
    let (mut one, two) = hosts(&servers);
    let losses: [(&str, Loss); 3] = [
        ("a lost stripe", |server, table| {
            let [counter, _] = announcement(stripe(TABLES[table].as_bytes(), KEY));
            server.delete(std::str::from_utf8(counter.key()).unwrap());
        }),
        ("a lost root", |server, _| server.delete("!z:")),
        ("a flush", |server, _| drop(server.raw(b"flush_all\r\n", "OK").unwrap())),
    ];
    for table in 0..TABLES.len() {
        for (what, lose) in losses {
            until_fresh(&two);
            let kept = Kept::now(&two, table);
            servers.iter().for_each(|server| lose(server, table));
            until(what, PATIENCE, || match one.cache.set(table, KEY, Value::Bytes(b"v"), None) {
                Verdict::Done => Ok(()),
                _ => Err(format!("{:?}", one.cache.last())),
            });
            kept.ends(&two, what);
        }
    }
}

#[test]
fn a_server_that_was_frozen_or_restarted_and_a_bump_leave_nothing_behind() {
    let mut servers = Memcached::many(2);
    let (mut one, two) = hosts(&servers);
    for table in 0..TABLES.len() {
        until_fresh(&two);
        let kept = Kept::now(&two, table);
        assert_eq!(one.cache.bump(table), Verdict::Done);
        kept.ends(&two, "a bump");
    }
    let kept = Kept::now(&two, 1);
    servers[0].freeze();
    until("a set without the frozen server", PATIENCE, || {
        let done = one.cache.set(1, KEY, Value::Bytes(b"v"), None);
        if done == Verdict::Done { Ok(()) } else { Err(format!("{:?}", one.cache.last())) }
    });
    let acknowledged = Instant::now();
    while acknowledged.elapsed() < Duration::from_millis(2 * DELTA_MS) {
        let early = acknowledged.elapsed() <= Duration::from_millis(DELTA_MS);
        assert!(!kept.served(&two) || early, "served {:?} after the change", acknowledged.elapsed());
    }
    assert!(!Kept::fresh(&two, 1), "a server that is not polled vouches for nothing");
    servers[0].thaw();
    until_fresh(&two);
    assert!(!kept.served(&two));

    let kept = [0, 1].map(|table| Kept::now(&two, table));
    servers[1].restart();
    for kept in kept {
        kept.ends(&two, "a restart");
    }
}
