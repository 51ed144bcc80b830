//! Tables of real databases as sources: the same questions to MariaDB, PostgreSQL and SQLite.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::sql::modules;
use support::wait::until_true;
use support::{Host, Mariadb, Postgres, Script, Sql, Sqlite};

/// What every database holds.
const SCHEMA: &str = "
CREATE TABLE grp (id INTEGER, username VARCHAR(64), domain VARCHAR(64), grp VARCHAR(64));
INSERT INTO grp VALUES (1, 'alice', 'a.org', 'ipauth');
INSERT INTO grp VALUES (2, 'bob', 'a.org', 'other');
INSERT INTO grp VALUES (4, 'twice', 'a.org', 'ipauth');
INSERT INTO grp VALUES (3, 'twice', 'b.org', 'ipauth');
INSERT INTO grp VALUES (5, 'it''s', 'a.org', 'ipauth');
INSERT INTO grp VALUES (6, '100%', 'a.org', 'ipauth');
INSERT INTO grp VALUES (7, 'zoë', 'a.org', 'ipauth');
INSERT INTO grp VALUES (8, 'd\"q', 'a.org', 'ipauth');
INSERT INTO grp VALUES (9, 'nobody', NULL, 'ipauth');
";

fn script(sql: &dyn Sql, sources: &[(&str, &str)]) -> Script {
    sources.iter().fold(Script::new().before(&modules(sql)), |script, (table, source)| {
        script.table(&format!("{table}=>")).text("source", &format!("{table}=>url={};{source}", sql.url()))
    })
}

/// What the source says: the value, `null`, or the text of the fault.
fn ask(host: &Host, table: &str, key: &str) -> Result<Value, String> {
    let reply = host.rpc("shc.source", &[json!(table), json!(key)]).map_err(|fault| fault.to_string())?;
    if reply.get("columns").is_none() {
        return Ok(reply["value"].clone());
    }
    let columns = reply["columns"].as_array().expect("columns");
    let pair = |each: &Value| (each["name"].as_str().expect("name").to_owned(), each["value"].clone());
    Ok(columns.iter().map(pair).collect::<serde_json::Map<String, Value>>().into())
}

fn missing(answer: &Result<Value, String>) -> bool {
    answer.as_ref().is_err_and(|why| why.starts_with("404 ") && why.contains("has no '"))
}

fn keys_are_bound(sql: &dyn Sql) {
    sql.run(SCHEMA);
    sql.run(match sql.driver() {
        "db_mysql" => "INSERT INTO grp VALUES (10, 'back\\\\slash', 'a.org', 'ipauth');",
        _ => "INSERT INTO grp VALUES (10, 'back\\slash', 'a.org', 'ipauth');",
    });
    let sources = [
        ("id", "table=grp;key=username;where=grp:ipauth;column=id;order=id"),
        ("last", "table=grp;key=username;column=id;order=id desc"),
        ("pair", "table=grp;key=username,domain;column=id"),
        ("num", "table=grp;key=id:int;column=username"),
        ("domain", "table=grp;key=username;column=domain"),
        ("row", "table=grp;key=username;columns=id,domain,grp;order=id"),
        ("wrong", "table=grp;key=username;column=color"),
        ("nowhere", "table=nowhere;key=username;column=id"),
    ];
    let host = script(sql, &sources).start();
    for (key, id) in
        [("alice", 1), ("it's", 5), ("100%", 6), ("d\"q", 8), ("back\\slash", 10), ("zoë", 7), ("twice", 3)]
    {
        assert_eq!(ask(&host, "id", key), Ok(json!(id)), "{key}");
    }
    for key in [
        "bob",
        "nobody' OR '1'='1",
        "alice' --",
        "alice'; DELETE FROM grp; --",
        "\\' OR 1=1 -- ",
        "alic%",
        "alic_",
        "ALICE",
        "alice ",
        "zoe",
        "back\\\\slash",
    ] {
        let answer = ask(&host, "id", key);
        assert!(missing(&answer), "{key}: {answer:?}");
    }
    assert_eq!(sql.run("SELECT count(*) FROM grp;").trim(), "10", "nothing was deleted");
    assert_eq!(ask(&host, "last", "twice"), Ok(json!(4)), "the first row in the order asked for");

    assert_eq!(ask(&host, "pair", "twice@b.org"), Ok(json!(3)));
    assert!(missing(&ask(&host, "pair", "alice@b.org")));
    assert_eq!(ask(&host, "pair", "alice"), Err("500 failed: bad key".into()));
    assert_eq!(ask(&host, "pair", "a@b@c"), Err("500 failed: bad key".into()));
    assert_eq!(ask(&host, "num", "2"), Ok(json!("bob")));
    assert!(missing(&ask(&host, "num", "2 OR 1=1")));
    assert!(missing(&ask(&host, "domain", "nobody")), "a value that is NULL is not there");
    assert_eq!(ask(&host, "row", "twice"), Ok(json!({"id": 3, "domain": "b.org", "grp": "ipauth"})));
    assert_eq!(ask(&host, "row", "nobody"), Ok(json!({"id": 9, "domain": null, "grp": "ipauth"})));
    assert!(missing(&ask(&host, "row", "carol")));

    for table in ["wrong", "nowhere"] {
        assert_eq!(ask(&host, table, "alice"), Err("500 failed: database refused".into()));
    }
    assert_eq!((state(&host, "wrong"), host.statistic("source_wrong_refused")), ("up".into(), 1));
    assert_eq!(ask(&host, "id", "alice"), Ok(json!(1)), "the others go on");
    assert!(host.statistic("source_id_queries") > 15);
}

/// One row of the source in `shc.sources`.
fn state(host: &Host, table: &str) -> String {
    let all = host.ask("shc.sources", &[]);
    let all = all.as_array().expect("a list");
    let mine = all.iter().find(|each| each["name"] == table).unwrap_or_else(|| panic!("no source {table}: {all:?}"));
    mine["state"].as_str().expect("state").to_owned()
}

#[test]
fn keys_are_bound_in_sqlite() {
    keys_are_bound(&Sqlite::create());
}

#[test]
fn keys_are_bound_in_mariadb() {
    keys_are_bound(&Mariadb::start());
}

#[test]
fn keys_are_bound_in_postgres() {
    keys_are_bound(&Postgres::start());
}

/// Columns of every type, the row that is written, and what comes out of it.
fn types(sql: &dyn Sql, columns: &str, row: &str, want: Value) {
    sql.run(&format!("CREATE TABLE types (k VARCHAR(9), {columns}); INSERT INTO types VALUES ('a', {row});"));
    let names: Vec<&str> = columns.split(", ").filter_map(|column| column.split(' ').next()).collect();
    let nulls = vec!["NULL"; names.len()].join(", ");
    sql.run(&format!("INSERT INTO types VALUES ('n', {nulls});"));
    let source = format!("table=types;key=k;columns={}", names.join(","));
    let host = script(sql, &[("t", &source)]).kamailio().env("TZ", "UTC").start();
    assert_eq!(ask(&host, "t", "a"), Ok(want));
    let nulls: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).into(), Value::Null)).collect();
    assert_eq!(ask(&host, "t", "n"), Ok(nulls.into()));
}

#[test]
fn types_of_mariadb() {
    types(
        &Mariadb::start(),
        "i INT, u INT UNSIGNED, b BIGINT, ub BIGINT UNSIGNED, d DOUBLE, n DECIMAL(8,2), s VARCHAR(9), e VARCHAR(9), x TEXT, y BLOB, t DATETIME, o BOOLEAN",
        "-5, 4294967295, -9000000000, 18446744073709551615, 1.5, 3.50, 'zoë', '', 'long', X'FF00', '2026-01-02 03:04:05', TRUE",
        json!({"i": -5, "u": 4_294_967_295_u32, "b": -9_000_000_000_i64, "ub": "18446744073709551615", "d": "1.5",
               "n": "3.50", "s": "zoë", "e": "", "x": "long", "y": "/wA=", "t": 1_767_323_045, "o": 1}),
    );
}

#[test]
fn a_timestamp_of_mariadb_is_more_than_its_driver_can_read() {
    let sql = Mariadb::start();
    sql.run("CREATE TABLE t (k VARCHAR(9), t TIMESTAMP); INSERT INTO t VALUES ('a', '2026-01-02 03:04:05');");
    sql.run("CREATE VIEW v AS SELECT k, unix_timestamp(t) AS t FROM t;");
    let sources = [("table", "table=t;key=k;column=t"), ("view", "table=v;key=k;column=t")];
    let host = script(&sql, &sources).start();
    assert_eq!(ask(&host, "table", "a"), Err("500 failed: database refused".into()));
    assert!(ask(&host, "view", "a").is_ok_and(|value| value.is_i64()));
}

#[test]
fn types_of_postgres() {
    types(
        &Postgres::start(),
        "i INT, b BIGINT, d FLOAT, n NUMERIC, s VARCHAR(9), e VARCHAR(9), x TEXT, y BYTEA, t TIMESTAMP, o BOOLEAN",
        "-5, -9000000000, 1.5, 3.50, 'zoë', '', 'long', '\\xff00', '2026-01-02 03:04:05', TRUE",
        json!({"i": -5, "b": -9_000_000_000_i64, "d": "1.5", "n": "3.5", "s": "zoë", "e": "", "x": "long", "y": "/wA=",
               "t": 1_767_323_045, "o": "t"}),
    );
}

#[test]
fn types_of_sqlite() {
    types(
        &Sqlite::create(),
        "i INTEGER, b BIGINT, d REAL, s VARCHAR, e VARCHAR, x TEXT, y BLOB, t DATETIME",
        "-5, -9000000000, 1.5, 'zoë', '', 'long', X'FF00', julianday('2026-01-02 03:04:05')",
        json!({"i": -5, "b": -9_000_000_000_i64, "d": "1.5", "s": "zoë", "e": "", "x": "long", "y": "/wA=",
               "t": 1_767_323_045}),
    );
}

const DOWN: &str = "500 failed: database down";
const SMALL: &str = "CREATE TABLE g (k VARCHAR(9), v INT); INSERT INTO g VALUES ('a', 1);";

fn small(sql: &dyn Sql) -> Host {
    sql.run(SMALL);
    let host = script(sql, &[("t", "table=g;key=k;column=v")]).number("source_retry", 200).start();
    assert_eq!(ask(&host, "t", "a"), Ok(json!(1)));
    host
}

fn comes_back(host: &Host) {
    until_true("the source to answer again", Duration::from_secs(40), || ask(host, "t", "a") == Ok(json!(1)));
    assert_eq!((state(host, "t"), host.statistic("source_t_up")), ("up".into(), 1));
    host.wait_log("source of table t: the database answers again");
}

/// A database that dies is told from a wrong question at once, is left alone for a while, and is found again.
fn dies_and_comes_back(host: &Host, kill: impl FnOnce(), revive: impl FnOnce()) {
    kill();
    assert_eq!(ask(host, "t", "a"), Err(DOWN.into()));
    assert_eq!((state(host, "t"), host.statistic("source_t_up")), ("down".into(), 0));
    assert_eq!(ask(host, "t", "a"), Err(DOWN.into()));
    assert!(host.statistic("source_t_failures") >= 1 && host.statistic("source_t_refused") == 0);
    host.wait_log("table g: the database does not answer; it is asked again in 200 ms");
    revive();
    comes_back(host);
}

#[test]
fn mariadb_dies_and_comes_back() {
    let sql = std::cell::RefCell::new(Mariadb::start());
    let host = small(&*sql.borrow());
    dies_and_comes_back(&host, || sql.borrow_mut().kill(), || sql.borrow_mut().revive());
}

#[test]
fn postgres_dies_and_comes_back() {
    let sql = std::cell::RefCell::new(Postgres::start());
    let host = small(&*sql.borrow());
    dies_and_comes_back(&host, || sql.borrow_mut().kill(), || sql.borrow_mut().revive());
}

/// A database that hangs keeps who asked it for `bound`, and nobody who asks half a second later.
fn hangs_and_comes_back(host: &Host, bound: Duration, freeze: impl FnOnce(), thaw: impl FnOnce()) {
    assert!(host.kamcmd(&["shc.source", "t", "a"]).is_ok_and(|reply| reply.contains("value: 1")));
    freeze();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let begun = Instant::now();
            (ask(host, "t", "a"), begun.elapsed())
        });
        std::thread::sleep(Duration::from_millis(700));
        let begun = Instant::now();
        let other = host.kamcmd(&["shc.source", "t", "a"]).expect_err("the database hangs");
        assert!(other.contains("database down") && begun.elapsed() < Duration::from_millis(400), "{other}");
        let (first, took) = first.join().expect("the first to ask");
        assert_eq!(first, Err(DOWN.into()));
        assert!(took > Duration::from_millis(700) && took < bound, "{took:?}");
    });
    thaw();
    comes_back(host);
}

#[test]
fn mariadb_hangs_and_comes_back() {
    let sql = Mariadb::start();
    let host = small(&sql);
    hangs_and_comes_back(&host, Duration::from_secs(2), || sql.freeze(), || sql.thaw());
}

#[test]
fn postgres_hangs_and_comes_back() {
    let sql = Postgres::start();
    let host = small(&sql);
    hangs_and_comes_back(&host, Duration::from_secs(5), || sql.freeze(), || sql.thaw());
}

#[test]
fn sqlite_waits_for_who_writes_and_not_for_ever() {
    let sql = Sqlite::create();
    sql.run("PRAGMA journal_mode=DELETE;");
    let host = small(&sql);
    let locked =
        |ms: u32| format!("BEGIN EXCLUSIVE; UPDATE g SET v = v + 1;\n.shell sleep {}\nCOMMIT;", f64::from(ms) / 1e3);
    std::thread::scope(|scope| {
        scope.spawn(|| sql.run(&locked(300)));
        until_true("the value to change", Duration::from_secs(5), || ask(&host, "t", "a") == Ok(json!(2)));
        assert_eq!(host.statistic("source_t_failures"), 0, "it waited");
    });
    std::thread::scope(|scope| {
        scope.spawn(|| sql.run(&locked(1500)));
        until_true("the lock to be felt", Duration::from_secs(5), || ask(&host, "t", "a") == Err(DOWN.into()));
    });
    until_true("the source to answer again", Duration::from_secs(5), || ask(&host, "t", "a") == Ok(json!(3)));
}

#[test]
fn a_database_that_is_down_does_not_stop_the_start_and_a_missing_driver_does() {
    let script = |load: &str| {
        Script::new()
            .before(load)
            .table("t=>")
            .text("source", "t=>url=mysql://kam:hunter2@127.0.0.1:1/kam;table=g;key=k;column=v")
    };
    let host = script("loadmodule \"db_mysql.so\"").start();
    assert_eq!(ask(&host, "t", "a"), Err(DOWN.into()));
    assert!(!host.log().contains("hunter2"));
    let log = script("").kamailio().refused();
    let want = "source \"t=>url=***;table=g\": no driver db_mysql is loaded: expected loadmodule \"db_mysql.so\"";
    assert!(log.contains(want) && !log.contains("hunter2"), "{log}");
}
