//! A source that lags behind: the proxies read a copy of the table that hears of changes later.

use super::support::sql::modules;
use super::support::wait::until_true;
use super::support::{Host, Mariadb, Memcached, Postgres, Script, Sql, Sqlite};
use super::{LIMIT, LOOK, behind, ready};
use serde_json::json;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const HOLDOFF: Duration = Duration::from_secs(4);
/// So late the copy hears of a change.
const LAG: Duration = Duration::from_secs(2);
/// A mark may live so much longer.
const SPARE: Duration = Duration::from_secs(3);

const SCHEMA: &str = "CREATE TABLE replica (k VARCHAR(9), v VARCHAR(9)); INSERT INTO replica VALUES ('a', 'old');";

/// `t` waits for the copy, `hasty` does not.
fn script(sql: &dyn Sql, servers: &[Memcached], attributes: &str, holdoff: Duration) -> Script {
    let script = Script::new().before(&modules(sql)).servers(servers);
    let source = "table=replica;key=k;column=v";
    let waits = format!("t=>{attributes};holdoff={}", holdoff.as_secs());
    let script = behind(script, sql, &waits, source).route("look", LOOK);
    let script = script.route("look_there", "$var(v) = $shcex(t=>a); $var(rc) = $shcst(rc);");
    behind(script, sql, &format!("hasty=>{attributes}"), source).route("hasty", "$var(out) = $shc(hasty=>a);")
}

fn get(host: &Host) -> String {
    let (rc, out, err) = super::look(host, "a");
    assert_eq!((rc, err.as_str()), (1, ""), "{out}");
    out.trim_end_matches("|0").to_owned()
}

/// Two hosts, whose entries are what the copy says now.
fn farm(sql: &dyn Sql, servers: &[Memcached], attributes: &str, holdoff: Duration) -> [Host; 2] {
    sql.run(SCHEMA);
    let script = script(sql, servers, attributes, holdoff);
    let hosts = [script.start(), script.start()];
    hosts.iter().for_each(|host| ready(host, "t"));
    hosts[0].until_whole();
    for host in &hosts {
        assert_eq!((get(host), host.out("hasty")), ("old".into(), "old".into()));
    }
    hosts
}

/// A change that is told of before the copy has it: both hosts ask at once, and again when the copy has it.
fn change(sql: &dyn Sql, hosts: &[Host; 2], value: &str, invalidate: impl FnOnce()) {
    let before = hosts.each_ref().map(get);
    invalidate();
    let told = Instant::now();
    assert_eq!(hosts.each_ref().map(get), before, "the copy has not heard of it");
    sleep(LAG.saturating_sub(told.elapsed()));
    sql.run(&format!("UPDATE replica SET v = '{value}';"));
    assert_eq!(hosts.each_ref().map(get), [value; 2], "what the copy said before was kept");
    // Nobody forgets to keep it in the end.
    sleep((HOLDOFF + SPARE).saturating_sub(told.elapsed()));
    let queries = || hosts.iter().map(|host| host.statistic("source_t_queries")).sum::<u64>();
    hosts.iter().for_each(|host| drop(get(host)));
    let known = queries();
    assert_eq!(hosts.each_ref().map(get), [value; 2]);
    assert_eq!(queries(), known, "it is kept now");
}

fn a_copy_that_lags_puts_nothing_old_into_the_cache(sql: &dyn Sql, copies: u8) {
    let servers = Memcached::many(2);
    let hosts = farm(sql, &servers, &format!("autoexpire=1000;copies={copies};near=1"), HOLDOFF);
    change(sql, &hosts, "changed", || {
        for table in ["t", "hasty"] {
            hosts[0].ask("shc.invalidate", &[json!(table), json!("a")]);
        }
        assert_eq!(hosts[0].out("hasty"), "old");
    });
    assert_eq!(hosts[0].out("hasty"), "old", "without holdoff the old value lives on");
}

#[test]
fn a_copy_in_mariadb_that_lags() {
    a_copy_that_lags_puts_nothing_old_into_the_cache(&Mariadb::start(), 2);
}

#[test]
fn a_copy_in_postgres_that_lags() {
    a_copy_that_lags_puts_nothing_old_into_the_cache(&Postgres::start(), 1);
}

#[test]
fn a_copy_that_lags_behind_tags_and_whole_tables() {
    let (sql, servers) = (Sqlite::create(), Memcached::many(2));
    let hosts = farm(&sql, &servers, "autoexpire=1000;tag=user:$key", HOLDOFF);
    let shcctl = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shcctl"));
        command.args(["--timeout", "3000", "--server", &servers[0].addr()]).args(words);
        until_true("shcctl to do it", LIMIT, || command.output().expect("shcctl").status.success());
    };
    change(&sql, &hosts, "bumped", || drop(hosts[0].ask("shc.bump", &[json!("t")])));
    change(&sql, &hosts, "tagged", || drop(hosts[1].ask("shc.invalidate_tag", &[json!("user:a")])));
    change(&sql, &hosts, "ctl", || shcctl(&["invalidate", "t", "a"]));
    change(&sql, &hosts, "ctlbump", || shcctl(&["bump", "t"]));
    // shcctl does not know which tables hang on a tag, so its marks live longest.
    shcctl(&["tag", "user:a"]);
    sleep(HOLDOFF);
    sql.run("UPDATE replica SET v = 'ctltag';");
    assert_eq!(hosts.each_ref().map(get), ["ctltag"; 2]);
}

#[test]
fn a_mark_outlives_the_server_that_holds_the_entry() {
    let (sql, mut servers) = (Sqlite::create(), Memcached::many(3));
    let hosts = farm(&sql, &servers, "autoexpire=1000", Duration::from_secs(30));
    let home = hosts[0].ask("shc.hash", &[json!("t"), json!("a")])["server"].clone();
    let at = (1..=servers.len()).position(|number| home == json!(format!("mc{number}"))).expect("a server");
    hosts[0].ask("shc.invalidate", &[json!("t"), json!("a")]);
    servers[at].kill();
    until_true("another one to stand in", LIMIT, || hosts.iter().all(|host| host.rc("look_there") == -1));
    // What was read while nobody served is remembered for a moment.
    sleep(Duration::from_millis(1_500));
    assert_eq!(hosts.each_ref().map(get), ["old"; 2]);
    sql.run("UPDATE replica SET v = 'new';");
    assert_eq!(hosts.each_ref().map(get), ["new"; 2]);
}
