//! One host through the outage of a home, or of its partner.

use super::support::memcached::Options;
use super::support::{Memcached, Stepped, Worker as _, until};
use super::{MISS, PATIENCE, TIMEOUT, start, start_at};
use shardcache::cache::Verdict;
use shardcache::cluster::TableStat;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(100);

/// An outage of the home of a key, and what is read before, in it and after it.
fn an_outage(servers: &mut [Memcached], home: usize, gone: impl Fn(&mut Memcached), back: impl Fn(&mut Memcached)) {
    let mut host = start(servers);
    let (key, other, partner) = (host.key(home), host.key(host.partner(home)), host.partner(home));
    for outage in 0..2 {
        host.until_served(&key, home);
        host.set(&key, "old");
        host.set(&other, "another's");
        gone(&mut servers[home]);
        assert_eq!(host.read(&key), Err(Verdict::Unavailable));
        host.until_served(&key, partner);
        assert_eq!(host.read(&key), MISS, "outage {outage}");
        host.set(&key, &format!("new{outage}"));
        assert_eq!(host.read(&key), Ok(format!("new{outage}")));
        let (_, left) = host.cache.ttl(0, key.as_bytes());
        assert!((55..=60).contains(&left), "{left} s at the stand-in");
        back(&mut servers[home]);
        host.until_served(&key, home);
        assert_eq!(host.read(&key), MISS, "after outage {outage}");
        assert_eq!(host.read(&other), Ok("another's".to_owned()));
    }
}

#[test]
fn a_home_that_died_comes_back_empty() {
    an_outage(&mut Memcached::many(3), 0, Memcached::kill, Memcached::revive);
}

#[test]
fn a_home_that_slept_shows_nothing_of_what_it_held() {
    an_outage(&mut Memcached::many(2), 1, |home| home.freeze(), |home| home.thaw());
}

#[test]
fn a_home_that_comes_back_warm_shows_nothing_of_what_it_held() {
    let warm = || Memcached::start(Options { warm: true, ..Options::default() });
    let back = |home: &mut Memcached| {
        std::thread::sleep(Duration::from_millis(1_100));
        home.revive();
        assert!(home.stat("curr_items") > 0, "it holds its old entries");
    };
    an_outage(&mut [warm(), warm(), warm()], 2, Memcached::rest, back);
}

#[test]
fn calls_change_over_in_the_promised_time() {
    let mut servers = Memcached::many(3);
    let mut host = start(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    host.set(&key, "v");
    servers[0].kill();
    let gone = Instant::now();
    assert_eq!((host.read(&key), host.last()), (Err(Verdict::Unavailable), (Some(0), "connection refused")));
    assert_eq!((host.read(&key), host.last()), (Err(Verdict::Unavailable), (Some(0), "server down")));
    until("the home to be fenced", PATIENCE, || {
        host.step();
        assert_eq!(host.read(&key), Err(Verdict::Unavailable));
        if host.last() == (Some(0), "changing over") { Ok(()) } else { Err(host.last().1) }
    });
    host.until_served(&key, partner);
    let (took, least) = (gone.elapsed(), INTERVAL + 2 * TIMEOUT);
    assert!((least..least + Duration::from_secs(1)).contains(&took), "{took:?}");
    assert!(host.cache.shared().table_count(0, TableStat::Failovers) > 0);
}

#[test]
fn a_partner_that_hangs_costs_the_home_three_calls_and_no_entry() {
    let servers = Memcached::many(3);
    let mut host = start(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    host.set(&key, "v");
    servers[partner].freeze();
    let mut refused = 0;
    while host.cache.shared().server_up(partner) {
        host.step();
        match host.read(&key) {
            Ok(value) => assert_eq!(value, "v"),
            Err(why) => refused += usize::from(why == Verdict::Unavailable),
        }
    }
    assert!(refused <= 3, "{refused} calls were refused");
    assert_eq!(host.read(&key), Ok("v".to_owned()));
    servers[partner].thaw();
    until("the partner's return", PATIENCE, || {
        host.step();
        if host.cache.shared().server_up(partner) { Ok(()) } else { Err("not yet") }
    });
    assert_eq!((host.read(&key), host.last().0), (Ok("v".to_owned()), Some(0)));
}

#[test]
fn a_drained_home_is_left_and_comes_back() {
    let servers = Memcached::many(3);
    let mut host = start(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    host.set(&key, "old");
    host.cache.shared().set_drained(0, true);
    host.until_served(&key, partner);
    host.set(&key, "new");
    host.cache.shared().set_drained(0, false);
    host.until_served(&key, 0);
    assert_eq!(host.read(&key), MISS);
}

#[test]
fn a_home_with_another_partner_keeps_its_entries() {
    let servers = Memcached::many(4);
    let all: Vec<String> = Memcached::specs(&servers);
    let mut host = start_at(&all[..3]);
    let keys: Vec<String> = (0..300).map(|i| format!("key{i}")).collect();
    keys.iter().for_each(|key| host.set(key, "v"));
    let shared = host.cache.shared();
    let homes = |host: &mut Stepped| -> Vec<Option<usize>> {
        keys.iter().map(|key| host.cache.locate(0, key.as_bytes()).unwrap().server).collect()
    };
    let (before, partners): (_, Vec<usize>) = (homes(&mut host), (0..3).map(|home| host.partner(home)).collect());
    shared.add_server(&all[3]).unwrap();
    host.round();
    let after = homes(&mut host);
    assert!((0..3).any(|home| host.partner(home) != partners[home]), "no home has another partner");
    for round in 0..2 {
        for (i, key) in keys.iter().enumerate() {
            let want = if before[i] == after[i] { Ok("v".to_owned()) } else { MISS };
            assert_eq!(host.read(key), want, "{key} {round} {:?}", host.last());
        }
        for _ in 0..3 {
            std::thread::sleep(TIMEOUT / 2);
            host.round();
        }
    }
    let mut newcomer = start_at(&all);
    for (i, key) in keys.iter().enumerate().filter(|(i, _)| before[*i] == after[*i]) {
        assert_eq!(newcomer.read(key), Ok("v".to_owned()), "{i}");
    }
}
