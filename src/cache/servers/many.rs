//! Many entries in one call: those kept near, and the others in as few exchanges as can be.

use std::sync::Arc;

use super::Servers;
use crate::cache::batch::{Batch, Blank, Tally};
use crate::cache::pair::Many;
use crate::cache::{Fault, Verdict};
use crate::clock::Deadline;
use crate::cluster::courier::Want;
use crate::value::Value;

impl Servers {
    pub fn mget(&mut self, table: usize, keys: &[&[u8]]) -> Tally {
        self.mixed.clear();
        let Some(near) = self.near.as_mut().filter(|_| self.farm.shared.table_at(table).near) else {
            return self.fetch_many(table, keys);
        };
        near.begin();
        self.farm.keep_up();
        let mut mixed = std::mem::take(&mut self.mixed);
        let rest = mixed.pick(near, &self.farm, table, keys);
        near.begin();
        let mut asked = Tally::default();
        if !rest.is_empty() {
            asked = self.fetch_many(table, &rest);
            self.near.iter_mut().for_each(|near| mixed.keep(near, &self.farm.batch, table, &rest));
        }
        mixed.give_back(rest);
        self.mixed = mixed;
        self.mixed.tally(asked)
    }

    fn fetch_many(&mut self, table: usize, keys: &[&[u8]]) -> Tally {
        self.tagged.begin();
        if let Some(rule) = self.rule(table) {
            self.fetch_all_tagged(rule, table, keys);
            return self.farm.batch.tally();
        }
        let deadline = self.farm.begin();
        if !self.farm.mirrors(table) || self.farm.layout.len() < 2 {
            return self.farm.mget(table, keys, deadline);
        }
        self.desk.begin();
        let mut batch = std::mem::take(&mut self.farm.batch);
        let want = if self.farm.shared.table_at(table).near { Want::All } else { Want::Value };
        self.in_step(&mut batch, table, [keys, &[]], want, deadline);
        self.farm.batch = batch;
        self.farm.batch.tally()
    }

    /// Reads keys of a table, and the records of tags behind them, in as few exchanges as can be.
    pub(super) fn in_step(
        &mut self,
        batch: &mut Batch,
        table: usize,
        all: [&[&[u8]]; 2],
        want: Want,
        deadline: Deadline,
    ) {
        let (layout, [keys, tags]) = (Arc::clone(&self.farm.layout), all);
        let (farm, desk, layout) = (&mut self.farm, &mut self.desk, &layout);
        Many { farm, desk, layout, deadline, table, keys, tags, want }.mget(batch);
    }

    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        if self.mixed.is_empty() { self.farm.found(i) } else { self.mixed.found(&self.farm.batch, i) }
    }

    /// Is nothing known of the `i`-th key?
    pub fn blank(&self, i: usize) -> Option<Blank> {
        if self.mixed.is_empty() { self.farm.batch.blank(i) } else { self.mixed.blank(&self.farm.batch, i) }
    }

    /// This is what became known of the `i`-th key.
    pub fn amend(&mut self, i: usize, answer: Result<Option<(&[u8], u32)>, Fault>) {
        let batch = &mut self.farm.batch;
        let at = if self.mixed.is_empty() { i } else { self.mixed.place(batch, i) };
        batch.set(at, answer);
    }
}
