//! A near hit from the script against `$sht`, the host's own hash table: with one worker on one core, and with eight that read
//! the same entry on all cores. And what those pay who write to a near table.

mod client;
mod measure;
mod plot;
mod redis;
mod report;
mod scripts;

#[path = "../tests/support/mod.rs"]
mod support;

use client::Client;
use measure::{Case, Kind, Series, interleave, worked};
use report::{Section, find};
use scripts::Loop;
use std::time::Instant;
use support::{Host, Memcached};

const ROUNDS: usize = 400;
const WORKERS: usize = 8;
/// Rounds of all workers together, each so many times longer: to begin and end them takes a while.
const CROWDED_ROUNDS: usize = 60;
const LONGER: u32 = 5;
/// Writes of one round.
const WRITES: u32 = 100;

fn main() {
    let server = Memcached::tcp();
    let crowd = scripts::near(&server, WORKERS);
    assert_eq!(crowd.rc("prepare"), 1, "the entries are stored");
    let mut cases: Vec<Case<'_>> = scripts::NEAR.iter().map(|each| crowded(&crowd, each)).collect();
    let eight = interleave(&mut cases, CROWDED_ROUNDS);
    drop(cases);
    drop(crowd);

    measure::pin_to_one_core();
    let server = Memcached::tcp();
    let host = scripts::near(&server, 1);
    assert_eq!(host.rc("prepare"), 1, "the entries are stored");
    let mut cases: Vec<Case<'_>> = scripts::NEAR.iter().map(|each| alone(&host, each)).collect();
    let one = interleave(&mut cases, ROUNDS);
    drop(cases);

    write();
    publish("near", "Near hits inside Kamailio, one worker on one core", one, 1.0);
    publish("near8", "Near hits inside Kamailio, eight workers on all cores, the same entry", eight, 0.8);
}

fn publish(id: &str, title: &str, raw: Vec<Series>, wanted: f64) {
    let series = measure::without_loop(raw);
    let mut section = Section::new(id, title, "sht_get", &series);
    let ratio = |own: &str, base: &str| find(&series, own).over(find(&series, base));
    section.goal("$shc near hit against $sht", ratio("shc_near", "sht_get"), wanted);
    section.goal("shc_cached_route near hit against $sht that is looked at first", ratio("cached_near", "sht_if"), 1.0);
    section.publish();
}

/// Sets on tables that are near and on tables that are not, by the same client on the same servers.
fn write() {
    let servers = Memcached::many(3);
    let (addresses, pids): (Vec<String>, Vec<i32>) = servers.iter().map(|one| (one.addr(), one.pid())).unzip();
    let case = |(id, label, table): (&'static str, &'static str, &str)| {
        let (mut client, pids) = (Client::new(table, &addresses), pids.clone());
        Case::new(id, label, Kind::Ours, move || {
            client.watch();
            worked(WRITES, &pids, || client.set())
        })
    };
    let mut cases = [
        ("set", "set", "a"),
        ("near_set", "set, near", "b=>near=1"),
        ("set_twice", "set, two copies", "c=>copies=2"),
        ("near_set_twice", "set, two copies, near", "d=>copies=2;near=1"),
    ]
    .map(case);
    let series = interleave(&mut cases, ROUNDS);
    let mut section = Section::new("near_writes", "Writes to near tables, processor time on one core", "set", &series);
    let ratio = |own: &str, base: &str| find(&series, own).over(find(&series, base));
    section.goal("a set on a near table against one on another", ratio("near_set", "set"), 1.1);
    section.goal("the same of two copies", ratio("near_set_twice", "set_twice"), 1.1);
    section.publish();
}

/// One worker's nanoseconds per turn of the loop.
fn alone<'a>(host: &'a Host, what: &'static Loop) -> Case<'a> {
    Case::new(what.id, what.label, what.kind, move || took(host, what, what.count))
}

fn took(host: &Host, what: &Loop, count: u32) -> f64 {
    let outcome = host.run_with(what.id, &[("X-N", &count.to_string())]);
    assert_eq!(outcome.rc, 1, "{}: the loop ends with the value it should have", what.id);
    outcome.out.parse::<f64>().expect("microseconds") * 1000.0 / f64::from(count)
}

/// Nanoseconds per turn of all workers' loops together.
fn crowded<'a>(host: &'a Host, what: &'static Loop) -> Case<'a> {
    let count = what.count * LONGER;
    Case::new(what.id, what.label, what.kind, move || {
        let begun = Instant::now();
        std::thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(|| took(host, what, count)))));
        // The loop runs an eighth of its turns before it looks at the clock.
        let turns = f64::from(count + count / 8 + 1) * WORKERS as f64;
        begun.elapsed().as_nanos() as f64 / turns
    })
}
