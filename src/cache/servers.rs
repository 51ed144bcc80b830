//! The memcached servers behind the calls: a table with one copy of each key asks the key's home, one with two copies
//! the pair that keeps them.

mod many;
mod tagged;

use std::sync::Arc;

use super::dump::{Page, Unread};
use super::farm::Farm;
use super::near::{Brought, Mixed, Near, Said};
use super::pair::{Call, Desk};
use super::single::Single;
use super::token::Token;
use super::{Answer, Ask, Fault, Location, Mode, Step};
use crate::cluster::Shared;
use crate::value::Value;
use crate::value::frame::{self, Wire};
use tagged::Tagged;

/// One worker's way to the servers.
pub(crate) struct Servers {
    farm: Farm,
    desk: Desk,
    /// Where a table is near.
    near: Option<Near>,
    mixed: Mixed,
    tagged: Tagged,
}

impl Servers {
    pub fn new(shared: &'static Shared) -> Self {
        let (farm, near) = (Farm::new(shared), Near::new(shared));
        Self { farm, desk: Desk::default(), near, mixed: Mixed::default(), tagged: Tagged::default() }
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

    /// Did it answer, and is there no more to be said of what it told?
    pub fn told_near(&self) -> bool {
        self.near.as_ref().is_some_and(Near::tells_all)
    }

    pub fn asked(&self) -> Option<usize> {
        if self.counted() { None } else { self.farm.asked() }
    }

    #[inline]
    pub fn value(&self) -> Option<Value<'_>> {
        match self.held_near() {
            Some(near) => near.value(),
            None if self.tagged.held().is_some() => self.wire()?.shown(),
            None => self.farm.value(),
        }
    }

    /// The value, where the near cache gave it and it is a text.
    #[inline(always)]
    pub fn near_text(&self) -> Option<&[u8]> {
        self.near.as_ref()?.text()
    }

    /// The last entry read, as it is.
    pub fn wire(&self) -> Option<Wire<'_>> {
        match self.held_near() {
            Some(near) => near.wire(),
            None if self.tagged.held().is_some() => self.entry().map(frame::Tagged::inner),
            None => self.farm.wire(),
        }
    }

    /// The same with its tags.
    pub fn entry(&self) -> Option<frame::Tagged<'_>> {
        match self.held_near() {
            Some(near) => near.entry(),
            None => self.tagged.held()?.entry(0),
        }
    }

    /// By what the entry may be replaced that the last call found void, because of its tags.
    pub fn voided(&self) -> Option<Token> {
        self.tagged.held()?.voided(0)
    }

    /// Did the last call go to another server because the key's home is away?
    pub fn stands_in(&self) -> bool {
        self.held_near().is_none() && self.farm.stands_in()
    }

    pub fn left(&self) -> Option<i64> {
        match (self.held_near(), self.tagged.held()) {
            (Some(near), _) => near.left(),
            (None, Some(one)) => one.detail_of(0)?.left,
            (None, None) => self.farm.stamp().1,
        }
    }

    pub fn token(&self) -> Token {
        self.held_near().map_or_else(|| self.brought_token(), Near::token)
    }

    fn brought_token(&self) -> Token {
        if let Some(one) = self.tagged.held() {
            return one.detail_of(0).map_or(Token::Unsettled, |detail| detail.token);
        }
        self.desk.token().unwrap_or_else(|| Token::One { cas: self.farm.stamp().0, seat: self.farm.seat() })
    }

    /// Reads an entry, near or far.
    #[inline(always)]
    pub fn get(&mut self, table: usize, key: &[u8], ask: Ask) -> Answer {
        match self.look_near(table, key) {
            None => self.fetch(table, key, ask),
            Some(Said::There) => Ok(true),
            Some(Said::Absent) => Ok(false),
            Some(Said::Nothing) => self.fill(table, key),
        }
    }

    /// Reads an entry from whoever keeps it.
    #[inline(never)]
    pub fn fetch(&mut self, table: usize, key: &[u8], ask: Ask) -> Answer {
        if let Some(rule) = self.rule(table) {
            return self.fetch_tagged(rule, table, key);
        }
        self.ask(table, key, |single| single.get(ask), |call| call.get(ask))
    }

    pub fn ttl(&mut self, table: usize, key: &[u8]) -> Answer {
        match self.look_near(table, key) {
            Some(Said::There) => Ok(true),
            Some(Said::Absent) => Ok(false),
            _ if self.rule(table).is_some() => self.fetch(table, key, Ask::All),
            None | Some(Said::Nothing) => self.ask(table, key, |single| single.ttl(), |call| call.ttl()),
        }
    }

    /// What the near cache says; `None` where the table has none.
    #[inline(always)]
    fn look_near(&mut self, table: usize, key: &[u8]) -> Option<Said> {
        let near = self.near.as_mut().filter(|_| self.farm.shared.table_at(table).near)?;
        near.begin();
        self.farm.keep_up();
        Some(near.look(&self.farm.layout, table, key))
    }

    /// Reads an entry from whoever keeps it, and keeps it near.
    #[inline(never)]
    fn fill(&mut self, table: usize, key: &[u8]) -> Answer {
        let claim = self.near.as_mut().map(|near| near.claim(&self.farm, table, key));
        let found = self.fetch(table, key, Ask::All)?;
        let mut near = self.near.take();
        let brought = match self.tagged.held() {
            Some(one) => one.sure(0),
            None => self.brought(found),
        };
        if let (Some(near), Some(claim), Some(brought)) = (&mut near, claim, brought) {
            near.keep(claim, table, key, brought);
        }
        self.near = near;
        Ok(found)
    }

    /// What servers confirmed of the entry just asked for; `None` = nothing.
    fn brought(&self, found: bool) -> Option<Option<Brought<'_>>> {
        let (left, token) = (self.farm.stamp().1, self.brought_token());
        let brought = self.farm.wire().map(|Wire { data, flags }| Brought { data, flags, left, token });
        (!self.desk.doubtful() && found == brought.is_some()).then_some(brought)
    }

    pub fn touch(&mut self, table: usize, key: &[u8], ttl: u32) -> Answer {
        self.change(table, key, |single| single.touch(ttl), |call| call.touch(ttl))
    }

    pub fn put(&mut self, mode: Mode, table: usize, key: &[u8], wire: Wire<'_>, ttl: u32) -> Answer {
        // Nothing can hang on a tag yet that has no record.
        if mode == Mode::Add && table == self.farm.shared.tags() {
            return self.ask(table, key, |single| single.put(mode, wire, ttl), |call| call.put(mode, wire, ttl));
        }
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
        self.tagged.begin();
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
