//! The provisioning system's side: an SQLite file with subscribers and groups, written and read with the sqlite3 program.
//! What it says is the truth that every SIP answer is held against.

use crate::Outcome;
use crate::support::process::need;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const USERS: usize = 1_000;
const SCHEMA: &str = include_str!("../../cfg-examples/ipauth.sql");
const OUTBOX: &str = include_str!("../../sql/sqlite/outbox.sql");
const TRIGGER: &str = include_str!("../../sql/sqlite/trigger.sql");

pub struct Database {
    file: PathBuf,
    members: BTreeMap<String, bool>,
}

impl Database {
    /// The schema of the example, and every third of the subscribers in the group.
    pub fn create(dir: &Path) -> Outcome<Database> {
        let mut database = Database { file: dir.join("ipauth.sqlite"), members: BTreeMap::new() };
        let mut script = format!("{SCHEMA}\nBEGIN; DELETE FROM subscriber; DELETE FROM grp;\n");
        for i in 0..USERS {
            script += &format!("INSERT INTO subscriber (username) VALUES ('user{i:04}');\n");
            if i.is_multiple_of(3) {
                script += &format!("INSERT INTO grp (username, grp) VALUES ('user{i:04}', 'ipauth');\n");
            }
        }
        database.sql(&(script + "COMMIT;\n"))?;
        database.refresh()?;
        Ok(database)
    }

    pub fn url(&self) -> String {
        format!("sqlite:///{}", self.file.display())
    }

    /// The `outbox` parameter of the hosts.
    pub fn outbox(&self) -> String {
        format!("url={};poll=200", self.url())
    }

    /// From now on each change of the groups is written down in the outbox.
    pub fn add_triggers(&self) -> Outcome<()> {
        let names = [("@TABLE@", "grp"), ("@COLUMN@", "username"), ("@CACHE@", "ipauth")];
        let trigger = names.iter().fold(TRIGGER.to_string(), |text, (mark, name)| text.replace(mark, name));
        self.sql(&format!("{OUTBOX}\n{trigger}")).map(drop)
    }

    /// Whether all changes have been read from the outbox.
    pub fn is_drained(&self) -> Outcome<bool> {
        Ok(self.sql("SELECT count(*) FROM shc_outbox;")?.trim() == "0")
    }

    pub fn users(&self) -> usize {
        self.members.len()
    }

    pub fn members(&self) -> usize {
        self.members.values().filter(|m| **m).count()
    }

    pub fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// Whether the user is in the group, as of the last change.
    pub fn is_member(&self, user: &str) -> bool {
        self.members.get(user).copied().unwrap_or(false)
    }

    /// Puts the user into the group or takes it out.
    pub fn set_member(&mut self, user: &str, member: bool) -> Outcome<()> {
        self.sql(&change(user, member))?;
        self.refresh()
    }

    /// Takes those users who are in the group out of it, and puts the others in.
    pub fn turn(&mut self, users: &[String]) -> Outcome<()> {
        let changes: String = users.iter().map(|user| change(user, !self.is_member(user))).collect();
        self.sql(&changes)?;
        self.refresh()
    }

    fn refresh(&mut self) -> Outcome<()> {
        let rows = self.sql(
            "SELECT username, EXISTS (SELECT 1 FROM grp g WHERE g.username = s.username AND g.grp = 'ipauth') FROM subscriber s;",
        )?;
        self.members = rows.lines().filter_map(|r| r.split_once('|')).map(|(u, m)| (u.into(), m == "1")).collect();
        Ok(())
    }

    fn sql(&self, script: &str) -> Outcome<String> {
        let mut command = Command::new(need("sqlite3"));
        command.args(["-batch", "-bail", "-cmd", ".timeout 5000"]).arg(&self.file);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(script.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("sqlite3: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn change(user: &str, member: bool) -> String {
    match member {
        true => format!("INSERT INTO grp (username, grp) VALUES ('{user}', 'ipauth');"),
        false => format!("DELETE FROM grp WHERE username = '{user}' AND grp = 'ipauth';"),
    }
}
