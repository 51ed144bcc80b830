//! Several hosts: a key is never served by two servers.

use super::support::proxy::Mode;
use super::support::{Memcached, Proxy, Script, Stepped, Worker as _, until};
use super::{MISS, PATIENCE, TIMEOUT, start, start_at};
use serde_json::json;
use shardcache::cache::Verdict;
use shardcache::cluster::Event;
use std::time::{Duration, Instant};

#[test]
fn a_home_that_one_host_cannot_reach_is_left_by_both() {
    let servers = Memcached::many(3);
    let proxy = Proxy::to(servers[0].port());
    let seen = |first: String| -> Vec<String> {
        let named = [first, servers[1].addr(), servers[2].addr()];
        (1..).zip(named).map(|(n, addr)| format!("name=mc{n};addr={addr};ring=mc{n}")).collect()
    };
    let (mut cut, mut well) = (start_at(&seen(proxy.addr())), start_at(&seen(servers[0].addr())));
    let (key, partner) = (well.key(0), well.partner(0));
    assert_eq!((cut.key(0), cut.partner(0)), (key.clone(), partner));
    well.set(&key, "old");
    assert_eq!(cut.read(&key), Ok("old".to_owned()));
    proxy.set(Mode::Cut);
    let mut heard = Vec::new();
    let mut step = |host: &mut Stepped, of_the_well: bool| {
        let moved = |event: &Event| matches!(event, Event::SeatLeft { .. } | Event::SeatBack { .. });
        heard.extend(host.step().into_iter().filter(moved).map(|event| (of_the_well, event)));
    };
    until("both hosts to go to the stand-in", PATIENCE, || {
        let mut servers = [(&mut cut, false), (&mut well, true)].map(|(host, of_the_well)| {
            step(host, of_the_well);
            host.read(&key).ok();
            host.last().0
        });
        servers.sort_unstable();
        if servers == [Some(partner); 2] { Ok(()) } else { Err(format!("{servers:?}")) }
    });
    assert_eq!((cut.read(&key), well.read(&key)), (MISS, MISS));
    cut.set(&key, "new");
    assert_eq!(well.read(&key), Ok("new".to_owned()));
    let stays = Instant::now();
    while stays.elapsed() < Duration::from_secs(2) {
        step(&mut cut, false);
        step(&mut well, true);
        assert_eq!((well.read(&key), cut.read(&key)), (Ok("new".to_owned()), Ok("new".to_owned())), "cut off still");
        std::thread::sleep(Duration::from_millis(20));
    }
    proxy.set(Mode::Forward);
    until("both hosts to be back at home", PATIENCE, || {
        let servers = [(&mut cut, false), (&mut well, true)].map(|(host, of_the_well)| {
            step(host, of_the_well);
            let found = host.read(&key);
            assert!(found != Ok("old".to_owned()));
            (host.last().0, found)
        });
        if servers == [(Some(0), MISS), (Some(0), MISS)] { Ok(()) } else { Err(format!("{servers:?}")) }
    });
    // The last change may be told at the next round.
    (0..2).for_each(|_| heard.extend(well.round().into_iter().map(|event| (true, event))));
    let want = [Event::SeatLeft { home: 0, stand_in: partner }, Event::SeatBack { home: 0 }].map(|event| (true, event));
    assert_eq!(heard, want, "it has told of the server itself where it does not use it");
}

#[test]
fn a_host_whose_watcher_is_late_asks_who_serves() {
    let servers = Memcached::many(3);
    let (mut host, mut late) = (start(&servers), start(&servers));
    let (key, partner) = (host.key(0), host.partner(0));
    late.set(&key, "old");
    host.cache.shared().set_drained(0, true);
    host.until_served(&key, partner);
    host.set(&key, "new");
    assert_eq!((late.read(&key), late.last().0), (Ok("new".to_owned()), Some(partner)));
    late.set(&key, "newer");
    assert_eq!(host.read(&key), Ok("newer".to_owned()));
    host.cache.shared().set_drained(0, false);
    host.until_served(&key, 0);
    assert_eq!(late.cache.mget(0, &[key.as_bytes()]), Verdict::Missing);
    assert_eq!((late.read(&key), late.last().0), (MISS, Some(0)));
}

#[test]
fn two_kamailio_hosts_change_over_together() {
    let mut servers = Memcached::many(3);
    let script = Script::new().servers(&servers).table("t=>autoexpire=1000");
    let script = script.number("cmd_timeout", TIMEOUT.as_millis() as i64).workers(2);
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
