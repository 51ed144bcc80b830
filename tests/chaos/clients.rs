//! The clients that write everything down: several per host, each asking one thing after the other.

use super::farm::HOSTS;
use super::ledger::{Key, Ledger, Table};
use super::requests::{Operation, ask};
use super::rng::Rng;
use crate::support::sip::Client;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::JoinHandle;
use std::time::Duration;

const PER_HOST: usize = 3;

/// How often each is asked for, in percent.
const VALUES: [(Operation, u64); 7] = [
    (Operation::Get, 44),
    (Operation::Set, 22),
    (Operation::Delete, 9),
    (Operation::Cas, 9),
    (Operation::Add, 5),
    (Operation::Replace, 3),
    (Operation::Many, 8),
];
const SUMS: [(Operation, u64); 2] = [(Operation::Count, 65), (Operation::Get, 35)];
const TAGGED: [(Operation, u64); 9] = [
    (Operation::Get, 48),
    (Operation::Set, 12),
    (Operation::Tag, 10),
    (Operation::Void, 8),
    (Operation::Untag, 6),
    (Operation::Cas, 6),
    (Operation::Add, 4),
    (Operation::Replace, 2),
    (Operation::Many, 4),
];
const TABLES: [(Table, u64); 5] =
    [(Table::Values, 44), (Table::Sums, 18), (Table::Single, 14), (Table::Tagged, 14), (Table::Near, 10)];

pub fn start(ledger: &Arc<Ledger>, ports: &[u16], seed: u64) -> Vec<JoinHandle<()>> {
    let each = (0..HOSTS).flat_map(|host| (0..PER_HOST).map(move |client| (host, client)));
    each.map(|(host, client)| {
        let (ledger, port) = (ledger.clone(), ports[host]);
        let rng = Rng::new(seed ^ ((host * PER_HOST + client) as u64 + 1) << 32);
        std::thread::spawn(move || run(&ledger, (host, port), rng))
    })
    .collect()
}

fn run(ledger: &Ledger, host: (usize, u16), mut rng: Rng) {
    let client = Client::new();
    while !ledger.stop.load(SeqCst) {
        if ledger.alive[host.0].load(SeqCst) {
            one(ledger, &client, host, &mut rng);
        }
        std::thread::sleep(Duration::from_micros(rng.range(1_000, 12_000)));
    }
}

fn one(ledger: &Ledger, client: &Client, host: (usize, u16), rng: &mut Rng) {
    let table = pick(&TABLES, rng);
    let operation = match table {
        Table::Values | Table::Single => pick(&VALUES, rng),
        Table::Sums => pick(&SUMS, rng),
        Table::Tagged | Table::Near => pick(&TAGGED, rng),
    };
    let first = rng.below(table.slots());
    let key = |slot: usize| ledger.key(table, slot % table.slots());
    let keys: Vec<Key> = match operation {
        Operation::Many => (first..first + 4).map(key).collect(),
        Operation::Void | Operation::Untag => Table::UNDER_TAGS.map(|table| Key { table, ..key(first) }).into(),
        _ => vec![key(first)],
    };
    let value = if operation == Operation::Count { rng.range(1, 100) } else { ledger.fresh() };
    let deaths = ledger.deaths[host.0].load(SeqCst);
    ledger.asked.fetch_add(1, SeqCst);
    let answer = ask(client, host, operation, &keys, value, rng.chance(50));
    if !answer.answered && ledger.deaths[host.0].load(SeqCst) == deaths {
        ledger.unanswered.fetch_add(1, SeqCst);
    }
    ledger.write(answer.calls);
}

fn pick<T: Copy>(shares: &[(T, u64)], rng: &mut Rng) -> T {
    let mut at = rng.range(0, shares.iter().map(|(_, share)| share).sum());
    let chosen = shares.iter().find(|(_, share)| {
        let here = at < *share;
        at = at.saturating_sub(*share);
        here
    });
    chosen.expect("a share").0
}
