//! Tables filled from their sources: `shc.reload table`, in intervals, and from lines by `shcctl warm`.

mod support;

use serde_json::{Value, json};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::sql::modules;
use support::wait::until_true;
use support::{Host, Mariadb, Memcached, Postgres, Script, Sql, Sqlite};

const LIMIT: Duration = Duration::from_secs(40);
const ROWS: u64 = 250;

/// Users of several realms, and one without: its key is none.
fn users(sql: &dyn Sql) {
    let row = |n: u64| format!("('u{:03}', 'r{}', 'shard{}')", n / 3, n % 3, n % 4);
    let rows: Vec<String> = (0..ROWS).map(row).collect();
    sql.run(&format!(
        "CREATE TABLE users (username VARCHAR(64), realm VARCHAR(64), shard VARCHAR(64));
         INSERT INTO users VALUES {};
         INSERT INTO users VALUES ('nobody', NULL, 'shard0'), ('a@b', 'r0', 'shard0');",
        rows.join(", ")
    ));
}

fn script(sql: &dyn Sql, servers: &[Memcached], rest: &str) -> Script {
    let source = format!("shards=>url={};table=users;key=username,realm;column=shard{rest}", sql.url());
    Script::new().before(&modules(sql)).servers(servers).table("shards=>copies=2").text("source", &source)
}

/// The row of the source in `shc.sources`.
fn progress(host: &Host) -> Value {
    host.ask("shc.sources", &[])[0].clone()
}

fn reload(host: &Host, rate: u64) -> Value {
    let begun = host.ask("shc.reload", &[json!("shards"), json!(rate)]);
    assert_eq!((&begun["table"], &begun["begun"]), (&json!("shards"), &json!("yes")), "{begun}");
    ended(host)
}

fn ended(host: &Host) -> Value {
    until_true("the table to be filled", LIMIT, || progress(host)["reload"] == "done");
    progress(host)
}

fn get(host: &Host, key: &str) -> Option<String> {
    let entry = host.rpc("shc.get", &[json!("shards"), json!(key)]).ok()?;
    Some(entry["value"].as_str().expect("text").to_owned())
}

fn full(host: &Host) {
    for n in 0..ROWS {
        let key = format!("u{:03}@r{}", n / 3, n % 3);
        assert_eq!(get(host, &key), Some(format!("shard{}", n % 4)), "{key}");
    }
}

fn a_table_is_filled(sql: &dyn Sql) {
    users(sql);
    let servers = Memcached::many(2);
    let script = script(sql, &servers, "");
    let (host, other) = (script.start(), script.start());
    host.until_whole();
    assert_eq!(progress(&host)["reload"], "never");
    let queries = host.statistic("source_shards_queries");
    let told = reload(&host, 10_000);
    assert_eq!((&told["reload_stored"], &told["reload_left"]), (&json!(ROWS), &json!(0)), "{told}");
    assert_eq!(told["reload_total"], json!(ROWS + 2), "rows without a key are counted too");
    assert!(told["reload_speed"].as_u64() > Some(0), "{told}");
    assert_eq!(host.statistic("reload_rows"), ROWS + 1, "the key of one holds what separates its parts");
    assert!(host.statistic("source_shards_queries") - queries < 20, "rows are read by the page");
    full(&other);
    assert_eq!((host.statistic("reload_done"), host.statistic("reload_failed")), (1, 0));
    host.wait_log("table shards is being filled from its source");
    host.wait_log(&format!("{} of {} rows read, {ROWS} entries stored, 0 left as they are", ROWS + 1, ROWS + 2));

    sql.run("UPDATE users SET shard = 'moved' WHERE username = 'u001' AND realm = 'r0';");
    let told = reload(&other, 10_000);
    assert_eq!((&told["reload_stored"], &told["reload_left"]), (&json!(1), &json!(ROWS - 1)), "{told}");
    assert_eq!(get(&host, "u001@r0"), Some("moved".into()));
}

#[test]
fn a_table_is_filled_from_mariadb() {
    a_table_is_filled(&Mariadb::start());
}

#[test]
fn a_table_is_filled_from_postgres() {
    a_table_is_filled(&Postgres::start());
}

#[test]
fn a_table_is_filled_from_sqlite() {
    a_table_is_filled(&Sqlite::create());
}

#[test]
fn the_rate_is_kept_and_two_hosts_at_once_do_no_harm() {
    let sql = Mariadb::start();
    users(&sql);
    let servers = Memcached::many(2);
    let script = script(&sql, &servers, "");
    let hosts = [script.start(), script.start()];
    hosts[0].until_whole();
    let begun = Instant::now();
    for host in &hosts {
        host.ask("shc.reload", &[json!("shards"), json!(100)]);
    }
    let again = hosts[0].ask("shc.reload", &[json!("shards")]);
    assert_eq!(again["begun"], "no", "{again}");
    let ended = hosts.each_ref().map(ended);
    assert!(begun.elapsed() >= Duration::from_millis(2_300), "251 rows at 100 per second: {:?}", begun.elapsed());
    let sum = |name: &str| ended.iter().map(|told| told[name].as_u64().expect(name)).sum::<u64>();
    assert_eq!(sum("reload_stored") + sum("reload_left"), 2 * ROWS);
    assert!(sum("reload_stored") >= ROWS, "{ended:?}");
    full(&hosts[1]);
}

#[test]
fn it_ends_when_it_is_told_to_and_begins_again() {
    let sql = Sqlite::create();
    users(&sql);
    let servers = Memcached::many(2);
    let some = format!("some=>url={};table=users;key=username,realm;column=shard;where=shard:shard0", sql.url());
    let odd = format!("odd=>url={};table=users;key=username,realm;column=shard;where=shard:it's", sql.url());
    let script = script(&sql, &servers, "").table("some=>").text("source", &some);
    let host = script.table("odd=>").text("source", &odd).start();
    host.until_whole();
    let ask = |table: &str, what: Value| host.ask("shc.reload", &[json!(table), what]);
    let of = |table: &str| {
        let all = host.ask("shc.sources", &[]);
        all.as_array().and_then(|all| all.iter().find(|each| each["name"] == table)).cloned().expect(table)
    };
    assert_eq!(ask("shards", json!("stop"))["stopped"], "no", "nobody began");
    assert_eq!(progress(&host)["reload_total"], "unknown");
    ask("shards", json!(20));
    ask("some", json!(1000));
    until_true("some rows", LIMIT, || progress(&host)["reload_rows"].as_u64() > Some(2));
    assert_eq!((&of("some")["reload"], &of("shards")["reload_total"]), (&json!("waiting"), &json!(ROWS + 2)));
    assert_eq!(ask("some", json!("stop"))["stopped"], "yes", "its turn had not come");
    assert_eq!(ask("shards", json!("stop"))["stopped"], "yes");
    until_true("it to end", LIMIT, || progress(&host)["reload"] == "stopped");
    assert!(progress(&host)["reload_rows"].as_u64() < Some(ROWS), "{}", progress(&host));
    host.wait_log("is not filled from its source to the end, as it was told");
    assert_eq!((of("some")["reload"].as_str(), host.statistic("reload_failed")), (Some("stopped"), 1));
    assert!(host.kamcmd(&["shc.reload", "shards", "stop"]).is_ok_and(|told| told.contains("stopped: no")));

    let told = reload(&host, 10_000);
    assert_eq!(told["reload_left"].as_u64().zip(told["reload_stored"].as_u64()).map(|(a, b)| a + b), Some(ROWS));
    full(&host);
    ask("some", json!(1000));
    ask("odd", json!(1000));
    until_true("the others to be filled", LIMIT, || ["some", "odd"].iter().all(|table| of(table)["reload"] == "done"));
    let shard0 = sql.run("SELECT COUNT(*) FROM users WHERE shard = 'shard0';").trim().parse::<u64>().expect("a number");
    assert_eq!(of("some")["reload_total"], json!(shard0));
    assert_eq!(of("odd")["reload_total"], "unknown", "a quote would have to be quoted");
}

/// Rows change, and their entries are invalidated, while the table is filled again and again.
#[test]
fn what_was_read_before_an_invalidation_is_never_stored_after_it() {
    let sql = Mariadb::start();
    users(&sql);
    let servers = Memcached::many(2);
    let script = script(&sql, &servers, "").route("get", "$var(out) = $shc(shards=>u000@r0);");
    let hosts = [script.start(), script.start()];
    hosts[0].until_whole();
    for round in 0..60 {
        hosts[round % 2].ask("shc.reload", &[json!("shards"), json!(100_000)]);
        sql.run(&format!("UPDATE users SET shard = 'new{round}' WHERE username = 'u000';"));
        hosts[1].ask("shc.invalidate", &[json!("shards"), json!("u000@r0")]);
        assert_eq!(hosts[0].out("get"), format!("new{round}"));
        ended(&hosts[round % 2]);
        assert_eq!(hosts[0].out("get"), format!("new{round}"), "behind the reload");
    }
}

#[test]
fn a_database_that_went_is_waited_for() {
    let mut sql = Mariadb::start();
    users(&sql);
    let servers = Memcached::many(2);
    let host = script(&sql, &servers, "").number("source_retry", 200).start();
    host.until_whole();
    host.ask("shc.reload", &[json!("shards"), json!(100)]);
    until_true("some rows", LIMIT, || progress(&host)["reload_rows"].as_u64() > Some(0));
    sql.kill();
    until_true("it to be missed", LIMIT, || progress(&host)["state"] == "down");
    assert_eq!(progress(&host)["reload"], "running");
    sql.revive();
    ended(&host);
    full(&host);
}

#[test]
fn in_intervals_one_host_fills_it_and_emptied_servers_are_filled_again() {
    let sql = Sqlite::create();
    users(&sql);
    let mut servers = Memcached::many(2);
    let script = script(&sql, &servers, ";reload=3600;reload_rate=5000");
    let hosts = [script.start(), script.start()];
    let done = || hosts.iter().map(|host| host.statistic("reload_done")).sum::<u64>();
    until_true("the first time", LIMIT, || done() == 1);
    full(&hosts[0]);
    for server in &mut servers {
        server.restart();
    }
    until_true("the second time", LIMIT, || done() == 2);
    full(&hosts[1]);
}

#[test]
fn what_cannot_be_filled_is_refused_by_name() {
    let sql = Sqlite::create();
    users(&sql);
    let wrong = format!("wrong=>url={};table=users;key=username;column=color", sql.url());
    let servers = Memcached::many(2);
    let host = script(&sql, &servers, "").table("wrong=>").text("source", &wrong).table("plain=>").start();
    let refused = |params: &[Value], code: u16, words: &str| {
        let fault = host.rpc("shc.reload", params).expect_err(words);
        assert!(fault.code == i64::from(code) && fault.to_string().contains(words), "{fault}");
    };
    refused(&[json!("nowhere")], 404, "no table 'nowhere'");
    refused(&[json!("plain")], 404, "table 'plain' has no source");
    refused(&[json!("shards"), json!(0)], 400, "'rate' is 0, not within 1..100000");
    refused(&[json!("shards"), json!("fast")], 400, "'rate' is 'fast'");
    refused(&[json!("shards"), json!(1), json!(2)], 400, "one too many");
    assert_eq!(host.statistic("reload_rows"), 0);
    host.ask("shc.reload", &[json!("wrong")]);
    host.wait_log("table wrong is not filled from its source to the end: database refused");
    assert_eq!(host.statistic("reload_failed"), 1);
}

/// `shcctl warm` with these lines.
fn warm(server: &Memcached, words: &[&str], lines: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shcctl"));
    command.args(["--timeout", "3000", "--server", &server.addr()]).args(words);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("shcctl runs");
    child.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn lines_of_a_database_fill_a_table_from_anywhere() {
    let sql = Mariadb::start();
    users(&sql);
    let servers = Memcached::many(2);
    let host = script(&sql, &servers, "").start();
    host.until_whole();
    host.ask("shc.set", &[json!("shards"), json!("u000@r0"), json!("newer")]);
    let mut client = sql.client();
    let select = "SELECT CONCAT(username, '@', realm), shard FROM users WHERE NOT realm IS NULL AND username LIKE 'u%'";
    let lines = client.args(["-N", "--raw", "-e", select, &sql.database()]).output().expect("mariadb");
    assert!(lines.status.success(), "{lines:?}");
    let lines = String::from_utf8(lines.stdout).expect("text");
    let begun = Instant::now();
    let (code, out, err) = told(&warm(&servers[1], &["warm", "shards", "--rate", "100"], &lines));
    assert_eq!((code, out.as_str()), (0, "warmed shards: 249 of 250 stored, 1 were there already\n"), "{err}");
    assert!(begun.elapsed() >= Duration::from_millis(2_400) && err.contains(" of 250 lines, "), "{err}");
    assert_eq!(get(&host, "u000@r0"), Some("newer".into()));
    assert_eq!(get(&host, "u083@r0"), Some("shard1".into()));
    let again = warm(&servers[0], &["--json", "warm", "shards", "--rate", "100000"], &lines);
    assert_eq!(told(&again).1, "{\"lines\":250,\"stored\":0,\"table\":\"shards\"}\n");
}

#[test]
fn the_recipe_for_it_works_as_it_stands() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| std::fs::read_to_string(house.join(name)).expect(name);
    let page = text("docs/INVALIDATION.md");
    let chapter = page.split("\n### ").find(|part| part.starts_with("shcctl warm")).expect("the chapter");
    let recipe = chapter.split("\n```sh\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("a recipe");
    let sql = Mariadb::start();
    sql.run(&text("cfg-examples/shards.sql"));
    let servers = Memcached::many(2);
    let host = Script::new().servers(&servers).table("shard=>copies=2").start();
    host.until_whole();
    let client = sql.client();
    let words = std::iter::once(client.get_program()).chain(client.get_args());
    let client: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let tools = tempfile::tempdir().expect("temporary directory");
    for (name, command) in [("mariadb", client.join(" ")), ("shcctl", env!("CARGO_BIN_EXE_shcctl").to_owned())] {
        let file = tools.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\nexec {command} \"$@\"\n")).expect("a tool");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a tool");
    }
    let recipe = recipe.replace("users' kamailio", &format!("users' {}", sql.database()));
    let recipe = recipe.replace("10.0.0.11:11211", &servers[0].addr());
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").expect("PATH"));
    let output = Command::new("sh").args(["-euc", &recipe]).env("PATH", path).output().expect("sh");
    assert_eq!(told(&output), (0, "warmed shard: 3 of 3 stored, 0 were there already\n".into(), String::new()));
    let entry = host.ask("shc.get", &[json!("shard"), json!("alice")]);
    assert_eq!(entry["value"], "10.0.1.1:5060");
}

#[test]
fn bad_lines_are_named_and_nothing_is_stored() {
    let sql = Sqlite::create();
    users(&sql);
    let servers = Memcached::many(2);
    let host = script(&sql, &servers, "").start();
    host.until_whole();
    let (code, _, err) = told(&warm(&servers[0], &["warm", "shards"], "good@r0\tv\nnonsense\n\tv\n"));
    assert_eq!(code, 3);
    assert!(err.contains("line 2: expected") && err.contains("line 3: the key is empty"), "{err}");
    assert_eq!(get(&host, "good@r0"), None);
    for (words, want) in [
        (&["warm", "nobodys"][..], 1),
        (&["warm", "sh ards"], 3),
        (&["--plain", "warm", "shards"], 3),
        (&["warm", "shards", "--rate", "0"], 3),
        (&["warm", "shards"], 0),
    ] {
        let (code, out, err) = told(&warm(&servers[0], words, if want == 1 { "a\tb\n" } else { "" }));
        assert_eq!(code, want, "{words:?}: {out}{err}");
    }
    let mut servers = servers;
    servers[0].kill();
    assert_eq!(told(&warm(&servers[0], &["warm", "shards"], "a@b\tc\n")).0, 2);
}
