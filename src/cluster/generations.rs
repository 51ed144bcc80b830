//! The tables' generations as the servers hold them, brought together: the largest wins and is written back. In the same
//! packets the records of the [`map`](super::map) are kept in place.

use std::sync::atomic::Ordering::Relaxed;

use super::map::chart::Chart;
use super::record::{key_ref, number};
use super::{Layout, Shared};
use crate::clock::{self, Deadline};
use crate::key::WireKey;
use crate::wire::{self, Link, Reply};

/// Milliseconds after which a server's records are read although its root counter stands still: it keeps them from
/// being evicted, and mends one that was.
const REFRESH_MS: u64 = 10_000;
/// So many records are read in one round at most; what is left has to wait for the next one.
const RECORDS: usize = 10_000;

/// The wire keys of all generation records, and when each server's were last read.
#[derive(Debug)]
pub struct Generations {
    shared: &'static Shared,
    records: Vec<WireKey>,
    root: WireKey,
    read_ms: Vec<u64>,
    chart: Chart,
    /// All generations as this host knew them in the last round, put into one number.
    known: u64,
}

impl Generations {
    pub fn new(shared: &'static Shared) -> Self {
        let tables = shared.config().tables.iter();
        Self {
            shared,
            records: tables.map(|table| WireKey::of_record("gen", &table.name, b"")).collect(),
            root: WireKey::of_record("root", "", b""),
            read_ms: Vec::new(),
            chart: Chart::default(),
            known: 0,
        }
    }

    /// The list of servers is another one: all of them are to learn of it.
    pub fn follow(&mut self, layout: &Layout) {
        self.read_ms = vec![0; layout.slots()];
        self.chart.follow(self.shared, layout);
    }

    /// A generation that this host has learned of since the last round may be missing on any server: all are asked.
    fn notice(&mut self) {
        let cells = (0..self.records.len()).map(|table| self.shared.table_cell(table).generation.load(Relaxed));
        let known = cells.fold(0u64, |sum, generation| sum.rotate_left(7).wrapping_add(generation));
        if std::mem::replace(&mut self.known, known) != known {
            self.read_ms.fill(0);
        }
    }

    /// Reads the records of the servers whose root moved (and of those not read for long), takes over what is newer and
    /// writes back what is missing there. Returns the servers for which both succeeded.
    pub fn sync(&mut self, links: &mut [Link], moved: &[usize], deadline: Deadline) -> Vec<usize> {
        self.notice();
        let now = clock::monotonic_ms();
        let aged = |server: &usize| now.saturating_sub(self.read_ms[*server]) > REFRESH_MS && !moved.contains(server);
        let most = (RECORDS / (self.records.len() + self.chart.questions())).max(1);
        let mut asked: Vec<usize> = moved.iter().copied().chain((0..links.len()).filter(aged)).collect();
        asked.retain(|server| links[*server].is_open());
        asked.truncate(most);
        if asked.is_empty() {
            return asked;
        }
        self.exchange(links, &asked, deadline, |this, link, _| {
            this.records.iter().for_each(|record| link.mg(key_ref(record), "v c"));
            this.chart.ask(link);
        });
        asked.retain(|server| links[*server].status().is_ok());
        let mut found = Vec::with_capacity(asked.len());
        for &server in &asked {
            let records = (0..self.records.len()).map(|at| Record::read(&links[server].reply(at)));
            let Some(records) = records.collect::<Option<Vec<Record>>>() else { continue };
            for (table, record) in records.iter().enumerate() {
                self.shared.table_cell(table).generation.fetch_max(record.generation, Relaxed);
            }
            let due = self.chart.due(server, &links[server], records.len());
            found.push(Found { server, records, due });
        }
        self.write_back(links, &found, deadline);
        asked.retain(|server| links[*server].status().is_ok() && found.iter().any(|found| found.server == *server));
        asked.iter().for_each(|server| self.read_ms[*server] = now);
        asked.iter().for_each(|server| self.chart.done(*server));
        asked
    }

    /// A record that is behind is replaced unless somebody else was faster. A root counter is made where there is none;
    /// it moves where a record was written, so that all hosts look.
    fn write_back(&self, links: &mut [Link], found: &[Found], deadline: Deadline) {
        let used: Vec<usize> = found.iter().map(|found| found.server).collect();
        self.exchange(links, &used, deadline, |this, link, server| {
            let Some(found) = found.iter().find(|found| found.server == server) else { return };
            this.chart.write(link, &found.due);
            let mut behind = 0;
            for (table, record) in found.records.iter().enumerate() {
                let known = this.shared.table_cell(table).generation.load(Relaxed);
                if record.generation < known {
                    let guard = record.cas.map_or_else(|| "T0 ME".to_owned(), |cas| format!("T0 C{cas}"));
                    link.ms(key_ref(&this.records[table]), &[known.to_string().as_bytes()], &guard);
                    behind = 1;
                }
            }
            link.ma(key_ref(&this.root), &format!("N0 J{} D{behind}", clock::wall_us()));
        });
    }

    fn exchange(&self, links: &mut [Link], used: &[usize], deadline: Deadline, fill: impl Fn(&Self, &mut Link, usize)) {
        for &server in used {
            links[server].begin();
            fill(self, &mut links[server], server);
        }
        wire::exchange(links, used, deadline);
    }
}

/// What one server answered.
struct Found {
    server: usize,
    /// By tables.
    records: Vec<Record>,
    /// What it lacks of the map.
    due: Vec<usize>,
}

/// A generation as one server holds it; without a token it holds none.
#[derive(Debug, Default)]
struct Record {
    generation: u64,
    cas: Option<u64>,
}

impl Record {
    /// `None` when the server said neither what the record holds nor that there is none.
    fn read(reply: &Reply<'_>) -> Option<Self> {
        match reply {
            Reply::Value { meta, .. } => Some(Self { generation: number(reply).unwrap_or(0), cas: Some(meta.cas) }),
            Reply::Miss => Some(Self::default()),
            _ => None,
        }
    }
}
