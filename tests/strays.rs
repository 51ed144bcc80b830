//! A changed list of servers leaves entries behind where they have no place any more: the watcher takes them away, and says
//! when the list may change again.

#[path = "support/mod.rs"]
mod support;

use shardcache::cluster::{Event, ServerStat, Shared};
use shardcache::config::Config;
use support::memcached::Options;
use support::worker::standing;
use support::{Memcached, PATIENT_MS, Watched, Worker};

const KEYS: usize = 300;

/// A host whose table is kept on all servers but the last.
fn host(servers: &[Memcached], table: &str) -> Watched {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    let (_, first) = servers.split_last().unwrap();
    Memcached::specs(first).iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table(table).unwrap();
    Watched::with(config)
}

fn key(n: usize) -> String {
    if n.is_multiple_of(50) { format!("key{n}{}", " and more".repeat(30)) } else { format!("key{n}") }
}

fn present(host: &mut Watched) -> Vec<usize> {
    (0..KEYS).filter(|n| host.get(&key(*n)).is_some()).collect()
}

fn entries(servers: &[Memcached]) -> usize {
    servers.iter().map(|server| server.entries().len()).sum()
}

/// One server more, and then one less again: nothing that was left behind is ever read.
fn there_and_back(table: &str, copies: usize) {
    let servers = Memcached::many(4);
    let mut host = host(&servers, table);
    if copies > 1 {
        host.until_whole();
    }
    host.told();
    (0..KEYS).for_each(|n| host.set(&key(n), "old"));
    host.shared.add_server(&servers[3].spec("mc4")).unwrap();
    assert_eq!(host.shared.whole(), Some(false), "at once");
    host.shared.await_entrance();
    let stayed = present(&mut host);
    assert!(stayed.len() < KEYS, "some keys moved");
    host.until_whole();
    assert_eq!(present(&mut host), stayed);
    assert_eq!(entries(&servers), copies * stayed.len(), "nothing else is left");
    let strays = host.count(ServerStat::Strays);
    assert!(strays as usize >= KEYS - stayed.len(), "{strays} strays");
    assert_eq!(host.told().iter().filter(|event| **event == Event::Whole).count(), 1);

    (0..KEYS).for_each(|n| host.set(&key(n), "new"));
    host.shared.remove_server("mc4").unwrap();
    host.until_whole();
    for n in 0..KEYS {
        assert_ne!(host.get(&key(n)).as_deref(), Some("old"), "{n}");
    }
}

#[test]
fn two_copies() {
    there_and_back("t=>copies=2;autoexpire=1000", 2);
}

#[test]
fn one_copy() {
    there_and_back("t=>autoexpire=1000", 1);
}

#[test]
fn what_a_host_with_another_list_left_behind_is_taken_away_too() {
    let servers = Memcached::many(4);
    let mut farm = host(&servers, "t=>autoexpire=1000");
    let mut stranger = host(&servers[..3], "t=>autoexpire=1000");
    (0..KEYS).for_each(|n| stranger.set(&key(n), "old"));
    farm.until("the other list", |shared| !shared.lists_agree());
    drop(stranger);
    farm.until("agreement", Shared::lists_agree);
    farm.until_whole();
    assert_eq!(entries(&servers), present(&mut farm).len(), "nothing else is left");

    (0..KEYS).for_each(|n| farm.set(&key(n), "new"));
    farm.shared.remove_server("mc3").unwrap();
    for n in 0..KEYS {
        assert_ne!(farm.get(&key(n)).as_deref(), Some("old"), "{n}");
    }
}

#[test]
fn of_two_hosts_one_sweeps_and_both_know() {
    let servers = Memcached::many(4);
    let mut hosts = [host(&servers, "t=>copies=2;autoexpire=1000"), host(&servers, "t=>copies=2;autoexpire=1000")];
    hosts.iter().for_each(Watched::until_whole);
    (0..KEYS).for_each(|n| hosts[0].set(&key(n), "value"));
    hosts.iter().for_each(|host| drop(host.shared.add_server(&servers[3].spec("mc4")).unwrap()));
    hosts.iter().for_each(Watched::until_trouble);
    hosts.iter().for_each(Watched::until_whole);
    let stayed = present(&mut hosts[1]).len();
    assert!(stayed < KEYS);
    assert_eq!(entries(&servers), 2 * stayed);
}

#[test]
fn a_server_without_lists_is_told_once_and_its_copies_are_never_whole() {
    let args = ["-o", "no_lru_crawler"].map(String::from).to_vec();
    let servers = [Memcached::tcp(), Memcached::start(Options { args, ..Options::default() })];
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    Memcached::specs(&servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table("t=>copies=2").unwrap();
    let host = Watched::with(config);
    let mut told = Vec::new();
    support::until("the hint", std::time::Duration::from_secs(10), || {
        told.extend(host.told());
        if told.contains(&Event::NoList { server: 1 }) { Ok(()) } else { Err(standing(host.shared)) }
    });
    std::thread::sleep(std::time::Duration::from_secs(6));
    told.extend(host.told());
    assert_eq!(told.iter().filter(|event| matches!(event, Event::NoList { .. })).count(), 1, "{told:?}");
    assert_eq!(host.shared.whole(), Some(false));
}
