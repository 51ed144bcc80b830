//! Most of the pool is down: every call is refused at once, nothing is changed anywhere, and it ends by itself.

mod support;

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Event, ServerStat, Shared, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::Duration;
use support::{Host, Memcached, PATIENT_MS, Script, until};

fn shared(servers: &[Memcached]) -> &'static Shared {
    let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
    Memcached::specs(servers).iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table("t=>").unwrap();
    Shared::create(config).unwrap()
}

/// A key at home on that server.
fn key_on(cache: &mut Cache, server: usize) -> Vec<u8> {
    let named = |n: &u32| cache.locate(0, n.to_string().as_bytes()).unwrap().server == Some(server);
    (0..1000).find(named).unwrap().to_string().into_bytes()
}

/// Ticks until it happened; what was heard meanwhile.
fn ticks(watcher: &mut Watcher, what: &str, mut happened: impl FnMut() -> bool) -> Vec<Event> {
    let mut heard = Vec::new();
    until(what, Duration::from_secs(30), || {
        heard.extend(watcher.tick());
        if happened() { Ok(()) } else { Err("not yet") }
    });
    heard
}

#[test]
fn while_most_servers_are_down_every_call_is_refused_and_no_generation_moves() {
    let mut servers = Memcached::many(3);
    let shared = shared(&servers);
    let (mut cache, mut watcher) = (Cache::new(shared), Watcher::new(shared));
    let (living, dead) = (key_on(&mut cache, 0), key_on(&mut cache, 2));
    assert_eq!(cache.set(0, &living, Value::Bytes(b"v"), None), Verdict::Done);
    assert_eq!(cache.bump(0), Verdict::Done);
    assert_eq!(cache.set(0, &living, Value::Bytes(b"v"), None), Verdict::Done);
    let generation = servers[0].get("!gen:t");
    ticks(&mut watcher, "the first polls", || shared.server_count(2, ServerStat::Probes) > 0);

    servers[1].kill();
    ticks(&mut watcher, "the first loss", || !shared.server_up(1));
    assert_eq!(cache.get(0, &living, 1), Verdict::Done, "one of three is not most: {:?}", cache.last());
    servers[2].kill();
    let heard = ticks(&mut watcher, "the second loss", || !shared.server_up(2));
    assert!(heard.contains(&Event::PoolDown { down: 2, of: 3 }), "{heard:?}");
    assert!(!heard.contains(&Event::AllDown), "{heard:?}");

    let packets = |server| shared.server_count(server, ServerStat::Requests);
    let before = [packets(0), packets(1), packets(2)];
    for key in [&living, &dead] {
        let calls: [(&str, Verdict); 9] = [
            ("get", cache.get(0, key, 1)),
            ("set", cache.set(0, key, Value::Bytes(b"w"), None)),
            ("add", cache.add(0, key, Value::Bytes(b"w"), None)),
            ("inc", cache.inc(0, key, 1, 0, None)),
            ("rm", cache.remove(0, key)),
            ("touch", cache.touch(0, key, 5)),
            ("mget", cache.mget(0, &[&living, &dead])),
            ("lock", cache.lock(0, key, 5)),
            ("bump", cache.bump(0)),
        ];
        for (name, verdict) in calls {
            assert_eq!(verdict, Verdict::Unavailable, "{name}");
        }
        assert_eq!(cache.last().err, "most servers down");
    }
    assert_eq!([packets(0), packets(1), packets(2)], before, "nobody was asked");
    assert_eq!(servers[0].get("!gen:t"), generation);

    servers[1].restart();
    let heard = ticks(&mut watcher, "enough to be back", || !shared.mostly_down());
    assert_eq!(heard, [Event::ServerUp { server: 1 }, Event::PoolUp]);
    assert_eq!(cache.get(0, &living, 1), Verdict::Done, "{:?}", cache.last());
    assert_eq!(cache.value(), Some(Value::Bytes(b"v")));
    assert_eq!(cache.get(0, &dead, 1), Verdict::Unavailable);
    assert!(["server down", "changing over"].contains(&cache.last().err), "{:?}", cache.last());
}

#[test]
fn the_operator_sees_that_calls_stop_and_go_on() {
    let mut servers = Memcached::many(3);
    let routes = r#"
event_route[shardcache:pool-down] { xlog("L_NOTICE", "told: stop <$shcst(err)>\n"); }
event_route[shardcache:pool-up] { xlog("L_NOTICE", "told: go\n"); }
"#;
    let host = Script::new().servers(&servers).table("t").raw(routes).start();
    let told = |pool_down: u64| {
        until(&format!("pool_down {pool_down}"), Duration::from_secs(10), || {
            let (listed, counted) = (host.ask("shc.list", &[])[0]["pool_down"].clone(), host.statistic("pool_down"));
            if (listed.as_u64(), counted) == (Some(pool_down), pool_down) { Ok(()) } else { Err(listed.to_string()) }
        });
    };
    told(0);
    servers[..2].iter_mut().for_each(Memcached::kill);
    told(1);
    host.wait_log("told: stop <most servers down>");
    host.wait_log("2 of 3 servers are down: every call answers -2 at once until enough are back");
    assert!(bumped(&host).contains("most servers down"), "{}", bumped(&host));
    servers[0].restart();
    told(0);
    host.wait_log("told: go");
    host.wait_log("enough servers are back: calls are served again");
}

fn bumped(host: &Host) -> String {
    host.rpc("shc.bump", &["t".into()]).map_or_else(|fault| fault.message, |done| done.to_string())
}
