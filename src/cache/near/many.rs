//! Many keys of a near table: what is kept here is taken, the servers are asked for the rest.

use std::ops::Range;

use super::{Claim, Near, Said};
use crate::cache::Verdict;
use crate::cache::batch::{Batch, Blank, Tally};
use crate::cache::farm::Farm;
use crate::value::Value;
use crate::value::frame::Wire;

/// Copies of more than this are given back after use, bytes.
const KEPT: usize = 64 * 1024;

/// One batch.
#[derive(Debug, Default)]
pub(crate) struct Mixed {
    picks: Vec<Pick>,
    data: Vec<u8>,
    /// Of the keys that the servers are asked for.
    claims: Vec<Claim>,
    room: Vec<&'static [u8]>,
}

/// Where the answer of a key lies.
#[derive(Clone, Debug)]
enum Pick {
    Value {
        data: Range<usize>,
        flags: u32,
    },
    Absent,
    /// In the servers' batch, there.
    Asked(usize),
}

impl Mixed {
    /// Takes what is near; returns the keys that the servers have to be asked for.
    pub fn pick<'k>(&mut self, near: &mut Near, farm: &Farm, table: usize, keys: &[&'k [u8]]) -> Vec<&'k [u8]> {
        self.clear();
        let mut rest: Vec<&'k [u8]> = std::mem::take(&mut self.room);
        for key in keys {
            let pick = match near.look(&farm.layout, table, key) {
                Said::There => self.copy(near),
                Said::Absent => Pick::Absent,
                Said::Nothing => {
                    self.claims.push(near.claim(farm, table, key));
                    rest.push(key);
                    Pick::Asked(rest.len() - 1)
                }
            };
            self.picks.push(pick);
        }
        rest
    }

    fn copy(&mut self, near: &Near) -> Pick {
        let (Some(Wire { data, flags }), Some(_)) = (near.wire(), near.value()) else { return Pick::Absent };
        let start = self.data.len();
        self.data.extend_from_slice(data);
        Pick::Value { data: start..self.data.len(), flags }
    }

    /// Keeps what the servers confirmed of the keys that they were asked for.
    pub fn keep(&self, near: &mut Near, batch: &Batch, table: usize, rest: &[&[u8]]) {
        for (at, brought) in batch.confirmed() {
            near.keep(self.claims[at], table, rest[at], brought);
        }
    }

    /// What it all came to; `asked`: what the servers' part did.
    pub fn tally(&self, asked: Tally) -> Tally {
        Tally { near: self.picks.iter().filter(|pick| matches!(pick, Pick::Value { .. })).count() as u64, ..asked }
    }

    /// Keeps the room of the list that [`pick`](Self::pick) gave out.
    pub fn give_back(&mut self, mut rest: Vec<&[u8]>) {
        rest.clear();
        self.room = rest.into_iter().map(|_| &b""[..]).collect();
    }

    /// What there is to the `i`-th key; `batch`: the servers' part.
    pub fn found<'a>(&'a self, batch: &'a Batch, i: usize) -> (Verdict, Option<Value<'a>>) {
        match self.picks.get(i) {
            None => (Verdict::Failed, None),
            Some(Pick::Absent) => (Verdict::Missing, None),
            Some(Pick::Asked(at)) => batch.found(*at),
            Some(Pick::Value { data, flags }) => {
                let wire = Wire { data: &self.data[data.clone()], flags: *flags };
                (Verdict::Done, wire.shown())
            }
        }
    }

    /// Is nothing known of the `i`-th key?
    pub fn blank(&self, batch: &Batch, i: usize) -> Option<Blank> {
        match self.picks.get(i)? {
            Pick::Value { .. } => None,
            Pick::Absent => Some(Blank::Near),
            Pick::Asked(at) => batch.blank(*at),
        }
    }

    /// Where in the servers' batch the answer of the `i`-th key lies, from now on.
    pub fn place(&mut self, batch: &mut Batch, i: usize) -> usize {
        if let Pick::Asked(at) = self.picks[i] {
            return at;
        }
        batch.push(Ok(None));
        self.picks[i] = Pick::Asked(batch.len() - 1);
        batch.len() - 1
    }

    /// Forgets the last batch.
    pub fn clear(&mut self) {
        self.picks.clear();
        self.claims.clear();
        self.data.clear();
        if self.data.capacity() > KEPT {
            self.data.shrink_to(KEPT);
        }
    }

    /// Has it anything to say, or was the last batch the servers' alone?
    pub fn is_empty(&self) -> bool {
        self.picks.is_empty()
    }
}
