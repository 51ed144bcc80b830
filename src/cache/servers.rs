//! The memcached servers behind the calls: a table with one copy of each key asks the key's home, one with two copies
//! the pair that keeps them.

use std::sync::Arc;

use super::batch::{Blank, Tally};
use super::dump::{Page, Unread};
use super::farm::Farm;
use super::near::{Brought, Mixed, Near, Said};
use super::pair::{Call, Desk, Many};
use super::single::Single;
use super::token::Token;
use super::{Answer, Ask, Fault, Location, Mode, Step, Verdict};
use crate::cluster::Shared;
use crate::value::Value;
use crate::value::frame::Wire;

/// One worker's way to the servers.
pub(crate) struct Servers {
    farm: Farm,
    desk: Desk,
    /// Where a table is near.
    near: Option<Near>,
    mixed: Mixed,
}

impl Servers {
    pub fn new(shared: &'static Shared) -> Self {
        Self { farm: Farm::new(shared), desk: Desk::default(), near: Near::new(shared), mixed: Mixed::default() }
    }

    /// Takes over the list of servers as it is now.
    pub fn follow(&mut self) {
        self.farm.begin();
    }

    pub fn name(&self, server: usize) -> &str {
        self.farm.layout.name(server)
    }

    /// The near cache, if it gave the last answer.
    fn held_near(&self) -> Option<&Near> {
        self.near.as_ref().filter(|near| near.holds())
    }

    /// Did the near cache give the last answer, and count it?
    pub fn counted(&self) -> bool {
        self.held_near().is_some()
    }

    pub fn asked(&self) -> Option<usize> {
        if self.counted() { None } else { self.farm.asked() }
    }

    pub fn value(&self) -> Option<Value<'_>> {
        self.held_near().map_or_else(|| self.farm.value(), Near::value)
    }

    /// The last entry read, as it is.
    pub fn wire(&self) -> Option<Wire<'_>> {
        self.held_near().map_or_else(|| self.farm.wire(), Near::wire)
    }

    /// Did the last call go to another server because the key's home is away?
    pub fn stands_in(&self) -> bool {
        self.held_near().is_none() && self.farm.stands_in()
    }

    pub fn left(&self) -> Option<i64> {
        self.held_near().map_or_else(|| self.farm.stamp().1, Near::left)
    }

    pub fn token(&self) -> Token {
        self.held_near().map_or_else(|| self.brought_token(), Near::token)
    }

    fn brought_token(&self) -> Token {
        self.desk.token().unwrap_or_else(|| Token::One { cas: self.farm.stamp().0, seat: self.farm.seat() })
    }

    /// Reads an entry, near or far.
    pub fn get(&mut self, table: usize, key: &[u8], ask: Ask) -> Answer {
        match self.look_near(table, key) {
            None => self.fetch(table, key, ask),
            Some(Said::There) => Ok(true),
            Some(Said::Absent) => Ok(false),
            Some(Said::Nothing) => self.fill(table, key),
        }
    }

    /// Reads an entry from whoever keeps it.
    pub fn fetch(&mut self, table: usize, key: &[u8], ask: Ask) -> Answer {
        self.ask(table, key, |single| single.get(ask), |call| call.get(ask))
    }

    pub fn ttl(&mut self, table: usize, key: &[u8]) -> Answer {
        match self.look_near(table, key) {
            Some(Said::There) => Ok(true),
            Some(Said::Absent) => Ok(false),
            None | Some(Said::Nothing) => self.ask(table, key, |single| single.ttl(), |call| call.ttl()),
        }
    }

    /// What the near cache says; `None` where the table has none.
    fn look_near(&mut self, table: usize, key: &[u8]) -> Option<Said> {
        let near = self.near.as_mut().filter(|_| self.farm.shared.config().tables[table].near)?;
        near.begin();
        self.farm.keep_up();
        Some(near.look(&self.farm.layout, table, key))
    }

    /// Reads an entry from whoever keeps it, and keeps it near.
    fn fill(&mut self, table: usize, key: &[u8]) -> Answer {
        let claim = self.near.as_ref().map(|near| near.claim(&self.farm, table, key));
        let found = self.fetch(table, key, Ask::All)?;
        let (left, token) = (self.farm.stamp().1, self.brought_token());
        let brought = self.farm.wire().map(|Wire { data, flags }| Brought { data, flags, left, token });
        if let (Some(near), Some(claim)) = (&mut self.near, claim)
            && !self.desk.doubtful()
            && found == brought.is_some()
        {
            near.keep(claim, table, key, brought);
        }
        Ok(found)
    }

    pub fn touch(&mut self, table: usize, key: &[u8], ttl: u32) -> Answer {
        self.change(table, key, |single| single.touch(ttl), |call| call.touch(ttl))
    }

    pub fn put(&mut self, mode: Mode, table: usize, key: &[u8], wire: Wire<'_>, ttl: u32) -> Answer {
        self.change(table, key, |single| single.put(mode, wire, ttl), |call| call.put(mode, wire, ttl))
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
        self.mixed.clear();
        let Some(near) = self.near.as_mut().filter(|_| self.farm.shared.config().tables[table].near) else {
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

    pub fn bump(&mut self, table: usize) -> Answer {
        self.begin();
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

    /// Begins a call: forgets what the last one brought.
    fn begin(&mut self) {
        self.desk.begin();
        self.near.iter_mut().for_each(Near::begin);
    }

    /// Asks whoever serves the table's only copies, else the pair.
    fn ask<T>(
        &mut self,
        table: usize,
        key: &[u8],
        single: impl FnOnce(Single<'_>) -> Result<T, Fault>,
        pair: impl FnOnce(Call<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.begin();
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
