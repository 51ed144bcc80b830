//! Gets while one of three servers is dead or hangs, against the same gets of a farm in health: all keys of a table with
//! two copies, and those keys of a table with one copy whose home answers. What the beginning of the outage costs is told too.
//!
//! Farms, their watchers and this program share one core, as in the benchmark `wire`. Run with `cargo bench --bench outage`.

mod measure;
mod plot;
mod report;

#[path = "../tests/support/mod.rs"]
mod support;

use measure::{Case, Kind, Series, interleave};
use report::{Section, find};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::config::Config;
use shardcache::value::Value;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::{Memcached, Rounds};

const ROUNDS: usize = 400;
const KEYS: usize = 60;
const SERVERS: usize = 3;
const VICTIM: usize = 0;
/// Ten times the default: a busy machine that keeps everybody waiting is no outage.
const CMD_TIMEOUT_MS: u32 = 500;
/// What a call on two copies grants each server.
const LEG: Duration = Duration::from_millis(CMD_TIMEOUT_MS as u64 * 2 / 5);
/// How long a farm may take to know all servers.
const READY: Duration = Duration::from_secs(20);
/// How long the begin of an outage is looked at: longer than a server that hangs is waited for.
const BEGIN: Duration = Duration::from_secs(4);
const VALUE: Value<'_> = Value::Bytes(b"sip:alice@192.0.2.17:5060;x=000f");
const ONCE: usize = 0;
const TWICE: usize = 1;

/// For each farm: all keys in two copies, those of them whose home is the victim, and the others' in one copy.
const IDS: [[&str; 3]; 3] = [
    ["all_up_twice", "all_up_twice_away", "all_up_once"],
    ["dead_twice", "dead_twice_away", "dead_once"],
    ["hung_twice", "hung_twice_away", "hung_once"],
];
const LABELS: [[&str; 3]; 3] = [
    ["three servers: all keys, two copies", "three servers: a third of them", "three servers: the others, one copy"],
    ["one dead: all keys, two copies", "one dead: the keys at home there", "one dead: the others, one copy"],
    ["one hangs: all keys, two copies", "one hangs: the keys at home there", "one hangs: the others, one copy"],
];

fn main() {
    measure::pin_to_one_core();
    let mut farms: [Farm; 3] = std::array::from_fn(|_| Farm::start());
    farms[1].servers[VICTIM].kill();
    let dead = farms[1].outage();
    farms[2].servers[VICTIM].freeze();
    let hung = farms[2].outage();
    let farms = farms.map(|farm| Rc::new(RefCell::new(farm)));
    let mut cases: Vec<Case<'_>> = Vec::new();
    for ((farm, ids), labels) in farms.iter().zip(IDS).zip(LABELS) {
        cases.extend(gets(farm, ids, labels));
    }
    let series = interleave(&mut cases, ROUNDS);
    drop(cases);
    let paid = farms.map(|farm| farm.borrow().paid);
    publish(&series, [dead, hung], [paid[1], paid[2]]);
}

/// `begin`: of the calls at the begin of each outage; `during`: of those that were measured.
fn publish(series: &[Series], begin: [Paid; 2], during: [Paid; 2]) {
    let title = "Outside Kamailio, gets while one of three servers is away";
    let mut section = Section::new("outage", title, IDS[0][0], series);
    let wanted = ["two copies, all keys", "two copies, keys at home there", "one copy, the other keys"];
    for (at, name) in ["is dead", "hangs"].into_iter().enumerate() {
        for (nth, what) in wanted.into_iter().enumerate() {
            let ratio = find(series, IDS[1 + at][nth]).over(find(series, IDS[0][nth]));
            section.goal(&format!("one server {name}: {what}"), ratio, 1.20);
        }
        let [first, later] = [begin[at], during[at]];
        section.goal(&format!("one server {name}: deadlines paid"), f64::from(first.deadlines), 3.0);
        section.goal(&format!("one server {name}: deadlines paid later"), f64::from(later.deadlines), 0.0);
        section.goal(&format!("one server {name}: gets of two copies without an answer"), f64::from(first.failed), 0.0);
        let timeouts = first.longest.as_secs_f64() * 1000.0 / f64::from(CMD_TIMEOUT_MS);
        section.goal(&format!("one server {name}: the longest call, in cmd_timeouts"), timeouts, 1.01);
    }
    section.publish();
}

fn gets<'a>(farm: &Rc<RefCell<Farm>>, ids: [&'static str; 3], labels: [&'static str; 3]) -> Vec<Case<'a>> {
    let (away, others): (Vec<usize>, Vec<usize>) = (0..KEYS).partition(|key| farm.borrow().homes[*key] == VICTIM);
    let parts = [(TWICE, (0..KEYS).collect()), (TWICE, away), (ONCE, others)];
    let case = |((table, keys), (id, label)): ((usize, Vec<usize>), (&'static str, &'static str))| {
        let farm = Rc::clone(farm);
        Case::new(id, label, Kind::Ours, move || farm.borrow_mut().pass(table, &keys))
    };
    parts.into_iter().zip(ids.into_iter().zip(labels)).map(case).collect()
}

/// What calls paid for servers that did not answer.
#[derive(Clone, Copy, Debug, Default)]
struct Paid {
    /// Calls that waited for a server in vain.
    deadlines: u32,
    longest: Duration,
    /// Gets of two copies that brought nothing.
    failed: u32,
}

/// Three servers, a worker and a watcher.
struct Farm {
    servers: Vec<Memcached>,
    cache: Cache,
    names: Vec<Vec<u8>>,
    homes: Vec<usize>,
    paid: Paid,
}

impl Farm {
    fn start() -> Self {
        let servers = Memcached::many(SERVERS);
        let mut config = Config::default();
        for (number, server) in servers.iter().enumerate() {
            // The same keys have the same home in each farm.
            let spec = format!("{};ring=home{number}", server.spec(&format!("mc{number}")));
            config.add_server(&spec).expect("a server");
        }
        config.add_table("once").expect("a table");
        config.add_table("twice=>copies=2").expect("a table");
        config.set_cmd_timeout(i64::from(CMD_TIMEOUT_MS)).expect("a time");
        let shared = Shared::create(config).expect("shared memory");
        std::thread::spawn(move || Rounds::new(shared).run(|| false, drop));
        let mut cache = Cache::new(shared);
        let names: Vec<Vec<u8>> = (0..KEYS).map(|number| format!("user{number}@example.org").into_bytes()).collect();
        fill(&mut cache, &names);
        let home = |name: &Vec<u8>| cache.locate(ONCE, name).expect("a key").server.expect("a home");
        let homes = names.iter().map(home).collect();
        Self { servers, cache, names, homes, paid: Paid::default() }
    }

    /// Calls from the begin of an outage on until the server is out of use, and on.
    fn outage(&mut self) -> Paid {
        let begun = Instant::now();
        while begun.elapsed() < BEGIN {
            for key in 0..KEYS {
                self.get(TWICE, key);
                self.get(ONCE, key);
            }
        }
        assert!(!self.cache.shared().server_up(VICTIM), "the server is out of use");
        std::mem::take(&mut self.paid)
    }

    /// Nanoseconds per get.
    fn pass(&mut self, table: usize, keys: &[usize]) -> f64 {
        self.get(table, keys[0]);
        let begun = Instant::now();
        for &key in keys {
            let rc = self.get(table, key);
            assert_eq!(rc, Verdict::Done, "{}", self.cache.last().err);
        }
        begun.elapsed().as_nanos() as f64 / keys.len() as f64
    }

    fn get(&mut self, table: usize, key: usize) -> Verdict {
        let begun = Instant::now();
        let rc = self.cache.get(table, &self.names[key], 0);
        let took = begun.elapsed();
        self.paid.deadlines += u32::from(took >= LEG);
        self.paid.longest = self.paid.longest.max(took);
        self.paid.failed += u32::from(table == TWICE && rc != Verdict::Done);
        rc
    }
}

/// Stores every key in both tables, as soon as that can be done.
fn fill(cache: &mut Cache, names: &[Vec<u8>]) {
    for name in names {
        for table in [ONCE, TWICE] {
            support::wait::until_true("every server to be known", READY, || {
                cache.set(table, name, VALUE, None) == Verdict::Done
            });
        }
    }
}
