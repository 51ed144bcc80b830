//! A database behind tables hangs: it accepts what it is asked, and answers nothing.

use super::support::sip::Client;
use super::support::sql::modules;
use super::support::wait::until_true;
use super::support::{Mariadb, Memcached, Postgres, Script, Sql, Sqlite};
use super::{CALLERS, PATIENCE, Seen, USERS, call, fill, outage, recovered, tables, under_load, warm};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// What a busy machine may take besides.
const SLACK: Duration = Duration::from_millis(1_500);
fn script(sql: &dyn Sql, servers: &[Memcached]) -> Script {
    let script = tables(Script::new().before(&modules(sql)).servers(servers), |table| {
        format!("$var(v) = $shc({table}=>$fU); $var(rc) = $shcst(rc); $var(out) = $shcst(stale);")
    });
    ["plain", "near"].into_iter().fold(script, |script, table| {
        let source = "table=grp;key=username;where=grp:ipauth;column=grp";
        script.text("source", &format!("{table}=>url={};{source}", sql.url()))
    })
}

/// `longest`: how long the driver waits, with the settings of these hosts.
fn calls_go_on(sql: &dyn Sql, longest: Duration, freeze: impl FnOnce(), thaw: impl FnOnce()) {
    sql.run("CREATE TABLE grp (username VARCHAR(64), domain VARCHAR(64), grp VARCHAR(64));");
    fill(sql);
    let servers = Memcached::many(2);
    let script = script(sql, &servers);
    let hosts = [script.start(), script.start()];
    warm(&hosts);
    let seen = Seen::default();
    under_load(&hosts, &seen, || {
        seen.slow.store(0, Relaxed);
        freeze();
        // Who asks first waits for as long as the driver does, or until others are kept waiting too.
        thread::sleep(longest);
        let (calls, stale) = (seen.calls.load(Relaxed), seen.stale.load(Relaxed));
        // Nobody has asked for this one before: neither the cache nor the database can tell.
        let stranger = |host| assert_eq!(call(&Client::new(), host, "plain", "stranger").0, "-2");
        hosts.iter().for_each(stranger);
        assert!(hosts.iter().all(|host| host.statistic("source_plain_up") == 0));
        // Who had asked before that is back by now.
        thread::sleep(longest);
        let failures = || hosts.iter().map(|host| host.statistic("source_plain_failures")).sum::<u64>();
        let (paid, failed, begun) = (seen.slow.load(Relaxed), failures(), Instant::now());
        while begun.elapsed() < outage().saturating_sub(longest) {
            let asked = Instant::now();
            stranger(&hosts[0]);
            assert!(asked.elapsed() < Seen::SLOW, "{:?}", asked.elapsed());
            thread::sleep(Duration::from_millis(100));
        }
        // A call is late when the machine stalls, and each time the database is tried again if a call has to do that.
        let (late, tried) = (seen.slow.load(Relaxed) - paid, failures() - failed);
        assert!((late as u64) < tried, "{late} calls waited while the database was tried again {tried} times");
        let (calls, stale) = (seen.calls.load(Relaxed) - calls, seen.stale.load(Relaxed) - stale);
        let slow = seen.slow.load(Relaxed);
        thaw();
        recovered(sql, &hosts);
        // All of a host's workers may have been asking when it began.
        assert!(slow <= hosts.len() * (CALLERS + 1), "{slow} calls were slow");
        assert!(calls > 4 * USERS && stale > USERS, "{calls} calls, {stale} of them answered past their time");
    });
    let (all, slow) = (seen.calls.load(Relaxed), seen.slow.load(Relaxed));
    let (took, which) = seen.longest.into_inner().expect("no panic");
    println!("{all} calls, {} of them past their time; {slow} slow, the longest {took:?}", seen.stale.load(Relaxed));
    assert!(took < longest + SLACK, "a call took {took:?}: {which}");
    hosts.iter().for_each(|host| host.wait_log("the database answers again"));
}

#[test]
fn calls_go_on_while_mariadb_hangs() {
    let sql = Mariadb::start();
    calls_go_on(&sql, Duration::from_secs(1), || sql.freeze(), || sql.thaw());
}

#[test]
fn calls_go_on_while_postgres_hangs() {
    let sql = Postgres::start();
    calls_go_on(&sql, Duration::from_secs(3), || sql.freeze(), || sql.thaw());
}

/// A program that has locked the file for itself.
struct Locker(Child);

impl Locker {
    fn lock(sql: &Sqlite) -> Self {
        let mut client = sql.client();
        client.arg(sql.database()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = client.spawn().expect("sqlite3");
        let stdin = child.stdin.as_mut().expect("its input");
        stdin.write_all(b"BEGIN EXCLUSIVE;\nSELECT 'locked';\n").expect("it reads");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
        assert_eq!(line, "locked\n");
        Self(child)
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn calls_go_on_while_an_sqlite_file_is_locked() {
    let sql = Sqlite::create();
    // Readers of a file in WAL mode do not wait for who writes.
    sql.run("PRAGMA journal_mode=DELETE;");
    let locker = RefCell::new(None);
    let freeze = || drop(locker.replace(Some(Locker::lock(&sql))));
    calls_go_on(&sql, Duration::from_millis(500), freeze, || drop(locker.take()));
}

#[test]
fn a_driver_that_may_wait_for_ever_stops_the_start_and_one_that_is_slow_is_named() {
    let url = "postgres://kam:hunter2@127.0.0.1:1/kam";
    let source = |url: &str| format!("plain=>url={url};table=grp;key=username;column=grp");
    let script = |settings: &str| Script::new().before(&format!("loadmodule \"db_postgres.so\"\n{settings}"));
    let endless = "the driver db_postgres would wait for ever for a database that hangs: expected modparam(\"db_postgres\", \"timeout\", 1)";
    let log = script("").table("plain=>").text("source", &source(url)).kamailio().refused();
    assert!(log.contains(endless) && !log.contains("hunter2"), "{log}");
    let outbox = format!("url={url}");
    let log = script("").server("name=mc1;addr=127.0.0.1:1").text("outbox", &outbox).kamailio().refused();
    assert!(log.contains(endless) && !log.contains("hunter2"), "{log}");

    let timeout = r#"modparam("db_postgres", "timeout", 1)"#;
    let log = script(timeout).table("plain=>").text("source", &source(url)).kamailio().refused();
    assert!(log.contains("expected modparam(\"db_postgres\", \"bytea_output_escape\", 0)"), "{log}");

    let timeout = format!("{timeout}\nmodparam(\"db_postgres\", \"bytea_output_escape\", 0)");
    let host = script(&timeout).table("plain=>").text("source", &source(url)).start();
    host.wait_log("db_postgres may keep a process for 7 s when a database hangs");
    let retries = r#"modparam("db_postgres", "retries", 0)"#;
    let script = script(&format!("{timeout}\n{retries}")).table("plain=>").text("source", &source(url));
    let host = script.number("load_timeout", 2).start();
    until_true("the host to be ready", PATIENCE, || host.statistic("source_plain_queries") == 0);
    assert!(!host.log().contains("may keep a process"), "{}", host.log());
}
