//! Of many reads, those of keys with one copy: who serves them is asked in the first exchange.

use super::{Desk, Many, Post};
use crate::cache::Fault;
use crate::cache::batch::{Batch, Detail};
use crate::cache::farm::{Farm, refusal};
use crate::cache::single::{LOOKS, Look, Spot};
use crate::cache::token::Token;
use crate::cluster::record::key_ref;
use crate::key::behind_full_key;
use crate::wire::Reply;

/// One key's read.
#[derive(Debug)]
pub(super) struct Alone {
    /// The key's place in the batch.
    at: usize,
    home: usize,
    spot: Spot,
    /// Where the answer lies.
    reply: usize,
}

impl Alone {
    pub fn new(at: usize, home: usize) -> Self {
        Self { at, home, spot: Spot::default(), reply: 0 }
    }
}

impl Many<'_> {
    /// Finds out who serves each key. Those that nobody serves are answered.
    pub(super) fn seat(&mut self, batch: &mut Batch, alone: &mut Vec<Alone>) {
        let mut failed = None;
        for _ in 1..LOOKS {
            let asks = |one: &&Alone| matches!(self.farm.look(one.home), Look::Ask);
            let unknown: Vec<usize> = alone.iter().filter(asks).map(|one| one.home).collect();
            if unknown.is_empty() || failed.is_some() {
                break;
            }
            failed = match self.farm.leg_deadline(self.deadline) {
                Ok(deadline) => self.farm.read_seats(&unknown, deadline),
                Err(fault) => Some(fault),
            };
        }
        alone.retain_mut(|one| match self.spot(one.home, failed) {
            Ok(spot) => {
                one.spot = spot;
                if one.at < self.keys.len() {
                    self.farm.go_by(spot);
                }
                true
            }
            Err(fault) => {
                batch.set(one.at, Err(fault));
                false
            }
        });
    }

    fn spot(&self, home: usize, failed: Option<Fault>) -> Result<Spot, Fault> {
        match self.farm.look(home) {
            Look::Serve(spot) => self.farm.admit(spot.server).map(|()| spot),
            Look::Nobody(fault) => Err(fault),
            Look::Ask => Err(failed.unwrap_or(Fault::ChangingOver)),
        }
    }

    /// Adds the questions to the exchange that was begun.
    pub(super) fn ask_alone(&mut self, alone: &mut [Alone], generation: u64) {
        for one in alone {
            let (space, (_, key)) = (self.space(one.at, generation), self.of(one.at));
            let Desk { courier, notes, .. } = &mut *self.desk;
            let mut post = Post { farm: self.farm, notes, table: Some(self.table) };
            courier.open(&mut post, one.spot.server);
            // No key is empty here.
            let _ = self.farm.key.part(space, one.spot.part(), key);
            let Farm { key, links, .. } = &mut *self.farm;
            let link = &mut links[one.spot.server];
            one.reply = link.commands();
            link.mg(key_ref(key), self.want.flags());
        }
    }

    /// Takes the answers; none of these reads has another step.
    pub(super) fn take_alone(&mut self, batch: &mut Batch, alone: &mut Vec<Alone>, sent: Result<(), Fault>) {
        if self.desk.bumped() {
            return;
        }
        for Alone { at, home, spot, reply } in alone.drain(..) {
            let link = &self.farm.links[spot.server];
            let status = sent.and_then(|()| link.status().map_err(|error| Fault::of_wire(error, true)));
            if let Err(fault) = status {
                batch.set(at, Err(fault));
                continue;
            }
            let (table, key) = self.of(at);
            let _ = self.farm.set_key(table, key);
            let found = match self.farm.links[spot.server].reply(reply) {
                Reply::Value { data, meta } if spot.accepts(meta.flags) => {
                    let token = Token::One { cas: meta.cas, seat: spot.seat };
                    batch.note(Detail { at, left: meta.left(), token, sure: true });
                    Ok(behind_full_key(&self.farm.key, data).map(|skip| (&data[skip..], meta.flags)))
                }
                Reply::Value { .. } | Reply::Miss => Ok(None),
                other => Err(refusal(&other)),
            };
            if let Ok(found) = found {
                self.count(at, home, spot.server, found.is_some());
            }
            batch.set(at, found);
        }
    }
}
