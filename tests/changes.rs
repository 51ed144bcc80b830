//! What a trigger writes down is in force on the other host Δ and one poll of the outbox later, change by change.
//!
//! The environment variable `SHC_CHANGES` says how many changes of each database: 200 unless it does.

mod support;

use std::time::Duration;
use support::sql::{modules, triggers};
use support::wait::until_true;
use support::{Host, Mariadb, Memcached, Postgres, Script, Sql, Sqlite};

const LIMIT: Duration = Duration::from_secs(40);
/// So many rows change at once.
const KEYS: u64 = 20;
const PROBE_MS: i64 = 50;
const CMD_MS: i64 = 1_000;
const POLL_MS: i64 = 100;
/// What a busy machine may take besides, ms.
const SLACK_MS: i64 = 750;

fn get(host: &Host, key: u64) -> String {
    host.run_with("get", &[("X-Key", &format!("k{key}"))]).out
}

fn each_change_is_right_on_the_other_host(sql: &dyn Sql) {
    let changes: u64 = std::env::var("SHC_CHANGES").map_or(200, |text| text.parse().expect("a number"));
    let rows: Vec<String> = (0..KEYS).map(|key| format!("('k{key}', 'v0')")).collect();
    sql.run(&format!(
        "CREATE TABLE users (k VARCHAR(64) PRIMARY KEY, v VARCHAR(64)); INSERT INTO users VALUES {};",
        rows.join(", ")
    ));
    triggers(sql, "users", "k", "t");
    let servers = Memcached::many(2);
    let script = Script::new().before(&modules(sql)).servers(&servers).table("t=>copies=2;near=1");
    let script = script.number("probe_interval", PROBE_MS).number("cmd_timeout", CMD_MS);
    let script = script.text("source", &format!("t=>url={};table=users;key=k;column=v", sql.url()));
    let script = script.text("outbox", &format!("url={};poll={POLL_MS}", sql.url()));
    let script = script.route("get", "$var(out) = $shc(t=>$hdr(X-Key));");
    let hosts = [script.start(), script.start()];
    let drains = || hosts.iter().map(|host| host.statistic("outbox_drains")).sum::<u64>();
    until_true("one host to drain", LIMIT, || drains() == 1);
    let wait = Duration::from_millis((PROBE_MS + CMD_MS + POLL_MS + SLACK_MS).unsigned_abs());
    let mut wrong = Vec::new();
    for round in 1..=changes.div_ceil(KEYS) {
        // Both hosts keep the old value, near too.
        for host in &hosts {
            (0..KEYS).for_each(|key| drop(get(host, key)));
        }
        sql.run(&format!("UPDATE users SET v = 'v{round}';"));
        std::thread::sleep(wait);
        let host = &hosts[usize::from(round % 2 == 0)];
        let got = (0..KEYS).map(|key| (key, get(host, key)));
        wrong.extend(got.filter(|(_, got)| *got != format!("v{round}")).map(|(key, got)| (round, key, got)));
    }
    assert!(wrong.is_empty(), "{} of {changes} changes: {wrong:?}", wrong.len());
    let done = hosts.iter().map(|host| host.statistic("outbox_rows")).sum::<u64>();
    assert!(done >= changes, "{done} rows of the outbox for {changes} changes");
}

#[test]
fn each_change_in_mariadb() {
    each_change_is_right_on_the_other_host(&Mariadb::start());
}

#[test]
fn each_change_in_postgres() {
    each_change_is_right_on_the_other_host(&Postgres::start());
}

#[test]
fn each_change_in_sqlite() {
    each_change_is_right_on_the_other_host(&Sqlite::create());
}
