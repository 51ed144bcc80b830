//! What two hosts tell the operator while the copies of a table are not whole, and when they are again.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::{Host, Memcached, Script, until};

const PATIENCE: Duration = Duration::from_secs(60);
const KEYS: usize = 40;

fn host(servers: &[Memcached]) -> Host {
    let script = Script::new().servers(servers).table("t=>copies=2");
    let script = script.route("set", "shc_set(\"t\", \"$hdr(X-Key)\", \"value\");\n$var(rc) = $rc;");
    let script = script.route("get", "$var(out) = $shc(t=>$hdr(X-Key));\n$var(rc) = $shcst(rc);");
    let told = "event_route[shardcache:whole] { xlog(\"L_NOTICE\", \"told: whole\\n\"); }";
    script.raw(told).workers(2).start()
}

/// What `shc.list` says of `name` for each server.
fn listed(host: &Host, name: &str) -> Vec<Value> {
    let list = host.ask("shc.list", &[]);
    list.as_array().expect("a list").iter().map(|server| server[name].clone()).collect()
}

fn until_whole(host: &Host, whole: &str) {
    until(&format!("whole: {whole}"), PATIENCE, || {
        let told = listed(host, "whole");
        let all = told.iter().all(|one| one == "yes");
        if !told.iter().any(Value::is_null) && all == (whole == "yes") { Ok(()) } else { Err(format!("{told:?}")) }
    });
}

fn told(host: &Host) -> usize {
    host.log().lines().filter(|line| line.contains("told: whole")).count()
}

#[test]
fn an_outage_shows_in_the_list_the_log_and_the_event_route_of_each_host() {
    let mut servers = Memcached::many(3);
    let hosts = [host(&servers), host(&servers)];
    hosts.iter().for_each(|host| until_whole(host, "yes"));
    let before = hosts.each_ref().map(told);
    for n in 0..KEYS {
        assert_eq!(hosts[n % 2].run_with("set", &[("X-Key", &format!("key{n}"))]).rc, 1);
    }
    servers[0].kill();
    hosts.iter().for_each(|host| until_whole(host, "no"));
    servers[0].restart();
    for (host, before) in hosts.iter().zip(before) {
        until_whole(host, "yes");
        host.wait_log("copies of mc1/");
        host.wait_log("all copies are whole: the next server may fail");
        until("the event", PATIENCE, || if told(host) > before { Ok(()) } else { Err(host.log()) });
        assert_eq!(listed(host, "single"), [0, 0, 0]);
    }
    servers[1].kill();
    for n in 0..KEYS {
        let got = hosts[n % 2].run_with("get", &[("X-Key", &format!("key{n}"))]);
        assert_eq!((got.rc, got.out.as_str()), (1, "value"), "key{n}");
    }
}
