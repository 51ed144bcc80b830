//! Plain SIP calls by sipp, as many per second as asked for, until they are to end.

use super::farm::HOSTS;
use crate::support::process::{self, Process};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub struct Calls {
    sipp: Vec<Process>,
    dir: TempDir,
}

/// What became of the calls, by final answer: "200", "481" and so on.
#[derive(Debug, Default)]
pub struct Tally {
    pub begun: usize,
    pub answers: BTreeMap<String, usize>,
}

impl Calls {
    pub fn start(ports: &[u16], rate: usize) -> Calls {
        let dir = tempfile::Builder::new().prefix("shc-calls-").tempdir().expect("temporary directory");
        std::fs::write(dir.path().join("caller.xml"), include_str!("caller.xml")).expect("scenario");
        let sipp = ports.iter().enumerate().map(|(host, port)| sipp(dir.path(), host, *port, rate)).collect();
        Calls { sipp, dir }
    }

    /// Begins no further call, waits for those under way, and counts.
    pub fn end(mut self) -> Tally {
        self.sipp.iter().for_each(|sipp| sipp.signal(libc::SIGUSR1));
        for sipp in &mut self.sipp {
            if sipp.wait(Duration::from_secs(40)).is_none() {
                sipp.stop(Duration::from_secs(1));
            }
        }
        self.tally()
    }

    /// What has become of the calls so far.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for host in 0..HOSTS {
            let log = std::fs::read_to_string(self.dir.path().join(format!("calls{host}.log"))).unwrap_or_default();
            for line in log.lines().map(str::trim) {
                match line {
                    "begun" => tally.begun += 1,
                    answer => *tally.answers.entry(answer.into()).or_default() += 1,
                }
            }
        }
        tally
    }
}

impl Tally {
    pub fn with(&self, answer: &str) -> usize {
        self.answers.get(answer).copied().unwrap_or(0)
    }

    /// The answers that came after `earlier`.
    pub fn since(&self, earlier: &Tally) -> Tally {
        let more = |(answer, count): (&String, &usize)| (answer.clone(), count - earlier.with(answer));
        Tally { begun: self.begun - earlier.begun, answers: self.answers.iter().map(more).collect() }
    }

    /// Calls that never got their final answer.
    pub fn unanswered(&self) -> usize {
        self.begun.saturating_sub(self.answers.values().sum())
    }
}

fn sipp(dir: &Path, host: usize, port: u16, rate: usize) -> Process {
    let own = crate::support::ports::free();
    let mut sipp = Command::new(process::need("sipp"));
    sipp.arg(format!("127.0.0.1:{port}")).args(["-sf", "caller.xml", "-i", "127.0.0.1", "-p", &own.to_string()]);
    sipp.args(["-r", &rate.to_string(), "-l", "2000", "-nostdin", "-recv_timeout", "20000"]);
    sipp.args(["-trace_logs", "-log_file", &format!("calls{host}.log")]);
    sipp.args(["-trace_err", "-error_file", &format!("errors{host}.log")]).current_dir(dir);
    Process::start(sipp, &dir.join(format!("screen{host}.log")))
}
