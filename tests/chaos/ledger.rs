//! What the clients and the campaign share: which keys are in use, which hosts live, and the book of all calls.

use super::farm::HOSTS;
use super::history::Call;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Two copies, values.
    Values,
    /// Two copies, counters.
    Sums,
    /// One copy, values.
    Single,
    /// Two copies, values under tags that both tables share.
    Tagged,
    /// The same, in the hosts' own memory too.
    Near,
}

impl Table {
    pub const ALL: [Table; 5] = [Table::Values, Table::Sums, Table::Single, Table::Tagged, Table::Near];
    pub const UNDER_TAGS: [Table; 2] = [Table::Tagged, Table::Near];

    pub fn name(self) -> &'static str {
        match self {
            Table::Values => "values",
            Table::Sums => "sums",
            Table::Single => "single",
            Table::Tagged => "tagged",
            Table::Near => "near",
        }
    }

    /// How many keys are in use at a time.
    pub fn slots(self) -> usize {
        match self {
            Table::Values => 48,
            Table::Sums | Table::Single | Table::Tagged | Table::Near => 24,
        }
    }
}

/// A key; when its history has grown long a new generation takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub table: Table,
    pub slot: usize,
    pub generation: u32,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "k{}.{}", self.slot, self.generation)
    }
}

#[derive(Default)]
pub struct Ledger {
    pub stop: AtomicBool,
    /// Whether a host is there to be asked, and how often it has died.
    pub alive: [AtomicBool; HOSTS],
    pub deaths: [AtomicU32; HOSTS],
    /// Requests without an answer although the host lived.
    pub unanswered: AtomicU64,
    pub asked: AtomicU64,
    written: AtomicU64,
    generations: HashMap<Table, Vec<AtomicU32>>,
    book: Mutex<Book>,
}

#[derive(Default)]
pub struct Book {
    pub keys: HashMap<Key, Vec<Call>>,
    /// All calls since the round began.
    pub round: Vec<(Table, Call)>,
}

impl Ledger {
    pub fn new() -> Ledger {
        let slots = |table: Table| (table, (0..table.slots()).map(|_| AtomicU32::new(0)).collect());
        let ledger = Ledger { generations: Table::ALL.map(slots).into_iter().collect(), ..Ledger::default() };
        ledger.alive.iter().for_each(|alive| alive.store(true, SeqCst));
        ledger
    }

    /// A value that was never written before.
    pub fn fresh(&self) -> u64 {
        self.written.fetch_add(1, SeqCst) + 1
    }

    pub fn key(&self, table: Table, slot: usize) -> Key {
        Key { table, slot, generation: self.generations[&table][slot].load(SeqCst) }
    }

    /// All keys in use.
    pub fn keys(&self) -> Vec<Key> {
        Table::ALL.into_iter().flat_map(|table| (0..table.slots()).map(move |slot| self.key(table, slot))).collect()
    }

    /// From now on another key is used in the place of this one.
    pub fn retire(&self, key: Key) {
        self.generations[&key.table][key.slot].fetch_add(1, SeqCst);
    }

    pub fn write(&self, calls: impl IntoIterator<Item = (Key, Call)>) {
        let mut book = self.book();
        for (key, call) in calls {
            book.keys.entry(key).or_default().push(call);
            book.round.push((key.table, call));
        }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
