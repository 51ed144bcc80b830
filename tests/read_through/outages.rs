//! What a script gets while a database, the cache or both are away, and what is said of it.

use super::support::sql::{Mortal, modules};
use super::support::wait::until_true;
use super::support::{Mariadb, Memcached, Postgres, Script, Sql, Sqlite};
use super::{LIMIT, LOOK, SMALL, answer, behind, look, small};
use std::cell::RefCell;
use std::time::Instant;

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
    let sql = Mortal(RefCell::new(Mariadb::start()));
    let (kill, revive) = (|| sql.0.borrow_mut().kill(), || sql.0.borrow_mut().revive());
    what_is_stale_answers_for_a_database_that_is_down(&sql, kill, revive);
}

#[test]
fn what_is_stale_answers_for_a_postgres_that_is_down() {
    let sql = Mortal(RefCell::new(Postgres::start()));
    let (kill, revive) = (|| sql.0.borrow_mut().kill(), || sql.0.borrow_mut().revive());
    what_is_stale_answers_for_a_database_that_is_down(&sql, kill, revive);
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
