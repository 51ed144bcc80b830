//! Rows change by plain SQL, and nobody tells any host: triggers write down what changed, and one of the hosts reads it.

use crate::account::{Account, grouped};
use crate::calls::{Answers, Load};
use crate::farm::Farm;
use crate::lookups::verdict;
use crate::{Outcome, go_on};
use std::time::{Duration, Instant};

const CHANGES: usize = 20;
const RATE: usize = 100;
/// What a change takes at most once it has been read from the outbox: `probe_interval` and `cmd_timeout`.
const DELTA: Duration = Duration::from_millis(150);

pub fn run(farm: &mut Farm, account: &mut Account) -> Outcome<()> {
    account.heading("Triggers: the database says by itself what has changed");
    account.text("sqlite3 ipauth.sqlite < sql/sqlite/outbox.sql, and sql/sqlite/trigger.sql for the table grp");
    account.text(&format!("modparam(\"shardcache\", \"outbox\", \"{}\")", farm.database.outbox()));
    let users: Vec<String> = farm.database.names().into_iter().step_by(7).take(CHANGES).collect();
    farm.database.turn(&users)?;
    let committed = Instant::now();
    while !farm.database.is_drained()? {
        go_on()?;
        if committed.elapsed() > Duration::from_secs(20) {
            return Err("nobody reads the outbox".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let drained = committed.elapsed();
    std::thread::sleep(DELTA);
    let loads: Vec<Load> = (0..farm.hosts.len()).map(|host| Load::start(farm, host, &users, RATE)).collect();
    let mut answers = Answers::default();
    loads.into_iter().for_each(|load| answers.add(&load.answers()));
    verdict(account, farm, &answers);
    account.check(
        answers.total() == 2 * CHANGES && answers.wrong(&farm.database) == 0,
        format!(
            "the outbox was read {} ms after the commit of {CHANGES} changes: the next {} calls on both hosts know all of them",
            drained.as_millis(),
            grouped(answers.total() as u64)
        ),
    );
    Ok(())
}
