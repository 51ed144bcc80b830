//! Near tables as a script, an operator and the other hosts see them: real Kamailios, real servers.

mod support;

use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Host, Memcached, PATIENT_MS, Proxy, Script, process, until};

/// Nobody sees an old value later than this.
const DELTA: Duration = Duration::from_millis(100 + PATIENT_MS as u64);
const PATIENCE: Duration = Duration::from_secs(60);

const FACTS: &str = r#"
    $var(x) = $shc(t=>k);
    if ($shcst(server) == $null) { $var(out) = "nobody"; }
    $var(out) = $var(out) + " " + $shcst(age) + " " + $shcex(t=>k);
"#;

fn script(specs: &[String]) -> Script {
    let script = Script::new().table("t=>near=1;autoexpire=1000").number("cmd_timeout", PATIENT_MS.into());
    specs
        .iter()
        .fold(script, |script, spec| script.server(spec))
        .route("get", "$var(out) = $shc(t=>k);\n$var(rc) = $shcst(rc);")
        .route("facts", FACTS)
        .route("set", "$shc(t=>k) = \"new\";\n$var(out) = $shc(t=>k);")
        .route("count", "$var(out) = $shc(t=>n) + 1;")
        .route("many", "$var(rc) = shc_mget(\"t\", \"k,none\");\n$var(out) = $shcm(0) + $shcm(1);")
        .route("cas", "shc_get(\"t\", \"k\", \"$var(v)\");\nshc_cas(\"t\", \"k\", \"$var(v)+\");\n$var(rc) = $rc;")
}

fn host(servers: &[Memcached]) -> Host {
    script(&(1..).zip(servers).map(|(number, server)| server.spec(&format!("mc{number}"))).collect::<Vec<_>>()).start()
}

fn hits(host: &Host) -> u64 {
    host.statistic("table_t_near_hits") + host.statistic("table_t_near_absent")
}

/// Runs a route until its answer comes from the host's memory; returns it.
fn warm(host: &Host, route: &str) -> String {
    until("a near hit", PATIENCE, || {
        let before = hits(host);
        let out = host.out(route);
        if hits(host) > before { Ok(out) } else { Err(out) }
    })
}

fn text(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| json!(value)).collect()
}

#[test]
fn a_hit_sends_nothing_and_the_operator_sees_it() {
    let server = Memcached::tcp();
    let proxy = Proxy::to(server.port());
    let host = script(&[proxy.spec("mc1")]).start();
    let asked = || proxy.requests().lines().filter(|line| line.starts_with("mg t:")).count();
    host.ask("shc.set", &text(&["t", "k", "v"]));
    host.ask("shc.seti", &text(&["t", "n", "41"]));
    for (route, out) in [("get", "v"), ("count", "42"), ("many", "v")] {
        assert_eq!(warm(&host, route), out);
        until("answers without a server", PATIENCE, || {
            let (asked_before, hits_before) = (asked(), hits(&host));
            (0..20).for_each(|_| assert_eq!(host.out(route), out));
            let none = asked() == asked_before && hits(&host) >= hits_before + 20;
            if none { Ok(()) } else { Err("a server was asked") }
        });
    }
    warm(&host, "get");
    let facts = host.out("facts");
    let told: Vec<&str> = facts.split(' ').collect();
    let [server_name, age, left] = told[..] else { panic!("{facts}") };
    let (age, left): (u32, u32) =
        (age.parse().unwrap_or_else(|_| panic!("{facts}")), left.parse().expect("a lifetime"));
    assert!((server_name, age < 60, (940..=1000).contains(&left)) == ("nobody", true, true), "{facts}");

    let before = asked();
    assert_eq!(host.ask("shc.get", &text(&["t", "k"]))["value"], json!("v"));
    assert_eq!(asked(), before + 1, "shc.get tells what the server has");
    let near = host.ask("shc.near", &[]);
    let (table, polled) = (&near["tables"][0], &near["servers"][0]);
    assert_eq!(
        (&table["name"], &table["near_ttl"], table["hits"].as_u64()),
        (&json!("t"), &json!(60), Some(host.statistic("table_t_near_hits")))
    );
    assert_eq!(polled["name"], json!("mc1"));
    assert!(near["entries"].as_u64() >= Some(3) && near["capacity"].as_u64() > Some(30 << 20), "{near}");
    assert!(host.statistic("near_entries") >= 3 && host.statistic("near_bytes") > 0);
    assert_eq!(host.ask("shc.stats", &[])["near"]["entries"], near["entries"]);
    let told = host.kamcmd(&["shc.near"]).expect("shc.near");
    assert!(["entries: ", "near_ttl: 60", "fresh: "].iter().all(|part| told.contains(part)), "{told}");
    assert_eq!(host.ask("shc.listTables", &[])[0]["near"], json!(1));
}

#[test]
fn a_host_without_near_tables_says_so() {
    let host = Script::new().table("t=>").server(&Memcached::tcp().spec("mc1")).start();
    assert_eq!(host.rpc("shc.near", &[]).expect_err("a fault").code, 404);
    let local = Script::new().table("t=>near=1").route("set", "$shc(t=>k) = 5;\n$var(out) = $shc(t=>k);").start();
    assert_eq!(local.out("set"), "5");
    assert_eq!(local.rpc("shc.near", &[]).expect_err("a fault").code, 404);
}

/// Changes the entry from elsewhere; then no read of `host` that begins later than promised may say the old value.
fn seen_in_time(host: &Host, what: &str, after: &str, change: impl FnOnce()) {
    let before = warm(host, "get");
    assert_ne!(before, after, "{what}");
    change();
    let acknowledged = Instant::now();
    loop {
        let late = acknowledged.elapsed();
        let said = host.out("get");
        assert!(said == after || (said == before && late <= DELTA), "{what}: {said} {late:?} after the change");
        if late > DELTA {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn scripts_operators_and_other_machines_change_it_for_all() {
    let servers = Memcached::many(2);
    let (one, two) = (host(&servers), host(&servers));
    let tool = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shcctl"));
        for server in &servers {
            command.args(["--server", &server.addr()]);
        }
        assert!(command.args(words).status().expect("shcctl runs").success());
    };
    one.ask("shc.set", &text(&["t", "k", "old"]));
    seen_in_time(&two, "a script", "new", || assert_eq!(one.out("set"), "new"));
    seen_in_time(&two, "shc.set", "rpc", || drop(one.ask("shc.set", &text(&["t", "k", "rpc"]))));
    assert_eq!(one.out("get"), "rpc");
    seen_in_time(&two, "shcctl", "tool", || tool(&["set", "t", "k", "tool"]));
    seen_in_time(&two, "cas", "tool+", || {
        until("a cas", PATIENCE, || match one.rc("cas") {
            1 => Ok(()),
            other => Err(other),
        })
    });
    seen_in_time(&two, "shcctl delete", "0", || tool(&["delete", "t", "k"]));
    assert_eq!(two.rc("get"), -1);
    seen_in_time(&two, "after a miss", "there", || drop(one.ask("shc.set", &text(&["t", "k", "there"]))));
    seen_in_time(&two, "a bump", "0", || drop(one.ask("shc.bump", &text(&["t"]))));
}

#[test]
fn a_host_whose_watcher_is_stopped_asks_each_time() {
    let servers = Memcached::many(2);
    let (one, two) = (host(&servers), host(&servers));
    one.ask("shc.set", &text(&["t", "k", "old"]));
    warm(&two, "get");
    let rows = two.ask("core.psx", &[]);
    let watcher = |row: &&Value| row["DSC"].as_str().is_some_and(|name| name.contains("shardcache watcher"));
    let pid = rows.as_array().and_then(|rows| rows.iter().find(watcher)).and_then(|row| row["PID"].as_i64());
    let pid = i32::try_from(pid.unwrap_or_else(|| panic!("no watcher: {rows}"))).expect("a pid");
    process::kill(pid, libc::SIGSTOP);
    std::thread::sleep(DELTA);
    let before = hits(&two);
    for value in ["a", "b", "c"] {
        one.ask("shc.set", &text(&["t", "k", value]));
        assert_eq!(two.out("get"), value);
    }
    assert_eq!(hits(&two), before);
    process::kill(pid, libc::SIGCONT);
    assert_eq!(warm(&two, "get"), "c");
}
