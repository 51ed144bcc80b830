//! Two hosts and real servers: a change on one makes void what the other keeps in its own memory, within the promised bound, whatever
//! becomes of the servers' counters.

mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::clock;
use shardcache::invalidate::stripes::{announcement, stripe};
use shardcache::value::Value;
use std::time::{Duration, Instant};
use support::races::{self, DELTA};
use support::worker::standing;
use support::{Memcached, Watched, until};

const KEY: &[u8] = b"alice";
/// The names of the tables.
const TABLES: [&str; 2] = ["one", "two"];
const PATIENCE: Duration = Duration::from_secs(20);

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
        let acknowledged_ms = clock::monotonic_ms();
        let mut last = Duration::ZERO;
        until(why, PATIENCE, || {
            let late = Duration::from_millis(clock::monotonic_ms() - acknowledged_ms);
            if self.served(host) {
                assert!(late <= DELTA, "{why}: served {late:?} after the change");
                last = late;
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

/// Makes a change until it is acknowledged: the machine or the test may have halted a server.
fn until_done(host: &mut Watched, what: &str, change: impl Fn(&mut Cache) -> Verdict) {
    until(what, PATIENCE, || match change(&mut host.cache) {
        Verdict::Done => Ok(()),
        _ => Err(format!("{:?} {}", host.cache.last(), standing(host.shared))),
    });
}

fn set(host: &mut Watched, table: usize) {
    until_done(host, "a set", |cache| cache.set(table, KEY, Value::Bytes(b"v"), None));
}

/// Two hosts that know their servers.
fn hosts(servers: &[Memcached]) -> (Watched, Watched) {
    let specs = Memcached::specs(servers);
    let (one, two) = (races::host(&specs), races::host(&specs));
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
    // A machine that halts a server for a moment does not do so each time.
    until("nothing to be void where nothing changes", PATIENCE, || {
        let kept = Kept::now(&two, 0);
        std::thread::sleep(3 * DELTA);
        if Kept::now(&two, 0).stamp == kept.stamp { Ok(()) } else { Err("void") }
    });
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
            set(&mut one, table);
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
        until_done(&mut one, "a bump", |cache| cache.bump(table));
        kept.ends(&two, "a bump");
    }
    let kept = Kept::now(&two, 1);
    servers[0].freeze();
    set(&mut one, 1);
    let acknowledged = Instant::now();
    while acknowledged.elapsed() < 2 * DELTA {
        let early = acknowledged.elapsed() <= DELTA;
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
