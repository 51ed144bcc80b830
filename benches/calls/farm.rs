//! The farm that is called: MariaDB, two memcached servers, two hosts; and what calls cost it.

use crate::callers::{Callers, is_member, name};
use crate::support::script::{MODULES, SETTINGS};
use crate::support::wait::until_true;
use crate::support::{Host, Kamailio, Mariadb, Memcached, Sipp, Sql};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

const HOSTS: usize = 2;
const WORKERS: usize = 4;
/// Calls under way at each host.
const AT_ONCE: &str = "8";
const PATIENCE: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(1800);

const SCHEMA: &str = "
CREATE TABLE version (table_name VARCHAR(32) PRIMARY KEY, table_version INT NOT NULL);
INSERT INTO version VALUES ('grp', 2);
CREATE TABLE grp (
    id INT AUTO_INCREMENT PRIMARY KEY,
    username VARCHAR(64) NOT NULL,
    domain VARCHAR(64) NOT NULL DEFAULT '',
    grp VARCHAR(64) NOT NULL,
    last_modified DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (username, domain, grp)
);
";

pub struct Farm {
    hosts: Vec<Host>,
    _servers: Vec<Memcached>,
    database: Mariadb,
    /// The process groups of all of them.
    groups: Vec<i32>,
}

/// What came of a list of calls.
pub struct Called {
    pub calls: usize,
    /// Answers that the database contradicts.
    pub wrong: usize,
    /// Calls without an answer.
    pub lost: usize,
    pub queries: u64,
    /// Processor time of the farm.
    pub work: Duration,
    pub took: Duration,
}

impl Farm {
    /// With so many users for each round.
    pub fn start(rounds: usize, users: usize) -> Self {
        let (database, servers) = (Mariadb::start(), Memcached::many(2));
        database.run(SCHEMA);
        for round in 0..rounds {
            let names = (0..users).map(|user| name(round, user)).filter(|name| is_member(name));
            let rows: Vec<String> = names.map(|name| format!("('{name}', 'ipauth')")).collect();
            database.run(&format!("INSERT INTO grp (username, grp) VALUES {};", rows.join(", ")));
        }
        let text = format!("{SETTINGS}{MODULES}{}", include_str!("proxy.cfg"));
        let mut plan = Kamailio::cfg(text).set("WORKERS", WORKERS).set("DBURL", database.url());
        for (server, name) in servers.iter().zip(["mc1", "mc2"]) {
            plan = plan.set(&name.to_uppercase(), server.spec(name));
        }
        let hosts: Vec<Host> = (0..HOSTS).map(|_| plan.clone().start()).collect();
        for host in &hosts {
            let stored = || host.rpc("shc.set", &[json!("ipauth"), json!("ready"), json!("yes")]).is_ok();
            until_true("the host to be ready", PATIENCE, stored);
        }
        let groups = groups(&database, &servers, &hosts);
        Self { hosts, _servers: servers, database, groups }
    }

    /// Makes these calls on both hosts at once, as fast as they are answered.
    pub fn call(&self, way: &str, callers: &Callers) -> Called {
        let (names, args) = (callers.names(), ["-s", way, "-users", AT_ONCE, "-recv_timeout", "10000"]);
        let (queries, work, begun) = (self.queries(), self.work(), Instant::now());
        let halves = self.hosts.iter().zip(names.chunks(names.len().div_ceil(HOSTS)));
        let call =
            |(host, names): (&Host, &[String])| Sipp::call_as(host.port(), include_str!("caller.xml"), names, &args);
        let mut loads: Vec<Sipp> = halves.map(call).collect();
        for load in &mut loads {
            load.wait(LIMIT).unwrap_or_else(|| panic!("sipp does not end: {}", load.errors()));
        }
        let (took, work, queries) = (begun.elapsed(), self.work() - work, self.queries() - queries);
        let logs: String = loads.iter().map(Sipp::log).collect();
        let answers: Vec<(&str, &str)> = logs.lines().filter_map(|line| line.trim().split_once(' ')).collect();
        let right = |(user, code): &&(&str, &str)| *code == if is_member(user) { "302" } else { "403" };
        let wrong = answers.len() - answers.iter().filter(right).count();
        let lost = callers.len().checked_sub(answers.len()).expect("one answer for each call");
        Called { calls: callers.len(), wrong, lost, queries, work, took }
    }

    /// Queries that MariaDB has answered.
    fn queries(&self) -> u64 {
        let row = self.database.run("SHOW GLOBAL STATUS LIKE 'Com_select';");
        row.split_whitespace().nth(1).and_then(|count| count.parse().ok()).expect("a number")
    }

    /// Processor time that hosts, database and memcached servers have used.
    fn work(&self) -> Duration {
        let stats = fs::read_dir("/proc").expect("/proc").flatten();
        let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        stats.filter_map(|stat| used(&stat, &self.groups)).sum()
    }
}

fn groups(database: &Mariadb, servers: &[Memcached], hosts: &[Host]) -> Vec<i32> {
    let file = database.run("SELECT @@pid_file;");
    let pid = fs::read_to_string(file.trim()).expect("MariaDB's pid file");
    let mut groups = vec![pid.trim().parse().expect("a process id")];
    groups.extend(hosts.iter().map(Host::pid));
    groups.extend(servers.iter().map(Memcached::pid));
    groups
}

/// Of a line of /proc/<pid>/stat: the processor time, if the process belongs to one of the groups. A tick is 10 ms.
fn used(stat: &str, groups: &[i32]) -> Option<Duration> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let group: i32 = fields.get(2)?.parse().ok()?;
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    groups.contains(&group).then_some(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}
