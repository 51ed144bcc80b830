//! The same calls again and again: without a cache every call asks the database, with a table in each host's memory each host
//! asks once for each user, and with the shared table each user is asked for once in the whole farm.

use crate::account::{Account, grouped, percent};
use crate::calls::{Answers, Load};
use crate::counts::{Counts, SERVERS};
use crate::farm::{Farm, Form};
use crate::{Outcome, go_on};
use std::time::Duration;

const RATE: usize = 400;

/// One host's share of a phase.
struct Share {
    answers: Answers,
    counts: Counts,
}

pub fn without_cache(farm: &mut Farm, account: &mut Account) -> Outcome<Counts> {
    account.heading("Without a cache: every call asks the database");
    account.progress("starting two hosts");
    farm.boot(Form::WithoutCache);
    let sum = both(farm, account, "calls without a cache")?;
    account.check(sum.sql == sum.calls, format!("{} calls made {} SQL queries", grouped(sum.calls), grouped(sum.sql)));
    Ok(sum)
}

pub fn per_host(farm: &mut Farm, account: &mut Account) -> Outcome<Counts> {
    account.heading("With $sht: each host remembers for itself");
    account.progress("starting two hosts");
    farm.boot(Form::PerHost);
    let sum = both(farm, account, "calls with $sht")?;
    let users = farm.database.users() as u64;
    account.check(
        sum.sql >= 2 * users && sum.sql <= 2 * users + users / 50,
        format!("{} SQL queries: each host asked for each of the {} users", grouped(sum.sql), grouped(users)),
    );
    Ok(sum)
}

pub fn shared(farm: &mut Farm, account: &mut Account, without: Counts) -> Outcome<Counts> {
    account.heading("With the cache: $shc in the place of $sht");
    account.progress("starting two hosts");
    farm.boot(Form::TwelveLines);
    let start = farm.counts()?;
    let users = farm.database.names();
    let first = [wave(farm, account, "first calls of all users, host A", &[users.clone(), Vec::new()])?];
    let on_b = farm.counts()?[1];
    let second = wave(farm, account, "the same users on host B", &[Vec::new(), users.clone()])?;
    let fresh = farm.counts()?[1] - on_b;
    let third = wave(farm, account, "all users again, both hosts", &[shuffled(&users, 1), shuffled(&users, 2)])?;
    account.settle();

    let end = farm.counts()?;
    let shares: Vec<Share> = (0..2)
        .map(|i| {
            let mut answers = first[0][i].clone();
            answers.add(&second[i]);
            answers.add(&third[i]);
            Share { answers, counts: end[i] - start[i] }
        })
        .collect();
    report(account, farm, &shares);
    judge(account, &shares, without, fresh, users.len() as u64);
    report_servers(account, farm, &shares);
    let sum = sum(&shares);
    account.check(sum.hits.iter().all(|h| *h > 0), "each of the three servers holds its part of the table");
    Ok(sum)
}

/// Both hosts meet the same users at the same time, and nobody has stored an answer yet.
pub fn one_line(farm: &mut Farm, account: &mut Account) -> Outcome<Counts> {
    account.heading("One line in the place of twelve: shc_cached_route");
    account.progress("starting two hosts");
    farm.database.add_triggers()?;
    farm.boot(Form::OneLine);
    farm.use_all_servers()?;
    farm.hosts[0].kamcmd(&["shc.bump", "ipauth"])?;
    account.settle();
    account.text("if (shc_cached_route(\"ipauth\", \"$fU\", \"IPAUTH_ANSWER\")) ...");
    account.text("kamcmd shc.bump ipauth: all that the twelve lines have stored is gone.");
    let sum = both(farm, account, "calls in one line")?;
    let users = farm.database.users() as u64;
    account.check(
        sum.sql == users,
        format!(
            "{} SQL queries for {} users whom both hosts met at the same time: one loads, the other waits for what it finds",
            grouped(sum.sql),
            grouped(users)
        ),
    );
    Ok(sum)
}

fn judge(account: &mut Account, shares: &[Share], before: Counts, fresh: Counts, users: u64) {
    let sum = sum(shares);
    account.check(
        fresh.cached() + fresh.no_cache == fresh.calls && fresh.cached() * 100 >= fresh.calls * 99,
        format!(
            "host B had never seen these users: {} of its first {} calls were answered from what host A had stored",
            grouped(fresh.cached()),
            grouped(fresh.calls)
        ),
    );
    account.check(
        sum.sql >= users && sum.sql <= users + users / 50,
        format!(
            "{} SQL queries instead of {}: each of the {} users was asked for once in the whole farm (-{} %)",
            grouped(sum.sql),
            grouped(before.sql),
            grouped(users),
            100 - percent(sum.sql, before.sql)
        ),
    );
}

/// Every user twice on each host, both hosts at once: as many calls in each form. Reports them.
fn both(farm: &mut Farm, account: &mut Account, what: &str) -> Outcome<Counts> {
    let users = farm.database.names();
    let lists = [1, 2].map(|seed| [users.clone(), shuffled(&users, seed)].concat());
    let start = farm.counts()?;
    let answers = wave(farm, account, what, &lists)?;
    account.settle();
    let end = farm.counts()?;
    let share = |(i, answers)| Share { answers, counts: end[i] - start[i] };
    let shares: Vec<Share> = answers.into_iter().enumerate().map(share).collect();
    report(account, farm, &shares);
    Ok(sum(&shares))
}

/// One list of users per host, at the same time; shows how far it is.
fn wave(farm: &mut Farm, account: &mut Account, what: &str, lists: &[Vec<String>]) -> Outcome<Vec<Answers>> {
    let mut loads = Vec::new();
    for (host, users) in lists.iter().enumerate() {
        loads.push(if users.is_empty() { None } else { Some(Load::start(farm, host, users, RATE)) });
    }
    let total: usize = lists.iter().map(Vec::len).sum();
    while loads.iter_mut().flatten().any(Load::runs) {
        go_on()?;
        farm.callee_runs()?;
        let done: usize = loads.iter().flatten().map(Load::done).sum();
        account.progress(&format!("{what}: {} of {}", grouped(done as u64), grouped(total as u64)));
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(loads.into_iter().map(|l| l.map(Load::answers).unwrap_or_default()).collect())
}

fn report(account: &mut Account, farm: &Farm, shares: &[Share]) {
    let mut rows =
        vec![["", "calls", "yes", "no", "from cache", "SQL queries", "slowest answer"].map(String::from).into()];
    for (proxy, share) in farm.hosts.iter().zip(shares) {
        rows.push(row(&format!("host {}", proxy.name), &share.answers, &share.counts));
    }
    let mut answers = Answers::default();
    shares.iter().for_each(|s| answers.add(&s.answers));
    rows.push(row("together", &answers, &sum(shares)));
    account.table(&rows);
    verdict(account, farm, &answers);
}

/// What each form has cost the database.
pub fn account_of_queries(account: &Account, forms: &[(&str, Counts)]) {
    let mut rows = vec![["", "calls", "SQL queries", "spared"].map(String::from).to_vec()];
    for (form, counts) in forms {
        let spared = format!("{} %", percent(counts.cached(), counts.calls));
        rows.push(vec![(*form).to_string(), grouped(counts.calls), grouped(counts.sql), spared]);
    }
    account.table(&rows);
}

/// How the reads of each host were spread over the servers.
fn report_servers(account: &Account, farm: &Farm, shares: &[Share]) {
    let mut rows =
        vec![[&["lookups answered by"], &SERVERS[..]].concat().into_iter().map(String::from).collect::<Vec<_>>()];
    let line = |name: String, counts: Counts| [vec![name], counts.hits.map(grouped).into()].concat();
    rows.extend(farm.hosts.iter().zip(shares).map(|(p, share)| line(format!("for host {}", p.name), share.counts)));
    rows.push(line("together".into(), sum(shares)));
    account.table(&rows);
}

fn sum(shares: &[Share]) -> Counts {
    Counts::sum(&shares.iter().map(|s| s.counts).collect::<Vec<_>>())
}

/// The two claims that hold in every phase: all answered, none wrong.
pub fn verdict(account: &mut Account, farm: &Farm, answers: &Answers) {
    for line in answers.trouble.iter().take(5) {
        account.text(&format!("sipp: {line}"));
    }
    let total = answers.total();
    account.check(
        total == answers.asked && answers.trouble.is_empty(),
        format!("{} of {} calls were answered", grouped(total as u64), grouped(answers.asked as u64)),
    );
    let wrong = answers.wrong(&farm.database);
    account.check(wrong == 0 && total > 0, format!("{wrong} answers differ from what the database says"));
}

fn row(name: &str, answers: &Answers, counts: &Counts) -> Vec<String> {
    vec![
        name.to_string(),
        grouped(answers.total() as u64),
        grouped(answers.with_code(200) as u64),
        grouped(answers.with_code(403) as u64),
        grouped(counts.cached()),
        grouped(counts.sql),
        format!("{} ms", answers.within(1.0)),
    ]
}

/// Another order, the same each time.
pub fn shuffled(users: &[String], seed: u64) -> Vec<String> {
    let mut users = users.to_vec();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for i in (1..users.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        users.swap(i, (state % (i as u64 + 1)) as usize);
    }
    users
}
