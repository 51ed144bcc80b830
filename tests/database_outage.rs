//! The database behind a table dies, or hangs, while calls go on: whoever was answered before is answered.
//!
//! `OUTAGE_SECONDS` makes the outage longer.

#[path = "database_outage/hangs.rs"]
mod hangs;
#[path = "database_outage/killed.rs"]
mod killed;
#[path = "support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use support::sip::{Client, Request};
use support::wait::until_true;
use support::{Host, Script, Sql};

const USERS: usize = 60;
/// Callers at each host; every second one asks the near table.
const CALLERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(40);

fn user(number: usize) -> String {
    format!("user{number:02}")
}

/// What the database says of a user: 1 or -1.
fn member(number: usize) -> &'static str {
    if number.is_multiple_of(3) { "1" } else { "-1" }
}

/// Two tables of the same answers. One is good for a second or two: the outage is longer by far.
fn tables(script: Script, ask: impl Fn(&str) -> String) -> Script {
    ["plain", "near"].into_iter().fold(script.workers(CALLERS), |script, table| {
        let near = if table == "near" { ";near=1" } else { "" };
        script.table(&format!("{table}=>autoexpire=2;negexpire=2;stale=600{near}")).route(table, &ask(table))
    })
}

/// Members of the group.
fn fill(sql: &dyn Sql) {
    for number in (0..USERS).filter(|number| member(*number) == "1") {
        sql.run(&format!("INSERT INTO grp VALUES ('{}', '', 'ipauth');", user(number)));
    }
}

fn outage() -> Duration {
    let seconds = std::env::var("OUTAGE_SECONDS").ok().map(|text| text.parse().expect("OUTAGE_SECONDS is a number"));
    Duration::from_secs(seconds.unwrap_or(6))
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
    /// The longest call, and how many took at least [`SLOW`](Self::SLOW).
    longest: Mutex<(Duration, String)>,
    slow: AtomicUsize,
}

impl Seen {
    const SLOW: Duration = Duration::from_millis(450);

    fn note(&self, took: Duration, stale: bool, call: impl FnOnce() -> String) {
        self.calls.fetch_add(1, Relaxed);
        self.stale.fetch_add(usize::from(stale), Relaxed);
        self.slow.fetch_add(usize::from(took >= Self::SLOW), Relaxed);
        let mut longest = self.longest.lock().expect("no panic");
        if took > longest.0 {
            *longest = (took, call());
        }
    }
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
    let (client, first_at) = (Client::new(), Instant::now());
    for number in (0..USERS).cycle().skip(first) {
        if over.load(Relaxed) {
            return;
        }
        let begun = Instant::now();
        let (rc, stale) = call(&client, host, table, &user(number));
        assert_eq!(rc, member(number), "{} at table {table}, stale: {stale}", user(number));
        let at = || {
            format!("{} at table {table}, stale: {stale}, begun {:?} after the first", user(number), begun - first_at)
        };
        seen.note(begun.elapsed(), stale, at);
    }
}

/// All users are asked for at each table, on either host.
fn warm(hosts: &[Host]) {
    let client = Client::new();
    for table in ["plain", "near"] {
        for host in hosts {
            until_true("the host to be ready", PATIENCE, || call(&client, host, table, "user00").0 == "1");
        }
        for number in 0..USERS {
            // On a busy machine an answer may come too late.
            until_true("the user to be known", PATIENCE, || {
                call(&client, &hosts[0], table, &user(number)).0 == member(number)
            });
        }
    }
}

/// Callers at all hosts while `story` is told.
fn under_load(hosts: &[Host], seen: &Seen, story: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        for (host, caller_of) in hosts.iter().flat_map(|host| (0..CALLERS).map(move |number| (host, number))) {
            let table = ["plain", "near"][caller_of % 2];
            scope.spawn(move || caller(host, table, caller_of * USERS / CALLERS, over, seen));
        }
        let _end = End(over);
        thread::sleep(Duration::from_secs(1));
        story();
    });
}

/// One who was not there before is asked for and found, and no answer is stale any more.
fn recovered(sql: &dyn Sql, hosts: &[Host]) {
    let client = Client::new();
    sql.run("INSERT INTO grp VALUES ('stranger', '', 'ipauth');");
    for host in hosts {
        until_true("the database to be asked again", PATIENCE, || call(&client, host, "plain", "stranger").0 == "1");
    }
    let fresh = || (0..USERS).all(|number| !call(&client, &hosts[1], "plain", &user(number)).1);
    until_true("no answer to be stale any more", PATIENCE, fresh);
}
