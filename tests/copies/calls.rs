//! Each kind of call keeps its word through an outage, at the price that the guide tells.

use super::support::proxy::Mode;
use super::support::worker::text;
use super::support::{Memcached, Proxy, Stepped, Worker as _};
use super::{in_time, start, start_at};
use shardcache::cache::{Cache, Entry, Verdict};
use shardcache::cluster::{ServerStat, TableStat};
use shardcache::value::Value;
use std::time::{Duration, Instant};

#[test]
fn counters_stay_exact_when_either_server_dies() {
    for victim in 0..2 {
        let mut servers = Memcached::many(2);
        let mut host = start(&servers);
        let key = host.key(0);
        for number in 1..=50 {
            assert_eq!(host.inc(&key), number);
        }
        servers[victim].kill();
        let (mut least, mut most) = (50, 50);
        for _ in 0..50 {
            let rc = in_time("inc", || host.cache.inc(0, key.as_bytes(), 1, 0, None));
            assert!(rc == Verdict::Done || rc == Verdict::Failed, "{rc:?} {:?}", host.cache.last());
            most += 1;
            least += i64::from(rc == Verdict::Done);
        }
        let number: i64 = host.get(&key).unwrap().parse().unwrap();
        assert!((least..=most).contains(&number) && most - least <= 1, "{least} <= {number} <= {most}");
        assert_eq!(host.inc(&key), number + 1);
    }
}

#[test]
fn a_plain_number_is_counted_too() {
    let mut servers = Memcached::many(2);
    let mut host = start(&servers);
    let key = host.key(0);
    host.cache.set(0, key.as_bytes(), Value::Int(100), Some(500));
    assert_eq!(host.inc(&key), 101);
    let (_, ttl) = host.cache.ttl(0, key.as_bytes());
    assert!((490..=500).contains(&ttl), "it keeps its lifetime, not {ttl}");
    host.until_whole();
    servers[0].kill();
    assert_eq!(host.inc(&key), 102);
    assert_eq!(host.get(&key).as_deref(), Some("102"));
}

#[test]
fn conditional_stores_keep_to_their_conditions_when_a_server_dies() {
    for victim in 0..2 {
        let mut servers = Memcached::many(2);
        let mut host = start(&servers);
        let key = host.key(0);
        host.set(&key, "old");
        host.until_whole();
        servers[victim].kill();
        assert_eq!(host.get("nobody"), None, "the other side is complete");
        assert_eq!(host.cache.add(0, b"fresh", text("added"), None), Verdict::Done, "{:?}", host.cache.last());
        assert_eq!(host.get("fresh").as_deref(), Some("added"));
        assert_eq!(host.cache.add(0, key.as_bytes(), text("added"), None), Verdict::Missing);
        assert_eq!(host.get(&key).as_deref(), Some("old"));
        assert_eq!(host.cache.cas(0, key.as_bytes(), text("mine"), None, 1), Verdict::Done, "{:?}", host.cache.last());
        assert_eq!(host.cache.replace(0, key.as_bytes(), text("next"), None), Verdict::Done, "{:?}", host.cache.last());
        assert_eq!(host.get(&key).as_deref(), Some("next"));
        host.set(&key, "another's");
        assert_eq!(host.cache.cas(0, key.as_bytes(), text("late"), None, 1), Verdict::Missing);
    }
}

#[test]
fn a_lock_outlives_either_server() {
    for victim in 0..2 {
        let mut servers = Memcached::many(2);
        let mut host = start(&servers);
        let key = host.key(0);
        assert_eq!(host.cache.lock(0, key.as_bytes(), 60), Verdict::Done, "{:?}", host.cache.last());
        let fence = host.cache.last().fence.unwrap();
        servers[victim].kill();
        let mut other = Cache::new(host.cache.shared());
        assert_eq!(other.lock(0, key.as_bytes(), 60), Verdict::Missing, "{:?}", other.last());
        assert_eq!(host.cache.unlock(0, key.as_bytes(), None), Verdict::Done, "{:?}", host.cache.last());
        assert_eq!(other.lock(0, key.as_bytes(), 60), Verdict::Done, "{:?}", other.last());
        assert!(other.last().fence.unwrap() > fence);
    }
}

#[test]
fn lifetimes_outlive_either_server() {
    for victim in 0..2 {
        let mut servers = Memcached::many(2);
        let mut host = start(&servers);
        let (key, touched) = (host.key(0), host.key(1));
        assert_eq!(host.cache.set(0, key.as_bytes(), text("v"), Some(500)), Verdict::Done);
        assert_eq!(host.cache.set(0, touched.as_bytes(), text("v"), Some(500)), Verdict::Done);
        assert_eq!(host.cache.touch(0, touched.as_bytes(), 900), Verdict::Done, "{:?}", host.cache.last());
        host.until_whole();
        servers[victim].kill();
        for (key, most) in [(&key, 500), (&touched, 900)] {
            let (rc, ttl) = host.cache.ttl(0, key.as_bytes());
            assert_eq!(rc, Verdict::Done, "{:?}", host.cache.last());
            assert!((most - 60..=most).contains(&ttl), "{ttl} of {most} after server {victim} died");
        }
        assert_eq!(host.cache.touch(0, key.as_bytes(), 700), Verdict::Done, "{:?}", host.cache.last());
        let (_, ttl) = host.cache.ttl(0, key.as_bytes());
        assert!((640..=700).contains(&ttl), "{ttl}");
        servers[victim].restart();
        host.until_up(victim, true);
        host.until_whole();
        servers[1 - victim].kill();
        let (rc, ttl) = host.cache.ttl(0, key.as_bytes());
        assert!(rc == Verdict::Done && (600..=700).contains(&ttl), "the copy has it too: {rc:?} {ttl}");
    }
}

#[test]
fn reads_that_another_server_than_the_home_answers_are_counted() {
    let mut servers = Memcached::many(3);
    let mut host = start(&servers);
    let keys: Vec<String> = (0..60).map(|i| format!("key{i}")).collect();
    keys.iter().skip(1).step_by(2).for_each(|key| host.set(key, key));
    let asked: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    let read = |host: &mut Stepped| {
        let before = host.cache.shared().table_count(0, TableStat::Failovers);
        keys.iter().for_each(|key| drop(host.get(key)));
        host.cache.mget(0, &asked);
        host.cache.shared().table_count(0, TableStat::Failovers) - before
    };
    host.until_whole();
    assert_eq!(read(&mut host), 0);
    servers[1].kill();
    host.until_up(1, false);
    let missed = host.cache.shared().server_count(1, ServerStat::Misses);
    let at_home = keys.iter().filter(|key| host.cache.locate(0, key.as_bytes()).unwrap().server == Some(1)).count();
    assert_eq!(
        (read(&mut host), host.cache.shared().server_count(1, ServerStat::Misses)),
        (2 * at_home as u64, missed)
    );
}

/// All pages of a dump, sorted: `key=value`.
fn dumped(host: &mut Stepped) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = host.cache.dump(0, &cursor, 7).unwrap();
        assert!(page.entries.len() <= 7);
        let line = |entry: &Entry| {
            format!("{}={}", String::from_utf8_lossy(&entry.key), String::from_utf8_lossy(&entry.value))
        };
        all.extend(page.entries.iter().map(line));
        let Some(next) = page.next else { break };
        cursor = next;
    }
    all.sort();
    all
}

#[test]
fn a_dump_shows_every_key_once_and_counters_under_their_plain_keys_whatever_became_of_a_server() {
    let mut servers = Memcached::many(3);
    let mut host = start(&servers);
    let mut want: Vec<String> = (0..20).map(|i| format!("key{i}=v{i}")).collect();
    (0..20).for_each(|i| host.set(&format!("key{i}"), &format!("v{i}")));
    for round in 1..4 {
        (0..9).for_each(|i| assert_eq!(host.inc(&format!("count{i}")), round));
        want.retain(|line| !line.starts_with("count"));
        want.extend((0..9).map(|i| format!("count{i}={round}")));
        want.sort();
        assert_eq!(dumped(&mut host), want, "round {round}");
        match round {
            1 => {
                servers[1].kill();
                host.until_up(1, false);
            }
            2 => {
                servers[1].restart();
                host.until_up(1, true);
                host.until_whole();
            }
            _ => {}
        }
    }
}

type Call = (&'static str, fn(&mut Cache, &[u8]) -> Verdict, u128, u128);

/// What each call takes while both servers are up, and while the key's home is down.
const ROUND_TRIPS: [Call; 12] = [
    ("set", |cache, key| cache.set(0, key, text("v"), None), 1, 1),
    ("get", |cache, key| cache.get(0, key, 1), 1, 1),
    ("ttl", |cache, key| cache.ttl(0, key).0, 1, 1),
    ("cas", |cache, key| cache.cas(0, key, text("w"), None, 1), 3, 2),
    ("replace", |cache, key| cache.replace(0, key, text("x"), None), 3, 2),
    ("touch", |cache, key| cache.touch(0, key, 100), 4, 3),
    ("remove", |cache, key| cache.remove(0, key), 1, 1),
    ("add", |cache, key| cache.add(0, key, text("y"), None), 3, 2),
    ("inc", |cache, _| cache.inc(0, b"calls", 1, 0, None), 1, 1),
    ("get of a counter", |cache, _| cache.get(0, b"calls", 1), 2, 2),
    ("the first lock", |cache, key| cache.lock(0, key, 60), 8, 4),
    ("unlock", |cache, key| cache.unlock(0, key, None), 4, 3),
];

/// How many delays each call lasted, up to the first that failed.
fn round_trips() -> Vec<u128> {
    const DELAY: Duration = Duration::from_millis(40);
    let mut servers = Memcached::many(2);
    let proxies: Vec<Proxy> = servers.iter().map(|server| Proxy::to(server.port())).collect();
    let specs: Vec<String> = proxies.iter().enumerate().map(|(i, proxy)| proxy.spec(&format!("mc{i}"))).collect();
    let mut host = start_at(&specs, 2);
    let home = host.key(0);
    assert_eq!(host.cache.inc(0, b"calls", 1, 0, None), Verdict::Done);
    let mut lasted = Vec::new();
    for down in [false, true] {
        if down {
            servers[0].kill();
            host.until_up(0, false);
            // The first write voids what it misses.
            host.set("key0", "v");
            host.set(&home, "v");
            assert_eq!(host.cache.inc(0, b"calls", 1, 0, None), Verdict::Done);
        }
        for (_, call, ..) in &ROUND_TRIPS {
            host.poll();
            proxies.iter().for_each(|proxy| proxy.set(Mode::Delay(DELAY)));
            let begun = Instant::now();
            let done = call(&mut host.cache, home.as_bytes());
            let trips = begun.elapsed().as_micros() / DELAY.as_micros();
            proxies.iter().for_each(|proxy| proxy.set(Mode::Forward));
            if done != Verdict::Done {
                return lasted;
            }
            lasted.push(trips);
        }
    }
    lasted
}

/// A busy machine makes calls last longer, never shorter: the least of some attempts tells.
#[test]
fn each_call_takes_the_round_trips_that_the_guide_tells() {
    const ATTEMPTS: usize = 8;
    let healthy = ROUND_TRIPS.iter().map(|(what, _, healthy, _)| (*what, "both up", *healthy));
    let alone = ROUND_TRIPS.iter().map(|(what, _, _, alone)| (*what, "one down", *alone));
    let wanted: Vec<_> = healthy.chain(alone).collect();
    let mut least = vec![u128::MAX; wanted.len()];
    let wrong = |least: &[u128]| {
        let pairs = wanted.iter().zip(least).filter(|((.., want), least)| want != *least);
        pairs.map(|(wanted, least)| format!("{least} instead of {wanted:?}")).collect::<Vec<_>>()
    };
    for _ in 0..ATTEMPTS {
        least.iter_mut().zip(round_trips()).for_each(|(least, trips)| *least = trips.min(*least));
        if wrong(&least).is_empty() {
            return;
        }
    }
    panic!("{:#?}", wrong(&least));
}
