//! A private MariaDB on a free port: what it acknowledged survives its own death, not the machine's. Open to every user of this machine.

use super::process::{Process, need};
use super::sql::{self, Sql};
use super::{ports, wait};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub struct Mariadb {
    process: Process,
    dir: TempDir,
    port: u16,
}

impl Mariadb {
    /// With an empty database `kam`.
    pub fn start() -> Mariadb {
        let (dir, port) = (sql::dir("shc-maria-"), ports::free());
        let server = Mariadb { process: launch(&dir, port), dir, port };
        server.wait_ready();
        sql::feed(server.client(), "CREATE DATABASE kam;");
        server
    }

    fn wait_ready(&self) {
        wait::until("MariaDB to answer", Duration::from_secs(60), || {
            let output = self.client().args(["-e", "SELECT 1"]).output().expect("mariadb");
            match output.status.success() {
                true => Ok(()),
                false => Err(std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()),
            }
        });
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same port, with its data, after `kill`.
    pub fn revive(&mut self) {
        self.process = launch(&self.dir, self.port);
        self.wait_ready();
    }

    /// It accepts connections and answers nothing.
    pub fn freeze(&self) {
        self.process.signal(libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.process.signal(libc::SIGCONT);
    }
}

fn launch(dir: &TempDir, port: u16) -> Process {
    let at = |name: &str| dir.path().join(name).display().to_string();
    let mut command = sql::unprivileged(&need("mariadbd"), dir.path());
    command.args(["--no-defaults", "--skip-grant-tables", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
    command.args([format!("--datadir={}", at("")), format!("--socket={}", at("sock")), format!("--port={port}")]);
    command.args([format!("--pid-file={}", at("pid")), format!("--tmpdir={}", at(""))]);
    command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M"]);
    command.args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_nopad_bin", "--skip-log-bin"]);
    Process::start(command, &dir.path().join("log"))
}

impl Drop for Mariadb {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Sql for Mariadb {
    fn url(&self) -> String {
        format!("mysql://kam:secret@127.0.0.1:{}/kam", self.port)
    }

    fn driver(&self) -> &'static str {
        "db_mysql"
    }

    fn client(&self) -> Command {
        let mut command = Command::new(need("mariadb"));
        command.args([
            "--no-defaults",
            "-u",
            "kam",
            "--batch",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
        ]);
        command.arg("-S").arg(self.dir.path().join("sock"));
        command
    }

    fn database(&self) -> String {
        "kam".to_owned()
    }
}
