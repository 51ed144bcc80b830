//! A memcached server is killed while calls run on both hosts, and started again, empty, before they end.

use crate::account::{Account, grouped, percent};
use crate::calls::{Answers, Load};
use crate::counts::{self, Counts, SERVERS};
use crate::farm::Farm;
use crate::lookups::{shuffled, verdict};
use crate::{Outcome, go_on};
use std::time::{Duration, Instant};

const RATE: usize = 250;
const KILL_AT: Duration = Duration::from_secs(3);
const RESTART_AT: Duration = Duration::from_secs(7);
const CALLS: usize = RATE * 12;
/// The server that dies: the second.
const VICTIM: usize = 1;

pub fn run(farm: &mut Farm, account: &mut Account) -> Outcome<()> {
    let victim = SERVERS[VICTIM];
    account.heading(&format!("{victim} is killed in the middle of the calls"));
    let start = farm.counts()?;
    let mut loads = [start_load(farm, 0), start_load(farm, 1)];
    let restarted = Watch::new(farm)?.run(farm, account, &mut loads)?;
    let mut answers = Answers::default();
    loads.into_iter().for_each(|load| answers.add(&load.answers()));
    let end = farm.counts()?;
    let since = |from: &[Counts]| Counts::sum(&[end[0] - from[0], end[1] - from[1]]);
    verdict(account, farm, &answers);
    judge(account, farm, &since(&start), &since(&restarted));
    account.text(&format!(
        "half of the answers took {} ms or less, 99 % {} ms, the slowest {} ms",
        answers.within(0.5),
        answers.within(0.99),
        answers.within(1.0)
    ));
    Ok(())
}

fn judge(account: &mut Account, farm: &Farm, all: &Counts, after: &Counts) {
    let victim = SERVERS[VICTIM];
    account
        .check(all.no_cache > 0, format!("{} calls found {victim} away and asked the database", grouped(all.no_cache)));
    account.check(
        all.cached() > 0,
        format!("{} % of all these calls were still answered from the cache", percent(all.cached(), all.calls)),
    );
    for (event, line) in [("down", format!("server {victim} is down")), ("up", format!("server {victim} is back"))] {
        let said = farm.hosts.iter().all(|p| p.host.log().contains(&line));
        account
            .check(said, format!("event_route[shardcache:server-{event}] ran on both hosts: \"{line}\" in both logs"));
    }
    account.check(
        after.hits[VICTIM] > 0,
        format!("{victim} came back empty and is used again: {} lookups answered since", grouped(after.hits[VICTIM])),
    );
}

fn start_load(farm: &Farm, host: usize) -> Load {
    let users = farm.database.names();
    let turns = CALLS.div_ceil(users.len());
    let mut list: Vec<String> = (0..turns).flat_map(|t| shuffled(&users, (10 * host + t + 3) as u64)).collect();
    list.truncate(CALLS);
    Load::start(farm, host, &list, RATE)
}

/// Looks on while the calls run: kills and restarts the server, and keeps one line per second.
struct Watch {
    begin: Instant,
    killed: bool,
    /// The counts at the restart.
    restarted: Option<Vec<Counts>>,
    last: (Instant, Vec<Counts>),
    rows: Vec<Vec<String>>,
}

impl Watch {
    fn new(farm: &Farm) -> Outcome<Watch> {
        let titles = ["second", "calls", "from cache", "SQL queries", "host A sees", ""].map(String::from).to_vec();
        let begin = Instant::now();
        Ok(Watch { begin, killed: false, restarted: None, last: (begin, farm.counts()?), rows: vec![titles] })
    }

    /// To the end of the calls; gives the counts at the restart.
    fn run(mut self, farm: &mut Farm, account: &mut Account, loads: &mut [Load; 2]) -> Outcome<Vec<Counts>> {
        while loads.iter_mut().any(Load::runs) {
            go_on()?;
            farm.callee_runs()?;
            let note = self.act(farm)?;
            if self.last.0.elapsed() >= Duration::from_secs(1) || !note.is_empty() {
                self.look(farm, note)?;
            }
            let done: usize = loads.iter().map(Load::done).sum();
            account.progress(&format!(
                "calls on both hosts: {} of {}",
                grouped(done as u64),
                grouped(2 * CALLS as u64)
            ));
            std::thread::sleep(Duration::from_millis(50));
        }
        account.settle();
        account.table(&self.rows);
        self.restarted.ok_or_else(|| "the calls ended before the server was started again".into())
    }

    /// What is due now, and a note of it.
    fn act(&mut self, farm: &mut Farm) -> Outcome<&'static str> {
        if !self.killed && self.begin.elapsed() >= KILL_AT {
            farm.servers[VICTIM].kill();
            self.killed = true;
            return Ok("<- killed");
        }
        if self.restarted.is_none() && self.begin.elapsed() >= RESTART_AT {
            self.restarted = Some(farm.counts()?);
            farm.servers[VICTIM].restart();
            return Ok("<- started again");
        }
        Ok("")
    }

    fn look(&mut self, farm: &Farm, note: &str) -> Outcome<()> {
        let now = farm.counts()?;
        let sum = Counts::sum(&[now[0] - self.last.1[0], now[1] - self.last.1[1]]);
        let state = counts::state(&farm.hosts[0].host, SERVERS[VICTIM])?;
        self.rows.push(vec![
            format!("{:.1}", self.begin.elapsed().as_secs_f64()),
            grouped(sum.calls),
            grouped(sum.cached()),
            grouped(sum.sql),
            format!("{} {state}", SERVERS[VICTIM]),
            note.to_string(),
        ]);
        self.last = (Instant::now(), now);
        Ok(())
    }
}
