//! Tags in real Kamailios: from the script, in embedded languages, by RPC, and from a machine without one.

mod support;

use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use support::cases::Case;
use support::kemi::{self, Language};
use support::sql::modules;
use support::{Host, Memcached, Script, Sql as _, Sqlite, until};

/// Which of two entries are there: 1, 2, or both.
const GET: &str = "if ($shc(a=>k) != $null) $var(rc) = 1; if ($shc(b=>k) != $null) $var(rc) = $var(rc) + 2;";
const BOTH: i64 = 3;

const LIMIT: Duration = Duration::from_secs(20);

const CASES: &[Case] = &[
    ("an entry", "$shc(a=>alice) = \"yes\"", 1, "$shc(a=>alice)", "yes"),
    ("and another table's", "shc_set(\"b\", \"alice\", \"gold\")", 1, "$shc(b=>alice)", "gold"),
    ("one under no tag", "shc_set(\"c\", \"alice\", \"stays\")", 1, "$shc(c=>alice)", "stays"),
    ("one call", "shc_invalidate_tag(\"user:alice\")", 1, "$shc(a=>alice) $shc(b=>alice)", "<null> <null>"),
    ("voids no other", "", 0, "$shc(c=>alice)", "stays"),
    ("a void entry is not there", "shc_get(\"a\", \"alice\", \"$var(v)\")", -1, "$shcst(err)", ""),
    ("stored anew", "shc_set(\"a\", \"alice\", 7)", 1, "$shc(a=>alice)", "7"),
    ("a tag of its own", "shc_tag(\"a\", \"alice\", \"site:1\")", 1, "$shc(a=>alice)", "7"),
    ("void by that", "shc_invalidate_tag(\"site:1\")", 1, "$shc(a=>alice)", "<null>"),
    ("nothing to tag", "shc_tag(\"a\", \"alice\", \"site:1\")", -1, "$shcst(err)", ""),
    ("no tags there", "shc_tag(\"c\", \"alice\", \"site:1\")", -3, "$shcst(err)", "table without tags"),
    ("no counters there", "shc_inc(\"a\", \"alice\")", -3, "$shcst(err)", "no counters under tags"),
    ("no tag", "$var(t) = \"\"; shc_invalidate_tag(\"$var(t)\")", -3, "$shcst(err)", "empty tag"),
    ("no tag either", "$var(t) = \"\"; shc_tag(\"a\", \"k\", \"$var(t)\")", -3, "$shcst(err)", "empty tag"),
    (
        "a tag from a variable",
        "$var(u) = \"bob\"; $shc(a=>bob) = 1; shc_invalidate_tag(\"user:$var(u)\")",
        1,
        "$shc(a=>bob)",
        "<null>",
    ),
    ("a lookup", "shc_cached_route(\"a\", \"carol\", \"LOOKUP\")", 1, "$shcval", "found"),
    ("is kept", "shc_get(\"a\", \"carol\", \"$var(v)\")", 1, "$var(v)", "found"),
    ("and void", "shc_invalidate_tag(\"user:carol\")", 1, "$shc(a=>carol)", "<null>"),
];

fn script() -> Script {
    let tables = ["a=>autoexpire=600;tag=user:$key", "b=>tag=user:$key", "c=>"];
    // A loaded machine stalls now and then; bounds are for other tests.
    let script = Script::new().number("cmd_timeout", 2_000).raw("route[LOOKUP] { $shcval = \"found\"; return 1; }");
    tables.into_iter().fold(script, Script::table)
}

/// Two proxies on two servers, in use.
fn farm() -> (Vec<Memcached>, [Host; 2]) {
    let servers = Memcached::many(2);
    let script = script().servers(&servers).route("get", GET);
    let script = script.route("set", "shc_set(\"a\", \"k\", \"x\"); $var(rc) = $rc; shc_set(\"b\", \"k\", \"y\");");
    let hosts = [script.start(), script.start()];
    for host in &hosts {
        until("the cache to be in use", LIMIT, || if host.rc("set") == 1 { Ok(()) } else { Err("not yet") });
    }
    (servers, hosts)
}

#[test]
fn a_script_stores_under_tags_and_invalidates_them() {
    script().walk(CASES);
    let servers = Memcached::many(2);
    let host =
        script().servers(&servers).cases(CASES).route("ready", "shc_set(\"a\", \"r\", 1); $var(rc) = $rc;").start();
    until("the cache to be in use", LIMIT, || if host.rc("ready") == 1 { Ok(()) } else { Err("not yet") });
    host.walk(CASES);
    assert!(host.statistic("table_a_tag_voids") >= 3);
}

#[test]
fn tables_with_a_source_ask_it_anew_when_a_tag_was_invalidated() {
    let (database, servers) = (Sqlite::create(), Memcached::many(2));
    database.run("CREATE TABLE grp (username VARCHAR(64), grp VARCHAR(64)); INSERT INTO grp VALUES ('alice', 'old'), ('bob', 'old');");
    let source = format!("url={};table=grp;key=username;column=grp", database.url());
    let (one, many) =
        ("$var(out) = $shc(one=>alice);", "shc_mget(\"many\", \"bob,alice,carol\"); $var(out) = $shcm(0) + $shcm(1);");
    let script = Script::new().before(&modules(&database)).servers(&servers).number("cmd_timeout", 2_000);
    let script = script.table("one=>autoexpire=600;tag=user:$key").table("many=>autoexpire=600;copies=2;tag=user:$key");
    let script = script.text("source", &format!("one=>{source}")).text("source", &format!("many=>{source}"));
    let host = script.route("one", one).route("many", many).start();
    let queries = || ["one", "many"].map(|table| host.statistic(&format!("source_{table}_queries")));
    for key in ["alice", "bob", "carol"] {
        until("the cache to be in use", LIMIT, || {
            let ask =
                |method: &str, params: &[&str]| host.rpc(method, &params.iter().map(|p| json!(p)).collect::<Vec<_>>());
            ask("shc.set", &["one", key, "x"]).map_err(|fault| fault.to_string())?;
            ask("shc.set", &["many", key, "x"]).map_err(|fault| fault.to_string())?;
            ask("shc.invalidate_tag", &[&format!("user:{key}")]).map_err(|fault| fault.to_string())
        });
    }
    assert_eq!([host.out("one"), host.out("many")], ["old", "oldold"]);
    database.run("UPDATE grp SET grp = 'new';");
    assert_eq!([host.out("one"), host.out("many")], ["old", "oldold"]);
    let before = queries();
    host.ask("shc.invalidate_tag", &[json!("user:alice")]);
    assert_eq!([host.out("one"), host.out("many")], ["new", "oldnew"]);
    assert_eq!([host.out("one"), host.out("many")], ["new", "oldnew"]);
    assert_eq!(queries(), before.map(|count| count + 1), "alice is asked for once in each table");
}

#[test]
fn embedded_languages_do_the_same() {
    for language in [Language::Lua, Language::Python] {
        let servers = Memcached::many(1);
        kemi::walk(&kemi::host(language, "t", &servers).start());
    }
}

#[test]
fn what_is_wrong_with_a_tag_stops_the_start() {
    for (call, words) in [
        ("shc_invalidate_tag(\"\");", "the tag is \"\", expected at least one byte".to_owned()),
        ("shc_tag(\"a\", \"k\", \"\");", "the tag is \"\", expected at least one byte".to_owned()),
        (&format!("shc_tag(\"a\", \"k\", \"{}\");", "x".repeat(251)), "expected 250 bytes at most".to_owned()),
        ("shc_tag(\"none\", \"k\", \"x\");", "there is no table \"none\"".to_owned()),
    ] {
        let log = script().route("bad", call).kamailio().refused();
        assert!(log.contains(&words), "{call}: {log}");
    }
    let log = Script::new().table("t=>tag=user").kamailio().refused();
    assert!(log.contains("tag=user: expected a text that holds $key once"), "{log}");
}

#[test]
fn a_tag_is_invalidated_by_rpc_and_values_are_shown_without_their_tags() {
    let (_servers, [one, other]) = farm();
    let entry = one.ask("shc.get", &[json!("a"), json!("k")]);
    assert_eq!((&entry["value"], &entry["type"]), (&json!("x"), &json!("str")));
    let page = one.ask("shc.dump", &[json!("a")]);
    assert_eq!(page["entries"][0]["value"], json!("x"), "{page}");
    assert_eq!(one.ask("shc.listTables", &[])[0]["tag"], json!("user:$key"));
    assert_eq!(other.rc("get"), BOTH);
    assert_eq!(one.ask("shc.invalidate_tag", &[json!("user:k")]), json!("invalidated"));
    assert_eq!((one.rc("get"), other.rc("get")), (0, 0));
    one.rc("set");
    assert_eq!(other.rc("get"), BOTH);
    assert!(one.kamcmd(&["shc.invalidate_tag", "user:k"]).expect("kamcmd").contains("invalidated"));
    assert_eq!(other.rc("get"), 0);
    for (params, words) in [(vec![json!("")], "argument 'tag' is empty"), (vec![], "argument 'tag' is missing")] {
        let fault = one.rpc("shc.invalidate_tag", &params).expect_err("a fault");
        assert!(fault.code == 400 && fault.message.contains(words), "{fault:?}");
    }
    assert_eq!(one.rpc("shc.get", &[json!("~tag"), json!("user:k")]).expect_err("a fault").code, 404);
}

#[test]
fn a_machine_without_kamailio_invalidates_tags() {
    let (servers, hosts) = farm();
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shcctl"));
        command.args(["--server", &servers[1].addr()]).args(words);
        let output = command.output().expect("shcctl");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
    };
    until("the farm to be known", LIMIT, || match run(&["tag", "nobodys"]) {
        (0, told, _) if told == "invalidated nobodys" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    hosts[0].rc("set");
    assert_eq!(hosts[1].rc("get"), BOTH);
    let all = [&servers[0], &servers[1]].map(Memcached::addr);
    assert_eq!(run(&["--server", &all[0], "get", "a", "k"]).1, "x", "without its tags");
    let (code, told, _) = run(&["--json", "tag", "user:k", "user:b c"]);
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let done = |tag: &str| json!({"tag": tag, "done": "invalidated"});
    assert_eq!((code, told), (0, vec![done("user:k"), done("user:b c")]));
    assert_eq!(hosts.each_ref().map(|host| host.rc("get")), [0, 0]);
    assert_eq!(run(&["tag"]).0, 3);
    let (code, _, why) = run(&["tag", ""]);
    assert!(code == 3 && why.contains("a tag is empty"), "{code} {why}");
}
