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
        self.sql(&match member {
            true => format!("INSERT INTO grp (username, grp) VALUES ('{user}', 'ipauth');"),
            false => format!("DELETE FROM grp WHERE username = '{user}' AND grp = 'ipauth';"),
        })?;
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
