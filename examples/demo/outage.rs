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
    let mut loads = [start_load(farm, 0)?, start_load(farm, 1)?];
    let restarted = watch(farm, account, &mut loads)?;
    account.settle();

    let mut answers = Answers::default();
    loads.into_iter().for_each(|load| answers.add(&load.answers()));
    let end = farm.counts()?;
    let between = |from: &[Counts]| Counts::sum(&[end[0] - from[0], end[1] - from[1]]);
    let (all, after) = (between(&start), between(&restarted));
    verdict(account, farm, &answers);
    account
        .check(all.no_cache > 0, format!("{} calls found {victim} gone and asked the database", grouped(all.no_cache)));
    let text = |what: &str| format!("both hosts say so in their logs (event_route[shardcache:server-{what}])");
    for (event, line) in [("down", format!("server {victim} is down")), ("up", format!("server {victim} is back"))] {
        let said = farm.hosts.iter().all(|p| p.host.log().contains(&line));
        account.check(said, text(event));
    }
    account.check(
        after.hits[VICTIM] > 0,
        format!("{victim} is used again: {} reads answered since it came back, empty", grouped(after.hits[VICTIM])),
    );
    account.text(&format!(
        "half of the answers took {} ms or less, 99 % {} ms, the slowest {} ms; {} % of the calls came from the cache",
        answers.within(0.5),
        answers.within(0.99),
        answers.within(1.0),
        percent(all.cached(), all.calls)
    ));
    Ok(())
}

fn start_load(farm: &Farm, host: usize) -> Outcome<Load> {
    let users = farm.database.names();
    let turns = CALLS.div_ceil(users.len());
    let mut list: Vec<String> = (0..turns).flat_map(|t| shuffled(&users, (10 * host + t + 3) as u64)).collect();
    list.truncate(CALLS);
    Load::start(farm, host, &list, RATE)
}

/// Kills and restarts the server while the calls run, one line per second; gives the counts at the restart.
fn watch(farm: &mut Farm, account: &mut Account, loads: &mut [Load; 2]) -> Outcome<Vec<Counts>> {
    let begin = Instant::now();
    let (mut killed, mut restarted) = (false, None);
    let mut last = (begin, farm.counts()?);
    let mut rows = vec![["second", "calls", "from cache", "SQL queries", "host A sees", ""].map(String::from).to_vec()];
    while loads.iter_mut().any(Load::runs) {
        go_on()?;
        farm.callee_runs()?;
        let mut note = "";
        if !killed && begin.elapsed() >= KILL_AT {
            farm.servers[VICTIM].kill();
            killed = true;
            note = "<- killed";
        }
        if restarted.is_none() && begin.elapsed() >= RESTART_AT {
            restarted = Some(farm.counts()?);
            farm.servers[VICTIM].restart();
            note = "<- started again";
        }
        if last.0.elapsed() >= Duration::from_secs(1) || !note.is_empty() {
            let now = farm.counts()?;
            rows.push(second(farm, begin, &last.1, &now, note)?);
            last = (Instant::now(), now);
        }
        let done: usize = loads.iter().map(Load::done).sum();
        account.progress(&format!("calls on both hosts: {} of {}", grouped(done as u64), grouped(2 * CALLS as u64)));
        std::thread::sleep(Duration::from_millis(50));
    }
    account.settle();
    account.table(&rows);
    restarted.ok_or_else(|| "the calls ended before the server was started again".into())
}

fn second(farm: &Farm, begin: Instant, before: &[Counts], now: &[Counts], note: &str) -> Outcome<Vec<String>> {
    let sum = Counts::sum(&[now[0] - before[0], now[1] - before[1]]);
    let state = counts::state(&farm.hosts[0].host, SERVERS[VICTIM])?;
    Ok(vec![
        format!("{:.1}", begin.elapsed().as_secs_f64()),
        grouped(sum.calls),
        grouped(sum.cached()),
        grouped(sum.sql),
        format!("{} {state}", SERVERS[VICTIM]),
        note.to_string(),
    ])
}
