//! SIP calls: a list of users, one call each, made by sipp to one host. The result names every user and its answer, and
//! how long each answer took.

use crate::database::Database;
use crate::farm::Farm;
use crate::support::Sipp;
use std::collections::BTreeMap;
use std::time::Duration;

pub struct Load {
    sipp: Sipp,
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
    pub fn start(farm: &Farm, host: usize, users: &[String], rate: usize) -> Load {
        let rate = rate.to_string();
        let args = ["-r", &rate, "-recv_timeout", "10000", "-trace_rtt", "-rtt_freq", "1"];
        let sipp = Sipp::call_as(farm.hosts[host].host.port(), include_str!("caller.xml"), users, &args);
        Load { sipp, calls: users.len() }
    }

    pub fn runs(&mut self) -> bool {
        self.sipp.ended().is_none()
    }

    /// Calls that have ended so far.
    pub fn done(&self) -> usize {
        self.sipp.log().lines().count()
    }

    /// Waits for the end and reads what sipp wrote down.
    pub fn answers(mut self) -> Answers {
        let mut answers = Answers { asked: self.calls, ..Answers::default() };
        match self.sipp.wait(Duration::from_secs(60)) {
            Some(status) if status.success() => {}
            ended => answers.trouble.push(format!("sipp ended with {ended:?}")),
        }
        for line in self.sipp.log().lines() {
            if let Some((user, code)) = line.trim().split_once(' ')
                && let Ok(code) = code.parse()
            {
                answers.codes.entry(user.into()).or_default().push(code);
            }
        }
        answers.trouble.extend(self.sipp.errors().lines().take(3).map(String::from));
        answers.times = self.sipp.times();
        answers
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
