//! sipp making SIP calls to one host by a scenario, which logs what came of each; all its files are in a directory of its own.

use super::ports;
use super::process::{self, Process};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tempfile::TempDir;

pub struct Sipp {
    process: Process,
    dir: TempDir,
}

impl Sipp {
    /// Begins to call 127.0.0.1:`port`; `args` say how fast and how often.
    pub fn call(port: u16, scenario: &str, args: &[&str]) -> Sipp {
        Sipp::launch(port, scenario, None, args)
    }

    /// One call for each of the users, in this order: `[field0]` of the scenario.
    pub fn call_as<S: AsRef<str>>(port: u16, scenario: &str, users: &[S], args: &[&str]) -> Sipp {
        let lines = users.iter().map(|user| format!("{};\n", user.as_ref()));
        Sipp::launch(port, scenario, Some((lines.collect(), users.len())), args)
    }

    fn launch(port: u16, scenario: &str, users: Option<(String, usize)>, args: &[&str]) -> Sipp {
        let dir = tempfile::Builder::new().prefix("shc-sipp-").tempdir().expect("temporary directory");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect(name);
        write("caller.xml", scenario);
        let mut sipp = Command::new(process::need("sipp"));
        sipp.arg(format!("127.0.0.1:{port}")).args(["-sf", "caller.xml", "-nostdin"]).args(args);
        sipp.args(["-i", "127.0.0.1", "-p", &ports::free().to_string()]);
        sipp.args(["-trace_logs", "-log_file", "calls.log", "-trace_err", "-error_file", "errors.log"]);
        if let Some((lines, count)) = users {
            write("users.csv", &format!("SEQUENTIAL\n{lines}"));
            sipp.args(["-inf", "users.csv", "-m", &count.to_string()]);
        }
        sipp.current_dir(dir.path());
        Sipp { process: Process::start(sipp, &dir.path().join("screen.log")), dir }
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Waits for the end; `None` when it still runs at the deadline.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.wait(limit)
    }

    /// Begins no further call.
    pub fn finish(&self) {
        self.process.signal(libc::SIGUSR1);
    }

    pub fn stop(&mut self) {
        self.process.stop(Duration::from_secs(1));
    }

    /// What the scenario has logged so far, a line per `<log>`.
    pub fn log(&self) -> String {
        self.read("calls.log")
    }

    /// What sipp saw beyond the scenario.
    pub fn errors(&self) -> String {
        self.read("errors.log")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// Milliseconds of the scenario's timer, call by call; with `-trace_rtt`. A line of sipp's file is
    /// "when;milliseconds;number of the timer", after one of titles.
    pub fn times(&self) -> Vec<u64> {
        let files = std::fs::read_dir(self.dir.path()).into_iter().flatten().flatten().map(|f| f.path());
        let rtt: Option<PathBuf> = files.into_iter().find(|p| p.to_string_lossy().ends_with("_rtt.csv"));
        let text = rtt.and_then(|p| std::fs::read_to_string(p).ok()).unwrap_or_default();
        text.lines().filter_map(|l| l.split(';').nth(1)?.parse::<f64>().ok()).map(|ms| ms as u64).collect()
    }
}
