//! A running Kamailio: ask it by RPC, kamcmd and SIP, read its log. When it is dropped it is ended, its log is shown if
//! the test failed, and a log with CRITICAL, BUG or a dead worker fails a test that did not.

use super::kamailio::{Kamailio, Place, Ready};
use super::process::{self, Process};
use super::rpc::{self, Fault};
use super::sip::{self, Reply, Request};
use super::wait;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SIGNS: [&str; 6] = ["CRITICAL:", "BUG:", "exited by a signal", "panicked at", "core was", "AddressSanitizer"];

/// What the host itself says when its TCP processes end one before the other.
const AT_EVERY_END: &str = "receive_fd(): EOF on";

/// A running Kamailio.
pub struct Host {
    pub(super) process: Process,
    pub(super) place: Place,
    pub(super) plan: Kamailio,
    pub(super) judged: bool,
}

impl Host {
    pub(super) fn wait_ready(&mut self) -> Result<(), String> {
        let start = Instant::now();
        loop {
            if self.ended() {
                return Err(self.log());
            }
            let last = match self.answers() {
                Ok(()) => return Ok(()),
                Err(last) => last,
            };
            if start.elapsed() > Duration::from_secs(30) {
                return Err(format!("{}\nnot ready after 30 s: {last}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A daemon's first process ends well; then the one in its pid file counts.
    fn ended(&mut self) -> bool {
        match (self.process.ended(), self.plan.daemon) {
            (None, _) => false,
            (Some(status), true) => !status.success(),
            (Some(_), false) => true,
        }
    }

    fn answers(&self) -> Result<(), String> {
        match self.plan.ready {
            Ready::Http => match rpc::json(self.port(), "core.uptime", &[]) {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(fault)) => Err(fault.to_string()),
                Err(e) => Err(e.to_string()),
            },
            Ready::Ctl => self.kamcmd(&["core.uptime"]).map(drop),
            Ready::Sip => {
                let request = Request { limit: Duration::from_millis(300), ..Request::default() };
                sip::send(self.port(), &request).map(drop).ok_or_else(|| "no SIP reply".into())
            }
        }
    }

    pub fn port(&self) -> u16 {
        self.place.port
    }

    /// The directory `%%DIR%%`, as the test sees it.
    pub fn dir(&self) -> &Path {
        self.place.dir.path()
    }

    /// JSON-RPC over HTTP.
    pub fn rpc(&self, method: &str, params: &[Value]) -> Result<Value, Fault> {
        rpc::json(self.port(), method, params).unwrap_or_else(|e| panic!("{method}: {e}\n{}", self.log()))
    }

    /// The same for calls that must work.
    pub fn ask(&self, method: &str, params: &[Value]) -> Value {
        self.rpc(method, params).unwrap_or_else(|fault| panic!("{method}: {fault}"))
    }

    /// Waits until both copies of all entries are known to be equal.
    pub fn until_whole(&self) {
        wait::until("whole copies", Duration::from_secs(30), || {
            let list = self.ask("shc.list", &[]);
            let whole = list.as_array().expect("servers").iter().all(|server| server["whole"] == "yes");
            if whole { Ok(()) } else { Err(list) }
        });
    }

    pub fn kamcmd(&self, args: &[&str]) -> Result<String, String> {
        rpc::kamcmd(&self.place.path("ctl"), args)
    }

    /// One SIP request, one final reply.
    pub fn send(&self, request: &Request) -> Reply {
        sip::send(self.port(), request).unwrap_or_else(|| panic!("no reply to {} in time", request.user))
    }

    /// One statistic of our group, 0 while it does not exist.
    pub fn statistic(&self, name: &str) -> u64 {
        let text = self.ask("stats.fetch", &[Value::from(format!("shardcache.{name}"))]);
        let value = text.get(format!("shardcache.{name}")).unwrap_or_else(|| panic!("no statistic {name}: {text}"));
        value.as_str().map_or_else(|| value.as_u64(), |s| s.parse().ok()).unwrap_or_else(|| panic!("{name} = {value}"))
    }

    pub fn pid(&self) -> i32 {
        let file = fs::read_to_string(self.place.path("pid")).ok().and_then(|t| t.trim().parse().ok());
        file.unwrap_or_else(|| self.process.pid())
    }

    /// Whether the main process lives.
    pub fn runs(&mut self) -> bool {
        if self.plan.daemon { process::alive(self.pid()) } else { self.process.ended().is_none() }
    }

    /// All its processes end at once.
    pub fn kill(&mut self) {
        process::kill(-self.pid(), libc::SIGKILL);
        self.process.kill();
    }

    /// Starts it again at the same port, after `kill`; its log goes on.
    pub fn revive(&mut self) {
        self.process = self.place.launch(&self.plan);
        self.wait_ready().unwrap_or_else(|log| panic!("kamailio did not start again:\n{log}"));
    }

    /// All log lines up to now.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.place.path("log")).unwrap_or_default()).into_owned()
    }

    /// Waits until the log holds the text.
    pub fn wait_log(&self, text: &str) {
        let seen = || if self.log().contains(text) { Ok(()) } else { Err(self.log()) };
        wait::until(&format!("the log line '{text}'"), Duration::from_secs(10), seen);
    }

    /// A log line with this text is no defect, from now on.
    pub fn allow(&mut self, text: &str) {
        self.plan.allowed.push(text.into());
    }

    fn defects(&self) -> Vec<String> {
        let log = self.log();
        let allowed = |line: &str| line.contains(AT_EVERY_END) || self.plan.allowed.iter().any(|a| line.contains(a));
        let bad = |line: &&str| SIGNS.iter().any(|sign| line.contains(sign)) && !allowed(line);
        log.lines().filter(bad).map(String::from).collect()
    }

    fn end(&mut self) -> bool {
        if !self.plan.daemon {
            return self.process.stop(Duration::from_secs(10));
        }
        let (pid, start) = (self.pid(), Instant::now());
        let mut to = pid;
        while process::alive(pid) && start.elapsed() < Duration::from_secs(10) {
            process::kill(to, libc::SIGTERM);
            let wait = Instant::now();
            while process::alive(pid) && wait.elapsed() < Duration::from_millis(500) {
                std::thread::sleep(Duration::from_millis(5));
            }
            to = -pid;
        }
        let polite = !process::alive(pid);
        process::kill(-pid, libc::SIGKILL);
        polite
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let polite = self.end();
        if !self.judged {
            return;
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(120)..];
            eprintln!("--- log of the host at port {} ---\n{}\n---", self.port(), tail.join("\n"));
            return;
        }
        let defects = self.defects();
        assert!(defects.is_empty(), "the host's log shows defects:\n{}", defects.join("\n"));
        assert!(polite, "kamailio did not end on SIGTERM:\n{}", self.log());
    }
}
