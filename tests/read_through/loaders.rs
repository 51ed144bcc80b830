//! Who asks the database, how often, and what an invalidation does to it.

use super::support::wait::until_true;
use super::support::{Mariadb, Memcached, Postgres, Script, Sql, Sqlite, process};
use super::{LIMIT, LOOK, SMALL, answer, behind, look, ready, small};
use serde_json::json;
use std::thread;

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
        until_true("the loader to read", LIMIT, reads);
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
