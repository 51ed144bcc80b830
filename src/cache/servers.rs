//! The memcached servers behind the calls: a table with one copy of each key asks the key's home, one with two copies
//! the pair that keeps them.

use std::sync::Arc;

use super::batch::Tally;
use super::dump::{Page, Unread};
use super::farm::Farm;
use super::pair::{Call, Desk, Many};
use super::single::Single;
use super::token::Token;
use super::{Answer, Ask, Fault, Location, Mode, Step, Verdict};
use crate::cluster::Shared;
use crate::value::Value;

/// One worker's way to the servers.
pub(crate) struct Servers {
    farm: Farm,
    desk: Desk,
}

impl Servers {
    pub fn new(shared: &'static Shared) -> Self {
        Self { farm: Farm::new(shared), desk: Desk::default() }
    }

    /// Takes over the list of servers as it is now.
    pub fn follow(&mut self) {
        self.farm.begin();
    }

    pub fn name(&self, server: usize) -> &str {
        self.farm.layout.name(server)
    }

    pub fn asked(&self) -> Option<usize> {
        self.farm.asked()
    }

    pub fn value(&self) -> Option<Value<'_>> {
        self.farm.value()
    }

    pub fn left(&self) -> Option<i64> {
        self.farm.stamp().1
    }

    pub fn token(&self) -> Token {
        self.desk.token().unwrap_or_else(|| Token::One { cas: self.farm.stamp().0, seat: self.farm.seat() })
    }

    pub fn get(&mut self, table: usize, key: &[u8], ask: Ask) -> Answer {
        self.ask(table, key, |single| single.get(ask), |call| call.get(ask))
    }

    pub fn ttl(&mut self, table: usize, key: &[u8]) -> Answer {
        self.ask(table, key, |single| single.ttl(), |call| call.ttl())
    }

    pub fn touch(&mut self, table: usize, key: &[u8], ttl: u32) -> Answer {
        self.change(table, key, |single| single.touch(ttl), |call| call.touch(ttl))
    }

    pub fn put(&mut self, mode: Mode, table: usize, key: &[u8], value: Value<'_>, ttl: u32) -> Answer {
        self.change(table, key, |single| single.put(mode, value, ttl), |call| call.put(mode, value, ttl))
    }

    pub fn remove(&mut self, table: usize, key: &[u8]) -> Answer {
        self.change(table, key, |single| single.remove(), |call| call.remove())
    }

    pub fn count(&mut self, table: usize, key: &[u8], step: Step, ttl: u32) -> Answer {
        self.change(table, key, |single| single.count(step, ttl), |call| call.count(step, ttl))
    }

    pub fn lock(&mut self, table: usize, key: &[u8], ttl: u32) -> Result<Option<u64>, Fault> {
        self.ask(table, key, |single| single.lock(ttl), |call| call.lock(ttl))
    }

    pub fn unlock(&mut self, table: usize, key: &[u8], fence: u64) -> Answer {
        self.ask(table, key, |single| single.unlock(fence), |call| call.unlock(fence))
    }

    pub fn mget(&mut self, table: usize, keys: &[&[u8]]) -> Tally {
        let deadline = self.farm.begin();
        if !self.farm.mirrors(table) || self.farm.layout.len() < 2 {
            return self.farm.mget(table, keys, deadline);
        }
        let layout = Arc::clone(&self.farm.layout);
        self.desk.begin();
        let mut batch = std::mem::take(&mut self.farm.batch);
        let many = Many { farm: &mut self.farm, desk: &mut self.desk, layout: &layout, deadline, table, keys };
        many.mget(&mut batch);
        self.farm.batch = batch;
        self.farm.batch.tally()
    }

    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        self.farm.found(i)
    }

    pub fn bump(&mut self, table: usize) -> Answer {
        self.farm.bump(table)
    }

    pub fn locate(&mut self, table: usize, key: &[u8]) -> Result<Location, Fault> {
        self.farm.locate(table, key)
    }

    pub fn dump(&mut self, table: usize, cursor: &str, limit: usize) -> Result<Page, Unread> {
        let sightings = self.farm.dump(table, cursor, limit)?;
        if !self.farm.mirrors(table) {
            return Ok(sightings.page(|_| true));
        }
        Ok(sightings.page(|seen| {
            let shown = |call: Call<'_>| Ok(call.shows(seen.server, seen.part));
            self.ask(table, &seen.entry.key, |_| Ok(true), shown).unwrap_or(false)
        }))
    }

    /// Asks for a change of an entry: all hosts are told of it, and what this one keeps of it in its own memory is void on return,
    /// whatever became of the call.
    fn change<T>(
        &mut self,
        table: usize,
        key: &[u8],
        single: impl FnOnce(Single<'_>) -> Result<T, Fault>,
        pair: impl FnOnce(Call<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.farm.begin_change(table, key);
        let answer = self.ask(table, key, single, pair);
        self.farm.end_change();
        answer
    }

    /// Asks whoever serves the table's only copies, else the pair.
    fn ask<T>(
        &mut self,
        table: usize,
        key: &[u8],
        single: impl FnOnce(Single<'_>) -> Result<T, Fault>,
        pair: impl FnOnce(Call<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.desk.begin();
        let deadline = self.farm.begin();
        if self.farm.mirrors(table) {
            let layout = Arc::clone(&self.farm.layout);
            if let Some(both) = layout.pair(self.farm.home(table, key)) {
                return pair(Call::new(&mut self.farm, &mut self.desk, both, table, key, deadline));
            }
        }
        Single::new(&mut self.farm, table, key, deadline).and_then(single)
    }
}
