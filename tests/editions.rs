//! Servers that leave the list and come back, and hosts whose lists differ: real servers, one or two watchers.

mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Event, Shared, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::{Duration, Instant};
use support::{Memcached, PATIENT_MS};

const KEPT_OUT: &str = "holds entries of another list: restart it or flush_all";

/// One host as its processes make it: its shared memory and its watcher.
struct Host {
    shared: &'static Shared,
    watcher: Watcher,
    heard: Vec<Event>,
}

impl Host {
    fn new(servers: &[String]) -> Self {
        let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
        servers.iter().for_each(|server| config.add_server(server).unwrap());
        config.add_table("t=>").unwrap();
        let shared = Shared::create(config).unwrap();
        shared.close_entrance();
        Self { shared, watcher: Watcher::new(shared), heard: Vec::new() }
    }

    fn tick(&mut self) {
        self.heard.extend(self.watcher.tick());
    }

    /// The state of a server and the reason for it.
    fn state(&self, name: &str) -> (&'static str, &'static str) {
        let view = self.shared.server_view(self.shared.layout().find(name.as_bytes()).unwrap());
        (view.state, view.reason)
    }

    fn told(&self, event: impl Fn(&Event) -> bool) -> usize {
        self.heard.iter().filter(|heard| event(heard)).count()
    }
}

/// Lets the watchers of all hosts run until `happened`.
fn until(hosts: &mut [&mut Host], what: &str, mut happened: impl FnMut(&[&mut Host]) -> bool) {
    let begun = Instant::now();
    while !happened(hosts) {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited for {what}: {:?}", hosts[0].heard);
        hosts.iter_mut().for_each(|host| host.tick());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A key at home on the server of that name.
fn key_on(host: &Host, name: &str) -> Vec<u8> {
    let (mut cache, home) = (Cache::new(host.shared), host.shared.layout().find(name.as_bytes()));
    let named = |key: &Vec<u8>| cache.locate(0, key).unwrap().server == home;
    (0..1000).map(|n: u32| n.to_string().into_bytes()).find(named).unwrap()
}

fn set(host: &Host, key: &[u8], value: &str) {
    let mut cache = Cache::new(host.shared);
    assert_eq!(cache.set(0, key, Value::Bytes(value.as_bytes()), None), Verdict::Done, "{:?}", cache.last());
}

/// What a new worker is served.
fn get(host: &Host, key: &[u8]) -> Result<String, Verdict> {
    let mut cache = Cache::new(host.shared);
    match (cache.get(0, key, 1), cache.value()) {
        (Verdict::Done, Some(Value::Bytes(bytes))) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        (verdict, _) => Err(verdict),
    }
}

fn record(server: &Memcached) -> String {
    server.get("!list:").map_or("none".to_owned(), |text| String::from_utf8_lossy(&text).into_owned())
}

/// Two servers in service, and an old value on the second, whose key moves when that leaves.
fn farm() -> (Vec<Memcached>, Host, Vec<u8>) {
    let servers = Memcached::many(2);
    let mut host = Host::new(&Memcached::specs(&servers));
    assert_eq!([host.state("mc1"), host.state("mc2")], [("up", ""); 2], "asked before the first round");
    let key = key_on(&host, "mc2");
    set(&host, &key, "old");
    until(&mut [&mut host], "a record on each", |_| servers.iter().all(|server| server.get("!list:").is_some()));
    (servers, host, key)
}

/// The second server leaves, the key is changed, the server comes back holding `record`, or what was left there.
fn leave_and_return(servers: &[Memcached], host: &mut Host, key: &[u8], record: Option<&str>) {
    host.shared.remove_server("mc2").unwrap();
    host.tick();
    set(host, key, "new");
    if let Some(record) = record {
        servers[1].set("!list:", record);
    }
    host.shared.add_server(&servers[1].spec("mc2")).unwrap();
    assert_eq!(host.state("mc2"), ("down", "not asked yet"), "no worker uses it before the watcher did");
    host.tick();
}

#[test]
fn a_server_that_left_is_kept_out_until_it_is_emptied() {
    let (servers, mut host, key) = farm();
    leave_and_return(&servers, &mut host, &key, None);
    assert_eq!((record(&servers[1]).as_str(), host.state("mc2")), ("left", ("down", KEPT_OUT)));
    for _ in 0..20 {
        host.tick();
        assert_ne!(get(&host, &key), Ok("old".to_owned()));
    }
    assert_eq!(host.state("mc2"), ("down", KEPT_OUT));
    assert_eq!(host.told(|event| matches!(event, Event::ServerDown { reason: KEPT_OUT, .. })), 1);
    assert_eq!(host.state("mc1"), ("up", ""));
    servers[1].raw(b"flush_all\r\n", "OK").unwrap();
    until(&mut [&mut host], "the emptied server to be in use", |hosts| hosts[0].state("mc2").0 == "up");
    until(&mut [&mut host], "it to serve what is at home there", |hosts| get(hosts[0], &key) == Err(Verdict::Missing));
    assert_eq!(host.told(|event| matches!(event, Event::ServerUp { .. })), 1);
    until(&mut [&mut host], "its record", |_| record(&servers[1]) == record(&servers[0]));
}

#[test]
fn one_that_could_not_be_told_that_it_left_is_known_by_the_edition() {
    let (mut servers, mut host, key) = farm();
    let held = record(&servers[1]);
    leave_and_return(&servers, &mut host, &key, Some(&held));
    assert_eq!(host.state("mc2"), ("down", KEPT_OUT), "the list is the same again, and its edition another one");
    until(&mut [&mut host], "a newer edition", |_| record(&servers[0]) > held);
    assert_eq!(record(&servers[0])[..16], held[..16], "of the same list");

    let restarted = Host::new(&Memcached::specs(&servers));
    assert_eq!(
        [restarted.state("mc1").0, restarted.state("mc2").0],
        ["up", "down"],
        "nor does a host that remembers nothing"
    );
    servers[1].restart();
    until(&mut [&mut host], "the restarted server to be in use", |hosts| hosts[0].state("mc2").0 == "up");
}

#[test]
fn hosts_begin_with_what_the_servers_hold() {
    let (servers, mut host, _) = farm();
    let all = Memcached::specs(&servers);
    host.tick();
    let states = |host: &Host| ["mc1", "mc2"].map(|name| host.state(name).0);
    assert_eq!(states(&Host::new(&all)), ["up"; 2], "the same list");
    let weighty = [format!("{};weight=3", all[0]), all[1].clone()];
    assert_eq!(states(&Host::new(&weighty)), ["up"; 2], "another list, the same on all servers before");
    let alone = Host::new(&all[..1]);
    assert_eq!(alone.state("mc1"), ("up", ""));

    let mut one = Host::new(&all[..1]);
    until(&mut [&mut one], "a list without the second", |_| record(&servers[0])[..16] != record(&servers[1])[..16]);
    assert_eq!(states(&Host::new(&all)), ["up", "down"], "the second has been off the list");
}

#[test]
fn a_server_that_is_away_at_the_start_is_asked_when_it_comes() {
    let mut servers = Memcached::many(2);
    servers[1].kill();
    let mut host = Host::new(&Memcached::specs(&servers));
    assert_eq!(host.state("mc1"), ("up", ""));
    host.tick();
    assert_eq!(host.state("mc2"), ("down", "connection refused"));
    servers[1].revive();
    servers[1].set("!list:", "left");
    until(&mut [&mut host], "it to be asked", |hosts| hosts[0].state("mc2") == ("down", KEPT_OUT));
    servers[1].delete("!list:");
    until(&mut [&mut host], "it to be in use", |hosts| hosts[0].state("mc2").0 == "up");
}

#[test]
fn a_server_in_service_may_be_emptied() {
    let (servers, mut host, _) = farm();
    let before = record(&servers[0]);
    servers.iter().for_each(|server| drop(server.raw(b"flush_all\r\n", "OK").unwrap()));
    until(&mut [&mut host], "the records again", |_| servers.iter().all(|server| record(server) == before));
    assert_eq!([host.state("mc1"), host.state("mc2")], [("up", ""); 2]);
    assert!(host.shared.lists_agree());
    assert_eq!(host.heard, []);
}

#[test]
fn hosts_with_different_lists_notice_until_they_agree() {
    let servers = Memcached::many(3);
    let all = Memcached::specs(&servers);
    let (mut one, mut two) = (Host::new(&all), Host::new(&all));
    until(&mut [&mut one, &mut two], "a record on each", |_| {
        servers.iter().all(|server| server.get("!list:").is_some())
    });
    (0..10).for_each(|_| [&mut one, &mut two].into_iter().for_each(Host::tick));
    assert!(one.heard.is_empty() && two.heard.is_empty(), "{:?} {:?}", one.heard, two.heard);

    one.shared.remove_server("mc3").unwrap();
    assert_eq!(record(&servers[2]), "left");
    until(&mut [&mut one, &mut two], "both to notice", |hosts| hosts.iter().all(|host| !host.shared.lists_agree()));
    assert_eq!(two.state("mc3"), ("up", ""), "in service for the other host until that follows");
    let begun = Instant::now();
    until(&mut [&mut one, &mut two], "a while", |hosts| {
        assert!(hosts.iter().all(|host| !host.shared.lists_agree()));
        begun.elapsed() > Duration::from_secs(5)
    });
    for host in [&one, &two] {
        assert_eq!(host.told(|event| matches!(event, Event::ListsDiffer { .. })), 1, "{:?}", host.heard);
    }

    two.shared.remove_server("mc3").unwrap();
    until(&mut [&mut one, &mut two], "agreement again", |hosts| hosts.iter().all(|host| host.shared.lists_agree()));
    for host in [&one, &two] {
        assert_eq!(host.told(|event| *event == Event::ListsAgree), 1, "{:?}", host.heard);
    }
    let editions: Vec<String> = servers[..2].iter().map(record).collect();
    assert_eq!(editions[0], editions[1]);
}

#[test]
fn a_host_that_ended_contradicts_no_longer() {
    let servers = Memcached::many(2);
    let all = Memcached::specs(&servers);
    let (mut farm, mut stranger) = (Host::new(&all), Host::new(&all[..1]));
    until(&mut [&mut farm, &mut stranger], "both to notice", |hosts| {
        hosts.iter().all(|host| !host.shared.lists_agree())
    });
    until(&mut [&mut farm], "agreement", |hosts| hosts[0].shared.lists_agree());
    until(&mut [&mut farm], "its own record", |_| record(&servers[0]) == record(&servers[1]));
}
