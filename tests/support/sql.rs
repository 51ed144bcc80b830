//! What tests want of a database, whichever it is.

use super::process::{self, need};
use std::cell::RefCell;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A database with one schema, which a Kamailio can be pointed to.
pub trait Sql {
    /// As in a `db_url`.
    fn url(&self) -> String;
    /// The Kamailio module that speaks with it.
    fn driver(&self) -> &'static str;
    /// Its own client program; what comes next is the name of a database.
    fn client(&self) -> Command;
    /// The name of the database, for that program.
    fn database(&self) -> String;

    /// Runs a script with its own client program; gives what that prints, one row per line.
    fn run(&self, script: &str) -> String {
        let mut client = self.client();
        client.arg(self.database());
        feed(client, script)
    }
}

/// Loads the driver, set so that a database that hangs does not keep a process for long, and that numbers keep their sign.
pub fn modules(sql: &dyn Sql) -> String {
    let settings = match sql.driver() {
        "db_mysql" => {
            r#"modparam("db_mysql", "timeout_interval", 1)
            modparam("db_mysql", "auto_reconnect", 0)
            modparam("db_mysql", "unsigned_type", 1)"#
        }
        "db_postgres" => {
            r#"modparam("db_postgres", "timeout", 1)
            modparam("db_postgres", "retries", 0)
            modparam("db_postgres", "bytea_output_escape", 0)"#
        }
        _ => "",
    };
    format!("loadmodule \"{}.so\"\n{settings}", sql.driver())
}

/// Makes the outbox and its triggers, as the scripts under `sql/` do: a change of `column` in `table` is told of for the table
/// `cache` of the cache.
pub fn triggers(sql: &dyn Sql, table: &str, column: &str, cache: &str) {
    let kind = sql.driver().trim_start_matches("db_");
    let script = |name: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(kind).join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    sql.run(&script("outbox.sql"));
    let named = [("@TABLE@", table), ("@COLUMN@", column), ("@CACHE@", cache)];
    sql.run(&named.iter().fold(script("trigger.sql"), |text, (mark, name)| text.replace(mark, name)));
}

/// A directory for a server that must not run as root.
pub fn dir(prefix: &str) -> TempDir {
    let dir = tempfile::Builder::new().prefix(prefix).tempdir().expect("temporary directory");
    if process::is_root() {
        std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    dir
}

const NOBODY: u32 = 65_534;

/// A program that runs without the rights of root, in `dir`.
pub fn unprivileged(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env("HOME", dir);
    if process::is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Feeds a client program; panics with its errors when it fails.
pub fn feed(mut command: Command, script: &str) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(&name);
    child.stdin.take().expect("stdin").write_all(script.as_bytes()).expect("script");
    let output = child.wait_with_output().expect(&name);
    assert!(output.status.success(), "{name}: {}\n{script}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same server, to be killed while others use it.
pub struct Mortal<T>(pub RefCell<T>);

impl<T: Sql> Sql for Mortal<T> {
    fn url(&self) -> String {
        self.0.borrow().url()
    }

    fn driver(&self) -> &'static str {
        self.0.borrow().driver()
    }

    fn client(&self) -> Command {
        self.0.borrow().client()
    }

    fn database(&self) -> String {
        self.0.borrow().database()
    }
}

/// An SQLite file, read and written with the sqlite3 program.
pub struct Sqlite(TempDir);

impl Sqlite {
    pub fn create() -> Sqlite {
        let dir = tempfile::Builder::new().prefix("shc-lite-").tempdir().expect("temporary directory");
        let sqlite = Sqlite(dir);
        sqlite.run("PRAGMA journal_mode=WAL;");
        sqlite
    }

    pub fn file(&self) -> PathBuf {
        self.0.path().join("kam.sqlite")
    }
}

impl Sql for Sqlite {
    fn url(&self) -> String {
        format!("sqlite:///{}", self.file().display())
    }

    fn driver(&self) -> &'static str {
        "db_sqlite"
    }

    fn client(&self) -> Command {
        let mut command = Command::new(need("sqlite3"));
        command.args(["-batch", "-bail", "-cmd", ".timeout 5000"]);
        command
    }

    fn database(&self) -> String {
        self.file().display().to_string()
    }
}
