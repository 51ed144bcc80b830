//! The farm on this machine: three memcached servers, two Kamailio hosts, the callee behind them, the database. All of it
//! ends when it is dropped.

use crate::counts::{self, Counts, SERVERS};
use crate::database::Database;
use crate::support::kamailio::Ready;
use crate::support::process::{self, Process};
use crate::support::rpc;
use crate::support::{Host, Kamailio, Memcached, ports};
use crate::{Outcome, go_on};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCRIPT: &str = include_str!("../../cfg-examples/ipauth.cfg");

pub struct Farm {
    pub hosts: Vec<Proxy>,
    pub servers: Vec<Memcached>,
    pub database: Database,
    callee: Process,
    callee_port: u16,
    dir: TempDir,
}

/// How the example asks who is in the group.
#[derive(Clone, Copy)]
pub enum Form {
    WithoutCache,
    /// With `$sht`.
    PerHost,
    /// The same lines with `$shc`.
    TwelveLines,
    /// With `shc_cached_route`, and the database says by itself what has changed.
    OneLine,
}

/// One Kamailio, under the name that the account gives it.
pub struct Proxy {
    pub name: &'static str,
    pub host: Host,
}

impl Farm {
    /// Servers, database and callee; the hosts come with `boot`.
    pub fn new() -> Outcome<Farm> {
        let dir = tempfile::Builder::new().prefix("shc-demo-").tempdir()?;
        let database = Database::create(dir.path())?;
        let servers = Memcached::many(3);
        let callee_port = ports::free();
        std::fs::write(dir.path().join("callee.xml"), include_str!("callee.xml"))?;
        let mut sipp = Command::new(process::need("sipp"));
        sipp.args(["-sf", "callee.xml", "-i", "127.0.0.1", "-p", &callee_port.to_string(), "-nostdin"])
            .current_dir(dir.path());
        let callee = Process::start(sipp, &dir.path().join("callee.log"));
        Ok(Farm { hosts: Vec::new(), servers, database, callee, callee_port, dir })
    }

    /// Two hosts with the example's script, in place of those that run.
    pub fn boot(&mut self, form: Form) {
        self.hosts.clear();
        self.hosts = ["A", "B"].map(|name| Proxy { name, host: self.plan(form).start() }).into();
    }

    /// The example, with this machine's addresses in the place of its defaults.
    fn plan(&self, form: Form) -> Kamailio {
        let quoted = |text: String| format!("\"{text}\"");
        let mut plan = Kamailio::cfg(SCRIPT).ready(Ready::Http);
        plan = plan.define("SIP_PORT", "%%SIP_PORT%%").define("HTTP_PORT", "%%SIP_PORT%%");
        plan = plan.define("DBURL", &quoted(self.database.url()));
        plan = plan.define("CALLEE", &quoted(format!("sip:127.0.0.1:{}", self.callee_port)));
        for (server, name) in self.servers.iter().zip(SERVERS) {
            plan = plan.define(&name.to_uppercase(), &quoted(server.spec(name)));
        }
        match form {
            Form::WithoutCache => plan.arg("-A").arg("WITHOUT_CACHE"),
            Form::PerHost => plan.arg("-A").arg("PER_HOST"),
            Form::TwelveLines => plan,
            Form::OneLine => plan.arg("-A").arg("ONE_LINE").define("OUTBOX", &quoted(self.database.outbox())),
        }
    }

    /// Waits until every host has every server in use.
    pub fn use_all_servers(&self) -> Outcome<()> {
        let begun = Instant::now();
        loop {
            go_on()?;
            let pairs = self.hosts.iter().flat_map(|proxy| SERVERS.map(|server| (proxy, server)));
            let states: Outcome<Vec<String>> =
                pairs.map(|(proxy, server)| counts::state(&proxy.host, server)).collect();
            let states = states?;
            if states.iter().all(|state| state == "up") {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(format!("the servers are {}", states.join(", ")).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The callee must be there from the first call to the last.
    pub fn callee_runs(&mut self) -> Outcome<()> {
        match self.callee.ended() {
            None => Ok(()),
            Some(status) => {
                let log = std::fs::read_to_string(self.dir.path().join("callee.log")).unwrap_or_default();
                Err(format!("the callee ended with {status}:\n{log}").into())
            }
        }
    }

    pub fn counts(&self) -> Outcome<Vec<Counts>> {
        self.hosts.iter().map(|p| Counts::of(&p.host)).collect()
    }

    /// Ends everything, the hosts first: their logs are looked through for defects while the rest still stands. Gives
    /// what is left over afterwards, which should be nothing.
    pub fn end(mut self) -> Vec<String> {
        let hosts = self.hosts.iter().map(|p| (p.host.pid(), p.host.dir().to_path_buf()));
        let (mut pids, mut dirs): (Vec<i32>, Vec<PathBuf>) = hosts.unzip();
        pids.extend(self.servers.iter().map(Memcached::pid));
        pids.push(self.callee.pid());
        dirs.push(self.dir.path().to_path_buf());
        self.hosts.clear();
        drop(self);
        let processes = pids.into_iter().filter(|pid| process::alive(*pid)).map(|pid| format!("process {pid}"));
        processes.chain(dirs.into_iter().filter(|dir| dir.exists()).map(|dir| dir.display().to_string())).collect()
    }
}

impl Proxy {
    pub fn kamcmd(&self, args: &[&str]) -> Outcome<String> {
        Ok(rpc::kamcmd(&self.host.dir().join("run/kamailio_ctl"), args)?)
    }
}
