//! A batch of entries under tags: what the records of their tags make of them.

use super::{Batch, Detail, Found};
use crate::cache::near::Brought;
use crate::cache::token::Token;
use crate::cache::{Answer, Fault};
use crate::value::frame::Wire;
use crate::value::frame::tagged::{Tagged, read_record};

/// What the record of a tag makes of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing {
    /// The tag has the entry's number; `sure`: servers confirmed that.
    Good {
        sure: bool,
    },
    Void,
    Unknown(Fault),
}

impl Batch {
    /// Compares the first `keys` entries with the records of their keys' tags, which follow them in the same order and are then
    /// forgotten. Returns how many are void.
    pub fn hold_against_tags(&mut self, keys: usize) -> u64 {
        self.tagged = true;
        let mut voids = 0;
        for at in 0..keys {
            let Some(wire) = self.wire(at) else { continue };
            let entry = Tagged::from_wire(wire);
            let standing = entry.map_or(Standing::Void, |entry| self.standing(keys + at, entry.number()));
            voids += u64::from(self.settle(at, standing));
        }
        self.wants.truncate(keys);
        self.details.retain(|detail| detail.at < keys);
        voids
    }

    /// The tags given one by one that the entries still stand under: the entry's place, the name and the number.
    pub fn names(&self) -> impl Iterator<Item = (usize, &[u8], u64)> {
        let entries = (0..self.wants.len()).filter_map(|at| Some((at, self.entry(at)?)));
        entries.flat_map(|(at, entry)| entry.names().map(move |(name, number)| (at, name, number)))
    }

    /// What becomes of an entry with this number by the record that answer `at` holds.
    pub fn standing(&self, at: usize, number: u64) -> Standing {
        match self.answer(at) {
            Ok(_) if self.wire(at).and_then(read_record) == Some(number) => {
                Standing::Good { sure: self.detail_of(at).is_none_or(|detail| detail.sure) }
            }
            Ok(_) => Standing::Void,
            Err(fault) => Standing::Unknown(fault),
        }
    }

    /// Takes over what the record of one of its tags makes of entry `at`. True when that voids it.
    pub fn settle(&mut self, at: usize, standing: Standing) -> bool {
        match standing {
            Standing::Good { sure } => {
                let detail = self.details.iter_mut().find(|detail| detail.at == at);
                detail.into_iter().for_each(|detail| detail.sure &= sure);
            }
            Standing::Void => {
                let found = std::mem::replace(&mut self.wants[at].found, Found::Missing);
                return matches!(found, Found::Value { .. });
            }
            Standing::Unknown(fault) => self.set(at, Err(fault)),
        }
        false
    }

    /// Is there an entry for key `at`?
    pub fn answer(&self, at: usize) -> Answer {
        match self.wants.get(at).map(|want| (&want.found, want.fault)) {
            Some((Found::Value { .. }, _)) => Ok(true),
            Some((Found::Missing, _)) => Ok(false),
            Some((Found::Unanswered | Found::Failed, fault)) => Err(fault),
            None => Err(Fault::Down),
        }
    }

    /// The entry found for key `at` with its tags.
    pub fn entry(&self, at: usize) -> Option<Tagged<'_>> {
        Tagged::from_wire(self.wire(at)?)
    }

    /// What came with the value of key `at`, also of a void one.
    pub fn detail_of(&self, at: usize) -> Option<&Detail> {
        self.details.iter().find(|detail| detail.at == at)
    }

    /// The token of an entry that is there and void.
    pub fn voided(&self, at: usize) -> Option<Token> {
        let void = matches!(self.wants.get(at)?.found, Found::Missing);
        self.detail_of(at).filter(|_| void).map(|detail| detail.token)
    }

    /// What servers confirmed of key `at`; `None` = nothing.
    pub fn sure(&self, at: usize) -> Option<Option<Brought<'_>>> {
        match (self.wire(at), self.detail_of(at)) {
            (Some(Wire { data, flags }), Some(&Detail { left, token, sure, .. })) => {
                sure.then_some(Some(Brought { data, flags, left, token }))
            }
            (None, None) => (self.answer(at) == Ok(false)).then_some(None),
            _ => None,
        }
    }
}
