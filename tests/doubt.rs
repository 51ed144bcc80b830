//! What is not known is never told as known: half answers, servers that hold back, records that were not read.

mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::wait::until_true;
use support::{Fake, Memcached, PATIENT_MS};

fn shared(servers: &[String], cmd_timeout_ms: u32) -> &'static Shared {
    let mut config = Config { cmd_timeout_ms, ..Config::default() };
    for (i, addr) in servers.iter().enumerate() {
        config.add_server(&format!("name=mc{i};addr={addr}")).unwrap();
    }
    config.add_table("t=>").unwrap();
    Shared::create(config).unwrap()
}

/// How a memcached introduces itself; `None` for anything else.
fn greeting(line: &str) -> Option<String> {
    match line {
        "version" => Some("VERSION 1.6.18\r\n".into()),
        "stats" => Some("STAT pid 1\r\nEND\r\n".into()),
        "stats settings" => Some("STAT item_size_max 1048576\r\nEND\r\n".into()),
        _ => None,
    }
}

fn eventually(what: &str, happened: impl FnMut() -> bool) {
    until_true(what, Duration::from_secs(30), happened);
}

#[test]
fn a_refused_batch_is_no_miss() {
    let server = Fake::saying(|line| match line {
        _ if line.starts_with("mg !gen:") => Some("EN\r\n".into()),
        _ if line.starts_with("get ") => Some("SERVER_ERROR out of memory writing get response\r\n".into()),
        _ => Some("SERVER_ERROR out of memory\r\n".into()),
    });
    let mut cache = Cache::new(shared(&[server.addr()], PATIENT_MS));
    let keys: [&[u8]; 3] = [b"a", b"with blank", b"b"];
    assert_eq!(cache.mget(0, &keys), Verdict::Unavailable, "{:?}", cache.last());
    assert_eq!(cache.last().err, "refused by server");
    for i in 0..3 {
        assert_eq!(cache.found(i), (Verdict::Unavailable, None), "{i}");
    }
}

#[test]
fn a_batch_answered_out_of_order_is_no_miss() {
    let server = Fake::saying(|line| match line {
        _ if line.starts_with("get ") => Some("VALUE t:b 0 1\r\nB\r\nVALUE t:a 0 1\r\nA\r\nEND\r\n".into()),
        _ => Some("EN\r\n".into()),
    });
    let mut cache = Cache::new(shared(&[server.addr()], PATIENT_MS));
    assert_eq!(cache.mget(0, &[b"a", b"b", b"with blank"]), Verdict::Done);
    assert_eq!(cache.found(0), (Verdict::Unavailable, None));
    assert_eq!(cache.found(1), (Verdict::Done, Some(Value::Bytes(b"B"))));
    assert_eq!(cache.found(2), (Verdict::Missing, None));
}

#[test]
fn without_a_watcher_a_batch_asks_every_server_for_the_generation() {
    let servers = Memcached::many(2);
    let addresses: Vec<String> = servers.iter().map(|server| server.addr()).collect();
    let (mut one, mut two) = (Cache::new(shared(&addresses, PATIENT_MS)), Cache::new(shared(&addresses, PATIENT_MS)));
    let key = |cache: &mut Cache, server| {
        let named = |i: &u32| cache.locate(0, i.to_string().as_bytes()).unwrap().server == Some(server);
        (0..1000).find(named).unwrap().to_string()
    };
    let (first, second) = (key(&mut one, 0), key(&mut one, 1));
    let keys = [first.as_bytes(), second.as_bytes()];
    for key in keys {
        assert_eq!(one.set(0, key, Value::Bytes(b"old"), None), Verdict::Done);
    }
    assert_eq!(two.mget(0, &keys), Verdict::Done);
    servers[0].freeze();
    assert_eq!(two.mget(0, &keys), Verdict::Done, "{:?}", two.last());
    assert_eq!((two.found(0).0, two.found(1).0), (Verdict::Unavailable, Verdict::Done), "no bump yet");
    servers[0].thaw();
    assert_eq!(one.bump(0), Verdict::Done);
    servers[0].freeze();
    assert_eq!(two.mget(0, &keys), Verdict::Unavailable, "{:?}", two.last());
    assert_eq!((two.found(0).0, two.found(1).1), (Verdict::Unavailable, None), "nothing old");
    assert!(!two.last().err.is_empty());
    assert_eq!(two.mget(0, &keys[1..]), Verdict::Missing, "{:?}", two.last());
    servers[0].thaw();
}

/// A server whose generation records are silent while `silent`; `heard` are the lines about them.
fn holding_back(silent: &Arc<AtomicBool>, heard: &Arc<Mutex<Vec<String>>>) -> Fake {
    let (silent, heard) = (silent.clone(), heard.clone());
    Fake::saying(move |line| match line {
        _ if line.starts_with("mg !gen:") => {
            heard.lock().unwrap().push(line.to_owned());
            let token = if line.ends_with(" c") { " c7" } else { "" };
            (!silent.load(Ordering::Relaxed)).then(|| format!("VA 3{token}\r\n900\r\n"))
        }
        _ if line.starts_with("mg !root:") => Some("VA 1\r\n5\r\n".into()),
        _ if line.starts_with("mg !") => Some("EN\r\n".into()),
        _ if line.starts_with("ma ") || line.starts_with("ms !") => Some("HD\r\n".into()),
        _ if line.starts_with("mg t") => Some("EN\r\n".into()),
        _ => greeting(line),
    })
}

#[test]
fn a_poll_whose_details_were_lost_vouches_for_nothing_and_is_repeated() {
    let (silent, heard) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
    let server = holding_back(&silent, &heard);
    let shared = shared(&[server.addr()], PATIENT_MS);
    let (mut cache, mut watcher) = (Cache::new(shared), Watcher::new(shared));
    watcher.tick();
    assert_eq!(heard.lock().unwrap().len(), 1, "the watcher asks for the details");
    assert!(shared.server_up(0), "it answers all else");
    silent.store(false, Ordering::Relaxed);
    assert_eq!(cache.get(0, b"k", 1), Verdict::Missing, "{:?}", cache.last());
    assert!(heard.lock().unwrap().len() >= 2, "the worker verifies by itself");
    assert_eq!(cache.locate(0, b"k").unwrap().wire_key, "t@900:k");

    let fresh = self::shared(&[server.addr()], PATIENT_MS);
    silent.store(true, Ordering::Relaxed);
    let mut watcher = Watcher::new(fresh);
    watcher.tick();
    silent.store(false, Ordering::Relaxed);
    let mut cache = Cache::new(fresh);
    eventually("the watcher to ask again", || {
        watcher.tick();
        cache.locate(0, b"k").unwrap().wire_key == "t@900:k"
    });
}

#[test]
fn a_server_that_returns_is_used_only_when_its_generations_are_known() {
    let (silent, heard) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
    let server = holding_back(&silent, &heard);
    let up = Arc::new(AtomicU32::new(0));
    let gate = support::Proxy::to(server.addr().rsplit_once(':').unwrap().1.parse().unwrap());
    let shared = shared(&[gate.addr()], 100);
    let mut watcher = Watcher::new(shared);
    gate.set(support::proxy::Mode::Cut);
    eventually("the server to be given up", || {
        watcher.tick();
        !shared.server_up(0)
    });
    gate.set(support::proxy::Mode::Forward);
    let before = heard.lock().unwrap().len();
    eventually("details to be asked for five times", || {
        watcher.tick();
        up.fetch_add(u32::from(shared.server_up(0)), Ordering::Relaxed);
        heard.lock().unwrap().len() >= before + 5
    });
    assert_eq!(up.load(Ordering::Relaxed), 0, "used before its generations were known");
    silent.store(false, Ordering::Relaxed);
    eventually("the server to be taken back", || {
        watcher.tick();
        shared.server_up(0)
    });
    assert_eq!(Cache::new(shared).locate(0, b"k").unwrap().wire_key, "t@900:k");
}

#[test]
fn a_server_that_missed_a_bump_has_it_before_it_is_used_again() {
    let servers = Memcached::many(2);
    let gate = support::Proxy::to(servers[0].port());
    let shared = shared(&[gate.addr(), servers[1].addr()], PATIENT_MS);
    let (mut watcher, mut cache) = (Watcher::new(shared), Cache::new(shared));
    eventually("both roots to be made", || {
        watcher.tick();
        servers.iter().all(|server| server.get("!root:").is_some())
    });
    gate.set(support::proxy::Mode::Cut);
    eventually("the server to be given up", || {
        watcher.tick();
        !shared.server_up(0)
    });
    assert_eq!(cache.bump(0), Verdict::Done);
    gate.set(support::proxy::Mode::Forward);
    eventually("the server to be taken back", || {
        watcher.tick();
        shared.server_up(0)
    });
    let generation = servers[1].get("!gen:t");
    assert!(generation.is_some());
    assert_eq!(servers[0].get("!gen:t"), generation);
}

#[test]
fn a_bump_that_did_not_reach_a_server_in_use_is_carried_there_by_the_next_round() {
    let servers = Memcached::many(2);
    let addresses: Vec<String> = servers.iter().map(|server| server.addr()).collect();
    let gate = support::Proxy::to(servers[0].port());
    let (near, far) = (shared(&addresses, PATIENT_MS), shared(&[gate.addr(), servers[1].addr()], PATIENT_MS));
    let mut watcher = Watcher::new(near);
    (0..3).for_each(|_| drop(watcher.tick()));
    gate.set(support::proxy::Mode::Cut);
    assert_eq!(Cache::new(far).bump(0), Verdict::Done);
    let generation = servers[1].get("!gen:t");
    assert!(generation.is_some() && servers[0].get("!gen:t").is_none());
    eventually("the record to be carried over", || {
        watcher.tick();
        servers[0].get("!gen:t") == generation
    });
}

#[test]
fn a_bump_is_told_although_a_server_hangs() {
    let servers = Memcached::many(2);
    let far = support::Proxy::to(servers[1].port());
    far.set(support::proxy::Mode::Delay(Duration::from_millis(20)));
    let mut cache = Cache::new(shared(&[servers[0].addr(), far.addr()], PATIENT_MS));
    assert_eq!(cache.bump(0), Verdict::Done, "{:?}", cache.last());
    servers[0].freeze();
    assert_eq!(cache.bump(0), Verdict::Done, "{:?}", cache.last());
    servers[0].thaw();
}

/// This process may open as many files as the machine allows.
fn many_files() {
    // SAFETY: the structure is plain numbers, filled by the first call and read by the second.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}

#[test]
fn of_a_thousand_servers_each_is_soon_known_and_none_is_given_up() {
    const COUNT: usize = 1_000;
    many_files();
    let args = ["-c", "4096"].map(String::from).to_vec();
    let real = Memcached::start(support::memcached::Options { unix: true, args, ..Default::default() });
    let (addr, dir) = (real.addr(), tempfile::tempdir().unwrap());
    let names = (0..COUNT).map(|i| dir.path().join(i.to_string()));
    let link = |name: std::path::PathBuf| {
        std::os::unix::fs::symlink(addr.strip_prefix("unix:").unwrap(), &name).unwrap();
        format!("unix:{}", name.display())
    };
    let shared = shared(&names.map(link).collect::<Vec<_>>(), PATIENT_MS);
    let (mut watcher, mut cache) = (Watcher::new(shared), Cache::new(shared));
    let mut news = Vec::new();
    eventually("every server to be known", || {
        news.extend(watcher.tick());
        (0..COUNT).all(|server| !shared.server_view(server).version.is_empty())
    });
    let keys: Vec<String> = (0..COUNT).map(|i| i.to_string()).collect();
    let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    // The first ones also have to connect to them all.
    eventually("a thousand keys to be read at once", || cache.mget(0, &keys) == Verdict::Missing);
    assert_eq!(news, []);
    assert!((0..COUNT).all(|server| shared.server_up(server)));
}
