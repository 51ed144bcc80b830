//! The database behind a wrapped lookup dies while calls go on: whoever was answered before is answered.
//!
//! `OUTAGE_SECONDS` makes the outage longer.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use support::sip::{Client, Request};
use support::wait::until_true;
use support::{Host, Mariadb, Memcached, Script, Sql};

const USERS: usize = 60;
/// Callers at each host; every second one asks the near table.
const CALLERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(20);

const SCHEMA: &str = "
CREATE TABLE version (table_name VARCHAR(32), table_version INT);
INSERT INTO version VALUES ('grp', 2);
CREATE TABLE grp (username VARCHAR(64), domain VARCHAR(64), grp VARCHAR(64));
";
const ROUTES: &str = r#"
route[IPAUTH] { is_user_in("From", "ipauth"); if ($rc == 1) return 1; if ($rc == -6) return -1; return -2; }
"#;

fn user(number: usize) -> String {
    format!("user{number:02}")
}

/// What the database says of a user: 1 or -1.
fn member(number: usize) -> &'static str {
    if number.is_multiple_of(3) { "1" } else { "-1" }
}

fn outage() -> Duration {
    let seconds = std::env::var("OUTAGE_SECONDS").ok().map(|text| text.parse().expect("OUTAGE_SECONDS is a number"));
    Duration::from_secs(seconds.unwrap_or(6))
}

fn script(database: &Mariadb, servers: &[Memcached]) -> Script {
    let group = "loadmodule \"db_mysql.so\"\nloadmodule \"group.so\"\n";
    let ask = |table: &str| {
        format!("shc_cached_route(\"{table}\", \"$fU\", \"IPAUTH\"); $var(rc) = $rc; $var(out) = $shcst(stale);")
    };
    Script::new()
        .workers(CALLERS)
        .before(&format!("{group}modparam(\"group\", \"db_url\", \"{}\")", database.url()))
        .servers(servers)
        // An answer is good for a second or two: the outage is longer by far.
        .table("plain=>autoexpire=2;negexpire=2;stale=600")
        .table("near=>autoexpire=2;negexpire=2;stale=600;near=1")
        .raw(ROUTES)
        .route("plain", &ask("plain"))
        .route("near", &ask("near"))
}

/// The answer to a call of `user`, and whether it was past its time.
fn call(client: &Client, host: &Host, table: &str, user: &str) -> (String, bool) {
    let request = Request { user: table, from: user, ..Request::default() };
    let reply = client.send(host.port(), &request).unwrap_or_else(|| panic!("{user} got no reply"));
    (reply.header("X-RC").to_owned(), reply.header("X-Out") == "1")
}

/// What callers have seen.
#[derive(Default)]
struct Seen {
    calls: AtomicUsize,
    stale: AtomicUsize,
}

/// Ends the calls, also when the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Calls for all users in turn until it is `over`; each must be answered as the database would.
fn caller(host: &Host, table: &str, first: usize, over: &AtomicBool, seen: &Seen) {
    let client = Client::new();
    for number in (0..USERS).cycle().skip(first) {
        if over.load(Relaxed) {
            return;
        }
        let (rc, stale) = call(&client, host, table, &user(number));
        assert_eq!(rc, member(number), "{} at table {table}, stale: {stale}", user(number));
        seen.calls.fetch_add(1, Relaxed);
        seen.stale.fetch_add(usize::from(stale), Relaxed);
    }
}

#[test]
fn no_call_fails_that_stale_may_answer() {
    let (mut database, servers) = (Mariadb::start(), Memcached::many(2));
    database.run(SCHEMA);
    for number in (0..USERS).filter(|number| member(*number) == "1") {
        database.run(&format!("INSERT INTO grp VALUES ('{}', '', 'ipauth');", user(number)));
    }
    let script = script(&database, &servers);
    let hosts = [script.start(), script.start()];
    let client = Client::new();
    for table in ["plain", "near"] {
        for host in &hosts {
            until_true("the host to be ready", PATIENCE, || call(&client, host, table, "user00").0 == "1");
        }
        for number in 0..USERS {
            assert_eq!(call(&client, &hosts[0], table, &user(number)).0, member(number));
        }
    }
    let (over, seen) = (AtomicBool::new(false), Seen::default());
    thread::scope(|scope| {
        let (over, seen) = (&over, &seen);
        for (host, caller_of) in hosts.iter().flat_map(|host| (0..CALLERS).map(move |number| (host, number))) {
            let table = ["plain", "near"][caller_of % 2];
            scope.spawn(move || caller(host, table, caller_of * USERS / CALLERS, over, seen));
        }
        let _end = End(over);
        thread::sleep(Duration::from_secs(1));
        database.kill();
        let before = seen.stale.load(Relaxed);
        thread::sleep(outage());
        let during = seen.stale.load(Relaxed) - before;
        // Nobody has asked for this one before: neither the cache nor the database can tell.
        assert_eq!(call(&client, &hosts[0], "plain", "stranger").0, "-2");
        database.revive();
        database.run("INSERT INTO grp VALUES ('stranger', '', 'ipauth');");
        for host in &hosts {
            until_true("the database to be asked again", PATIENCE, || {
                call(&client, host, "plain", "stranger").0 == "1"
            });
        }
        let fresh = || (0..USERS).all(|number| !call(&client, &hosts[1], "plain", &user(number)).1);
        until_true("no answer to be stale any more", PATIENCE, fresh);
        assert!(during > USERS, "only {during} answers were stale");
    });
    println!("{} calls, {} of them answered past their time", seen.calls.load(Relaxed), seen.stale.load(Relaxed));
}
