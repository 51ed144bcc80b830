//! The watcher's part: it asks each server from time to time whether the records are there, and writes what is not.
//!
//! A record expires a day after it was last written, so what no host stands for is forgotten. Tables are told by all hosts
//! that have them; where hosts configure one differently, the host that began last has the word.

use super::{map_key, table_key, text};
use crate::cluster::record::key_ref;
use crate::cluster::{Layout, Shared};
use crate::hash::fnv1a;
use crate::key::WireKey;
use crate::wire::{Link, Reply};

/// A record's life, seconds; it is written again in the second half of it.
const LIFE_S: i64 = 86_400;

/// One record as it is to stand on every server.
#[derive(Debug)]
struct Sheet {
    key: WireKey,
    text: String,
    /// Of the text; it goes into the record's client flags.
    print: u32,
}

impl Sheet {
    fn new(key: WireKey, text: String) -> Self {
        Self { key, print: fnv1a(text.as_bytes()) as u32, text }
    }
}

/// All records of this host's farm.
#[derive(Debug, Default)]
pub struct Chart {
    /// The list of servers first, then the tables.
    sheets: Vec<Sheet>,
    /// The server in this slot has had this host's records once: from then on others may differ.
    told: Vec<bool>,
}

impl Chart {
    /// The list of servers is another one.
    pub fn follow(&mut self, shared: &Shared, layout: &Layout) {
        let map = Sheet::new(map_key(layout.digest()), text(layout.servers().map(|(_, server)| server)));
        let tables = shared.config().tables.iter();
        let tables = tables.map(|table| Sheet::new(table_key("table", &table.name), table.to_string()));
        self.sheets = std::iter::once(map).chain(tables).collect();
        self.told = vec![false; layout.slots()];
    }

    /// Adds the questions to a packet: as many as there are records.
    pub fn ask(&self, link: &mut Link) {
        self.sheets.iter().for_each(|sheet| link.mg(key_ref(&sheet.key), "t f"));
    }

    #[must_use]
    pub fn questions(&self) -> usize {
        self.sheets.len()
    }

    /// The records that a server lacks, by its answers from `at` on.
    #[must_use]
    pub fn due(&self, server: usize, link: &Link, at: usize) -> Vec<usize> {
        let due = |n: usize| match link.reply(at + n) {
            Reply::Miss => true,
            Reply::Done(meta) => {
                let ages = (0..LIFE_S / 2).contains(&meta.ttl);
                ages || !self.told[server] && meta.flags != self.sheets[n].print
            }
            _ => false,
        };
        (0..self.sheets.len()).filter(|n| due(*n)).collect()
    }

    /// Adds records to a packet.
    pub fn write(&self, link: &mut Link, due: &[usize]) {
        for Sheet { key, text, print } in due.iter().filter_map(|n| self.sheets.get(*n)) {
            link.ms(key_ref(key), &[text.as_bytes()], &format!("T{LIFE_S} F{print}"));
        }
    }

    /// The server has taken what was due there.
    pub fn done(&mut self, server: usize) {
        self.told[server] = true;
    }
}
