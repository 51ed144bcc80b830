//! Entries under tags in the host's own store.

use super::{Held, Local, seconds};
use crate::cache::token::Token;
use crate::cache::{Answer, Fault};
use crate::cluster::TableStat;
use crate::cluster::seats::Seat;
use crate::table::{TAGS, TagRule};
use crate::value::frame::Wire;
use crate::value::frame::tagged::{Tagged, read_record};

impl Local {
    /// The last entry read, with its tags.
    pub fn entry(&self) -> Option<Tagged<'_>> {
        Tagged::from_wire(self.stored()?)
    }

    /// By what the entry may be replaced that the last call found void, because of its tags.
    pub fn voided(&self) -> Option<Token> {
        self.void.map(|cas| Token::One { cas, seat: Seat::UNKNOWN })
    }

    /// Compares the entry just read with the records of its tags: a void one counts as missing.
    pub(super) fn judge(&mut self, rule: &TagRule, table: usize, key: &[u8]) -> Answer {
        let Held::Data { flags, cas, .. } = self.held else { return Ok(false) };
        let data = std::mem::take(&mut self.data);
        let good =
            Tagged::from_wire(Wire { data: &data, flags }).map_or(Ok(false), |entry| self.stands(entry, rule, key));
        self.data = data;
        if good == Ok(false) {
            self.void = Some(cas);
            self.shared.table_cell(table).counts.add(TableStat::TagVoids as usize, 1);
        }
        if good != Ok(true) {
            self.held = Held::Nothing;
        }
        good
    }

    fn stands(&mut self, entry: Tagged<'_>, rule: &TagRule, key: &[u8]) -> Answer {
        self.begin_tag();
        rule.put(key, &mut self.name);
        if self.number()? != Some(entry.number()) {
            return Ok(false);
        }
        for (name, number) in entry.names() {
            self.begin_tag();
            self.name.extend_from_slice(name);
            if self.number()? != Some(number) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Spells what stands before a tag: nobody bumps their table.
    fn begin_tag(&mut self) {
        self.name.clear();
        self.name.extend_from_slice(TAGS.as_bytes());
        self.name.extend_from_slice(b"@0:");
    }

    /// The number of the tag that is spelled.
    fn number(&mut self) -> Result<Option<u64>, Fault> {
        let deadline = self.deadline();
        let hit = self.store.get(&self.name, seconds(), &mut self.record, deadline)?;
        Ok(hit.and_then(|hit| read_record(Wire { data: &self.record, flags: hit.flags })))
    }
}
