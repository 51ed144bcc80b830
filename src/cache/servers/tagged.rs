//! Entries under tags on the servers: an entry and the record of its key's tag are read in one round, the records of tags that it was
//! given one by one in a second.

use super::Servers;
use crate::cache::Answer;
use crate::cache::batch::{Batch, Standing};
use crate::clock::Deadline;
use crate::cluster::TableStat;
use crate::cluster::courier::Want;
use crate::table::TagRule;

/// What is needed to read tags, and the entry that the last call read under some.
#[derive(Debug, Default)]
pub(super) struct Tagged {
    held: bool,
    /// The only one of its batch.
    one: Batch,
    /// The tags of the keys, one behind the other, where each ends, and room for a list of them.
    room: Vec<u8>,
    ends: Vec<usize>,
    list: Vec<&'static [u8]>,
    /// The records of tags given one by one.
    named: Batch,
}

impl Tagged {
    /// Begins a call: forgets what the last one brought.
    pub fn begin(&mut self) {
        self.held = false;
    }

    /// What the last call read, if that was one entry of a table with tags: the first of a batch.
    pub fn held(&self) -> Option<&Batch> {
        self.held.then_some(&self.one)
    }
}

impl Servers {
    /// How the tags of a table's entries are made, if they have any.
    pub(super) fn rule(&self, table: usize) -> Option<&'static TagRule> {
        self.farm.shared.table_at(table).tag.as_ref()
    }

    /// Reads an entry; void counts as missing.
    pub(super) fn fetch_tagged(&mut self, rule: &TagRule, table: usize, key: &[u8]) -> Answer {
        self.begin();
        let (mut one, mut room) = (std::mem::take(&mut self.tagged.one), std::mem::take(&mut self.tagged.room));
        room.clear();
        rule.put(key, &mut room);
        self.fetch_under(&mut one, table, &[key], &[&room]);
        let answer = one.answer(0);
        (self.tagged.one, self.tagged.room, self.tagged.held) = (one, room, true);
        answer
    }

    /// Reads many entries into the farm's batch.
    pub(super) fn fetch_all_tagged(&mut self, rule: &TagRule, table: usize, keys: &[&[u8]]) {
        self.begin();
        let (mut room, mut ends) = (std::mem::take(&mut self.tagged.room), std::mem::take(&mut self.tagged.ends));
        room.clear();
        ends.clear();
        ends.extend(keys.iter().map(|key| {
            rule.put(key, &mut room);
            room.len()
        }));
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let mut tags: Vec<&[u8]> = std::mem::take(&mut self.tagged.list);
        tags.extend(begins.zip(&ends).map(|(begin, end)| &room[begin..*end]));
        let mut batch = std::mem::take(&mut self.farm.batch);
        self.fetch_under(&mut batch, table, keys, &tags);
        self.farm.batch = batch;
        tags.clear();
        let list = tags.into_iter().map(|_| &b""[..]).collect();
        (self.tagged.room, self.tagged.ends, self.tagged.list) = (room, ends, list);
    }

    /// Reads entries and the records of their keys' tags.
    fn fetch_under(&mut self, batch: &mut Batch, table: usize, keys: &[&[u8]], tags: &[&[u8]]) {
        let deadline = self.farm.begin();
        self.in_step(batch, table, [keys, tags], Want::All, deadline);
        let voids = batch.hold_against_tags(keys.len()) + self.look_at_names(batch, deadline);
        self.farm.shared.table_cell(table).counts.add(TableStat::TagVoids as usize, voids);
    }

    /// Is it certain that there is nothing under any of these keys? For a table without tags; leaves the last batch alone.
    pub fn lacks(&mut self, table: usize, keys: &[&[u8]]) -> bool {
        self.begin();
        let deadline = self.farm.begin();
        let mut named = std::mem::take(&mut self.tagged.named);
        self.in_step(&mut named, table, [keys, &[]], Want::Value, deadline);
        let lacks = (0..keys.len()).all(|at| named.answer(at) == Ok(false));
        self.tagged.named = named;
        lacks
    }

    /// Compares entries with the records of the tags that they were given one by one. Returns how many are void.
    fn look_at_names(&mut self, batch: &mut Batch, deadline: Deadline) -> u64 {
        let names: Vec<&[u8]> = batch.names().map(|(_, name, _)| name).collect();
        if names.is_empty() {
            return 0;
        }
        let (mut named, asked) = (std::mem::take(&mut self.tagged.named), self.farm.asked());
        self.in_step(&mut named, self.farm.shared.tags(), [&names, &[]], Want::All, deadline);
        asked.into_iter().for_each(|server| self.farm.answered(server));
        let standing = |(nth, (at, _, number))| (at, named.standing(nth, number));
        let standings: Vec<(usize, Standing)> = batch.names().enumerate().map(standing).collect();
        self.tagged.named = named;
        standings.into_iter().map(|(at, standing)| u64::from(batch.settle(at, standing))).sum()
    }
}
