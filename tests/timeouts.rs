//! `cmd_timeout` is a hard bound, whatever the servers do; and a server in trouble is soon left alone by every worker.
//! Times are taken inside the routing script, around the call.

mod support;

use std::time::Duration;
use support::wait::until_true;
use support::{Fake, Host, Memcached, Proxy, Script, ports, proxy::Mode};

const TIMEOUT: Duration = Duration::from_millis(50);
/// What a busy machine may add to the middle of many calls, and to the worst of them.
const NOISE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(75));

const CALLS: [(&str, &str); 8] = [
    ("get", "shc_get(\"t\", \"k\", \"$var(v)\")"),
    ("set", "shc_set(\"t\", \"k\", \"v\")"),
    ("add", "shc_add(\"t\", \"k\", \"v\")"),
    ("inc", "shc_inc(\"t\", \"n\")"),
    ("rm", "shc_rm(\"t\", \"k\")"),
    ("touch", "shc_touch(\"t\", \"k\", \"60\")"),
    ("mget", "shc_mget(\"t\", \"a,b,c,d\", \"found\")"),
    ("lock", "shc_lock(\"t\", \"k\", \"5\")"),
];

fn script(servers: &[String], soft_failures: i64) -> Script {
    let script = Script::new().table("t=>autoexpire=0").number("cmd_timeout", TIMEOUT.as_millis() as i64);
    let script = script.number("soft_failures", soft_failures).number("probe_interval", 60_000);
    let script = servers.iter().fold(script, |s, server| s.server(server));
    CALLS.iter().fold(script, |s, (name, call)| s.timed(name, call))
}

/// Every call many times; none may find anything, none may last.
fn bounded(host: &Host, rounds: usize) {
    for (name, _) in CALLS {
        in_a_quiet_moment(name, || {
            let mut times = Vec::new();
            for _ in 0..rounds {
                let outcome = host.run(name);
                assert!(matches!(outcome.rc, -2 | -3), "{name} gave {}", outcome.rc);
                times.push(outcome.took());
            }
            times.sort();
            let (middle, worst) = (times[rounds / 2], times[rounds - 1]);
            if middle < TIMEOUT + NOISE.0 && worst < TIMEOUT + NOISE.1 { Ok(()) } else { Err(format!("{times:?}")) }
        });
    }
}

/// A machine that keeps the host from running for a while says nothing about the module, and does not do so each time.
fn in_a_quiet_moment(name: &str, series: impl Fn() -> Result<(), String>) {
    const TRIES: usize = 5;
    let noise: Vec<String> = (0..TRIES).map_while(|_| series().err()).collect();
    assert!(noise.len() < TRIES, "{name}: {noise:#?}");
}

/// A machine that halts the server for a moment says nothing about it.
fn until_rc(host: &Host, call: &str, rc: i64) {
    until_true(call, Duration::from_secs(10), || host.rc(call) == rc);
}

/// A server that was well when the host began.
fn trouble(fake: Fake) {
    let fake = fake.polite();
    let host = script(&[fake.spec("mc1")], 100).start();
    until_rc(&host, "get", -1);
    fake.turn();
    bounded(&host, 7);
}

#[test]
fn a_server_that_accepts_and_never_answers() {
    trouble(Fake::mute());
}

#[test]
fn a_server_that_sends_a_byte_now_and_then() {
    trouble(Fake::drip(Duration::from_millis(20)));
}

#[test]
fn a_server_that_resets() {
    trouble(Fake::reset());
}

#[test]
fn a_server_that_closes() {
    trouble(Fake::closing());
}

#[test]
fn a_server_that_is_not_there() {
    let nobody = format!("name=mc1;addr=127.0.0.1:{}", ports::free());
    bounded(&script(&[nobody], 100).start(), 7);
}

#[test]
fn a_server_whose_packets_are_dropped() {
    bounded(&script(&[Fake::dropped().spec("mc1")], 100).start(), 7);
}

#[test]
fn a_server_that_is_frozen_while_in_use() {
    let server = Memcached::tcp();
    let host = script(&[server.spec("mc1")], 100).start();
    until_rc(&host, "set", 1);
    server.freeze();
    bounded(&host, 5);
    server.thaw();
}

#[test]
fn a_server_whose_answers_come_too_late() {
    let server = Memcached::tcp();
    let proxy = Proxy::to(server.port());
    let host = script(&[proxy.spec("mc1")], 100).start();
    until_rc(&host, "set", 1);
    proxy.set(Mode::Delay(Duration::from_millis(300)));
    bounded(&host, 3);
}

#[test]
fn several_hung_servers_cost_one_call_one_timeout() {
    let hung: Vec<Fake> = (0..3).map(|_| Fake::mute().polite()).collect();
    let specs: Vec<String> = hung.iter().zip(["mc1", "mc2", "mc3"]).map(|(h, name)| h.spec(name)).collect();
    let host = script(&specs, 100).start();
    hung.iter().for_each(Fake::turn);
    bounded(&host, 5);
}

#[test]
fn after_the_breaker_tripped_every_call_fails_at_once() {
    type Make = fn() -> Fake;
    let makers: [(&str, Make); 4] = [
        ("mute", || Fake::mute().polite()),
        ("drip", || Fake::drip(Duration::from_millis(20)).polite()),
        ("reset", || Fake::reset().polite()),
        ("dropped", Fake::dropped),
    ];
    for (name, make) in makers {
        let fake = make();
        let host = script(&[fake.spec("mc1")], 3).workers(2).start();
        fake.turn();
        for _ in 0..12 {
            host.run("get");
        }
        let mut times: Vec<Duration> = (0..20)
            .map(|_| {
                let outcome = host.run("get");
                assert_eq!(outcome.rc, -2, "{name}");
                outcome.took()
            })
            .collect();
        times.sort();
        assert!(times[10] < TIMEOUT / 5, "{name}: {times:?}");
    }
}

#[test]
fn a_server_that_recovers_is_used_again() {
    let server = Memcached::tcp();
    let script = Script::new().server(&server.spec("mc1")).table("t=>autoexpire=0").number("cmd_timeout", 50);
    let host = script.route("set", "$shc(t=>k) = \"v\";\n$var(rc) = $shcst(rc);").start();
    until_rc(&host, "set", 1);
    server.freeze();
    until_rc(&host, "set", -2);
    server.thaw();
    until_rc(&host, "set", 1);
}
