//! A row changed by plain SQL is no longer served by any proxy, on real databases and by the recipes of docs/INVALIDATION.md.

#[path = "outbox/late.rs"]
mod late;
#[path = "support/mod.rs"]
mod support;

use serde_json::json;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::sql::{Mortal, modules};
use support::wait::until_true;
use support::{Host, Mariadb, Memcached, PATIENT_MS, Postgres, Script, Sql, Sqlite};

const LIMIT: Duration = Duration::from_secs(40);

/// The table that provisioning changes.
const GRP: &str = "CREATE TABLE grp (username VARCHAR(64), grp VARCHAR(64));
INSERT INTO grp VALUES ('alice', 'ipauth'), ('bob', 'ipauth'), ('carol', 'ipauth');";

const TOLD: &str = r#"
event_route[shardcache:invalidated:ipauth] {
    xlog("L_NOTICE", "told: <$shcst(key)>\n");
}
"#;

/// Makes the outbox and its triggers as the database's chapter says.
fn make_outbox(sql: &dyn Sql) {
    let heading = match sql.driver() {
        "db_mysql" => "SQL triggers, MariaDB",
        "db_postgres" => "SQL triggers, PostgreSQL",
        _ => "SQL triggers, SQLite",
    };
    follow(sql, heading);
}

/// The chapter's command for this database, run as it stands there, with the database's name.
fn follow(sql: &dyn Sql, heading: &str) {
    let client = sql.client();
    let program = Path::new(client.get_program()).file_name().expect("a program").to_str().expect("its name");
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(house.join("docs/INVALIDATION.md")).expect("docs/INVALIDATION.md");
    let chapter = page.split("\n### ").find(|part| part.starts_with(heading)).expect(heading);
    let mut recipes = chapter.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let recipe = recipes.find(|recipe| recipe.contains(program)).expect("a recipe");
    let tools = tempfile::tempdir().expect("temporary directory");
    let words = std::iter::once(client.get_program()).chain(client.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let file = tools.path().join(program);
    fs::write(&file, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))).expect("a tool");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a tool");
    let recipe = recipe.replace(&format!("{program} kamailio.sqlite"), &format!("{program} {}", sql.database()));
    let recipe = recipe.replace(&format!("{program} kamailio"), &format!("{program} {}", sql.database()));
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").expect("PATH"));
    let output = Command::new("sh").args(["-euc", &recipe]).env("PATH", path).current_dir(house).output().expect("sh");
    assert!(output.status.success(), "{recipe}: {output:?}");
}

/// Two proxies, two servers, one database.
struct Farm {
    hosts: Vec<Host>,
    _servers: Vec<Memcached>,
}

impl Farm {
    fn start(sql: &dyn Sql) -> Self {
        let servers = Memcached::many(2);
        let script = Script::new().before(&modules(sql)).servers(&servers).table("ipauth=>copies=2").raw(TOLD);
        let script = script.table("profile=>tag=user:$key").table("barring=>copies=2;tag=user:$key");
        let script = script.text("outbox", &format!("url={};poll=50", sql.url()));
        let script = script.number("cmd_timeout", PATIENT_MS.into());
        Self { hosts: (0..2).map(|_| script.start()).collect(), _servers: servers }
    }

    fn store(&self, keys: &[&str]) {
        self.store_in("ipauth", keys);
    }

    fn store_in(&self, table: &str, keys: &[&str]) {
        for key in keys {
            until_true("the entry to be stored", LIMIT, || {
                self.hosts[0].rpc("shc.set", &[json!(table), json!(key), json!("yes")]).is_ok()
            });
            assert!(self.hosts.iter().all(|host| holds(host, table, key)), "{key}");
        }
    }

    fn nobody_serves(&self, key: &str) {
        self.nobody_holds("ipauth", key);
    }

    fn nobody_holds(&self, table: &str, key: &str) {
        let any = || self.hosts.iter().any(|host| holds(host, table, key));
        until_true(&format!("no host to serve {key} of {table}"), LIMIT, || !any());
    }

    fn sum(&self, statistic: &str) -> u64 {
        self.hosts.iter().map(|host| host.statistic(statistic)).sum()
    }

    /// The place of the host that drains.
    fn holder(&self) -> usize {
        until_true("one host to drain", LIMIT, || self.sum("outbox_drains") == 1);
        self.hosts.iter().position(|host| host.statistic("outbox_drains") == 1).expect("one of them")
    }
}

fn serves(host: &Host, key: &str) -> bool {
    holds(host, "ipauth", key)
}

fn holds(host: &Host, table: &str, key: &str) -> bool {
    match host.rpc("shc.get", &[json!(table), json!(key)]) {
        Ok(_) => true,
        Err(fault) if fault.code == 404 => false,
        Err(fault) => panic!("{fault}"),
    }
}

fn left(sql: &dyn Sql) -> String {
    sql.run("SELECT COUNT(*) FROM shc_outbox;").trim().to_owned()
}

fn changes_are_in_force_everywhere(sql: &dyn Sql) {
    sql.run(GRP);
    make_outbox(sql);
    let farm = Farm::start(sql);
    farm.holder();
    farm.store(&["alice", "bob", "carol", "dave", "erin"]);
    sql.run("BEGIN; DELETE FROM grp WHERE username = 'bob'; ROLLBACK;");
    sql.run("DELETE FROM grp WHERE username = 'alice';");
    farm.nobody_serves("alice");
    sql.run("UPDATE grp SET username = 'dave' WHERE username = 'carol';");
    farm.nobody_serves("carol");
    farm.nobody_serves("dave");
    sql.run("INSERT INTO grp VALUES ('erin', 'ipauth');");
    farm.nobody_serves("erin");
    assert!(farm.hosts.iter().all(|host| serves(host, "bob")), "what was rolled back changes nothing");
    until_true("the outbox to be empty", LIMIT, || left(sql) == "0");
    let told: String = farm.hosts.iter().map(Host::log).collect();
    for key in ["alice", "carol", "dave", "erin"] {
        assert!(told.contains(&format!("told: <{key}>")), "{key}");
    }
    assert!(!told.contains("told: <bob>"));
    assert_eq!((farm.sum("outbox_rows"), farm.sum("outbox_errors"), farm.sum("outbox_drains")), (4, 0, 1));

    sql.run("INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('ipauth', NULL);");
    farm.nobody_serves("bob");
    sql.run("INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('other', 'x'), ('ipauth', '');");
    until_true("all but the row of a table that is not there to go", LIMIT, || left(sql) == "1");
}

#[test]
fn changes_in_mariadb() {
    changes_are_in_force_everywhere(&Mariadb::start());
}

#[test]
fn changes_in_postgres() {
    changes_are_in_force_everywhere(&Postgres::start());
}

#[test]
fn changes_in_sqlite() {
    changes_are_in_force_everywhere(&Sqlite::create());
}

/// One change is in force in all tables at once.
fn a_change_of_a_tag_is_in_force_everywhere(sql: &dyn Sql) {
    sql.run(GRP);
    sql.run("CREATE TABLE subscriber (username VARCHAR(64), email VARCHAR(64)); INSERT INTO subscriber VALUES ('alice', 'a'), ('bob', 'b');");
    make_outbox(sql);
    follow(sql, "SQL triggers that name a tag");
    let farm = Farm::start(sql);
    farm.holder();
    for table in ["profile", "barring"] {
        farm.store_in(table, &["alice", "bob", "carol", "dave"]);
    }
    farm.store(&["alice"]);
    let gone = |key: &str| ["profile", "barring"].iter().for_each(|table| farm.nobody_holds(table, key));
    sql.run("BEGIN; DELETE FROM subscriber WHERE username = 'bob'; ROLLBACK;");
    sql.run("UPDATE subscriber SET email = 'new' WHERE username = 'alice';");
    gone("alice");
    sql.run("INSERT INTO subscriber VALUES ('carol', 'c');");
    gone("carol");
    sql.run("UPDATE subscriber SET username = 'dave' WHERE username = 'carol';");
    gone("dave");
    for table in ["profile", "barring"] {
        assert!(farm.hosts.iter().all(|host| holds(host, table, "bob")), "what was rolled back changes nothing");
    }
    assert!(farm.hosts.iter().all(|host| serves(host, "alice")), "this table's entries stand under no tag");
    sql.run("DELETE FROM subscriber WHERE username = 'bob';");
    gone("bob");
    sql.run("INSERT INTO shc_outbox (cache_table, cache_key) VALUES ('~tag', NULL), ('~tag', '');");
    until_true("the outbox to be empty", LIMIT, || left(sql) == "0");
    assert_eq!((farm.sum("outbox_failed"), farm.sum("outbox_errors")), (0, 0));
}

#[test]
fn a_tags_changes_in_mariadb() {
    a_change_of_a_tag_is_in_force_everywhere(&Mariadb::start());
}

#[test]
fn a_tags_changes_in_postgres() {
    a_change_of_a_tag_is_in_force_everywhere(&Postgres::start());
}

#[test]
fn a_tags_changes_in_sqlite() {
    a_change_of_a_tag_is_in_force_everywhere(&Sqlite::create());
}

/// What is committed is done, whoever dies then: the database, or the host that drains.
fn outlives_its_database_and_its_drainer(sql: &dyn Sql, kill: impl FnOnce(), revive: impl FnOnce()) {
    sql.run(GRP);
    make_outbox(sql);
    let mut farm = Farm::start(sql);
    let holder = farm.holder();
    farm.store(&["alice", "bob", "carol"]);
    sql.run("DELETE FROM grp WHERE username = 'alice';");
    kill();
    farm.hosts[holder].wait_log("outbox: ");
    farm.hosts[holder].wait_log("the database does not answer; changes wait until it does");
    revive();
    farm.nobody_serves("alice");

    let holder = farm.holder();
    let mut dead = farm.hosts.remove(holder);
    let before = farm.sum("outbox_rows");
    dead.kill();
    sql.run("DELETE FROM grp WHERE username = 'bob';");
    farm.nobody_serves("bob");
    assert_eq!((farm.sum("outbox_drains"), farm.sum("outbox_rows")), (1, before + 1));
    dead.revive();
    farm.hosts.push(dead);
    sql.run("DELETE FROM grp WHERE username = 'carol';");
    farm.nobody_serves("carol");
    assert_eq!(farm.sum("outbox_drains"), 1);
    until_true("the outbox to be empty", LIMIT, || left(sql) == "0");
}

#[test]
fn mariadb_and_the_drainer_die() {
    let sql = Mortal(RefCell::new(Mariadb::start()));
    let (kill, revive) = (|| sql.0.borrow_mut().kill(), || sql.0.borrow_mut().revive());
    outlives_its_database_and_its_drainer(&sql, kill, revive);
}

#[test]
fn postgres_and_the_drainer_die() {
    let sql = Mortal(RefCell::new(Postgres::start()));
    let (kill, revive) = (|| sql.0.borrow_mut().kill(), || sql.0.borrow_mut().revive());
    outlives_its_database_and_its_drainer(&sql, kill, revive);
}

#[test]
fn a_database_without_the_outbox_is_told_of_and_the_start_goes_on() {
    let sql = Sqlite::create();
    sql.run(GRP);
    let farm = Farm::start(&sql);
    farm.hosts[0].wait_log("table shc_outbox: the database refuses the statement; changes wait until it does");
    make_outbox(&sql);
    farm.holder();
    farm.hosts[0].wait_log("outbox: the database answers again");
}
