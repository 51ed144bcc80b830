//! The list of servers changed under a running host: by a file that is read again, and one server at a time.

mod support;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use support::wait::until_true;
use support::{Host, Memcached, Script};

const SET: (&str, &str) = ("set", "shc_set(\"t\", \"$hdr(X-Key)\", \"$hdr(X-Value)\");\n$var(rc) = $rc;");
const GET: (&str, &str) = ("get", "$var(out) = $shc(t=>$hdr(X-Key));\n$var(rc) = $shcst(rc);");
const KEYS: usize = 120;

/// The file `%%DIR%%/list`, as the test writes it.
struct List(PathBuf);

impl List {
    fn write(&self, lines: &[String]) {
        std::fs::write(&self.0, lines.join("\n") + "\n").expect("the list");
    }
}

/// A host of four workers whose list is a file that begins with `servers`.
fn host(table: &str, servers: &[String]) -> (Host, List) {
    let script = Script::new().table(table).text("server_list", "%%DIR%%/list").workers(4);
    let script = script.route(SET.0, SET.1).route(GET.0, GET.1);
    let host = script.kamailio().file("list", &servers.join("\n")).start();
    let list = List(host.dir().join("list"));
    (host, list)
}

fn key(number: usize) -> String {
    format!("key{number}")
}

fn set(host: &Host, number: usize) {
    let outcome = host.run_with("set", &[("X-Key", &key(number)), ("X-Value", &format!("value{number}"))]);
    assert_eq!(outcome.rc, 1, "{number}");
}

/// Which of the keys are found; the others are not there, and nothing else is wrong with them.
fn found(host: &Host) -> Vec<usize> {
    let is_there = |number: &usize| {
        let outcome = host.run_with("get", &[("X-Key", &key(*number))]);
        assert!(matches!(outcome.rc, 1 | -1), "{number}: {outcome:?}");
        assert!(outcome.rc == -1 || outcome.out == format!("value{number}"), "{number}: {outcome:?}");
        outcome.rc == 1
    };
    (0..KEYS).filter(is_there).collect()
}

/// The home of each key.
fn homes(host: &Host) -> Vec<String> {
    let home = |number| host.ask("shc.hash", &[json!("t"), json!(key(number))])["server"].as_str().map(String::from);
    (0..KEYS).map(|number| home(number).expect("a server")).collect()
}

fn names(host: &Host) -> Vec<String> {
    let list = host.ask("shc.list", &[]);
    list.as_array().expect("a list").iter().filter_map(|server| server["name"].as_str().map(String::from)).collect()
}

#[test]
fn a_list_read_again_moves_only_the_keys_it_must() {
    let servers = Memcached::many(5);
    let all = Memcached::specs(&servers);
    let (host, list) = host("t", &all[..4]);
    (0..KEYS).for_each(|number| set(&host, number));
    let before = homes(&host);

    list.write(&all);
    let told = host.ask("shc.reload", &[]);
    assert_eq!(told, json!({"servers": 5, "added": "mc5", "removed": "", "changed": "", "kept": "mc1,mc2,mc3,mc4"}));
    host.wait_log("shc.reload: added mc5; 5 servers");
    let after = homes(&host);
    let stay = |number: &usize| before[*number] == after[*number];
    assert!((0..KEYS).filter(|number| !stay(number)).all(|number| after[number] == "mc5"));
    assert_eq!(found(&host), (0..KEYS).filter(stay).collect::<Vec<_>>());
    assert!(found(&host).len() > KEYS / 2 && found(&host).len() < KEYS);

    list.write(&all[..4]);
    assert_eq!(host.ask("shc.reload", &[])["removed"], json!("mc5"));
    assert_eq!(homes(&host), before);
    assert_eq!(found(&host).len(), KEYS);
    assert_eq!(names(&host), ["mc1", "mc2", "mc3", "mc4"]);
}

#[test]
fn one_server_at_a_time() {
    let servers = Memcached::many(3);
    let all = Memcached::specs(&servers);
    let (host, _) = host("t", &all[..2]);
    let weighty = format!("{};weight=3", all[2]);
    assert_eq!(host.ask("shc.add_server", &[json!(weighty)]), json!("added"));
    assert_eq!(names(&host), ["mc1", "mc2", "mc3"]);
    assert_eq!(host.ask("shc.list", &[])[2]["weight"], json!(3));
    (0..KEYS).for_each(|number| set(&host, number));
    assert!(servers[2].stat("curr_items") > servers[0].stat("curr_items"));
    host.kamcmd(&["shc.remove_server", "mc1"]).expect("removed");
    host.wait_log("shc.remove_server: removed mc1; 2 servers");
    servers[0].raw(b"flush_all\r\n", "OK").expect("flushed");
    host.kamcmd(&["shc.add_server", &all[0]]).expect("added");
    let elsewhere = homes(&host).iter().filter(|home| *home != "mc1").count();
    assert_eq!(found(&host).len(), elsewhere, "the others are where they were");
    assert_eq!(host.ask("shc.reload", &[])["removed"], json!("mc3"));
}

/// The state of the last server on the list, and the reason for it.
fn last(host: &Host) -> (String, String) {
    let list = host.ask("shc.list", &[]);
    let server = list.as_array().and_then(|list| list.last()).expect("a server");
    let text = |name: &str| server[name].as_str().expect(name).to_owned();
    (text("state"), text("reason"))
}

#[test]
fn a_server_that_comes_back_never_serves_what_it_held() {
    let servers = Memcached::many(2);
    let all = Memcached::specs(&servers);
    let (host, list) = host("t", &all);
    let key = key(homes(&host).iter().position(|home| home == "mc2").expect("a key"));
    let set = |value: &str| host.run_with("set", &[("X-Key", &key), ("X-Value", value)]).rc;
    let get = || host.run_with("get", &[("X-Key", &key)]);
    assert_eq!((set("old"), get().out), (1, "old".into()));
    host.ask("shc.remove_server", &[json!("mc2")]);
    assert_eq!((set("new"), get().out), (1, "new".into()));

    for _ in 0..2 {
        host.ask("shc.reload", &[]);
        assert_eq!(last(&host), ("down".into(), "holds entries of another list: restart it or flush_all".into()));
        host.wait_log("server mc2 (");
        host.wait_log(") is down: holds entries of another list: restart it or flush_all");
        let served: Vec<String> = (0..50).map(|_| get().out).collect();
        assert!(!served.contains(&"old".to_owned()), "{served:?}");
        list.write(&all[..1]);
        host.ask("shc.reload", &[]);
        assert_eq!(get().out, "new");
        list.write(&all);
    }
    host.ask("shc.reload", &[]);
    servers[1].raw(b"flush_all\r\n", "OK").expect("flushed");
    until_true("it to be in use", Duration::from_secs(20), || last(&host).0 == "up");
    until_true("it to serve what is at home there", Duration::from_secs(20), || {
        let outcome = get();
        assert_ne!(outcome.out, "old");
        outcome.rc == -1
    });
    assert_eq!((set("newest"), get().out), (1, "newest".into()));
}

#[test]
fn a_host_that_starts_keeps_a_server_out_that_was_off_the_list() {
    let servers = Memcached::many(2);
    let all = Memcached::specs(&servers);
    let records = || [0, 1].map(|at| servers[at].get("!list:"));
    let (first, _) = host("t", &all);
    until_true("its list on both", Duration::from_secs(10), || records().iter().all(Option::is_some));
    drop(first);
    let script = Script::new().table("t").route(GET.0, GET.1);
    let without = script.clone().server(&all[0]).start();
    until_true("another list on one", Duration::from_secs(10), || records()[0] != records()[1]);
    drop(without);
    let host = all.iter().fold(script, |script, server| script.server(server)).start();
    assert_eq!(last(&host).0, "down");
    assert_eq!(host.ask("shc.list", &[])[0]["state"], json!("up"));
}

#[test]
fn hosts_with_different_lists_say_so_until_they_agree() {
    const ROUTES: &str = r#"
event_route[shardcache:lists-differ] { xlog("L_NOTICE", "told: <$shcst(err)> by $shcst(server)\n"); }
event_route[shardcache:lists-agree] { xlog("L_NOTICE", "told: agree\n"); }
"#;
    let servers = Memcached::many(3);
    let all = Memcached::specs(&servers);
    let script = Script::new().table("t").text("server_list", "%%DIR%%/list").raw(ROUTES);
    let start = |servers: &[String]| script.kamailio().file("list", &servers.join("\n")).start();
    let hosts = [start(&all[..2]), start(&all)];
    let differ = |host: &Host| (host.ask("shc.list", &[])[0]["lists_differ"].as_u64(), host.statistic("lists_differ"));
    for host in &hosts {
        until_true("the difference", Duration::from_secs(10), || differ(host) == (Some(1), 1));
        host.wait_log("told: <lists differ> by mc");
        host.wait_log("the hosts' lists of servers differ: server mc");
    }
    List(hosts[0].dir().join("list")).write(&all);
    assert_eq!(hosts[0].ask("shc.reload", &[])["added"], json!("mc3"));
    for host in &hosts {
        until_true("agreement", Duration::from_secs(15), || differ(host) == (Some(0), 0));
        host.wait_log("told: agree");
        host.wait_log("the hosts' lists of servers are the same again");
        let lines = host.log().lines().filter(|line| line.contains("lists of servers differ")).count();
        assert_eq!(lines, 1, "{}", host.log());
        let states: Vec<Value> = (0..3).map(|at| host.ask("shc.list", &[])[at]["state"].clone()).collect();
        assert_eq!(states, ["up"; 3]);
    }
}

#[test]
fn what_is_not_sound_changes_nothing() {
    let servers = Memcached::many(2);
    let all = Memcached::specs(&servers);
    let (host, list) = host("t=>copies=2", &all);
    let refused = |method: &str, params: &[Value], code: i64, words: &str| {
        let fault = host.rpc(method, params).expect_err(method);
        assert_eq!(fault.code, code, "{fault}");
        assert!(fault.to_string().contains(words), "{fault}");
        host.wait_log(&format!("{method}: "));
        assert_eq!(names(&host), ["mc1", "mc2"]);
    };
    list.write(&[all[0].clone(), "# one more".into(), "name=mc3;adr=127.0.0.1".into()]);
    refused("shc.reload", &[], 400, "list line 3: server ");
    list.write(&all[..1]);
    refused("shc.reload", &[], 400, "expected two servers or more, there is one");
    list.write(&[]);
    refused("shc.reload", &[], 400, "no server would be left");
    std::fs::remove_file(&list.0).expect("removed");
    refused("shc.reload", &[], 400, "cannot be read");
    refused("shc.add_server", &[json!(all[0])], 400, "its name is already that of server");
    refused("shc.add_server", &[json!("name=mc3;addr=127.0.0.1:1;pass=secret")], 400, "pass=***");
    refused("shc.remove_server", &[json!("mc7")], 404, "no server 'mc7'");
    refused("shc.remove_server", &[json!("mc1")], 400, "expected two servers or more");
    assert!(!host.log().contains("secret"), "a password in the log");
    list.write(&all);
    assert_eq!(host.ask("shc.reload", &[])["kept"], json!("mc1,mc2"));
}

#[test]
fn a_bad_list_stops_the_start() {
    let script = Script::new().table("t").text("server_list", "%%DIR%%/list");
    let log = script.kamailio().file("list", "name=mc1;addr=127.0.0.1:1\nname=mc1;addr=127.0.0.1:2\n").refused();
    assert!(log.contains("list line 2: server \"name=mc1;addr=127.0.0.1:2\": its name is already"), "{log}");
    let log = Script::new().table("t").text("server_list", "/nowhere/list").kamailio().refused();
    assert!(log.contains("server_list \"/nowhere/list\": cannot be read"), "{log}");
}

#[test]
fn under_load_no_unmoved_key_notices() {
    let servers = Memcached::many(4);
    let all = Memcached::specs(&servers);
    let (host, list) = host("t", &all);
    (0..KEYS).for_each(|number| set(&host, number));
    let whole = homes(&host);
    let stays: Vec<usize> = (0..KEYS).filter(|number| whole[*number] != "mc4").collect();
    let (host, over) = (&host, AtomicBool::new(false));
    let calls: usize = std::thread::scope(|scope| {
        let load = |first: usize| {
            let mut calls = 0;
            for number in stays.iter().cycle().skip(first) {
                if over.load(Relaxed) {
                    break;
                }
                let outcome = host.run_with("get", &[("X-Key", &key(*number))]);
                assert_eq!((outcome.rc, outcome.out), (1, format!("value{number}")));
                calls += 1;
            }
            calls
        };
        let threads: Vec<_> = (0..3).map(|first| scope.spawn(move || load(17 * first))).collect();
        for _ in 0..10 {
            list.write(&all[..3]);
            assert_eq!(host.ask("shc.reload", &[])["removed"], json!("mc4"));
            list.write(&all);
            assert_eq!(host.ask("shc.reload", &[])["added"], json!("mc4"));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        over.store(true, Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("no call failed")).sum()
    });
    assert!(calls > 100, "{calls}");
    let stats = host.ask("shc.stats", &[]);
    let totals = &stats["totals"];
    assert_eq!((&totals["tables"]["unavailable"], &totals["tables"]["errors"]), (&json!(0), &json!(0)), "{stats}");
    let connects: i64 =
        host.ask("shc.list", &[]).as_array().expect("a list")[..3].iter().filter_map(|s| s["connects"].as_i64()).sum();
    assert!(connects <= 3 * 8, "connections to servers that stay are kept: {connects}");
}
