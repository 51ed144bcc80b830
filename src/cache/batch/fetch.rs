//! A batch's way to the servers: who is asked for which keys, and what they answered.

use super::{Batch, Detail, EMPTY, END, Found, Keys, Leg, REFUSED, Tally, Want};
use crate::cache::farm::{BUMPED, CHASES, Farm};
use crate::cache::single::{LOOKS, Look, Spot};
use crate::cache::token::Token;
use crate::cache::{Fault, Verdict};
use crate::clock::Deadline;
use crate::cluster::ServerStat;
use crate::cluster::record::key_ref;
use crate::key::{Prefix, behind_full_key};
use crate::table::Table;
use crate::value::Value;
use crate::wire::{self, Reply};

impl Farm {
    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        self.batch.found(i)
    }

    /// `deadline`: as the farm gave it when the call began.
    pub fn mget(&mut self, table: usize, keys: &[&[u8]], deadline: Deadline) -> Tally {
        let mut batch = std::mem::take(&mut self.batch);
        let Table { name, near, .. } = self.shared.table_at(table);
        for _ in 0..CHASES {
            let newest = match self.plan(&mut batch, table, keys, deadline) {
                Ok(prefix) => self.fetch(&mut batch, &Keys { table, near: *near, name, prefix, keys }, deadline),
                Err(fault) => {
                    batch.refuse(keys.len(), fault);
                    break;
                }
            };
            if newest <= batch.generation {
                break;
            }
            // What was read under an older generation counts for nothing.
            batch.wants.iter_mut().for_each(|want| want.found = Found::Unanswered);
            batch.err = BUMPED.as_str();
        }
        self.batch = batch;
        self.batch.tally()
    }

    /// Finds who serves every key and the form in which it is asked for. Seats of which too little is known are read first.
    fn plan(&mut self, batch: &mut Batch, table: usize, keys: &[&[u8]], deadline: Deadline) -> Result<Prefix, Fault> {
        self.refuse()?;
        let mut prefix = self.assign(batch, table, keys)?;
        for _ in 1..LOOKS {
            if batch.unknown.is_empty() {
                break;
            }
            let deadline = self.leg_deadline(deadline)?;
            let failed = self.read_seats(&batch.unknown, deadline);
            prefix = self.assign(batch, table, keys)?;
            if let Some(fault) = failed {
                batch.err = fault.as_str();
                break;
            }
        }
        Ok(prefix)
    }

    fn assign(&self, batch: &mut Batch, table: usize, keys: &[&[u8]]) -> Result<Prefix, Fault> {
        batch.clear();
        batch.wants.reserve(keys.len());
        batch.leg_of.resize(self.links.len(), None);
        batch.looks.resize(self.links.len(), None);
        let Table { name, near, .. } = self.shared.table_at(table);
        batch.generation = self.shared.generation(table);
        let prefix = Prefix::new(name, batch.generation)?;
        self.layout.ring().homes(Prefix::new(name, 0)?.bytes(), keys, |at, home| {
            if keys[at].is_empty() {
                return batch.wants.push(Want::new(Found::Failed));
            }
            let mut want = Want::new(Found::Unanswered);
            let leg = self.seek(batch, home).and_then(|spot| {
                want.spot = spot;
                batch.leg_of[spot.server].or_else(|| self.begin_leg(batch, spot.server))
            });
            let alone = *near || want.spot.stands_in() || !prefix.fits(keys[at]);
            batch.wants.push(want);
            if let Some(leg) = leg {
                batch.append(at, leg, alone);
            }
        });
        Ok(prefix)
    }

    /// Who serves what is at home on `home`, if anybody does.
    fn seek(&self, batch: &mut Batch, home: usize) -> Option<Spot> {
        let look = match batch.looks[home] {
            Some(look) => look,
            None => {
                let look = self.look(home);
                if let Look::Ask = look {
                    batch.unknown.push(home);
                }
                *batch.looks[home].insert(look)
            }
        };
        match look {
            Look::Serve(spot) => return Some(spot),
            Look::Ask => batch.err = Fault::ChangingOver.as_str(),
            Look::Nobody(fault) => batch.err = fault.as_str(),
        }
        None
    }

    /// The number of a new leg to a server, if that may be asked.
    fn begin_leg(&self, batch: &mut Batch, server: usize) -> Option<u32> {
        if let Err(fault) = self.admit(server) {
            batch.err = fault.as_str();
            return None;
        }
        let number = u32::try_from(batch.legs.len()).ok()?;
        batch.legs.push(Leg { server, classic: EMPTY, alone: EMPTY, begun: 0, unsure: false });
        batch.leg_of[server] = Some(number);
        Some(number)
    }

    /// Asks all servers and takes their answers. Returns the newest generation that a server told of, which those are
    /// asked for whom the watcher cannot vouch.
    fn fetch(&mut self, batch: &mut Batch, all: &Keys<'_>, deadline: Deadline) -> u64 {
        let mut newest = 0;
        let mut waiting = std::mem::take(&mut batch.waiting);
        waiting.clear();
        waiting.extend(batch.legs.iter().map(|leg| leg.server));
        for retry in [true, false] {
            self.exchange_batch(batch, &waiting, all, deadline);
            waiting.retain(|&server| match self.links[server].status() {
                Ok(()) => {
                    newest = newest.max(self.collect(batch, server, all));
                    false
                }
                Err(error) => {
                    batch.err = error.kind.text();
                    error.reused
                }
            });
            if waiting.is_empty() || !retry {
                break;
            }
        }
        batch.waiting = waiting;
        newest
    }

    fn exchange_batch(&mut self, batch: &mut Batch, used: &[usize], all: &Keys<'_>, deadline: Deadline) {
        for at in 0..batch.legs.len() {
            let leg = batch.legs[at];
            if !used.contains(&leg.server) {
                continue;
            }
            batch.legs[at].begun = self.prepare(leg.server);
            batch.legs[at].unsure = !self.vouched(leg.server);
            if batch.legs[at].unsure {
                let _ = self.record.record("gen", all.name, b"");
                self.links[leg.server].mg(key_ref(&self.record), "v");
            }
            let link = &mut self.links[leg.server];
            link.get(all.prefix.bytes(), batch.chain(leg.classic).map(|at| all.keys[at]));
            for at in batch.chain(leg.alone) {
                let _ = self.key.part(all.space(batch.generation), batch.wants[at].spot.part(), all.keys[at]);
                link.mg(key_ref(&self.key), if all.near { "v f t c" } else { "v f" });
            }
        }
        wire::exchange(&mut self.links, used, deadline);
        for leg in batch.legs.iter().filter(|leg| used.contains(&leg.server)) {
            let status = self.links[leg.server].status();
            self.report(leg.server, leg.begun, status.err());
        }
    }

    /// Takes one server's answers, and returns the generation it told of. What is neither a value nor a clear "not there"
    /// stays unanswered.
    fn collect(&mut self, batch: &mut Batch, server: usize, all: &Keys<'_>) -> u64 {
        let Some(leg) = batch.leg_of[server].map(|leg| batch.legs[leg as usize]) else { return 0 };
        let told = if leg.unsure { self.learn(all.table, &self.links[server].reply(0)) } else { Ok(0) };
        let Ok(told) = told else {
            batch.err = REFUSED;
            return 0;
        };
        let (first, classic) = (usize::from(leg.unsure), leg.classic.first != END);
        let mut tally = match self.links[server].reply(first) {
            Reply::Values(values) if classic => batch.take_values(leg.classic, values, all),
            _ if classic => {
                batch.err = REFUSED;
                Tally::default()
            }
            _ => Tally::default(),
        };
        let mut next = leg.alone.first;
        for reply in first + usize::from(classic).. {
            let Some(want) = batch.wants.get(next as usize) else { break };
            let (at, link) = (next as usize, &self.links[server]);
            let spot = want.spot;
            next = want.next;
            let value = match link.reply(reply) {
                Reply::Value { data, meta } if spot.accepts(meta.flags) => {
                    let _ = self.key.part(all.space(batch.generation), spot.part(), all.keys[at]);
                    if all.near {
                        let token = Token::One { cas: meta.cas, seat: spot.seat };
                        batch.note(Detail { at, left: meta.left(), token, sure: true });
                    }
                    behind_full_key(&self.key, data).map(|skip| (&data[skip..], meta.flags))
                }
                Reply::Value { .. } | Reply::Miss => None,
                _ => {
                    batch.err = REFUSED;
                    continue;
                }
            };
            self.count_failover(all.table, spot.home, spot.server);
            tally.hits += u64::from(value.is_some());
            tally.misses += u64::from(value.is_none());
            batch.wants[at].found = value.map_or(Found::Missing, |(data, flags)| batch.copy(data, flags));
        }
        let counts = &self.shared.server_cell(server).counts;
        counts.add(ServerStat::Hits as usize, tally.hits);
        counts.add(ServerStat::Misses as usize, tally.misses);
        told
    }
}
