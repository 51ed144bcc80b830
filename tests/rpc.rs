//! Every RPC command, in the same shapes through kamcmd and through JSON-RPC over HTTP.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Host, Memcached, Script, until};

fn host(servers: &[Memcached]) -> Host {
    let script = Script::new().servers(servers).table("t=>autoexpire=0").table("s=>autoexpire=1800");
    script.route("get", "$var(out) = $shc(t=>k);").start()
}

fn text(values: &[&str]) -> Vec<Value> {
    values.iter().map(|v| json!(v)).collect()
}

#[test]
fn entries_come_and_go() {
    let servers = Memcached::many(1);
    let host = host(&servers);
    host.ask("shc.set", &text(&["t", "k", "v"]));
    assert_eq!(host.out("get"), "v");
    let entry = host.ask("shc.get", &text(&["t", "k"]));
    assert_eq!((&entry["value"], &entry["type"], &entry["ttl"]), (&json!("v"), &json!("str"), &json!(0)));
    host.ask("shc.set", &[json!("t"), json!("k"), json!("v"), json!(60)]);
    assert_eq!(host.ask("shc.get", &text(&["t", "k"]))["ttl"], json!(60));
    host.ask("shc.set", &text(&["s", "k", "v"]));
    assert_eq!(host.ask("shc.get", &text(&["s", "k"]))["ttl"], json!(1800));
    for number in [0, 5, -5, 4_294_967_296_i64, i64::MAX, i64::MIN] {
        host.ask("shc.seti", &text(&["t", "n", &number.to_string()]));
        let entry = host.ask("shc.get", &text(&["t", "n"]));
        let exact_in_json = number.unsigned_abs() < 1 << 53;
        let value = if exact_in_json { json!(number) } else { json!(number.to_string()) };
        assert_eq!((&entry["value"], &entry["type"]), (&value, &json!("int")));
    }
    host.ask("shc.delete", &text(&["t", "k"]));
    assert_eq!(host.rpc("shc.get", &text(&["t", "k"])).expect_err("a fault").code, 404);
    assert_eq!(host.rpc("shc.delete", &text(&["t", "k"])).expect_err("a fault").code, 404);
    assert_eq!(host.out("get"), "0");
}

#[test]
fn kamcmd_sees_the_same() {
    let servers = Memcached::many(1);
    let host = host(&servers);
    host.kamcmd(&["shc.set", "t", "k", "v", "60"]).expect("set");
    host.kamcmd(&["shc.seti", "t", "n", "-5"]).expect("seti");
    for (key, shown) in [("k", "value: v"), ("n", "value: -5"), ("k", "ttl: 60")] {
        let told = host.kamcmd(&["shc.get", "t", key]).expect("get");
        assert!(told.contains(shown), "{key}: {told}");
    }
    assert!(host.kamcmd(&["shc.dump", "t"]).expect("dump").contains("key: n"));
    assert!(host.kamcmd(&["shc.listTables"]).expect("listTables").contains("name: s"));
    assert!(host.kamcmd(&["shc.stats"]).expect("stats").contains("hits"));
    assert!(host.kamcmd(&["shc.hash", "t", "k"]).expect("hash").contains("wire_key: t:k"));
    host.kamcmd(&["shc.delete", "t", "k"]).expect("delete");
    host.kamcmd(&["shc.bump", "t"]).expect("bump");
    assert!(host.kamcmd(&["shc.get", "t", "n"]).is_err());
}

#[test]
fn a_dump_is_paged_and_complete() {
    let servers = Memcached::many(3);
    let host = host(&servers);
    for i in 0..130 {
        host.ask("shc.set", &text(&["t", &format!("key {i}"), &format!("value {i}")]));
    }
    host.ask("shc.set", &text(&["s", "other", "table"]));
    let (mut seen, mut pages, mut cursor) = (std::collections::BTreeMap::new(), 0, String::new());
    loop {
        let params = if pages == 0 { text(&["t"]) } else { vec![json!("t"), json!(cursor), json!(40)] };
        let page = host.ask("shc.dump", &params);
        for entry in page["entries"].as_array().expect("entries") {
            let key = entry["key"].as_str().expect("key").to_string();
            assert!(seen.insert(key.clone(), entry["value"].clone()).is_none(), "{key} twice");
        }
        pages += 1;
        cursor = page["next"].as_str().unwrap_or_default().to_string();
        if cursor.is_empty() || pages > 50 {
            break;
        }
    }
    assert!(pages > 1 && seen.len() == 130, "{pages} pages, {} entries", seen.len());
    assert_eq!(seen["key 7"], json!("value 7"));
}

#[test]
fn a_frozen_server_ends_a_page_in_time_and_the_next_one_goes_on_there() {
    let servers = Memcached::many(3);
    let script = Script::new().table("t").number("soft_failures", 100).number("probe_interval", 60_000);
    let host = script.servers(&servers).start();
    for i in 0..60 {
        host.ask("shc.set", &text(&["t", &format!("k{i}"), "v"]));
    }
    let at_home = |at: usize| servers[at].entries().len();
    let counts = [at_home(0), at_home(1), at_home(2)];
    servers[1].freeze();
    let begun = Instant::now();
    let page = host.ask("shc.dump", &[json!("t"), json!("0"), json!(200)]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(7), "{took:?}");
    assert_eq!((page["entries"].as_array().map(Vec::len), &page["next"]), (Some(counts[0]), &json!("1:0")));
    let fault = host.rpc("shc.dump", &text(&["t", "1:0"])).expect_err("a fault");
    assert!(fault.code == 500 && fault.message.contains("mc2"), "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
    servers[1].thaw();
    let page = host.ask("shc.dump", &[json!("t"), json!("1:0"), json!(200)]);
    assert_eq!((page["entries"].as_array().map(Vec::len), &page["next"]), (Some(counts[1] + counts[2]), &json!("")));
}

#[test]
fn tables_and_servers_are_listed() {
    let mut servers = Memcached::many(2);
    let host = host(&servers);
    let tables = host.ask("shc.listTables", &[]);
    assert_eq!((&tables[0]["name"], &tables[1]["name"]), (&json!("t"), &json!("s")));
    let state = |i: usize, wanted: &str| {
        until(&format!("mc{} to be {wanted}", i + 1), Duration::from_secs(10), || {
            let list = host.ask("shc.list", &[]);
            if list[i]["state"] == json!(wanted) { Ok(()) } else { Err(list.to_string()) }
        });
    };
    state(0, "up");
    assert_eq!(host.ask("shc.list", &[])[1]["addr"], json!(servers[1].addr()));
    assert_eq!(host.ask("shc.dump", &text(&["t"]))["skipped"], json!(""));
    servers[1].kill();
    state(1, "down");
    assert_eq!(host.ask("shc.dump", &text(&["t"]))["skipped"], json!("mc2"));
    servers[1].restart();
    state(1, "up");
}

#[test]
fn a_drained_server_is_left_alone_until_it_is_undrained() {
    let servers = Memcached::many(1);
    let host = host(&servers);
    host.ask("shc.set", &text(&["t", "k", "v"]));
    host.ask("shc.set_state", &text(&["mc1", "drain"]));
    assert_eq!(host.ask("shc.list", &[])[0]["state"], json!("drained"));
    assert!(host.rpc("shc.get", &text(&["t", "k"])).is_err());
    host.ask("shc.set_state", &text(&["mc1", "undrain"]));
    let back = || host.rpc("shc.get", &text(&["t", "k"])).map(|entry| assert_eq!(entry["value"], json!("v")));
    until("the server's return", Duration::from_secs(10), back);
}

#[test]
fn hash_tells_where_a_key_lives() {
    let servers = Memcached::many(3);
    let host = host(&servers);
    for i in 0..20 {
        let key = format!("key{i}");
        host.ask("shc.set", &text(&["t", &key, "v"]));
        let place = host.ask("shc.hash", &text(&["t", &key]));
        let server = servers.iter().find(|s| json!(s.addr()) == place["addr"]).expect("a server of ours");
        assert_eq!(server.get(place["wire_key"].as_str().expect("wire_key")).as_deref(), Some(&b"v"[..]), "{place}");
    }
}

#[test]
fn counters_count() {
    let servers = Memcached::many(1);
    let host = host(&servers);
    host.ask("shc.set", &text(&["t", "k", "v"]));
    for _ in 0..3 {
        assert_eq!(host.out("get"), "v");
    }
    host.ask("shc.delete", &text(&["t", "k"]));
    for _ in 0..2 {
        host.run("get");
    }
    let wanted =
        [("table_t_hits", 3), ("table_t_misses", 2), ("table_t_sets", 1), ("table_t_deletes", 1), ("servers_up", 1)];
    for (name, least) in wanted {
        assert!(host.statistic(name) >= least, "{name} = {}", host.statistic(name));
    }
    assert_eq!(host.statistic("table_s_hits"), 0);
    for reset in ["stats.reset_statistics", "stats.clear_statistics"] {
        host.ask(reset, &text(&["shardcache:"]));
        host.ask(reset, &text(&["shardcache.table_t_hits"]));
    }
    assert_eq!(host.statistic("table_t_hits"), 3, "what the module counts only grows");
    let stats = host.ask("shc.stats", &[]).to_string();
    assert!(stats.contains("\"hits\":3"), "{stats}");
}
