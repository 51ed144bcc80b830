//! cfg-examples/shards.cfg with a real database: calls go on, and right, while all servers are emptied and the directory is
//! filled again, and a user who moves is called at the new place.

mod support;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use support::kamailio::Ready;
use support::sip::{self, Request};
use support::sql::triggers;
use support::wait::until_true;
use support::{Host, Kamailio, Mariadb, Memcached, Sql};

const LIMIT: Duration = Duration::from_secs(40);
const USERS: usize = 300;
/// Δ of a host as it comes, and one poll.
const IN_FORCE: Duration = Duration::from_millis(150 + 100);
/// What a busy machine may take besides.
const SLACK: Duration = Duration::from_millis(400);

fn shard(user: usize) -> String {
    format!("10.0.1.{}:5060", user % 7)
}

/// Where a call to the user is sent.
fn called(host: &Host, user: &str) -> Result<String, String> {
    let request = Request { user, limit: Duration::from_secs(5), ..Request::default() };
    let reply = sip::send(host.port(), &request).ok_or("no reply")?;
    let contact = reply.header("Contact").to_owned();
    let place = contact.split_once('@').map(|(_, place)| place.trim_end_matches('>').to_owned());
    place.filter(|_| reply.status == 302).ok_or_else(|| format!("{} {contact}", reply.status))
}

fn example(sql: &dyn Sql, servers: &[Memcached]) -> Kamailio {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("cfg-examples/shards.cfg");
    let ctl = "loadmodule \"ctl.so\"";
    let text = std::fs::read_to_string(file).expect("shards.cfg");
    let text = text.replace(ctl, &format!("{ctl}\nmodparam(\"ctl\", \"binrpc\", \"unix:%%CTL%%\")"));
    let source = format!("\"shard=>url={};table=users;key=username;column=shard\"", sql.url());
    let mut host = Kamailio::cfg(text).ready(Ready::Sip).define("SIP_PORT", "%%SIP_PORT%%");
    host = host.define("DRIVER", &format!("\"{}.so\"", sql.driver())).define("SOURCE_SHARD", &source);
    host = host.define("OUTBOX", &format!("\"url={};poll=100\"", sql.url()));
    servers
        .iter()
        .zip(["mc1", "mc2", "mc3"])
        .fold(host, |host, (server, name)| host.define(&name.to_uppercase(), &format!("\"{}\"", server.spec(name))))
}

#[test]
fn calls_go_on_and_right_while_the_directory_is_lost_and_filled_again() {
    let sql = Mariadb::start();
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    sql.run(&std::fs::read_to_string(house.join("cfg-examples/shards.sql")).expect("shards.sql"));
    let rows: Vec<String> = (0..USERS).map(|user| format!("('u{user}', '{}')", shard(user))).collect();
    sql.run(&format!("INSERT INTO users VALUES {};", rows.join(", ")));
    triggers(&sql, "users", "username", "shard");
    let mut servers = Memcached::many(3);
    let host = example(&sql, &servers);
    let hosts = [host.clone().start(), host.start()];
    assert_eq!(called(&hosts[0], "bob"), Ok("10.0.1.2:5060".into()));
    assert_eq!(called(&hosts[1], "nobody"), Err("404 ".into()));

    let (over, calls, wrong) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for (at, host) in hosts.iter().enumerate() {
            let (over, calls, wrong) = (&over, &calls, &wrong);
            scope.spawn(move || {
                // Each user in turn, in an order of the host's own; alice, who moves, is judged apart.
                let mut user = at * 31;
                while !over.load(Relaxed) {
                    user = (user + 7) % USERS;
                    let got = called(host, &format!("u{user}"));
                    if got != Ok(shard(user)) {
                        wrong.lock().expect("a list").push((user, got));
                    }
                    calls.fetch_add(1, Relaxed);
                }
            });
        }
        let story =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story(&sql, &hosts, &mut servers, &calls)));
        over.store(true, Relaxed);
        if let Err(panic) = story {
            std::panic::resume_unwind(panic);
        }
    });
    let wrong = wrong.into_inner().expect("a list");
    assert!(wrong.is_empty(), "{} of {} calls: {wrong:?}", wrong.len(), calls.load(Relaxed));
    println!("{} calls, none wrong", calls.load(Relaxed));
}

fn story(sql: &dyn Sql, hosts: &[Host; 2], servers: &mut [Memcached], calls: &AtomicU64) {
    until_true("calls", LIMIT, || calls.load(Relaxed) > 50);
    servers.iter_mut().for_each(Memcached::restart);
    let rpc = |host: &Host, words: &[&str]| host.kamcmd(words).unwrap_or_default();
    until_true("the servers to be used again", LIMIT, || {
        let up = rpc(&hosts[0], &["stats.fetch", "shardcache.servers_up"]);
        up.trim_end().trim_end_matches('}').trim_end().ends_with('3')
    });
    hosts[0].kamcmd(&["shc.reload", "shard", "2000"]).expect("it begins");
    until_true("the directory to be full", LIMIT, || rpc(&hosts[0], &["shc.sources"]).contains("reload: done"));
    for user in (0..USERS).step_by(10) {
        let entry = hosts[1].kamcmd(&["shc.get", "shard", &format!("u{user}")]);
        assert!(entry.as_ref().is_ok_and(|entry| entry.contains(&shard(user))), "u{user}: {entry:?}");
    }
    for place in ["10.0.1.9:5060", "10.0.1.1:5060"] {
        assert!(hosts.iter().all(|host| called(host, "alice").is_ok()));
        sql.run(&format!("UPDATE users SET shard = '{place}' WHERE username = 'alice';"));
        std::thread::sleep(IN_FORCE + SLACK);
        for host in hosts {
            assert_eq!(called(host, "alice"), Ok(place.to_owned()));
        }
    }
}
