//! SIP calls: a list of users, one call each, made by sipp to one host. The result names every user and its answer, and
//! how long each answer took.

use crate::Outcome;
use crate::database::Database;
use crate::farm::{Farm, scenario};
use crate::support::process::{self, Process};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub struct Load {
    sipp: Process,
    dir: TempDir,
    calls: usize,
}

/// What came of a load, or of several.
#[derive(Default, Clone)]
pub struct Answers {
    pub asked: usize,
    /// Answer codes of each user; anything but 200 and 403 is a failed call and not here.
    pub codes: BTreeMap<String, Vec<u16>>,
    /// Milliseconds from INVITE to final answer.
    pub times: Vec<u64>,
    /// What sipp saw beyond the scenario.
    pub trouble: Vec<String>,
}

impl Load {
    /// Starts one call per entry of `users` at `rate` calls per second.
    pub fn start(farm: &Farm, host: usize, users: &[String], rate: usize) -> Outcome<Load> {
        let dir = tempfile::Builder::new().prefix("sipp-").tempdir_in(farm.dir())?;
        let list = dir.path().join("users.csv");
        std::fs::write(&list, format!("SEQUENTIAL\n{};\n", users.join(";\n")))?;
        let scenario = scenario(dir.path(), "caller.xml", include_str!("caller.xml"))?;
        let port = crate::support::ports::free();
        let mut sipp = Command::new(process::need("sipp"));
        sipp.arg(format!("127.0.0.1:{}", farm.hosts[host].host.port())).arg("-sf").arg(scenario).arg("-inf").arg(list);
        sipp.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        sipp.args(["-m", &users.len().to_string(), "-r", &rate.to_string()]);
        sipp.args(["-nostdin", "-recv_timeout", "10000", "-trace_rtt", "-rtt_freq", "1"]);
        sipp.args(["-trace_logs", "-log_file", "calls.log", "-trace_err", "-error_file", "errors.log"]);
        sipp.current_dir(dir.path());
        let sipp = Process::start(sipp, &dir.path().join("screen.log"));
        Ok(Load { sipp, dir, calls: users.len() })
    }

    pub fn runs(&mut self) -> bool {
        self.sipp.ended().is_none()
    }

    /// Calls that have ended so far.
    pub fn done(&self) -> usize {
        self.read("calls.log").lines().count()
    }

    /// Waits for the end and reads what sipp wrote down.
    pub fn answers(mut self) -> Answers {
        let mut answers = Answers { asked: self.calls, ..Answers::default() };
        match self.sipp.wait(Duration::from_secs(60)) {
            Some(status) if status.success() => {}
            ended => answers.trouble.push(format!("sipp ended with {ended:?}")),
        }
        for line in self.read("calls.log").lines() {
            if let Some((user, code)) = line.trim().split_once(' ')
                && let Ok(code) = code.parse()
            {
                answers.codes.entry(user.into()).or_default().push(code);
            }
        }
        answers.trouble.extend(self.read("errors.log").lines().take(3).map(String::from));
        answers.times = self.times();
        answers
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// sipp's file of response times: "when;milliseconds;number of the timer", after a line of titles.
    fn times(&self) -> Vec<u64> {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten().map(|f| f.path());
        let rtt: Option<PathBuf> = files.into_iter().find(|p| p.to_string_lossy().ends_with("_rtt.csv"));
        let text = rtt.and_then(|p| std::fs::read_to_string(p).ok()).unwrap_or_default();
        text.lines().filter_map(|l| l.split(';').nth(1)?.parse::<f64>().ok()).map(|ms| ms as u64).collect()
    }
}

impl Answers {
    pub fn add(&mut self, other: &Answers) {
        self.asked += other.asked;
        for (user, codes) in &other.codes {
            self.codes.entry(user.clone()).or_default().extend(codes);
        }
        self.times.extend(&other.times);
        self.trouble.extend(other.trouble.iter().cloned());
    }

    pub fn total(&self) -> usize {
        self.codes.values().map(Vec::len).sum()
    }

    pub fn with_code(&self, code: u16) -> usize {
        self.codes.values().flatten().filter(|c| **c == code).count()
    }

    /// Answers that the database contradicts.
    pub fn wrong(&self, database: &Database) -> usize {
        let right = |user: &str| if database.is_member(user) { 200 } else { 403 };
        self.codes.iter().map(|(user, codes)| codes.iter().filter(|c| **c != right(user)).count()).sum()
    }

    /// The time that this share (0.5, 0.99, 1.0) of the answers did not exceed, in ms.
    pub fn within(&self, share: f64) -> u64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        let index = (times.len() as f64 * share).ceil() as usize;
        times.get(index.saturating_sub(1)).copied().unwrap_or(0)
    }
}
