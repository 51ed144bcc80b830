//! Tables with one copy on real servers: a stand-in serves while a key's home is away, and nothing old ever comes back.

#[path = "support/mod.rs"]
mod support;

use serde_json::json;
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, TableStat, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::{Duration, Instant};
use support::memcached::Options;
use support::proxy::Mode;
use support::{Memcached, Proxy, Script, until};

const TIMEOUT: Duration = Duration::from_millis(200);
const INTERVAL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

/// One host: a worker and a watcher.
struct Host {
    cache: Cache,
    watcher: Watcher,
    /// When the watcher's next round is due.
    next: Instant,
}

impl Host {
    fn new(specs: &[String]) -> Self {
        let mut config = Config { cmd_timeout_ms: TIMEOUT.as_millis() as u32, ..Config::default() };
        specs.iter().for_each(|spec| config.add_server(spec).unwrap());
        config.add_table("t=>autoexpire=1000").unwrap();
        config.check().unwrap();
        let shared = Shared::create(config).unwrap();
        let mut host = Self { cache: Cache::new(shared), watcher: Watcher::new(shared), next: Instant::now() };
        host.tick();
        host
    }

    /// The watcher's round, when it is due, else a step of its work.
    fn tick(&mut self) {
        if self.next <= Instant::now() {
            self.next = Instant::now() + INTERVAL;
            self.watcher.tick();
        } else {
            self.watcher.work();
        }
    }

    fn of(servers: &[Memcached]) -> Self {
        Self::new(&specs(servers))
    }

    /// Keys whose home is that server.
    fn keys<const N: usize>(&mut self, home: usize) -> [String; N] {
        let lives = |key: &String| self.cache.locate(0, key.as_bytes()).unwrap().server == Some(home);
        let keys: Vec<String> = (0..1000).map(|i| format!("key{i}")).filter(lives).take(N).collect();
        keys.try_into().unwrap()
    }

    fn key(&mut self, home: usize) -> String {
        let [key] = self.keys(home);
        key
    }

    fn partner(&self, home: usize) -> usize {
        self.cache.shared().layout().pairs().partner(home).unwrap()
    }

    fn set(&mut self, key: &str, value: &str) -> Verdict {
        self.cache.set(0, key.as_bytes(), text(value), None)
    }

    fn get(&mut self, key: &str) -> Result<String, Verdict> {
        match self.cache.get(0, key.as_bytes(), 1) {
            Verdict::Done => Ok(match self.cache.value() {
                Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                Some(Value::Int(number)) => number.to_string(),
                None => panic!("no value"),
            }),
            other => Err(other),
        }
    }

    fn inc(&mut self, key: &str) -> Result<i64, Verdict> {
        match (self.cache.inc(0, key.as_bytes(), 1, 0, None), self.cache.value()) {
            (Verdict::Done, Some(Value::Int(number))) => Ok(number),
            (other, _) => Err(other),
        }
    }

    /// Who answered last, and under which reason if nobody did.
    fn last(&self) -> (Option<usize>, &'static str) {
        (self.cache.last().server, self.cache.last().err)
    }

    /// Goes on until the key is served by that server.
    fn until_served(&mut self, key: &str, by: usize) {
        until("another server to serve the key", PATIENCE, || {
            self.tick();
            match (self.get(key), self.last().0) {
                (Err(Verdict::Failed), _) => panic!("{:?}", self.last()),
                (Ok(_) | Err(Verdict::Missing), Some(server)) if server == by => Ok(()),
                seen => Err(format!("{seen:?} {:?}", self.last())),
            }
        });
    }
}

fn specs(servers: &[Memcached]) -> Vec<String> {
    (1..).zip(servers).map(|(number, server)| server.spec(&format!("mc{number}"))).collect()
}

fn text(value: &str) -> Value<'_> {
    Value::Bytes(value.as_bytes())
}

const MISS: Result<String, Verdict> = Err(Verdict::Missing);

/// An outage of the home of a key, and what is read before, in it and after it.
fn an_outage(servers: &mut [Memcached], home: usize, gone: impl Fn(&mut Memcached), back: impl Fn(&mut Memcached)) {
    let mut host = Host::of(servers);
    let (key, other, partner) = (host.key(home), host.key(host.partner(home)), host.partner(home));
    for outage in 0..2 {
        host.until_served(&key, home);
        assert_eq!(host.set(&key, "old"), Verdict::Done);
        assert_eq!(host.set(&other, "another's"), Verdict::Done);
        gone(&mut servers[home]);
        assert_eq!(host.get(&key), Err(Verdict::Unavailable));
        host.until_served(&key, partner);
        assert_eq!(host.get(&key), MISS, "outage {outage}");
        assert_eq!(host.set(&key, &format!("new{outage}")), Verdict::Done);
        assert_eq!(host.get(&key), Ok(format!("new{outage}")));
        let (_, left) = host.cache.ttl(0, key.as_bytes());
        assert!((55..=60).contains(&left), "{left} s at the stand-in");
        back(&mut servers[home]);
        host.until_served(&key, home);
        assert_eq!(host.get(&key), MISS, "after outage {outage}");
        assert_eq!(host.get(&other), Ok("another's".to_owned()));
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
    let mut host = Host::of(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    host.set(&key, "v");
    servers[0].kill();
    let gone = Instant::now();
    assert_eq!((host.get(&key), host.last()), (Err(Verdict::Unavailable), (Some(0), "connection refused")));
    assert_eq!((host.get(&key), host.last()), (Err(Verdict::Unavailable), (Some(0), "server down")));
    until("the home to be fenced", PATIENCE, || {
        host.tick();
        assert_eq!(host.get(&key), Err(Verdict::Unavailable));
        if host.last() == (Some(0), "changing over") { Ok(()) } else { Err(host.last().1) }
    });
    host.until_served(&key, partner);
    let (took, least) = (gone.elapsed(), INTERVAL + 2 * TIMEOUT);
    assert!((least..least + Duration::from_millis(500)).contains(&took), "{took:?}");
    assert!(host.cache.shared().table_count(0, TableStat::Failovers) > 0);
}

#[test]
fn a_healthy_get_costs_one_command_and_a_set_nothing_more() {
    let servers = Memcached::many(2);
    let proxies: Vec<Proxy> = servers.iter().map(|server| Proxy::to(server.port())).collect();
    let mut host = Host::new(&[proxies[0].spec("mc1"), proxies[1].spec("mc2")]);
    let key = host.key(0);
    host.set(&key, "v");
    let sent = |proxy: &Proxy| proxy.requests().lines().map(String::from).collect::<Vec<_>>();
    let (home, partner) = (sent(&proxies[0]), sent(&proxies[1]));
    assert_eq!(host.cache.peek(0, key.as_bytes()), Verdict::Done);
    assert_eq!(host.set(&key, "w"), Verdict::Done);
    assert_eq!(sent(&proxies[1]), partner);
    let told = &sent(&proxies[0])[home.len()..];
    let [get, set, value] = told else { panic!("{told:?}") };
    assert_eq!((get, value), (&format!("mg t:{key} v f"), &"w".to_owned()));
    assert!(
        set.starts_with(&format!("ms t:{key} S1 T1000 F")) || set.starts_with(&format!("ms t:{key} 1 T1000 F")),
        "{set}"
    );
}

#[test]
fn what_is_void_is_replaced_and_never_changed() {
    let servers = Memcached::many(2);
    let mut host = Host::of(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    let at_home: [String; 9] = host.keys(0);
    let [add, replace, remove, touch, life, cas, number, lock, word] = &at_home;
    for key in &at_home[..6] {
        assert_eq!(host.set(key, "old"), Verdict::Done);
    }
    assert_eq!((host.inc(number), host.inc(number)), (Ok(1), Ok(2)));
    assert_eq!(host.set(word, "no number"), Verdict::Done);
    assert_eq!(host.cache.lock(0, lock.as_bytes(), 600), Verdict::Done);
    let fence = host.cache.last().fence.unwrap();
    assert_eq!(host.get(cas), Ok("old".to_owned()));
    servers[0].freeze();
    host.until_served(&key, partner);
    assert_eq!(host.cache.cas(0, cas.as_bytes(), text("late"), None, 1), Verdict::Missing, "read under another seat");
    assert_eq!(host.inc(number), Ok(1), "it begins again");
    assert_eq!(host.cache.lock(0, lock.as_bytes(), 600), Verdict::Done);
    assert!(host.cache.last().fence.unwrap() > fence);
    servers[0].thaw();
    host.until_served(&key, 0);
    assert_eq!(host.inc(number), Ok(1), "and again");
    assert_eq!(host.inc(number), Ok(2));
    assert_eq!(host.inc(word), Ok(1));
    assert_eq!(host.cache.add(0, add.as_bytes(), text("new"), None), Verdict::Done);
    assert_eq!(host.get(add), Ok("new".to_owned()));
    assert_eq!(host.cache.replace(0, replace.as_bytes(), text("new"), None), Verdict::Missing);
    assert_eq!(host.cache.remove(0, remove.as_bytes()), Verdict::Missing);
    assert_eq!(host.cache.touch(0, touch.as_bytes(), 500), Verdict::Missing);
    assert_eq!(host.cache.ttl(0, life.as_bytes()).0, Verdict::Missing);
    let asked: Vec<&[u8]> = at_home.iter().map(String::as_bytes).collect();
    assert_eq!(host.cache.mget(0, &asked), Verdict::Done);
    let found: Vec<&String> = (0..9).filter(|i| host.cache.found(*i).0 == Verdict::Done).map(|i| &at_home[i]).collect();
    assert_eq!(found, [add, number, word]);
    assert_eq!(host.cache.unlock(0, lock.as_bytes(), Some(fence)), Verdict::Missing, "it was lost");
    assert_eq!(host.cache.lock(0, lock.as_bytes(), 600), Verdict::Done);
    assert_eq!(Cache::new(host.cache.shared()).lock(0, lock.as_bytes(), 600), Verdict::Missing);
    assert_eq!(host.cache.unlock(0, lock.as_bytes(), None), Verdict::Done);
}

#[test]
fn the_stand_in_does_all_that_the_home_does() {
    let mut servers = Memcached::many(3);
    let mut host = Host::of(&servers);
    let (key, partner, long) = (host.key(0), host.partner(0), "k".repeat(300));
    servers[0].kill();
    host.until_served(&key, partner);
    let name = key.as_bytes();
    assert_eq!(host.cache.replace(0, name, text("r"), None), Verdict::Missing);
    assert_eq!(host.cache.add(0, name, text("a"), None), Verdict::Done);
    assert_eq!(host.cache.add(0, name, text("b"), None), Verdict::Missing);
    assert_eq!(host.cache.replace(0, name, text("r"), None), Verdict::Done);
    assert_eq!(host.get(&key), Ok("r".to_owned()));
    assert_eq!(host.cache.cas(0, name, text("c"), None, 1), Verdict::Done);
    assert_eq!(host.cache.touch(0, name, 500), Verdict::Done);
    assert!(host.cache.ttl(0, name).1 <= 60);
    let names: Vec<String> = [long.clone(), format!("{long}x"), "a b".to_owned(), key.clone()].to_vec();
    for name in &names {
        assert_eq!(host.set(name, name), Verdict::Done, "{:?}", host.last());
    }
    let asked: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    assert_eq!(host.cache.mget(0, &asked), Verdict::Done);
    for (i, name) in names.iter().enumerate() {
        assert_eq!(host.cache.found(i), (Verdict::Done, Some(text(name))));
        assert_eq!(host.get(name), Ok(name.clone()));
    }
    assert_eq!(host.cache.remove(0, name), Verdict::Done);
    assert_eq!((host.get(&key), host.inc(&key), host.inc(&key)), (MISS, Ok(1), Ok(2)));
    assert_eq!(host.cache.lock(0, name, 5), Verdict::Done);
    assert_eq!(Cache::new(host.cache.shared()).lock(0, name, 5), Verdict::Missing);
    assert_eq!(host.cache.unlock(0, name, None), Verdict::Done);
}

#[test]
fn values_of_other_clients_are_good_at_home() {
    let servers = Memcached::many(2);
    let mut host = Host::of(&servers);
    let key = host.key(0);
    servers[0].set(&format!("t:{key}"), "foreign");
    assert_eq!(host.get(&key), Ok("foreign".to_owned()));
    servers[0].set(&format!("t:{key}"), "41");
    assert_eq!(host.inc(&key), Ok(42));
    assert_eq!(host.cache.replace(0, key.as_bytes(), text("ours"), None), Verdict::Done);
    assert_eq!(servers[0].get(&format!("t:{key}")), Some(b"ours".to_vec()));
    assert_eq!(host.cache.remove(0, key.as_bytes()), Verdict::Done);
}

#[test]
fn a_home_that_one_host_cannot_reach_is_left_by_both() {
    let servers = Memcached::many(3);
    let proxy = Proxy::to(servers[0].port());
    let seen = |first: String| -> Vec<String> {
        let named = [first, servers[1].addr(), servers[2].addr()];
        (1..).zip(named).map(|(n, addr)| format!("name=mc{n};addr={addr};ring=mc{n}")).collect()
    };
    let (mut cut, mut well) = (Host::new(&seen(proxy.addr())), Host::new(&seen(servers[0].addr())));
    let (key, partner) = (well.key(0), well.partner(0));
    assert_eq!((cut.key(0), cut.partner(0)), (key.clone(), partner));
    assert_eq!(well.set(&key, "old"), Verdict::Done);
    assert_eq!(cut.get(&key), Ok("old".to_owned()));
    proxy.set(Mode::Cut);
    until("both hosts to go to the stand-in", PATIENCE, || {
        let mut servers = [&mut cut, &mut well].map(|host| {
            host.tick();
            host.get(&key).ok();
            host.last().0
        });
        servers.sort_unstable();
        if servers == [Some(partner); 2] { Ok(()) } else { Err(format!("{servers:?}")) }
    });
    assert_eq!((cut.get(&key), well.get(&key)), (MISS, MISS));
    assert_eq!(cut.set(&key, "new"), Verdict::Done);
    assert_eq!(well.get(&key), Ok("new".to_owned()));
    let stays = Instant::now();
    while stays.elapsed() < Duration::from_secs(2) {
        cut.tick();
        well.tick();
        assert_eq!((well.get(&key), cut.get(&key)), (Ok("new".to_owned()), Ok("new".to_owned())), "cut off still");
        std::thread::sleep(Duration::from_millis(20));
    }
    proxy.set(Mode::Forward);
    until("both hosts to be back at home", PATIENCE, || {
        let servers = [&mut cut, &mut well].map(|host| {
            host.tick();
            let found = host.get(&key);
            assert!(found != Ok("old".to_owned()));
            (host.last().0, found)
        });
        if servers == [(Some(0), MISS), (Some(0), MISS)] { Ok(()) } else { Err(format!("{servers:?}")) }
    });
}

#[test]
fn a_host_whose_watcher_is_late_asks_who_serves() {
    let servers = Memcached::many(3);
    let (mut host, mut late) = (Host::of(&servers), Host::of(&servers));
    let (key, partner) = (host.key(0), host.partner(0));
    assert_eq!(late.set(&key, "old"), Verdict::Done);
    host.cache.shared().set_drained(0, true);
    host.until_served(&key, partner);
    assert_eq!(host.set(&key, "new"), Verdict::Done);
    assert_eq!((late.get(&key), late.last().0), (Ok("new".to_owned()), Some(partner)));
    assert_eq!(late.set(&key, "newer"), Verdict::Done);
    assert_eq!(host.get(&key), Ok("newer".to_owned()));
    host.cache.shared().set_drained(0, false);
    host.until_served(&key, 0);
    assert_eq!(late.cache.mget(0, &[key.as_bytes()]), Verdict::Missing);
    assert_eq!((late.get(&key), late.last().0), (MISS, Some(0)));
}

#[test]
fn a_partner_that_hangs_costs_the_home_three_calls_and_no_entry() {
    let servers = Memcached::many(3);
    let mut host = Host::of(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    assert_eq!(host.set(&key, "v"), Verdict::Done);
    servers[partner].freeze();
    let mut refused = 0;
    while host.cache.shared().server_up(partner) {
        host.tick();
        match host.get(&key) {
            Ok(value) => assert_eq!(value, "v"),
            Err(why) => refused += usize::from(why == Verdict::Unavailable),
        }
    }
    assert!(refused <= 3, "{refused} calls were refused");
    assert_eq!(host.get(&key), Ok("v".to_owned()));
    servers[partner].thaw();
    until("the partner's return", PATIENCE, || {
        host.tick();
        if host.cache.shared().server_up(partner) { Ok(()) } else { Err("not yet") }
    });
    assert_eq!((host.get(&key), host.last().0), (Ok("v".to_owned()), Some(0)));
}

#[test]
fn a_drained_home_is_left_and_comes_back() {
    let servers = Memcached::many(3);
    let mut host = Host::of(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    host.set(&key, "old");
    host.cache.shared().set_drained(0, true);
    host.until_served(&key, partner);
    host.set(&key, "new");
    host.cache.shared().set_drained(0, false);
    host.until_served(&key, 0);
    assert_eq!(host.get(&key), MISS);
}

#[test]
fn a_home_with_another_partner_keeps_its_entries() {
    let servers = Memcached::many(4);
    let all: Vec<String> = specs(&servers);
    let mut host = Host::new(&all[..3]);
    let keys: Vec<String> = (0..300).map(|i| format!("key{i}")).collect();
    keys.iter().for_each(|key| assert_eq!(host.set(key, "v"), Verdict::Done));
    let shared = host.cache.shared();
    let homes = |host: &mut Host| -> Vec<Option<usize>> {
        keys.iter().map(|key| host.cache.locate(0, key.as_bytes()).unwrap().server).collect()
    };
    let (before, partners): (_, Vec<usize>) = (homes(&mut host), (0..3).map(|home| host.partner(home)).collect());
    shared.add_server(&all[3]).unwrap();
    host.watcher.tick();
    let after = homes(&mut host);
    assert!((0..3).any(|home| host.partner(home) != partners[home]), "no home has another partner");
    for round in 0..2 {
        for (i, key) in keys.iter().enumerate() {
            let want = if before[i] == after[i] { Ok("v".to_owned()) } else { MISS };
            assert_eq!(host.get(key), want, "{key} {round} {:?}", host.last());
        }
        for _ in 0..3 {
            std::thread::sleep(TIMEOUT / 2);
            host.watcher.tick();
        }
    }
    let mut newcomer = Host::new(&all);
    for (i, key) in keys.iter().enumerate().filter(|(i, _)| before[*i] == after[*i]) {
        assert_eq!(newcomer.get(key), Ok("v".to_owned()), "{i}");
    }
}

#[test]
fn two_kamailio_hosts_change_over_together() {
    let mut servers = Memcached::many(3);
    let script = specs(&servers).iter().fold(Script::new().table("t=>autoexpire=1000"), |s, spec| s.server(spec));
    let script = script.number("cmd_timeout", 200).workers(2);
    let script = script.route("set", "shc_set(\"t\", \"$hdr(X-Key)\", \"$hdr(X-Value)\");\n$var(rc) = $rc;");
    let script = script.route(
        "get",
        "shc_get(\"t\", \"$hdr(X-Key)\", \"$var(v)\"); $var(rc) = $rc; $var(out) = $var(v) + \" \" + $shcst(server);",
    );
    let hosts = [script.start(), script.start()];
    let home = |key: &str| hosts[0].ask("shc.hash", &[json!("t"), json!(key)])["server"] == json!("mc1");
    let key = (0..1000).map(|i| format!("k{i}")).find(|key| home(key)).unwrap();
    let set = |host: usize, value: &str| hosts[host].run_with("set", &[("X-Key", &key), ("X-Value", value)]).rc;
    let get = |host: usize| {
        let outcome = hosts[host].run_with("get", &[("X-Key", &key)]);
        (outcome.rc, outcome.out)
    };
    let seat = |host: usize| hosts[host].ask("shc.list", &[])[0]["seat"].as_str().unwrap().to_owned();
    let both = |what: &str, rc: i64, wanted: &dyn Fn(&str) -> bool| {
        until(what, PATIENCE, || {
            let seats = [seat(0), seat(1)];
            let seen = [get(0).0, get(1).0];
            if seen == [rc; 2] && seats.iter().all(|seat| wanted(seat)) {
                Ok(())
            } else {
                Err(format!("{seen:?} {seats:?}"))
            }
        });
    };
    assert_eq!((set(0, "old"), get(1).0), (1, 1));
    both("the home to serve", 1, &|seat| seat == "home");
    servers[0].kill();
    both("the stand-in to serve", -1, &|seat| seat.starts_with("stand-in mc"));
    assert_eq!(set(1, "new"), 1);
    let (rc, out) = get(0);
    assert!(rc == 1 && out.starts_with("new mc") && out != "new mc1", "{out}");
    servers[0].revive();
    both("the home to serve again", -1, &|seat| seat == "home");
    assert_eq!((set(0, "newer"), get(1).1), (1, "newer mc1".to_owned()));
}
