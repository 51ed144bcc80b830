//! Transactions that commit in another order than they began.

use super::support::wait::until_true;
use super::support::{Mariadb, Postgres, Sql};
use super::{Farm, GRP, LIMIT, left, make_outbox, serves};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

/// A session that has changed something and not committed it yet.
struct Session(Child);

impl Session {
    fn begin(sql: &dyn Sql, change: &str) -> Self {
        let mut client = sql.client();
        if sql.driver() == "db_mysql" {
            client.arg("--unbuffered");
        }
        client.arg(sql.database()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut session = Self(client.spawn().expect("a client"));
        session.say(&format!("BEGIN;\n{change}\nSELECT 'changed';\n"));
        let output = BufReader::new(session.0.stdout.take().expect("its output"));
        let mut lines = output.lines().map(|line| line.expect("a line"));
        assert!(lines.any(|line| line.trim() == "changed"));
        session
    }

    fn say(&mut self, text: &str) {
        self.0.stdin.as_mut().expect("its input").write_all(text.as_bytes()).expect("it reads");
    }

    fn commit(mut self) {
        self.say("COMMIT;\n");
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("a client").success());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One row comes after others with greater ids are done and gone.
fn a_change_that_is_committed_late_is_not_passed_over(sql: &dyn Sql) {
    sql.run(GRP);
    make_outbox(sql);
    let farm = Farm::start(sql);
    farm.holder();
    farm.store(&["dave", "erin"]);
    let late = Session::begin(sql, "INSERT INTO grp VALUES ('dave', 'ipauth');");
    sql.run("INSERT INTO grp VALUES ('erin', 'ipauth');");
    farm.nobody_serves("erin");
    until_true("the outbox to be empty", LIMIT, || left(sql) == "0");
    assert!(farm.hosts.iter().all(|host| serves(host, "dave")), "what is not committed changes nothing");
    late.commit();
    farm.nobody_serves("dave");
    until_true("the outbox to be empty", LIMIT, || left(sql) == "0");
    assert_eq!((farm.sum("outbox_rows"), farm.sum("outbox_errors")), (2, 0));
}

#[test]
fn a_late_commit_in_mariadb() {
    a_change_that_is_committed_late_is_not_passed_over(&Mariadb::start());
}

#[test]
fn a_late_commit_in_postgres() {
    a_change_that_is_committed_late_is_not_passed_over(&Postgres::start());
}
