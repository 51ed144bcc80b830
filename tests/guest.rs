//! A program without a configuration joins the farm by one server, and what it does there holds for all hosts.

mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::cluster::map::guest::{self, GuestError};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::Duration;
use support::{Memcached, PATIENT_MS, Watched, Worker, until};

const PATIENCE: Duration = Duration::from_secs(30);

fn host(servers: &[Memcached], tables: &[&str]) -> Watched {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    let weights = [1, 3, 2];
    for (at, server) in servers.iter().enumerate() {
        config.add_server(&format!("{};weight={};zone=z{at}", server.spec(&format!("mc{at}")), weights[at])).unwrap();
    }
    tables.iter().for_each(|table| config.add_table(table).unwrap());
    Watched::with(config)
}

/// Joins the farm that one of its servers is in, as soon as the hosts have told of it.
fn join(server: &Memcached, tables: &[&str]) -> Cache {
    let given = [Config::server(&server.spec("any")).unwrap()];
    Cache::new(until("the farm to be told of", PATIENCE, || {
        guest::join(&given, tables, PATIENT_MS).map_err(|error| error.to_string())
    }))
}

fn refused(server: &Memcached, tables: &[&str]) -> GuestError {
    guest::join(&[Config::server(&server.spec("any")).unwrap()], tables, PATIENT_MS).expect_err("it is refused")
}

/// A key of the first table at home on that server.
fn key_on(cache: &mut Cache, home: &str) -> String {
    let slot = cache.shared().layout().find(home.as_bytes());
    let named = |key: &String| cache.locate(0, key.as_bytes()).unwrap().server == slot;
    (0..1000).map(|n| format!("key{n}")).find(named).unwrap()
}

fn partner(shared: &Shared, home: &str) -> usize {
    let layout = shared.layout();
    layout.pairs().partner(layout.find(home.as_bytes()).unwrap()).unwrap()
}

#[test]
fn it_learns_servers_and_tables_from_any_one_server() {
    let servers = Memcached::many(3);
    let one = host(&servers, &["t=>copies=2;autoexpire=7", "only_here=>autoexpire=5"]);
    let _two = host(&servers, &["t=>copies=2;autoexpire=7", "only_there=>copies=1"]);
    for server in &servers {
        let guest = join(server, &["only_there", "t", "only_here"]);
        let (layout, own) = (guest.shared().layout(), one.shared.layout());
        assert_eq!((layout.digest(), layout.len()), (own.digest(), 3));
        let tables: Vec<String> = guest.shared().config().tables.iter().map(ToString::to_string).collect();
        let find = |name: &str| one.shared.config().tables[one.shared.config().table(name).unwrap()].to_string();
        assert_eq!((&tables[1], &tables[2]), (&find("t"), &find("only_here")));
    }
    assert!(matches!(refused(&servers[0], &["t", "nobodys"]), GuestError::NoTable(table) if table == "nobodys"));
}

#[test]
fn what_it_cannot_learn_is_named() {
    let mut servers = Memcached::many(1);
    let error = refused(&servers[0], &["t"]);
    assert!(matches!(&error, GuestError::NoMap(_)) && error.to_string().contains(&servers[0].addr()), "{error}");
    servers[0].kill();
    let error = refused(&servers[0], &["t"]).to_string();
    assert!(error.contains(&servers[0].addr()) && error.contains("connection refused"), "{error}");
}

#[test]
fn records_that_were_lost_come_back() {
    let servers = Memcached::many(2);
    let _host = host(&servers, &["t"]);
    join(&servers[0], &["t"]);
    servers.iter().for_each(|server| drop(server.raw(b"flush_all\r\n", "OK").unwrap()));
    join(&servers[0], &["t"]);
    join(&servers[1], &["t"]);
}

#[test]
fn an_entry_with_two_copies_stays_invalidated_when_a_server_dies() {
    let mut servers = Memcached::many(3);
    let mut host = host(&servers, &["t=>copies=2"]);
    host.until_whole();
    let key = key_on(&mut host.cache, "mc1");
    host.set(&key, "old");
    let mut guest = join(&servers[0], &["t"]);
    assert_eq!(guest.invalidate(0, key.as_bytes()), Verdict::Done, "{:?}", guest.last());
    assert_eq!(host.get(&key), None);
    assert_eq!(guest.invalidate(0, key.as_bytes()), Verdict::Done, "nothing was there");
    host.set(&key, "older");
    let partner = partner(host.shared, "mc1");
    servers[partner].kill();
    assert_eq!(guest.invalidate(0, key.as_bytes()), Verdict::Done, "{:?}", guest.last());
    host.until_trouble();
    servers[partner].revive();
    host.until_whole();
    servers[1].kill();
    assert_eq!(host.get(&key), None);
}

#[test]
fn an_entry_is_changed_while_its_home_is_dead() {
    for dead in [0, 1] {
        let mut servers = Memcached::many(3);
        let mut host = host(&servers, &["t=>copies=2"]);
        host.until_whole();
        let key = key_on(&mut host.cache, "mc1");
        let sides = [1, partner(host.shared, "mc1")];
        host.set(&key, "old");
        servers[sides[dead]].kill();
        let mut guest = join(&servers[sides[1 - dead]], &["t"]);
        assert_eq!(
            guest.set(0, key.as_bytes(), Value::Bytes(b"new"), None),
            Verdict::Done,
            "{dead}: {:?}",
            guest.last()
        );
        assert_eq!(host.get(&key).as_deref(), Some("new"), "{dead}");
    }
}

#[test]
fn a_stand_in_is_found_and_no_seat_is_moved() {
    let mut servers = Memcached::many(3);
    let mut host = host(&servers, &["t=>copies=1"]);
    let mut guest = join(&servers[0], &["t"]);
    let key = key_on(&mut host.cache, "mc1");
    let stand_in = partner(host.shared, "mc1");
    let put = |host: &mut Watched| host.cache.set(0, key.as_bytes(), Value::Bytes(b"old"), None);
    until("the seat to be made", PATIENCE, || if put(&mut host) == Verdict::Done { Ok(()) } else { Err("not yet") });
    servers[1].kill();
    until("the stand-in to serve", PATIENCE, || {
        let server = if put(&mut host) == Verdict::Done { host.cache.last().server } else { None };
        if server == Some(stand_in) { Ok(()) } else { Err(format!("{:?}", host.cache.last())) }
    });
    until("the guest to follow", PATIENCE, || match guest.invalidate(0, key.as_bytes()) {
        Verdict::Done => Ok(()),
        _ => Err(format!("{:?}", guest.last())),
    });
    assert_eq!(host.get(&key), None);
    servers[1].revive();
    until("the home to serve again", PATIENCE, || {
        let server = if put(&mut host) == Verdict::Done { host.cache.last().server } else { None };
        if server == Some(1) { Ok(()) } else { Err(format!("{:?}", host.cache.last())) }
    });

    drop(host);
    let record = |server: &Memcached, home: &Memcached| {
        let of_home = |key: &String| *key == format!("!seat::{}", home.addr());
        server.keys().into_iter().find(of_home).and_then(|key| server.get(&key))
    };
    let before = record(&servers[stand_in], &servers[1]);
    assert!(before.is_some(), "{:?}", servers[stand_in].keys());
    servers[1].kill();
    let mut late = join(&servers[0], &["t"]);
    assert_ne!(late.invalidate(0, key.as_bytes()), Verdict::Done);
    assert_ne!(guest.invalidate(0, key.as_bytes()), Verdict::Done);
    assert_eq!(record(&servers[stand_in], &servers[1]), before);
}

#[test]
fn a_table_is_emptied_for_all_hosts() {
    let servers = Memcached::many(3);
    let mut host = host(&servers, &["t=>copies=2"]);
    host.until_whole();
    for _ in 0..2 {
        (0..20).for_each(|n| host.set(&format!("k{n}"), "old"));
        let mut guest = join(&servers[2], &["t"]);
        assert_eq!(guest.bump(0), Verdict::Done, "{:?}", guest.last());
        until("the host to follow", PATIENCE, || {
            if (0..20).all(|n| host.get(&format!("k{n}")).is_none()) { Ok(()) } else { Err("not yet") }
        });
        host.set("k0", "new");
        assert_eq!(host.get("k0").as_deref(), Some("new"));
        let mut guest = join(&servers[0], &["t"]);
        assert_eq!(guest.invalidate(0, b"k0"), Verdict::Done, "under the new generation");
        assert_eq!(host.get("k0"), None);
    }
}

#[test]
fn a_server_that_left_unawares_does_not_mislead() {
    let servers = Memcached::many(3);
    let host = host(&servers, &["t"]);
    join(&servers[2], &["t"]);
    let held = servers[2].get("!list:").unwrap();
    host.shared.remove_server("mc2").unwrap();
    until("a newer list", PATIENCE, || if servers[0].get("!list:") != Some(held.clone()) { Ok(()) } else { Err("") });
    servers[2].set("!list:", String::from_utf8(held).unwrap());
    let guest = join(&servers[2], &["t"]);
    assert_eq!(guest.shared().layout().digest(), host.shared.layout().digest());
}

#[test]
fn a_password_given_for_one_server_opens_the_others() {
    let servers = [Memcached::auth("sip", "secret"), Memcached::auth("sip", "secret"), Memcached::tcp()];
    let secret = ";user=sip;pass=secret";
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    for (name, server, auth) in [("a", &servers[0], secret), ("b", &servers[1], secret), ("c", &servers[2], "")] {
        config.add_server(&format!("{}{auth}", server.spec(name))).unwrap();
    }
    config.add_table("t=>copies=2").unwrap();
    let mut host = Watched::with(config);
    host.until_whole();
    let given = [Config::server(&format!("{}{secret}", servers[1].spec("any"))).unwrap()];
    let mut guest = Cache::new(until("the farm to be told of", PATIENCE, || {
        guest::join(&given, &["t"], PATIENT_MS).map_err(|error| error.to_string())
    }));
    for home in ["a", "b", "c"] {
        let key = key_on(&mut host.cache, home);
        host.set(&key, "old");
        assert_eq!(guest.invalidate(0, key.as_bytes()), Verdict::Done, "{home}: {:?}", guest.last());
        assert_eq!(host.get(&key), None);
    }
    assert!(servers[2].keys().iter().all(|key| key != "auth"), "no password is sent where none is asked for");
    let map = |key: &String| key.starts_with("!map:");
    let told = servers[2].keys().into_iter().find(map).and_then(|key| servers[2].get(&key)).unwrap();
    assert!(!String::from_utf8_lossy(&told).contains("secret"));
    let error = refused(&servers[0], &["t"]).to_string();
    assert!(error.contains(&servers[0].addr()), "{error}");
}
