//! Values in two copies: read, stored, deleted, given a new lifetime.

use super::Call;
use crate::cache::farm::{Held, RACED, ROUNDS};
use crate::cache::goods::Goods;
use crate::cache::token::Token;
use crate::cache::{Answer, Ask, Fault, Mode};
use crate::cluster::ServerStat;
use crate::cluster::copies::write::Kind;
use crate::cluster::copies::{self, Commit, Count, Outcome, Read, Side, When, Write};
use crate::cluster::courier::{Parcel, Want};
use crate::key::Kind::Entry;
use crate::key::{Part, behind_full_key};
use crate::value::frame::Wire;
use crate::wire::Reply;

impl Call<'_> {
    pub fn get(self, ask: Ask) -> Answer {
        self.answer(if ask == Ask::All { Want::All } else { Want::Value })
    }

    pub fn ttl(self) -> Answer {
        self.answer(Want::Bare)
    }

    fn answer(mut self, want: Want) -> Answer {
        let found = self.read(want)?;
        let [home, _] = self.pair.servers;
        self.farm.count_failover(self.table, home, self.farm.asked().unwrap_or(home));
        Ok(found)
    }

    /// Would a read of the key bring this part of it from this server?
    pub fn shows(mut self, server: usize, part: Part) -> bool {
        match self.run(Read::new, Goods::default(), Want::Bare) {
            Ok(Outcome::Found { side, .. }) => part == Part::Item && self.pair.servers[side as usize] == server,
            Ok(Outcome::Number(_)) => {
                let side = if server == self.pair.servers[0] { Side::Home } else { Side::Partner };
                let there = self.desk.notes.counter.is_some_and(|parcel| parcel.server == server);
                there && part == Part::Counter(self.desk.notes.view.of(side).epoch())
            }
            _ => false,
        }
    }

    /// Reads the entry; what was found stays in its link's buffer and is held there.
    pub(super) fn read(&mut self, want: Want) -> Answer {
        match self.run(Read::new, Goods::default(), want)? {
            Outcome::Found { side, verified } => self.found(side, verified),
            Outcome::Number(_) => match self.desk.notes.counter {
                Some(parcel) => self.hold(parcel, 0, Token::Unsettled),
                None => Err(Fault::Refused),
            },
            _ => self.missed(),
        }
    }

    fn found(&mut self, side: Side, verified: bool) -> Answer {
        let parcel = self.desk.notes.parcels[side as usize].ok_or(Fault::Refused)?;
        let (skip, cas) = match self.farm.links[parcel.server].reply(parcel.at) {
            Reply::Value { data, meta } if self.kind == Entry => (behind_full_key(&self.farm.key, data), meta.cas),
            Reply::Value { meta, .. } | Reply::Done(meta) => (Some(0), meta.cas),
            _ => return Err(Fault::Refused),
        };
        let mark = self.desk.notes.view.of(side);
        self.desk.notes.doubt = !verified;
        let token = if verified { Token::Two(copies::Token { side, mark, cas }) } else { Token::Unsettled };
        match skip {
            Some(skip) => self.hold(parcel, skip, token),
            // Another key's value lies under the same hash.
            None => self.missed(),
        }
    }

    fn hold(&mut self, Parcel { server, at, .. }: Parcel, skip: usize, token: Token) -> Answer {
        self.farm.count_server(server, ServerStat::Hits);
        self.farm.answered(server);
        self.farm.hold(Held::Reply { server, at, skip });
        self.desk.keep(token);
        Ok(true)
    }

    fn missed(&mut self) -> Answer {
        if let Some(server) = self.farm.asked() {
            self.farm.count_server(server, ServerStat::Misses);
        }
        Ok(false)
    }

    pub fn put(mut self, mode: Mode, wire: Wire<'_>, ttl: u32) -> Answer {
        let goods = Goods::new(wire);
        if goods.data.len() > self.room() {
            return Err(Fault::TooLarge);
        }
        let when = match mode {
            Mode::Set => return self.decide(|view| Write::new(view, Kind::Set { ttl }), goods),
            Mode::Add => When::Missing,
            Mode::Replace => When::There,
            Mode::Cas(Token::Two(token)) => When::Same(token),
            Mode::Cas(_) => return Err(Fault::Unsettled),
        };
        self.decide(|view| Commit::new(view, when, ttl), goods)
    }

    pub fn remove(mut self) -> Answer {
        self.decide(|view| Write::new(view, Kind::Delete), Goods::default())?;
        Ok(self.desk.notes.deleted)
    }

    /// Stores the entry anew, as it is, with another lifetime; a counter is given it where it is.
    pub fn touch(mut self, ttl: u32) -> Answer {
        let mut data = std::mem::take(&mut self.desk.data);
        let touched = self.restore(&mut data, ttl);
        self.desk.data = data;
        touched
    }

    fn restore(&mut self, data: &mut Vec<u8>, ttl: u32) -> Answer {
        for _ in 0..ROUNDS {
            if !self.read(Want::All)? {
                return Ok(false);
            }
            let token = match self.desk.token() {
                Some(Token::Two(token)) => token,
                _ if self.desk.notes.counter.is_some() => {
                    match self.run(|view| Count::touch(view, ttl), Goods::default(), Want::Bare)? {
                        Outcome::Number(_) => return Ok(true),
                        Outcome::Missing => return Ok(false),
                        _ => continue,
                    }
                }
                _ => return Err(Fault::Unsettled),
            };
            let Some(Reply::Value { data: found, meta }) = self.farm.held() else { return Err(Fault::Refused) };
            let flags = meta.flags;
            data.clear();
            data.extend_from_slice(found);
            let goods = Goods::bare(data, flags);
            if self.decide(|view| Commit::new(view, When::Same(token), ttl), goods)? {
                return Ok(true);
            }
        }
        Err(RACED)
    }

    /// The largest value that both servers take.
    pub(super) fn room(&self) -> usize {
        let room = |server: usize| self.farm.shared.value_max(server, self.key.len());
        self.pair.servers.map(room).into_iter().min().unwrap_or(0)
    }
}
