//! Tables of real databases read through the cache: what a script gets, who asks the database, and what is never kept.

mod support;

use serde_json::json;
use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};
use support::cases::Case;
use support::sip::Request;
use support::sql::modules;
use support::wait::until_true;
use support::{Host, Mariadb, Memcached, Postgres, Script, Sql, Sqlite, process, until};

const LIMIT: Duration = Duration::from_secs(40);

const SCHEMA: &str = "
CREATE TABLE grp (id INTEGER, username VARCHAR(64), domain VARCHAR(64), grp VARCHAR(64));
INSERT INTO grp VALUES (1, 'alice', 'a.org', 'ipauth');
INSERT INTO grp VALUES (2, 'bob', 'a.org', 'other');
INSERT INTO grp VALUES (3, 'twice', 'b.org', 'ipauth');
INSERT INTO grp VALUES (9, 'nobody', NULL, 'ipauth');
";

/// Table of the cache, and where its entries come from.
const SOURCES: [(&str, &str); 5] = [
    ("ipauth=>autoexpire=1800;negexpire=60;stale=600", "table=grp;key=username;where=grp:ipauth;column=grp"),
    ("id=>autoexpire=60", "table=grp;key=username;column=id"),
    ("domain=>autoexpire=60", "table=grp;key=username;column=domain"),
    ("pair=>autoexpire=60", "table=grp;key=username,domain;column=id"),
    ("profile=>autoexpire=60", "table=grp;key=username;columns=id,domain,grp"),
];

const SELF: &str = "route[SELF] { $var(in) = $shc(ipauth=>self); $var(again) = $shcst(rc); return 1; }";

/// The From header of these calls names alice.
const CASES: &[Case] = &[
    ("one question", "$var(v) = $shc(ipauth=>$fU)", 1, "$var(v)<$shcst(err)>", "ipauth<>"),
    ("is asked once", "shc_get(\"ipauth\", \"$fU\", \"$var(v)\")", 1, "$var(v)", "ipauth"),
    ("a number", "$var(v) = $shc(id=>alice)", 1, "$(var(v){s.int})", "1"),
    ("no such row", "$var(v) = $shc(ipauth=>bob)", -1, "$shc(ipauth=>bob)<$shcst(err)>", "<null><>"),
    ("is kept too", "shc_get(\"ipauth\", \"bob\", \"$var(v)\")", -1, "$shcst(err)", ""),
    ("a NULL", "$var(v) = $shc(domain=>nobody)", -1, "$shc(domain=>nobody)", "<null>"),
    (
        "a row",
        "shc_row(\"profile\", \"alice\", \"p\")",
        1,
        "$xavp(p=>id) $xavp(p=>domain) $xavp(p=>grp)",
        "1 a.org ipauth",
    ),
    ("from the cache", "shc_row(\"profile\", \"alice\", \"p\")", 1, "$xavp(p=>id) $xavp(p[1]=>id)", "1 <null>"),
    ("its first column", "$var(v) = $shc(profile=>alice)", 1, "$shc(profile=>alice)", "1"),
    ("a row with a NULL", "shc_row(\"profile\", \"nobody\", \"p\")", 1, "$xavp(p=>id) $xavp(p=>domain)", "9 <null>"),
    ("a row that is not there", "shc_row(\"profile\", \"carol\", \"p\")", -1, "$xavp(p=>id)", "<null>"),
    ("a value as a row", "shc_row(\"ipauth\", \"alice\", \"p\")", 1, "$xavp(p=>value)", "ipauth"),
    (
        "many",
        "shc_mget(\"ipauth\", \"alice,bob,twice,carol\", \"m\")",
        1,
        "$shcm(0) $shcm(1) $xavp(m=>v[2]) $shcm(3) $xavp(m=>n)<$shcst(err)>",
        "ipauth <null> ipauth <null> 4<>",
    ),
    ("none of many", "shc_mget(\"ipauth\", \"bob,carol\")", -1, "$shcm(0)<$shcst(err)>", "<null><>"),
    ("many rows", "shc_mget(\"profile\", \"twice,alice\")", 1, "$shcm(0) $shcm(1)", "3 1"),
    ("a key of several parts", "$var(v) = $shc(pair=>twice@b.org)", 1, "$shc(pair=>twice@b.org)", "3"),
    ("with too few", "$var(v) = $shc(pair=>alice)", -3, "$shcst(err)", "bad key"),
    ("among many", "shc_mget(\"pair\", \"twice@b.org,alice\")", -3, "$shcst(err)", "bad key"),
    ("a statement", "$var(v) = $shc(ipauth=>x' OR '1'='1)", -1, "$shc(ipauth=>x' OR '1'='1)", "<null>"),
    ("a lifetime is not loaded", "$var(v) = $shcex(id=>twice)", -1, "", ""),
    ("an age", "$var(v) = $shc(ipauth=>twice)", 1, "$shcst(stale)", "0"),
    ("a set", "shc_set(\"ipauth\", \"bob\", \"mine\")", 1, "$shc(ipauth=>bob)", "mine"),
    ("a cas", "$var(v) = $shc(ipauth=>bob); shc_cas(\"ipauth\", \"bob\", \"ours\")", 1, "$shc(ipauth=>bob)", "ours"),
    ("a delete", "shc_rm(\"ipauth\", \"bob\")", 1, "$shc(ipauth=>bob)", "<null>"),
    ("one within itself", "shc_cached_route(\"ipauth\", \"self\", \"SELF\")", 1, "$var(again)", "-3"),
];

/// Questions that the cases cost: of each key one, and bob's once more.
const QUERIES: [(&str, u64); 5] = [("ipauth", 6), ("id", 1), ("domain", 1), ("pair", 1), ("profile", 4)];

fn behind(script: Script, sql: &dyn Sql, table: &str, source: &str) -> Script {
    let name = table.split("=>").next().unwrap_or_default();
    script.table(table).text("source", &format!("{name}=>url={};{source}", sql.url()))
}

fn on(servers: &[Memcached], sql: &dyn Sql, copies: usize) -> Script {
    let script = Script::new().before(&modules(sql)).servers(servers);
    SOURCES
        .iter()
        .fold(script, |script, (table, source)| behind(script, sql, &format!("{table};copies={copies}"), source))
}

/// Waits until all servers are in use: before that each host asks for itself.
fn ready(host: &Host, table: &str) {
    let stores = |i: i32| host.rpc("shc.set", &[json!(table), json!(format!("ready{i}")), json!("1")]).is_ok();
    until_true("the cache to be in use", LIMIT, || (0..16).all(stores));
}

fn a_table_answers_by_its_database(sql: &dyn Sql, settings: &[(usize, usize)]) {
    sql.run(SCHEMA);
    for (count, copies) in settings {
        let servers = Memcached::many(*count);
        let host = on(&servers, sql, *copies).raw(SELF).cases(CASES).start();
        ready(&host, "id");
        host.walk(CASES);
        for (table, queries) in QUERIES {
            let asked = ["queries", "failures", "refused", "spared"]
                .map(|stat| host.statistic(&format!("source_{table}_{stat}")));
            assert_eq!(asked, [queries, 0, 0, 0], "{table} on {count} servers");
        }
        let counted = ["loads", "load_failures", "errors"].map(|stat| host.statistic(&format!("table_ipauth_{stat}")));
        assert_eq!(counted, [7, 0, 1], "the route too");
    }
    assert_eq!(sql.run("SELECT count(*) FROM grp;").trim(), "4");
}

#[test]
fn a_table_answers_by_sqlite() {
    a_table_answers_by_its_database(&Sqlite::create(), &[(0, 1), (1, 1), (2, 2)]);
}

#[test]
fn a_table_answers_by_mariadb() {
    a_table_answers_by_its_database(&Mariadb::start(), &[(1, 1)]);
}

#[test]
fn a_table_answers_by_postgres() {
    a_table_answers_by_its_database(&Postgres::start(), &[(1, 1)]);
}

const LUA: &str = r#"
function look()
    local all = { KSR.shc.get("ipauth", "alice"), KSR.shc.getw("ipauth", "bob"), KSR.shc.st("rc") }
    table.insert(all, KSR.shc.row("profile", "alice", "p"))
    table.insert(all, KSR.pv.get("$xavp(p=>domain)"))
    table.insert(all, KSR.shc.mget("ipauth", "bob,twice", ""))
    table.insert(all, KSR.shc.found(1))
    KSR.pv.sets("$var(out)", table.concat(all, " "))
end
"#;

#[test]
fn a_table_answers_an_embedded_language() {
    let sql = Sqlite::create();
    sql.run(SCHEMA);
    let lua = "loadmodule \"app_lua.so\"\nmodparam(\"app_lua\", \"load\", \"%%DIR%%/look.lua\")";
    let script = on(&[], &sql, 1).before(lua).route("lua", "lua_run(\"look\");");
    let host = script.kamailio().file("look.lua", LUA).start();
    for _ in 0..2 {
        assert_eq!(host.out("lua"), "ipauth <<null>> -1 1 a.org 1 ipauth");
    }
    let asked = ["ipauth", "profile"].map(|table| host.statistic(&format!("source_{table}_queries")));
    assert_eq!(asked, [3, 1]);
}

/// The page's lines without a route, as they stand but for the addresses.
#[test]
fn five_lines_cache_is_user_in() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/IS-USER-IN.md")).expect("the page");
    let mut blocks = page.split("\n```").skip(1).step_by(2);
    let lines = blocks.find(|block| block.contains("\"source\"")).expect("a code block");
    let lines: Vec<&str> = lines.lines().skip(1).collect();
    let [load, server, table, source, call] = lines[..] else { panic!("five lines: {lines:#?}") };
    let (sql, memcached) = (Mariadb::start(), Memcached::tcp());
    sql.run(SCHEMA);
    let server = server.replace("10.0.0.11:11211", &memcached.addr());
    let source = source.replace("mysql://kamailio:secret@db/kamailio", &sql.url());
    let replied = call.replace("{ sl_send_reply(\"403\", \"Forbidden\"); exit; }", "$var(out) = \"no\";");
    assert!(replied != call && source.contains(&sql.url()), "{lines:#?}");
    let before = format!("{}\n{load}\n{server}\n{table}\n{source}", modules(&sql));
    let ask = format!("$var(out) = \"yes\";\n{replied}");
    let host = Script::new().without_module().before(&before).route("ask", &ask).start();
    let allowed = |from| host.send(&Request { user: "ask", from, ..Request::default() }).header("X-Out") == "yes";
    for _ in 0..3 {
        assert_eq!(["alice", "bob", "carol"].map(allowed), [true, false, false]);
    }
    assert_eq!((host.statistic("source_ipauth_queries"), host.statistic("table_ipauth_neg_hits")), (3, 6));
    sql.run("DELETE FROM grp WHERE username = 'alice';");
    assert!(allowed("alice"), "nobody said it");
    host.kamcmd(&["shc.invalidate", "ipauth", "alice"]).expect("invalidated");
    assert!(!allowed("alice"));
}

/// Answers with one value and its code, and with what became of it.
const LOOK: &str = "$var(rc) = 0;
    append_to_reply(\"X-Out: $shc(t=>$hdr(X-Key))|$shcst(stale)\\r\\nX-Err: $shcst(err)\\r\\n\");
    $var(rc) = $shcst(rc);";

/// What `t` answers: code, value and staleness, reason.
fn look(host: &Host, key: &str) -> (i64, String, String) {
    let outcome = host.run_with("look", &[("X-Key", key)]);
    (outcome.rc, outcome.out, outcome.err)
}

fn answer(rc: i64, out: &str, err: &str) -> (i64, String, String) {
    (rc, out.to_owned(), err.to_owned())
}

const SMALL: &str = "CREATE TABLE g (k VARCHAR(9), v VARCHAR(9)); INSERT INTO g VALUES ('a', 'old'), ('b', 'old');";

fn small(sql: &dyn Sql, servers: &[Memcached], attributes: &str) -> Script {
    let script = Script::new().before(&modules(sql)).servers(servers).number("source_retry", 100);
    behind(script, sql, &format!("t=>{attributes}"), "table=g;key=k;column=v").route("look", LOOK)
}

fn a_change_is_seen_after_its_invalidation(sql: &dyn Sql) {
    sql.run(SMALL);
    let servers = Memcached::many(2);
    let script = small(sql, &servers, "autoexpire=1000;negexpire=1000;copies=2;near=1");
    let (one, other) = (script.start(), script.start());
    let both = |key: &str| [&one, &other].map(|host| look(host, key));
    [&one, &other].into_iter().for_each(|host| ready(host, "t"));
    assert_eq!(both("a"), [answer(1, "old|0", ""), answer(1, "old|0", "")]);
    assert_eq!(both("new"), [answer(-1, "<null>|0", ""), answer(-1, "<null>|0", "")]);
    let before = one.statistic("source_t_queries") + other.statistic("source_t_queries");
    sql.run("UPDATE g SET v = 'changed' WHERE k = 'a'; INSERT INTO g VALUES ('new', 'there');");
    assert_eq!(both("a").map(|(_, out, _)| out), ["old|0", "old|0"], "it was not said");
    for key in ["a", "new"] {
        one.ask("shc.invalidate", &[json!("t"), json!(key)]);
    }
    assert_eq!((look(&one, "a"), look(&one, "new")), (answer(1, "changed|0", ""), answer(1, "there|0", "")));
    until_true("the other host to see it", LIMIT, || {
        (look(&other, "a"), look(&other, "new")) == (answer(1, "changed|0", ""), answer(1, "there|0", ""))
    });
    let asked = one.statistic("source_t_queries") + other.statistic("source_t_queries") - before;
    assert_eq!(asked, 2, "one host's question is enough");
}

#[test]
fn a_change_in_sqlite_is_seen_after_its_invalidation() {
    a_change_is_seen_after_its_invalidation(&Sqlite::create());
}

#[test]
fn a_change_in_mariadb_is_seen_after_its_invalidation() {
    a_change_is_seen_after_its_invalidation(&Mariadb::start());
}

#[test]
fn a_change_in_postgres_is_seen_after_its_invalidation() {
    a_change_is_seen_after_its_invalidation(&Postgres::start());
}

fn what_is_stale_answers_for_a_database_that_is_down(sql: &dyn Sql, kill: impl FnOnce(), revive: impl FnOnce()) {
    sql.run(SMALL);
    let servers = Memcached::many(1);
    let host = small(sql, &servers, "autoexpire=1;stale=600").start();
    assert_eq!(look(&host, "a"), answer(1, "old|0", ""));
    kill();
    until_true("its time to be over", LIMIT, || look(&host, "a") == answer(1, "old|1", ""));
    assert_eq!(look(&host, "b"), answer(-2, "<null>|0", "database down"));
    assert_eq!(look(&host, "a"), answer(1, "old|1", ""));
    assert!(host.statistic("table_t_load_failures") >= 2 && host.statistic("table_t_stale") >= 2);
    let place = sql.url().replace(":secret@", "@");
    host.wait_log(&format!("\" was not loaded from {place}, table g: database down; "));
    assert!(!host.log().contains("secret"));
    revive();
    until_true("a fresh answer", LIMIT, || look(&host, "b") == answer(1, "old|0", ""));
    until_true("another one", LIMIT, || look(&host, "a") == answer(1, "old|0", ""));
}

#[test]
fn what_is_stale_answers_for_a_mariadb_that_is_down() {
    let sql = RefCell::new(Mariadb::start());
    let (kill, revive) = (|| sql.borrow_mut().kill(), || sql.borrow_mut().revive());
    what_is_stale_answers_for_a_database_that_is_down(&SameAs(&sql), kill, revive);
}

#[test]
fn what_is_stale_answers_for_a_postgres_that_is_down() {
    let sql = RefCell::new(Postgres::start());
    let (kill, revive) = (|| sql.borrow_mut().kill(), || sql.borrow_mut().revive());
    what_is_stale_answers_for_a_database_that_is_down(&SameAs(&sql), kill, revive);
}

/// A database that is killed and revived between two questions.
struct SameAs<'a, T>(&'a RefCell<T>);

impl<T: Sql> Sql for SameAs<'_, T> {
    fn url(&self) -> String {
        self.0.borrow().url()
    }

    fn driver(&self) -> &'static str {
        self.0.borrow().driver()
    }

    fn client(&self) -> std::process::Command {
        self.0.borrow().client()
    }

    fn database(&self) -> String {
        self.0.borrow().database()
    }
}

#[test]
fn without_a_cache_the_database_answers_and_without_both_nobody() {
    let mut sql = Mariadb::start();
    sql.run(SMALL);
    let mut servers = Memcached::many(1);
    let host = small(&sql, &servers, "autoexpire=1000").start();
    assert_eq!(look(&host, "a"), answer(1, "old|0", ""));
    servers[0].kill();
    until_true("the server to be found dead", LIMIT, || host.statistic("servers_up") == 0);
    let (before, begun) = (host.statistic("source_t_queries"), Instant::now());
    for _ in 0..5 {
        assert_eq!(look(&host, "a"), answer(1, "old|0", ""));
        assert_eq!(look(&host, "none"), answer(-1, "<null>|0", ""));
    }
    // probe_interval and cmd_timeout.
    let moments = 1 + begun.elapsed().as_millis() as u64 / 1_100;
    let asked = host.statistic("source_t_queries") - before;
    assert!((2..=2 * moments).contains(&asked), "{asked} questions in {moments} moments");
    sql.kill();
    assert_eq!(look(&host, "b"), answer(-2, "<null>|0", "database down"));
}

/// A view that takes this long for each row, seconds.
fn slow(sql: &Mariadb, seconds: f64) {
    sql.run(SMALL);
    sql.run(&format!(
        "RENAME TABLE g TO rows_of_g; CREATE VIEW g AS SELECT k, v, sleep({seconds}) AS s FROM rows_of_g;"
    ));
}

fn slow_source(sql: &Mariadb, servers: &[Memcached]) -> Script {
    let script = Script::new().before("loadmodule \"db_mysql.so\"").servers(servers).number("load_timeout", 30);
    behind(script, sql, "t=>autoexpire=1000", "table=g;key=k;columns=v,s").route("look", LOOK)
}

#[test]
fn many_workers_of_two_hosts_cost_one_question() {
    let (sql, servers) = (Mariadb::start(), Memcached::many(1));
    slow(&sql, 0.3);
    let script = slow_source(&sql, &servers).number("load_wait", 30_000).workers(4);
    let hosts = [script.start(), script.start()];
    thread::scope(|scope| {
        let ask = |i: usize| look(&hosts[i % 2], "a");
        let asked: Vec<_> = (0..8).map(|i| scope.spawn(move || ask(i))).collect();
        for asked in asked {
            assert_eq!(asked.join().expect("an answer"), answer(1, "old|0", ""));
        }
    });
    let sum = |name: &str| hosts.iter().map(|host| host.statistic(name)).sum::<u64>();
    assert_eq!((sum("source_t_queries"), sum("table_t_loads")), (1, 1));
}

/// The loader has read the old row and is stopped before it can store it.
#[test]
fn what_was_read_before_an_invalidation_is_not_kept() {
    let (sql, servers) = (Mariadb::start(), Memcached::many(2));
    slow(&sql, 1.0);
    let script = slow_source(&sql, &servers).route("pid", "$var(out) = $pp;");
    let (loader, other) = (script.start(), script.start());
    [&loader, &other].into_iter().for_each(|host| ready(host, "t"));
    let worker: i32 = loader.out("pid").parse().expect("a pid");
    let reads = || sql.run("SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep';") == "1\n";
    thread::scope(|scope| {
        let first = scope.spawn(|| look(&loader, "a"));
        until("the loader to read", LIMIT, || match reads() {
            true => Ok(()),
            false => Err("not yet"),
        });
        process::kill(worker, libc::SIGSTOP);
        until_true("the row to be read", LIMIT, || !reads());
        sql.run("UPDATE rows_of_g SET v = 'new' WHERE k = 'a';");
        other.ask("shc.invalidate", &[json!("t"), json!("a")]);
        process::kill(worker, libc::SIGCONT);
        assert_eq!(first.join().expect("an answer").1, "old|0", "its own caller asked before the change");
    });
    assert!(other.rpc("shc.get", &[json!("t"), json!("a")]).is_err_and(|fault| fault.code == 404), "it was kept");
    assert_eq!(look(&other, "a"), answer(1, "new|0", ""));
    assert_eq!(look(&loader, "a"), answer(1, "new|0", ""));
}

#[test]
fn many_keys_take_no_longer_than_a_call_may_wait() {
    let sql = Mariadb::start();
    slow(&sql, 0.2);
    sql.run("INSERT INTO rows_of_g VALUES ('c', 'old'), ('d', 'old'), ('e', 'old'), ('f', 'old');");
    let many = "$var(rc) = shc_mget(\"t\", \"a,b,c,d,e,f\");
        append_to_reply(\"X-Out: $shcm(0) $shcm(5)\\r\\nX-Err: $shcst(err)\\r\\n\"); $var(rc) = $shcst(rc);";
    let host = slow_source(&sql, &[]).number("load_wait", 300).route("many", many).start();
    let outcome = host.run("many");
    assert_eq!((outcome.rc, outcome.out.as_str(), outcome.err.as_str()), (1, "old <null>", "load_wait is over"));
    assert!(host.statistic("source_t_queries") <= 2);
    until_true("all of them to be there", LIMIT, || host.run("many").out == "old old");
    assert_eq!(host.statistic("source_t_queries"), 6);
}

/// It tells of a server that went, and asks for what nobody knows.
const WATCHED: &str = r#"
event_route[shardcache:server-down] {
    $var(i) = 0;
    while ($var(i) < 32) {
        $var(v) = $shc(t=>k$var(i));
        xlog("L_NOTICE", "watched: $shcst(rc) $shcst(err)\n");
        $var(i) = $var(i) + 1;
    }
}
"#;

#[test]
fn the_watcher_asks_no_database() {
    let sql = Sqlite::create();
    sql.run(SMALL);
    let mut servers = Memcached::many(2);
    let host = small(&sql, &servers, "autoexpire=1000").raw(WATCHED).start();
    assert_eq!(look(&host, "a"), answer(1, "old|0", ""));
    servers[0].kill();
    host.wait_log("watched: -2 not loaded in this process");
    assert!(!host.log().contains("watched: -1"), "nobody knows");
    assert_eq!(host.statistic("source_t_queries"), 1);
}

#[test]
fn what_a_database_refuses_is_said_now_and_then_and_is_no_outage() {
    let sql = Sqlite::create();
    sql.run(SMALL);
    let script = Script::new().before(&modules(&sql));
    let script = behind(script, &sql, "t=>autoexpire=1000", "table=g;key=k;column=color").route("look", LOOK);
    let host = script.start();
    for _ in 0..5 {
        assert_eq!(look(&host, "a\tb").2, "database refused");
    }
    let lines: Vec<String> =
        host.log().lines().filter(|line| line.contains("was not loaded")).map(str::to_owned).collect();
    let want = format!("source of table t: \"a\\tb\" was not loaded from {}, table g: database refused, ", sql.url());
    assert!(lines.len() == 1 && lines[0].contains(&want), "{lines:#?}");
    assert_eq!((host.statistic("source_t_refused"), host.statistic("source_t_up")), (5, 1));
}
