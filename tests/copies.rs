//! Tables with two copies on real servers: what was acknowledged is there after either server died, hung or came back.

#[path = "support/mod.rs"]
mod support;

use shardcache::cache::{Cache, Entry, Verdict};
use shardcache::cluster::{ServerStat, Shared, TableStat, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::{Duration, Instant};
use support::memcached::Options;
use support::proxy::Mode;
use support::wait::until_true;
use support::{Memcached, Proxy};

const TIMEOUT: Duration = Duration::from_millis(400);
/// What a busy machine may add to a call.
const NOISE: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(20);

/// One host: a worker and a watcher.
struct Host {
    cache: Cache,
    watcher: Watcher,
}

impl Host {
    fn new(servers: &[Memcached]) -> Self {
        Self::patient(servers, Config::default().soft_failures)
    }

    /// A host that takes so many timeouts in a row before it gives a server up.
    fn patient(servers: &[Memcached], soft_failures: u32) -> Self {
        let specs = servers.iter().enumerate().map(|(i, server)| server.spec(&format!("mc{i}")));
        Self::of(&specs.collect::<Vec<_>>(), soft_failures)
    }

    fn of(specs: &[String], soft_failures: u32) -> Self {
        let mut config = Config { cmd_timeout_ms: TIMEOUT.as_millis() as u32, soft_failures, ..Config::default() };
        specs.iter().for_each(|spec| config.add_server(spec).unwrap());
        config.add_table("t=>copies=2;autoexpire=1000").unwrap();
        config.check().unwrap();
        let shared = Shared::create(config).unwrap();
        let mut host = Self { cache: Cache::new(shared), watcher: Watcher::new(shared) };
        (0..3).for_each(|_| host.tick());
        host
    }

    fn tick(&mut self) {
        self.watcher.tick();
    }

    /// A round in which every server is due.
    fn poll(&mut self) {
        std::thread::sleep(Duration::from_millis(self.cache.shared().config().probe_interval_ms.into()));
        self.tick();
    }

    /// Lets the watcher run as it does in its process, until `happened`.
    fn until(&mut self, what: &str, happened: impl Fn(&Shared) -> bool) {
        let mut next = Instant::now();
        until_true(what, PATIENCE, || {
            if Instant::now() >= next {
                next += Duration::from_millis(100);
                self.watcher.tick();
            } else {
                self.watcher.work();
            }
            happened(self.cache.shared())
        });
    }

    /// Until the server is used, or not used, any more.
    fn until_up(&mut self, server: usize, up: bool) {
        self.until("the server's health to change", |shared| shared.server_up(server) == up);
    }

    /// Until both copies of all keys are known to be equal.
    fn until_whole(&mut self) {
        self.until("whole copies", |shared| shared.whole() == Some(true));
    }

    /// A key whose home is that server.
    fn key(&mut self, home: usize) -> String {
        let lives = |i: &u32| self.cache.locate(0, format!("key{i}").as_bytes()).unwrap().server == Some(home);
        format!("key{}", (0..1000).find(lives).unwrap())
    }

    #[track_caller]
    fn set(&mut self, key: &str, value: &str) {
        assert_eq!(self.cache.set(0, key.as_bytes(), text(value), None), Verdict::Done, "{:?}", self.cache.last());
    }

    fn get(&mut self, key: &str) -> Option<String> {
        match self.cache.get(0, key.as_bytes(), 1) {
            Verdict::Done => match self.cache.value() {
                Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
                Some(Value::Int(number)) => Some(number.to_string()),
                None => panic!("no value"),
            },
            Verdict::Missing => None,
            other => panic!("{key}: {other:?} {:?}", self.cache.last()),
        }
    }

    fn inc(&mut self, key: &str) -> i64 {
        assert_eq!(self.cache.inc(0, key.as_bytes(), 1, 0, None), Verdict::Done, "{:?}", self.cache.last());
        match self.cache.value() {
            Some(Value::Int(number)) => number,
            other => panic!("{other:?}"),
        }
    }
}

fn text(value: &str) -> Value<'_> {
    Value::Bytes(value.as_bytes())
}

/// The calls go on at once, and take no longer than they may.
fn in_time<T>(what: &str, call: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = call();
    assert!(begun.elapsed() < TIMEOUT + NOISE, "{what} took {:?}", begun.elapsed());
    result
}

#[test]
fn values_survive_the_kill_of_either_server() {
    for victim in 0..3 {
        let mut servers = Memcached::many(3);
        let mut host = Host::new(&servers);
        let keys: Vec<String> = (0..60).map(|i| format!("key{i}")).collect();
        for key in &keys {
            host.set(key, key);
        }
        servers[victim].kill();
        let asked: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        assert_eq!(in_time("mget", || host.cache.mget(0, &asked)), Verdict::Done);
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(host.cache.found(i), (Verdict::Done, Some(text(key))), "{key} after server {victim} died");
        }
        for key in &keys {
            assert_eq!(in_time("get", || host.get(key)).as_ref(), Some(key), "after server {victim} died");
        }
        for key in &keys {
            in_time("set", || host.set(key, "anew"));
            assert_eq!(host.get(key).as_deref(), Some("anew"));
        }
    }
}

#[test]
fn reads_that_another_server_than_the_home_answers_are_counted() {
    let mut servers = Memcached::many(3);
    let mut host = Host::new(&servers);
    let keys: Vec<String> = (0..60).map(|i| format!("key{i}")).collect();
    keys.iter().skip(1).step_by(2).for_each(|key| host.set(key, key));
    let asked: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    let read = |host: &mut Host| {
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

#[test]
fn a_server_that_slept_shows_nothing_old() {
    let servers = Memcached::many(2);
    let mut host = Host::new(&servers);
    for sleeper in 0..2 {
        let key = host.key(sleeper);
        let gone = format!("{key} to be deleted");
        host.set(&key, "old");
        host.set(&gone, "old");
        servers[sleeper].freeze();
        in_time("set", || host.set(&key, "new"));
        assert_eq!(in_time("remove", || host.cache.remove(0, gone.as_bytes())), Verdict::Done);
        assert_eq!(host.get(&key).as_deref(), Some("new"));
        host.until_up(sleeper, false);
        servers[sleeper].thaw();
        let mut other = Host::new(&servers);
        assert_eq!((other.get(&key).as_deref(), other.get(&gone)), (Some("new"), None), "another host");
        host.until_up(sleeper, true);
        host.until_whole();
        assert_eq!((host.get(&key).as_deref(), host.get(&gone)), (Some("new"), None), "the same host");
    }
}

#[test]
fn counters_stay_exact_when_either_server_dies() {
    for victim in 0..2 {
        let mut servers = Memcached::many(2);
        let mut host = Host::new(&servers);
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
    let mut host = Host::new(&servers);
    let key = host.key(0);
    host.cache.set(0, key.as_bytes(), Value::Int(100), Some(500));
    assert_eq!(host.inc(&key), 101);
    let (_, ttl) = host.cache.ttl(0, key.as_bytes());
    assert!((490..=500).contains(&ttl), "it keeps its lifetime, not {ttl}");
    servers[0].kill();
    assert_eq!(host.inc(&key), 102);
    assert_eq!(host.get(&key).as_deref(), Some("102"));
}

#[test]
fn conditional_stores_keep_to_their_conditions_when_a_server_dies() {
    for victim in 0..2 {
        let mut servers = Memcached::many(2);
        let mut host = Host::new(&servers);
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
        let mut host = Host::new(&servers);
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
fn a_frozen_server_costs_a_call_no_more_than_its_time() {
    for sleeper in 0..2 {
        let servers = Memcached::many(2);
        let mut host = Host::patient(&servers, 1_000);
        let (key, number) = (host.key(0), host.key(1));
        host.set(&key, "v");
        host.inc(&number);
        servers[sleeper].freeze();
        let (key, number) = (key.as_bytes(), number.as_bytes());
        let mut bounded = |what: &str, call: &mut dyn FnMut(&mut Cache) -> Verdict| {
            let rc = in_time(what, || call(&mut host.cache));
            assert_eq!(rc, Verdict::Done, "{what}: {:?}", host.cache.last());
        };
        bounded("set", &mut |cache| cache.set(0, key, text("w"), None));
        bounded("get", &mut |cache| cache.get(0, key, 1));
        bounded("inc", &mut |cache| cache.inc(0, number, 1, 0, None));
        bounded("mget", &mut |cache| cache.mget(0, &[key, b"nobody"]));
        bounded("replace", &mut |cache| cache.replace(0, key, text("x"), None));
        bounded("remove", &mut |cache| cache.remove(0, key));
    }
}

#[test]
fn a_miss_that_nobody_can_confirm_is_not_told_as_one() {
    let mut servers = Memcached::many(2);
    let mut host = Host::new(&servers);
    assert_eq!(host.get("nobody"), None);
    servers[0].kill();
    assert_eq!(host.cache.get(0, b"nobody", 1), Verdict::Unavailable, "it may have been on the dead server");
    assert_eq!(host.cache.add(0, b"nobody", text("v"), None), Verdict::Unavailable, "{:?}", host.cache.last());
    host.set("nobody", "v");
    assert_eq!(host.get("nobody").as_deref(), Some("v"));
}

#[test]
fn with_most_servers_down_every_call_says_so_at_once() {
    let mut servers = Memcached::many(3);
    let mut host = Host::new(&servers);
    let keys: Vec<String> = (0..20).map(|i| format!("key{i}")).collect();
    keys.iter().for_each(|key| host.set(key, "v"));
    servers[..2].iter_mut().for_each(Memcached::kill);
    (0..2).for_each(|server| host.until_up(server, false));
    let addresses: Vec<String> = servers.iter().map(Memcached::addr).collect();
    let marks = || {
        let [one, two, own] = &addresses[..] else { panic!() };
        let records = [one, two].map(|it| [format!("!mark:home:{it}/{own}"), format!("!mark:partner:{own}/{it}")]);
        records.as_flattened().iter().filter_map(|record| servers[2].get(record)).collect::<Vec<_>>()
    };
    let before = marks();
    let begun = Instant::now();
    for key in keys.iter().map(String::as_bytes) {
        for rc in [
            host.cache.get(0, key, 1),
            host.cache.set(0, key, text("w"), None),
            host.cache.inc(0, key, 1, 0, None),
            host.cache.remove(0, key),
            host.cache.mget(0, &[key]),
        ] {
            assert_eq!((rc, host.cache.last().err), (Verdict::Unavailable, "most servers down"));
        }
    }
    assert!(begun.elapsed() < TIMEOUT, "{:?}", begun.elapsed());
    assert_eq!((before.len(), marks()), (2, before), "nothing is voided");
}

/// All pages of a dump, sorted: `key=value`.
fn dumped(host: &mut Host) -> Vec<String> {
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
    let mut host = Host::new(&servers);
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

#[test]
fn a_server_that_comes_back_with_what_it_held_shows_nothing_old() {
    let warm = || Memcached::start(Options { warm: true, ..Options::default() });
    let mut servers = [warm(), warm()];
    let mut host = Host::new(&servers);
    let key = host.key(0);
    for victim in 0..2 {
        let gone = format!("{key} to be deleted");
        host.set(&key, "old");
        host.set(&gone, "old");
        let counted = host.inc("calls");
        host.until_whole();
        let begun = Instant::now();
        servers[victim].rest();
        host.set(&key, "new");
        assert_eq!(host.cache.remove(0, gone.as_bytes()), Verdict::Done, "{:?}", host.cache.last());
        assert_eq!(host.inc("calls"), counted + 1);
        host.until_up(victim, false);
        // Its memory is taken over only a second or more after it was written down.
        std::thread::sleep(Duration::from_millis(1_500).saturating_sub(begun.elapsed()));
        servers[victim].revive();
        let mut other = Host::new(&servers);
        assert_eq!((other.get(&key).as_deref(), other.get(&gone)), (Some("new"), None), "another host");
        host.until_up(victim, true);
        host.until_whole();
        assert_eq!((host.get(&key).as_deref(), host.get(&gone)), (Some("new"), None), "the same host");
        assert_eq!(host.get("calls"), Some((counted + 1).to_string()));
    }
}

#[test]
fn lifetimes_outlive_either_server() {
    for victim in 0..2 {
        let mut servers = Memcached::many(2);
        let mut host = Host::new(&servers);
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
fn a_bump_empties_the_table_on_every_host_although_a_server_is_down() {
    let mut servers = Memcached::many(3);
    let (mut host, mut other) = (Host::new(&servers), Host::new(&servers));
    let keys: Vec<String> = (0..30).map(|i| format!("key{i}")).collect();
    let full = |host: &mut Host, value: &str| keys.iter().all(|key| host.get(key).as_deref() == Some(value));
    for (round, victim) in [(0, None), (1, Some(1))] {
        let value = format!("v{round}");
        keys.iter().for_each(|key| host.set(key, &value));
        host.inc("calls");
        host.until_whole();
        assert!(full(&mut other, &value), "round {round}");
        if let Some(victim) = victim {
            servers[victim].kill();
            [&mut host, &mut other].into_iter().for_each(|host| host.until_up(victim, false));
        }
        assert_eq!(host.cache.bump(0), Verdict::Done, "{:?}", host.cache.last());
        other.poll();
        let mut late = Host::new(&servers);
        for host in [&mut host, &mut other, &mut late] {
            for key in keys.iter().map(String::as_str).chain(["calls"]) {
                let rc = host.cache.get(0, key.as_bytes(), 1);
                let unknown = victim.is_some() && rc == Verdict::Unavailable;
                assert!(rc == Verdict::Missing || unknown, "{key} after bump {round}: {rc:?} {:?}", host.cache.value());
            }
        }
        keys.iter().for_each(|key| host.set(key, "anew"));
        assert!(full(&mut other, "anew"), "round {round}");
    }
}

#[test]
fn hosts_that_take_turns_read_each_others_writes_through_an_outage() {
    let mut servers = Memcached::many(3);
    let mut hosts = [Host::new(&servers), Host::new(&servers)];
    let keys: Vec<String> = (0..20).map(|i| format!("key{i}")).collect();
    for round in 0..6 {
        match round {
            2 => servers[0].kill(),
            4 => {
                servers[0].restart();
                hosts.iter_mut().for_each(|host| host.until_up(0, true));
            }
            _ => {}
        }
        let (writer, reader) = (round % 2, 1 - round % 2);
        for key in &keys {
            hosts[writer].set(key, &format!("{key} {round}"));
            assert!(hosts[writer].inc("calls") > 0);
        }
        // A host learns within its promised bound that a copy it trusts is void.
        hosts[reader].poll();
        for key in &keys {
            assert_eq!(hosts[reader].get(key), Some(format!("{key} {round}")), "round {round}");
        }
        assert_eq!(hosts[reader].get("calls"), Some((20 * (round + 1)).to_string()), "round {round}");
    }
}

#[test]
fn each_call_takes_the_round_trips_that_the_guide_tells() {
    const DELAY: Duration = Duration::from_millis(40);
    let mut servers = Memcached::many(2);
    let proxies: Vec<Proxy> = servers.iter().map(|server| Proxy::to(server.port())).collect();
    let specs: Vec<String> = proxies.iter().enumerate().map(|(i, proxy)| proxy.spec(&format!("mc{i}"))).collect();
    let mut host = Host::of(&specs, 2);
    let home = host.key(0);
    let key = home.as_bytes();
    let outage = |host: &mut Host, servers: &mut [Memcached]| {
        servers[0].kill();
        host.until_up(0, false);
        // The first write voids what it misses.
        host.set("key0", "v");
        host.set(&home, "v");
        assert_eq!(host.cache.inc(0, b"calls", 1, 0, None), Verdict::Done);
    };
    assert_eq!(host.cache.inc(0, b"calls", 1, 0, None), Verdict::Done);
    type Call<'a> = (&'a str, &'a dyn Fn(&mut Cache) -> Verdict, u128, u128);
    let calls: [Call<'_>; 12] = [
        ("set", &|cache| cache.set(0, key, text("v"), None), 1, 1),
        ("get", &|cache| cache.get(0, key, 1), 1, 1),
        ("ttl", &|cache| cache.ttl(0, key).0, 1, 1),
        ("cas", &|cache| cache.cas(0, key, text("w"), None, 1), 3, 2),
        ("replace", &|cache| cache.replace(0, key, text("x"), None), 3, 2),
        ("touch", &|cache| cache.touch(0, key, 100), 4, 3),
        ("remove", &|cache| cache.remove(0, key), 1, 1),
        ("add", &|cache| cache.add(0, key, text("y"), None), 3, 2),
        ("inc", &|cache| cache.inc(0, b"calls", 1, 0, None), 1, 1),
        ("get of a counter", &|cache| cache.get(0, b"calls", 1), 2, 2),
        ("the first lock", &|cache| cache.lock(0, key, 60), 8, 4),
        ("unlock", &|cache| cache.unlock(0, key, None), 4, 3),
    ];
    let mut wrong = Vec::new();
    for down in [false, true] {
        if down {
            outage(&mut host, &mut servers);
        }
        for (what, call, healthy, alone) in &calls {
            host.poll();
            proxies.iter().for_each(|proxy| proxy.set(Mode::Delay(DELAY)));
            let begun = Instant::now();
            assert_eq!(call(&mut host.cache), Verdict::Done, "{what}, one down: {down}: {:?}", host.cache.last());
            let trips = begun.elapsed().as_micros() / DELAY.as_micros();
            proxies.iter().for_each(|proxy| proxy.set(Mode::Forward));
            let want = if down { alone } else { healthy };
            if trips != *want {
                wrong.push(format!("{what}, one down: {down}: {trips} instead of {want}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
