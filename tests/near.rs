//! Near tables: what a host read lately is answered without any server, and is never older than promised.

mod support;

use shardcache::cache::{NEAR_VALUE_MAX, Verdict};
use shardcache::cluster::{ServerStat, TableStat};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::{Duration, Instant};
use support::worker::standing;
use support::{Memcached, PATIENT_MS, Watched, until};

/// The tables of every host here, by their copies, and one whose near entries end soon.
const TABLES: [&str; 3] =
    ["one=>near=1;autoexpire=1000", "two=>near=1;copies=2;autoexpire=1000", "brief=>near=1;near_ttl=1"];
const COPIES: [usize; 2] = [0, 1];
const BRIEF: usize = 2;
/// Nobody sees an old value later than this.
const DELTA: Duration = Duration::from_millis(100 + PATIENT_MS as u64);
const PATIENCE: Duration = Duration::from_secs(60);

fn with_tables(servers: &[Memcached], tables: &[&str]) -> Watched {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    servers.iter().enumerate().for_each(|(at, server)| config.add_server(&server.spec(&format!("mc{at}"))).unwrap());
    tables.iter().for_each(|table| config.add_table(table).unwrap());
    let host = Watched::with(config);
    host.until_whole();
    host.until("seats", |shared| (0..servers.len()).all(|home| shared.seat_shown(home).as_deref() == Some("home")));
    host
}

fn host(servers: &[Memcached]) -> Watched {
    with_tables(servers, &TABLES)
}

/// Answers from the host's own memory.
fn near(host: &Watched, table: usize) -> u64 {
    let count = |stat| host.shared.table_count(table, stat);
    count(TableStat::NearHits) + count(TableStat::NearAbsent)
}

fn shown(value: Option<Value<'_>>) -> String {
    match value {
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Value::Int(number)) => format!("int {number}"),
        None => "nothing".to_owned(),
    }
}

/// What a read says: the value, or that there is none.
fn read(host: &mut Watched, table: usize, key: &str) -> String {
    match host.cache.get(table, key.as_bytes(), 1) {
        Verdict::Done => shown(host.cache.value()),
        Verdict::Missing => "nothing".to_owned(),
        other => panic!("{key}: {other:?} {:?} {}", host.cache.last(), standing(host.shared)),
    }
}

fn set(host: &mut Watched, table: usize, key: &str, value: &str) {
    let done = host.cache.set(table, key.as_bytes(), Value::Bytes(value.as_bytes()), None);
    assert_eq!(done, Verdict::Done, "{:?} {}", host.cache.last(), standing(host.shared));
}

/// Reads until the answer comes from this host's memory; returns it.
fn warm(host: &mut Watched, table: usize, key: &str) -> String {
    until("a near hit", PATIENCE, || {
        let before = near(host, table);
        let said = read(host, table, key);
        if near(host, table) > before { Ok(said) } else { Err(said) }
    })
}

#[test]
fn a_hit_asks_nobody_and_tells_all_that_the_server_told() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    for table in COPIES {
        for (key, value) in [("k", Value::Bytes(b"value")), ("n", Value::Int(-5)), ("s", Value::Bytes(b"007 "))] {
            assert_eq!(host.cache.set(table, key.as_bytes(), value, Some(500)), Verdict::Done);
            assert_eq!(warm(&mut host, table, key), shown(Some(value)));
            until("hits in a row", PATIENCE, || {
                let asked = host.count(ServerStat::Requests);
                (0..100).for_each(|_| assert_eq!(read(&mut host, table, key), shown(Some(value))));
                if host.count(ServerStat::Requests) == asked { Ok(()) } else { Err("a server was asked") }
            });
            let last = host.cache.last();
            assert_eq!((last.server, last.age.is_some_and(|age| (500..505).contains(&age))), (None, true), "{last:?}");
            let (rc, left) = host.cache.ttl(table, key.as_bytes());
            assert!(rc == Verdict::Done && (496..=500).contains(&left), "{left}");
        }
        warm(&mut host, table, "k");
        assert_eq!(
            host.cache.cas(table, b"k", Value::Bytes(b"changed"), None, 1),
            Verdict::Done,
            "cas after a near hit"
        );
        assert_eq!(read(&mut host, table, "k"), "changed");
        assert_eq!(host.cache.fetch(table, b"k"), Verdict::Done);
        assert!(host.cache.last().server.is_some(), "the operator is told by a server");
    }
}

#[test]
fn a_cas_after_a_near_hit_fails_when_another_host_was_faster() {
    let servers = Memcached::many(2);
    let (mut one, mut two) = (host(&servers), host(&servers));
    for table in COPIES {
        set(&mut one, table, "k", "old");
        until("a near hit and a change before the next poll", PATIENCE, || {
            warm(&mut two, table, "k");
            set(&mut one, table, "k", "new");
            match two.cache.cas(table, b"k", Value::Bytes(b"lost"), None, 1) {
                Verdict::Missing => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        assert_eq!(read(&mut one, table, "k"), "new");
    }
}

type Deed = fn(&mut Watched, usize, &[u8]) -> Verdict;

/// One way to change an entry, what was there before and what is there then.
#[derive(Clone, Copy)]
struct Change {
    what: &'static str,
    before: &'static str,
    deed: Deed,
    after: &'static str,
}

const fn change(what: &'static str, before: &'static str, deed: Deed, after: &'static str) -> Change {
    Change { what, before, deed, after }
}

const NEW: Value<'_> = Value::Bytes(b"new");

/// All that changes one entry.
const CHANGES: [Change; 9] = [
    change("invalidate", "old", |host, table, key| host.cache.invalidate(table, key), "nothing"),
    change("set", "old", |host, table, key| host.cache.set(table, key, NEW, None), "new"),
    change("add", "nothing", |host, table, key| host.cache.add(table, key, NEW, None), "new"),
    change("replace", "old", |host, table, key| host.cache.replace(table, key, NEW, None), "new"),
    change("remove", "old", |host, table, key| host.cache.remove(table, key), "nothing"),
    change("inc", "7", |host, table, key| host.cache.inc(table, key, 1, 0, None), "int 8"),
    change("inc of nothing", "nothing", |host, table, key| host.cache.inc(table, key, 1, 10, None), "int 11"),
    change("dec", "7", |host, table, key| host.cache.dec(table, key, 1, 0, None), "int 6"),
    change(
        "cas",
        "old",
        |host, table, key| {
            assert_eq!(host.cache.get(table, key, 1), Verdict::Done);
            host.cache.cas(table, key, NEW, None, 1)
        },
        "new",
    ),
];
const BUMP: Change = change("bump", "old", |host, table, _| host.cache.bump(table), "nothing");

impl Change {
    /// Stores what is to be there before.
    fn prepare(self, host: &mut Watched, table: usize) {
        let value = match self.before.parse() {
            Ok(number) => Value::Int(number),
            Err(_) if self.before == "nothing" => return,
            Err(_) => Value::Bytes(self.before.as_bytes()),
        };
        let done = host.cache.set(table, self.what.as_bytes(), value, None);
        assert_eq!(done, Verdict::Done, "{:?}", host.cache.last());
    }
}

/// Each change is made of an entry of its own; then the other host is watched until nobody may see an old value any more.
fn seen_in_time(table: usize, changes: &[Change]) {
    let servers = Memcached::many(3);
    let (mut one, mut two) = (host(&servers), host(&servers));
    changes.iter().for_each(|change| change.prepare(&mut one, table));
    for host in [&mut one, &mut two] {
        for Change { what, before, .. } in changes {
            let said = warm(host, table, what);
            assert_eq!(said.trim_start_matches("int "), *before, "{what}");
        }
    }
    let mut made = Vec::new();
    for Change { what, deed, after, .. } in changes {
        assert_eq!(deed(&mut one, table, what.as_bytes()), Verdict::Done, "{what}: {:?}", one.cache.last());
        made.push((what, after, Instant::now()));
        assert_eq!(read(&mut one, table, what), *after, "{what}");
    }
    let last = Instant::now();
    while last.elapsed() <= DELTA {
        for (what, after, acknowledged) in &made {
            let late = acknowledged.elapsed();
            let said = read(&mut two, table, what);
            assert!(said == **after || late <= DELTA, "{what}: {said} {late:?} after the change");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for (what, after, _) in made {
        assert_eq!((warm(&mut two, table, what), read(&mut one, table, what)), (after.to_string(), after.to_string()));
    }
}

#[test]
fn every_change_is_seen_at_once_by_who_made_it_and_in_time_by_the_other() {
    for table in COPIES {
        seen_in_time(table, &CHANGES);
        seen_in_time(table, &[BUMP]);
    }
}

#[test]
fn a_shorter_life_given_elsewhere_counts() {
    let servers = Memcached::many(2);
    let (mut one, mut two) = (host(&servers), host(&servers));
    for table in COPIES {
        set(&mut one, table, "k", "v");
        warm(&mut two, table, "k");
        assert_eq!(one.cache.touch(table, b"k", 6), Verdict::Done);
        std::thread::sleep(DELTA);
        assert!(two.cache.ttl(table, b"k").1 <= 6);
        warm(&mut two, table, "k");
        std::thread::sleep(Duration::from_secs(6));
        assert_eq!(read(&mut two, table, "k"), "nothing");
    }
}

#[test]
fn what_another_client_writes_is_seen_when_near_ttl_is_over() {
    let servers = [Memcached::tcp()];
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    config.add_server(&servers[0].spec("mc0")).unwrap();
    config.add_table("brief=>near=1;near_ttl=1").unwrap();
    let mut host = Watched::with(config);
    for (key, change) in [("k", true), ("gone", false)] {
        let wire = format!("brief:{key}");
        servers[0].set(&wire, "old");
        assert_eq!(warm(&mut host, 0, key), "old");
        if change {
            servers[0].set(&wire, "new")
        } else {
            servers[0].delete(&wire)
        }
        let (changed, after) = (Instant::now(), if change { "new" } else { "nothing" });
        let mut kept = 0;
        loop {
            let late = changed.elapsed();
            let said = read(&mut host, 0, key);
            assert!(said == after || late <= Duration::from_secs(1), "{said} {late:?} after the change");
            kept += u32::from(said == "old");
            if late > Duration::from_secs(1) {
                break;
            }
        }
        assert!(kept > 0, "it was near");
    }
}

#[test]
fn a_host_that_does_not_keep_the_table_near_is_another_client() {
    let servers = Memcached::many(2);
    let mut plain = with_tables(&servers, &["one=>", "two=>copies=2", "brief=>"]);
    let mut host = host(&servers);
    set(&mut plain, BRIEF, "k", "old");
    assert_eq!(warm(&mut host, BRIEF, "k"), "old");
    set(&mut plain, BRIEF, "k", "new");
    let changed = Instant::now();
    until("the new value", PATIENCE, || {
        let (late, said) = (changed.elapsed(), read(&mut host, BRIEF, "k"));
        assert!(said == "new" || late <= Duration::from_secs(1), "{late:?}");
        if said == "new" { Ok(()) } else { Err(said) }
    });
    set(&mut host, BRIEF, "k", "newer");
    assert_eq!(read(&mut plain, BRIEF, "k"), "newer");
}

#[test]
fn without_polls_every_read_is_asked_for() {
    let servers = Memcached::many(2);
    let (mut one, mut two) = (host(&servers), host(&servers));
    for table in COPIES {
        set(&mut one, table, "k", "old");
        assert_eq!(warm(&mut two, table, "k"), "old");
    }
    two.stop_watching();
    std::thread::sleep(DELTA);
    for table in COPIES {
        set(&mut one, table, "k", "new");
        let (hits, voids) = (near(&two, table), two.shared.table_count(table, TableStat::NearVoids));
        (0..10).for_each(|_| assert_eq!(read(&mut two, table, "k"), "new"));
        assert_eq!(near(&two, table), hits);
        assert_eq!(two.shared.table_count(table, TableStat::NearVoids), voids + 10);
    }
}

#[test]
fn what_is_too_large_or_about_to_end_is_not_kept() {
    let servers = Memcached::many(2);
    let mut host = host(&servers);
    for table in COPIES {
        let value = vec![b'x'; NEAR_VALUE_MAX + 1];
        for (value, life, keeps) in
            [(&value[..NEAR_VALUE_MAX], 1000, true), (&value[..], 1000, false), (&value[..1], 1, false)]
        {
            assert_eq!(host.cache.set(table, b"k", Value::Bytes(value), Some(life)), Verdict::Done);
            let before = near(&host, table);
            (0..20).for_each(|_| assert_eq!(host.cache.get(table, b"k", 1), Verdict::Done));
            assert_eq!(near(&host, table) > before, keeps, "{} bytes for {life} s", value.len());
        }
    }
}

#[test]
fn many_keys_at_once_come_from_both() {
    let servers = Memcached::many(3);
    let mut host = host(&servers);
    let long = "l".repeat(300);
    let names = ["near", "absent", "number", "far", "not there", long.as_str()];
    let keys: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    for table in COPIES {
        for key in ["near", "far", &long] {
            set(&mut host, table, key, key);
        }
        assert_eq!(host.cache.set(table, b"number", Value::Int(7), None), Verdict::Done);
        warm(&mut host, table, "near");
        warm(&mut host, table, "absent");
        for round in 0..2 {
            assert_eq!(host.cache.mget(table, &keys), Verdict::Done);
            let said: Vec<String> = (0..keys.len()).map(|at| shown(host.cache.found(at).1)).collect();
            assert_eq!(said, ["near", "nothing", "int 7", "far", "nothing", &long], "round {round}");
            assert_eq!(host.cache.found(1).0, Verdict::Missing);
            assert_eq!(host.cache.found(keys.len()).0, Verdict::Failed);
        }
        until("all of them near", PATIENCE, || {
            let asked = host.count(ServerStat::Requests);
            assert_eq!(host.cache.mget(table, &keys), Verdict::Done);
            if host.count(ServerStat::Requests) == asked { Ok(()) } else { Err("a server was asked") }
        });
        assert_eq!(host.cache.get(table, b"far", 1), Verdict::Done);
        let changed = host.cache.cas(table, b"far", Value::Bytes(b"changed"), None, 1);
        assert_eq!(changed, Verdict::Done, "cas after what a batch kept");
        assert_eq!(host.cache.mget(table, &keys), Verdict::Done);
        assert_eq!(shown(host.cache.found(3).1), "changed");
    }
}

#[test]
fn another_list_of_servers_voids_everything() {
    let servers = Memcached::many(3);
    let mut host = host(&servers[..2]);
    for table in COPIES {
        set(&mut host, table, "k", "v");
        warm(&mut host, table, "k");
    }
    host.shared.add_server(&servers[2].spec("mc2")).unwrap();
    for table in COPIES {
        let hits = near(&host, table);
        host.cache.get(table, b"k", 1);
        assert_eq!(near(&host, table), hits);
    }
}
