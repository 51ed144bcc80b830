//! A private PostgreSQL on a free port: what it acknowledged survives its own death, not the machine's. Open to every user of this machine.

use super::process::{self, Process};
use super::sql::{self, Sql};
use super::{ports, wait};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub struct Postgres {
    process: Process,
    dir: TempDir,
    port: u16,
}

impl Postgres {
    /// With an empty database `kam`.
    pub fn start() -> Postgres {
        let (dir, port) = (sql::dir("shc-pg-"), ports::free());
        let mut command = sql::unprivileged(&program("initdb"), dir.path());
        command.args(["-D", "data", "-U", "kam", "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8"]);
        let output = command.output().expect("initdb");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let server = Postgres { process: launch(&dir, port), dir, port };
        server.wait_ready();
        let mut client = server.client();
        client.arg("postgres");
        sql::feed(client, "CREATE DATABASE kam;");
        server
    }

    fn wait_ready(&self) {
        wait::until("PostgreSQL to answer", Duration::from_secs(60), || {
            let output = self.client().args(["-c", "SELECT 1", "postgres"]).output().expect("psql");
            match output.status.success() {
                true => Ok(()),
                false => Err(std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()),
            }
        });
    }

    /// Its immediate shutdown: all its processes end at once, and the next start recovers.
    pub fn kill(&mut self) {
        self.thaw();
        self.process.signal(libc::SIGQUIT);
        if self.process.wait(Duration::from_secs(10)).is_none() {
            self.process.kill();
        }
    }

    /// Starts it again at the same port, with its data, after `kill`.
    pub fn revive(&mut self) {
        self.process = launch(&self.dir, self.port);
        self.wait_ready();
    }

    /// Its processes: the one that listens and one for each connection. They accept and answer nothing.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        let main = self.process.pid();
        process::kill(main, signal);
        let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            process::kill(child, signal);
        }
    }
}

/// Debian keeps them by version and out of PATH.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|dir| dir.path().join("bin").join(name)).filter(|p| p.is_file()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| process::need(name))
}

fn launch(dir: &TempDir, port: u16) -> Process {
    let mut command = sql::unprivileged(&program("postgres"), dir.path());
    command.args(["-D", "data", "-p", &port.to_string(), "-k"]).arg(dir.path());
    let settings = ["listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=16MB"];
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    Process::start(command, &dir.path().join("log"))
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Sql for Postgres {
    fn url(&self) -> String {
        format!("postgres://kam:secret@127.0.0.1:{}/kam", self.port)
    }

    fn driver(&self) -> &'static str {
        "db_postgres"
    }

    fn client(&self) -> Command {
        let mut command = Command::new(program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-U", "kam"]);
        command.arg("-h").arg(self.dir.path()).args(["-p", &self.port.to_string()]);
        command
    }

    fn database(&self) -> String {
        "kam".to_owned()
    }
}
