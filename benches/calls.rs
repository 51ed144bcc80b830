//! SIP calls through two real hosts that look each caller up in a MariaDB (`is_user_in`): without a cache, with `$sht` in each
//! host, with `shc_cached_route`, the same with `near=1`, and with `$shc` of a table with a source. Callers are drawn by Zipf's
//! law (exponent 1), twenty calls for each user there is; first the farm knows nobody, then it gets as many calls again. sipp
//! calls, MariaDB counts the queries, every answer is compared with the database.
//!
//! On all cores. Run with `cargo bench --bench calls`; `BENCH_CALLS=200000` makes one long round in the place of short ones.
//! What it finds goes to `bench-out`.

#[path = "calls/callers.rs"]
mod callers;
#[path = "calls/farm.rs"]
mod farm;
mod measure;
mod plot;
mod report;

#[path = "../tests/support/mod.rs"]
mod support;

use callers::Callers;
use farm::{Called, Farm};
use measure::{Kind, Series};
use report::{Section, find};

/// Calls of each row in a short round, and how many of these.
const CALLS: usize = 20_000;
const ROUNDS: usize = 3;
const CALLS_PER_USER: usize = 20;
/// Calls in each way before anything is measured.
const WARMING: usize = 200;

/// A way to answer, of a farm that knows nobody yet, or (`again`) after as many calls.
struct Row {
    id: &'static str,
    label: &'static str,
    kind: Kind,
    way: &'static str,
    again: bool,
}

const fn row(id: &'static str, label: &'static str, kind: Kind, way: &'static str, again: bool) -> Row {
    Row { id, label, kind, way, again }
}

const ROWS: [Row; 9] = [
    row("uncached", "is_user_in for each call", Kind::Peer, "uncached", false),
    row("local", "$sht in each host", Kind::Peer, "local", false),
    row("cached", "shc_cached_route", Kind::Ours, "cached", false),
    row("near", "shc_cached_route, near", Kind::Ours, "near", false),
    row("sourced", "$shc, the table has a source", Kind::Ours, "sourced", false),
    row("local_again", "as many calls again: $sht in each host", Kind::Peer, "local", true),
    row("cached_again", "as many calls again: shc_cached_route", Kind::Ours, "cached", true),
    row("near_again", "as many calls again: shc_cached_route, near", Kind::Ours, "near", true),
    row("sourced_again", "as many calls again: $shc, the table has a source", Kind::Ours, "sourced", true),
];

fn main() {
    let asked = std::env::var("BENCH_CALLS").ok();
    let asked = asked.map(|calls| calls.parse().expect("BENCH_CALLS is a number"));
    let (calls, rounds) = asked.map_or((CALLS, ROUNDS), |calls: usize| (calls, 1));
    let users = (calls / CALLS_PER_USER).max(1);
    println!("load of this machine before: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    let farm = Farm::start(rounds + 1, users);
    let warming = Callers::draw(0, users, WARMING, 1);
    for row in &ROWS {
        farm.call(row.way, &warming);
    }
    let mut called: [Vec<Called>; ROWS.len()] = Default::default();
    let mut callers = Vec::new();
    for round in 1..=rounds {
        let lists = [1, 2].map(|seed| Callers::draw(round, users, calls, seed));
        for (row, called) in ROWS.iter().zip(&mut called) {
            called.push(farm.call(row.way, &lists[usize::from(row.again)]));
        }
        callers.push(lists[0].distinct());
    }
    publish(&format!("{calls} calls of {users} users, two hosts"), &called, &callers);
}

/// `callers`: how many different users called in each round, at first.
fn publish(what: &str, called: &[Vec<Called>; ROWS.len()], callers: &[usize]) {
    let base = ROWS[0].id;
    let queries = series(called, |called| called.queries as f64);
    let title = format!("SQL queries for each call: {what}");
    let mut section = Section::of("calls_sql", &title, base, &queries, "per 1,000", |queries| queries * 1e3);
    for row in ROWS.iter().filter(|row| row.kind == Kind::Ours && row.again) {
        let ratio = find(&queries, row.id).over(find(&queries, base));
        section.goal(&format!("{}: SQL queries against uncached", row.label), ratio, 0.01);
    }
    for (row, called) in ROWS.iter().zip(called).filter(|(row, _)| row.kind == Kind::Ours && !row.again) {
        let each = called.iter().zip(callers).map(|(called, callers)| called.queries as f64 / *callers as f64);
        section.goal(&format!("{}: SQL queries for each user who called", row.label), each.fold(0.0, f64::max), 1.00);
    }
    let sum = |of: fn(&Called) -> usize| called.iter().flatten().map(of).sum::<usize>() as f64;
    section.goal("wrong answers in all", sum(|called| called.wrong), 0.0);
    section.goal("calls without an answer in all", sum(|called| called.lost), 0.0);
    section.publish();
    let work = series(called, |called| called.work.as_nanos() as f64);
    let title = "The same: processor time of hosts, database and memcached for each call";
    Section::new("calls_work", title, base, &work).publish();
    let time = series(called, |called| called.took.as_nanos() as f64);
    let title = "The same: time for each call, sipp on the same cores";
    Section::of("calls", title, base, &time, "calls/s", |ns| 1e9 / ns).publish();
}

/// For each row, what `of` tells of its calls, for one of them.
fn series(called: &[Vec<Called>; ROWS.len()], of: fn(&Called) -> f64) -> Vec<Series> {
    let one = |(row, called): (&Row, &Vec<Called>)| {
        let rounds = called.iter().map(|called| of(called) / called.calls as f64).collect();
        Series { id: row.id, label: row.label, kind: row.kind, rounds }
    };
    ROWS.iter().zip(called).map(one).collect()
}
