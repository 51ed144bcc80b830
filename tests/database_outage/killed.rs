//! A MariaDB behind wrapped lookups is killed.

use super::support::sip::Client;
use super::support::{Mariadb, Memcached, Script, Sql};
use super::{Seen, USERS, call, fill, outage, recovered, tables, under_load, warm};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

const SCHEMA: &str = "
CREATE TABLE version (table_name VARCHAR(32), table_version INT);
INSERT INTO version VALUES ('grp', 2);
CREATE TABLE grp (username VARCHAR(64), domain VARCHAR(64), grp VARCHAR(64));
";
const ROUTES: &str = r#"
route[IPAUTH] { is_user_in("From", "ipauth"); if ($rc == 1) return 1; if ($rc == -6) return -1; return -2; }
"#;

fn script(database: &Mariadb, servers: &[Memcached]) -> Script {
    let group = "loadmodule \"db_mysql.so\"\nloadmodule \"group.so\"\n";
    let script = Script::new()
        .before(&format!("{group}modparam(\"group\", \"db_url\", \"{}\")", database.url()))
        .servers(servers)
        .raw(ROUTES);
    tables(script, |table| {
        format!("shc_cached_route(\"{table}\", \"$fU\", \"IPAUTH\"); $var(rc) = $rc; $var(out) = $shcst(stale);")
    })
}

#[test]
fn no_call_fails_that_stale_may_answer() {
    let (mut database, servers) = (Mariadb::start(), Memcached::many(2));
    database.run(SCHEMA);
    fill(&database);
    let script = script(&database, &servers);
    let hosts = [script.start(), script.start()];
    warm(&hosts);
    let seen = Seen::default();
    under_load(&hosts, &seen, || {
        database.kill();
        let before = seen.stale.load(Relaxed);
        thread::sleep(outage());
        let during = seen.stale.load(Relaxed) - before;
        // Nobody has asked for this one before: neither the cache nor the database can tell.
        assert_eq!(call(&Client::new(), &hosts[0], "plain", "stranger").0, "-2");
        database.revive();
        recovered(&database, &hosts);
        assert!(during > USERS, "only {during} answers were stale");
    });
    println!("{} calls, {} of them answered past their time", seen.calls.load(Relaxed), seen.stale.load(Relaxed));
}
