//! Entries under tags: stored with the numbers that their tags have, so that one call makes all of them void.
//!
//! A table with `tag=` puts each entry under a tag made of its key; [`tag`](Cache::tag) adds others. A tag's number lies in a record of
//! the [table of tags](crate::table::TAGS), made by whoever needs it first and never used again. The number is known before
//! the entry is stored: what was read from a source before a tag's record went away carries a number that no record will
//! have. A record that is lost costs misses, and never brings anything old back.

use super::farm::{RACED, ROUNDS};
use super::{Answer, Ask, Back, Cache, Fault, Mode, Verdict, on_back};
use crate::cluster::TableStat;
use crate::lookup::Dice;
use crate::value::frame::tagged::{Tagged, read_record, record};
use crate::value::frame::{Item, Wire};

/// What a worker needs to store under tags.
#[derive(Debug, Default)]
pub(super) struct Tags {
    dice: Dice,
    /// The tag that is made of a key.
    tag: Vec<u8>,
    /// The entry with its tags.
    room: Vec<u8>,
    /// The tags given to it one by one.
    names: Vec<u8>,
}

impl Cache {
    /// Puts an entry under one more tag, without changing its value or lifetime; done also where it stands under it already. Of tables
    /// without `tag=` nothing can be tagged.
    pub fn tag(&mut self, table: usize, key: &[u8], tag: &[u8]) -> Verdict {
        let Some(rule) = &self.shared.table_at(table).tag else {
            return self.fail(Some(table), "table without tags");
        };
        let answer = if rule.makes(tag, key) { self.stands(table, key) } else { self.add_tag(table, key, tag) };
        self.settle(table, answer, TableStat::Sets)
    }

    /// Makes all entries under a tag void, in whatever tables they are: `Done` means that none of them is served from now on.
    pub fn invalidate_tag(&mut self, tag: &[u8]) -> Verdict {
        let tags = self.shared.tags();
        let held = self.hold_off_tag(tag);
        let answer = on_back!(self, back => back.remove(tags, tag));
        self.settle(tags, held.and(answer).map(|_| true), TableStat::Invalidations)
    }

    fn add_tag(&mut self, table: usize, key: &[u8], tag: &[u8]) -> Answer {
        let (mut room, mut names) = (std::mem::take(&mut self.tags.room), std::mem::take(&mut self.tags.names));
        let added = self.number_of(tag).and_then(|number| {
            for _ in 0..ROUNDS {
                if let Some(answer) = self.try_tag(table, key, (tag, number), &mut room, &mut names)? {
                    return Ok(answer);
                }
            }
            Err(RACED)
        });
        (self.tags.room, self.tags.names) = (room, names);
        added
    }

    /// `None` when the entry was changed meanwhile.
    fn try_tag(
        &mut self,
        table: usize,
        key: &[u8],
        (tag, number): (&[u8], u64),
        room: &mut Vec<u8>,
        names: &mut Vec<u8>,
    ) -> Result<Option<bool>, Fault> {
        if !on_back!(self, back => back.fetch(table, key, Ask::All))? {
            return Ok(Some(false));
        }
        let left = self.left();
        let (token, entry) = on_back!(self, back => (back.token(), back.entry()));
        let Some(entry) = entry else { return Ok(Some(false)) };
        if let Some(Item::Loading(_) | Item::GivenUp { .. }) = Item::from_wire(entry.inner()) {
            return Ok(Some(false));
        }
        if entry.names().any(|(name, _)| name == tag) {
            return Ok(Some(true));
        }
        let wire = entry.under(tag, number, names).ok_or(Fault::TooManyTags)?.to_wire(room);
        let stored = on_back!(self, back => back.put(Mode::Cas(token), table, key, wire, left))?;
        Ok(stored.then_some(true))
    }

    /// Is there an entry? Asked only where a tag may have made it void.
    pub(super) fn stands(&mut self, table: usize, key: &[u8]) -> Answer {
        match self.shared.table_at(table).tag {
            None => Ok(true),
            Some(_) => on_back!(self, back => back.fetch(table, key, Ask::All)),
        }
    }

    /// Has the tag of this key still the number that it had when the entry was read?
    pub(super) fn still_under(&mut self, table: usize, key: &[u8], number: u64) -> Answer {
        let Some(rule) = &self.shared.table_at(table).tag else { return Ok(true) };
        let mut tag = std::mem::take(&mut self.tags.tag);
        tag.clear();
        rule.put(key, &mut tag);
        let found = self.known_number(&tag);
        self.tags.tag = tag;
        Ok(found? == Some(number))
    }

    /// Stores an entry under the tag of its key. `number`: what the tag had when the entry to be replaced by its token was read.
    pub(super) fn store(
        &mut self,
        mode: Mode,
        table: usize,
        key: &[u8],
        wire: Wire<'_>,
        ttl: u32,
        number: u64,
    ) -> Answer {
        let Some(rule) = &self.shared.table_at(table).tag else {
            return on_back!(self, back => back.put(mode, table, key, wire, ttl));
        };
        let mut tag = std::mem::take(&mut self.tags.tag);
        tag.clear();
        rule.put(key, &mut tag);
        let number = if matches!(mode, Mode::Cas(_)) { Ok(number) } else { self.number_of(&tag) };
        self.tags.tag = tag;
        let mut room = std::mem::take(&mut self.tags.room);
        let stored = number.and_then(|number| {
            let entry = Tagged::new(number, wire).to_wire(&mut room);
            self.store_entry(mode, table, key, entry, ttl)
        });
        self.tags.room = room;
        stored
    }

    /// What a tag made void counts as missing.
    fn store_entry(&mut self, mode: Mode, table: usize, key: &[u8], entry: Wire<'_>, ttl: u32) -> Answer {
        let replaces = mode == Mode::Replace;
        if !replaces && mode != Mode::Add {
            return on_back!(self, back => back.put(mode, table, key, entry, ttl));
        }
        for _ in 0..ROUNDS {
            if !replaces && on_back!(self, back => back.put(Mode::Add, table, key, entry, ttl))? {
                return Ok(true);
            }
            let found = on_back!(self, back => back.fetch(table, key, Ask::All))?;
            if found != replaces {
                return Ok(false);
            }
            let over = on_back!(self, back => if replaces { Some(back.token()) } else { back.voided() });
            if let Some(token) = over
                && on_back!(self, back => back.put(Mode::Cas(token), table, key, entry, ttl))?
            {
                return Ok(true);
            }
        }
        Err(RACED)
    }

    /// The number of a tag; it gets one where it has none.
    fn number_of(&mut self, tag: &[u8]) -> Result<u64, Fault> {
        for _ in 0..ROUNDS {
            if let Some(number) = self.known_number(tag)? {
                return Ok(number);
            }
            let (number, tags) = (self.tags.dice.throw(), self.shared.tags());
            let text = Wire { data: &record(number), flags: 0 };
            match on_back!(self, back => back.put(Mode::Add, tags, tag, text, 0)) {
                Ok(true) => return Ok(number),
                // Somebody else was faster, or nobody knows: the next look tells.
                Ok(false) | Err(Fault::Ambiguous) => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(RACED)
    }

    fn known_number(&mut self, tag: &[u8]) -> Result<Option<u64>, Fault> {
        let tags = self.shared.tags();
        let found = on_back!(self, back => back.fetch(tags, tag, Ask::Value))?;
        Ok(on_back!(self, back => back.wire()).filter(|_| found).and_then(read_record))
    }
}
