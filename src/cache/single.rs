//! Calls on tables with one copy of each key: they go to whoever serves the key now, its home or the stand-in.
//!
//! What lies at home under the stamp of an earlier epoch is void, a miss: commands that change an item ask for its stamp
//! in the same packet. `cluster::seats` has the rules. With one server nobody can stand in, and nothing is stamped.

mod count;
mod lock;
mod reading;
mod spot;

pub(crate) use lock::FENCE_TTL;
pub(crate) use spot::{LOOKS, Look, Spot};

use super::farm::{BUMPED, CHASES, Farm, Held, RACED, ROUNDS, Repeat, plain, refusal};
use super::goods::Goods;
use super::token::Token;
use super::{Answer, Ask, Fault, Mode};
use crate::clock::Deadline;
use crate::cluster::lifetime::wire_ttl;
use crate::cluster::record::key_ref;
use crate::cluster::seats::Guard;
use crate::cluster::{ServerStat, news};
use crate::key::{Kind, WireKey, behind_full_key};
use crate::value::STAMP_AT;
use crate::value::frame::Wire;
use crate::wire::{Flags, Link, Reply};

/// What a question for an item's stamp asks.
const GUARD: &str = "f c";

/// On which condition.
#[derive(Clone, Copy)]
enum How {
    Set,
    Add,
    Replace,
    /// Over the item with this cas.
    Over(u64),
}

/// One call about one key.
pub(crate) struct Single<'a> {
    farm: &'a mut Farm,
    table: usize,
    key: &'a [u8],
    kind: Kind,
    spot: Spot,
    deadline: Deadline,
}

impl<'a> Single<'a> {
    /// Finds out who serves the key. `deadline`: as the farm gave it when the call began.
    pub fn new(farm: &'a mut Farm, table: usize, key: &'a [u8], deadline: Deadline) -> Result<Self, Fault> {
        let spot = farm.spot(farm.home(table, key), deadline)?;
        Ok(Self { farm, table, key, kind: Kind::Entry, spot, deadline })
    }

    pub fn get(mut self, ask: Ask) -> Answer {
        let flags = if ask == Ask::All { "v f t c" } else { "v f" };
        let at = self.leg(Repeat::Harmless, |link, key| link.mg(key_ref(key), flags))?;
        let skip = match self.reply(at) {
            Reply::Value { data, meta } if self.spot.accepts(meta.flags) => behind_full_key(&self.farm.key, data),
            Reply::Value { .. } | Reply::Miss => None,
            other => return Err(refusal(&other)),
        };
        let Spot { home, server, .. } = self.spot;
        self.farm.count_failover(self.table, home, server);
        if let Some(skip) = skip {
            self.farm.hold(Held::Reply { server, at, skip });
        }
        self.farm.count_server(server, if skip.is_some() { ServerStat::Hits } else { ServerStat::Misses });
        Ok(skip.is_some())
    }

    pub fn ttl(mut self) -> Answer {
        let at = self.leg(Repeat::Harmless, |link, key| link.mg(key_ref(key), "t f"))?;
        let Spot { home, server, .. } = self.spot;
        self.farm.count_failover(self.table, home, server);
        self.farm.hold(Held::Reply { server, at, skip: 0 });
        self.good(at)
    }

    pub fn touch(mut self, ttl: u32) -> Answer {
        let flags = Flags::new("f").with('T', wire_ttl(self.spot.life(ttl)));
        let at = self.change(Repeat::Harmless, |link, key| link.mg(key_ref(key), &flags))?;
        self.good(at)
    }

    pub fn remove(mut self) -> Answer {
        if !self.spot.guarded() {
            let at = self.change(Repeat::Harmless, |link, key| link.md(key_ref(key), ""))?;
            return plain(&self.reply(at));
        }
        let at = self.change(Repeat::Harmless, |link, key| {
            link.mg(key_ref(key), GUARD);
            link.md(key_ref(key), "");
        })?;
        let void = self.guard(at)?.is_some_and(|guard| self.spot.void(guard));
        Ok(plain(&self.reply(at + 1))? && !void)
    }

    pub fn put(mut self, mode: Mode, wire: Wire<'_>, ttl: u32) -> Answer {
        let goods = Goods::new(wire);
        if goods.data.len() > self.farm.shared.value_max(self.spot.server, self.key.len()) {
            return Err(Fault::TooLarge);
        }
        match mode {
            Mode::Set => self.store(&goods, ttl, How::Set),
            Mode::Add => self.add(&goods, ttl),
            Mode::Replace => self.replace(&goods, ttl),
            Mode::Cas(Token::One { seat, .. }) if seat != self.spot.seat => Ok(false),
            Mode::Cas(Token::One { cas, .. }) => self.store(&goods, ttl, How::Over(cas)),
            Mode::Cas(_) => Err(Fault::Unsettled),
        }
    }

    /// Stores where nothing is, or only a void item.
    fn add(&mut self, goods: &Goods<'_>, ttl: u32) -> Answer {
        if !self.spot.guarded() {
            return self.store(goods, ttl, How::Add);
        }
        let flags = self.flags(goods, ttl, How::Add);
        for _ in 0..ROUNDS {
            let at = self.change(Repeat::Never, |link, key| {
                link.mg(key_ref(key), GUARD);
                store(link, key, goods, &flags);
            })?;
            if plain(&self.reply(at + 1))? {
                return Ok(true);
            }
            match self.guard(at)? {
                Some(guard) if !self.spot.void(guard) => return Ok(false),
                Some(guard) if self.store(goods, ttl, How::Over(guard.cas))? => return Ok(true),
                _ => {}
            }
        }
        Err(RACED)
    }

    /// Stores where a good item is.
    fn replace(&mut self, goods: &Goods<'_>, ttl: u32) -> Answer {
        if !self.spot.guarded() {
            return self.store(goods, ttl, How::Replace);
        }
        for _ in 0..ROUNDS {
            match self.look()? {
                Some(guard) if self.spot.void(guard) => return Ok(false),
                Some(guard) if self.store(goods, ttl, How::Over(guard.cas))? => return Ok(true),
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Err(RACED)
    }

    fn store(&mut self, goods: &Goods<'_>, ttl: u32, how: How) -> Answer {
        let flags = self.flags(goods, ttl, how);
        let repeat = if matches!(how, How::Set) { Repeat::Harmless } else { Repeat::Never };
        let at = self.change(repeat, |link, key| store(link, key, goods, &flags))?;
        plain(&self.reply(at))
    }

    fn flags(&self, goods: &Goods<'_>, ttl: u32, how: How) -> Flags {
        let flags = Flags::new("").with('T', wire_ttl(self.spot.life(ttl)));
        let flags = match goods.flags | self.spot.stamp() {
            0 => flags,
            client => flags.with('F', client.into()),
        };
        match how {
            How::Set => flags,
            How::Add => flags.and("ME"),
            How::Replace => flags.and("MR"),
            How::Over(cas) => flags.with('C', cas),
        }
    }

    /// What lies there.
    fn look(&mut self) -> Result<Option<Guard>, Fault> {
        let at = self.leg(Repeat::Harmless, |link, key| link.mg(key_ref(key), GUARD))?;
        self.guard(at)
    }

    fn guard(&self, at: usize) -> Result<Option<Guard>, Fault> {
        match self.reply(at) {
            Reply::Done(meta) => Ok(Some(Guard { stamp: (meta.flags >> STAMP_AT) as u16, cas: meta.cas })),
            Reply::Miss => Ok(None),
            other => Err(refusal(&other)),
        }
    }

    /// Was the item there, and is it good?
    fn good(&self, at: usize) -> Answer {
        Ok(self.guard(at)?.is_some_and(|guard| !self.spot.void(guard)))
    }

    fn reply(&self, at: usize) -> Reply<'_> {
        self.farm.links[self.spot.server].reply(at)
    }

    /// A [`leg`](Self::leg) whose commands change the entry: it announces the change, where hosts keep near entries.
    ///
    /// # Errors
    /// As for a leg, and `Ambiguous` where the server answered and did not take the announcement: other hosts may not hear of
    /// what was done.
    fn change(&mut self, repeat: Repeat, fill: impl Fn(&mut Link, &WireKey)) -> Result<usize, Fault> {
        let Some(stripe) = self.farm.news() else { return self.leg(repeat, fill) };
        let at = self.leg(repeat, |link, key| {
            fill(link, key);
            news::announce(link, stripe);
        })?;
        let link = &self.farm.links[self.spot.server];
        if news::announced(link, link.commands() - news::COMMANDS) { Ok(at) } else { Err(Fault::Ambiguous) }
    }

    /// Sends what `fill` says about the key and waits for the answers, following the table's generation. Returns the
    /// place of the first answer.
    fn leg(&mut self, repeat: Repeat, fill: impl Fn(&mut Link, &WireKey)) -> Result<usize, Fault> {
        let Self { farm, spot: Spot { server, .. }, table, .. } = self;
        let (server, table) = (*server, *table);
        let vouched = self.kind != Kind::Entry || farm.vouched(server);
        for _ in 0..CHASES {
            let used = farm.spell(self.kind, table, self.spot.part(), self.key)?;
            if !vouched {
                farm.record.record("gen", &farm.shared.table_at(table).name, b"")?;
            }
            farm.send(server, self.deadline, repeat, |link, key, record| {
                if !vouched {
                    link.mg(key_ref(record), "v");
                }
                fill(link, key);
            })?;
            if vouched || farm.learn(table, &farm.links[server].reply(0))? <= used {
                return Ok(usize::from(!vouched));
            }
        }
        Err(BUMPED)
    }
}

fn store(link: &mut Link, key: &WireKey, goods: &Goods<'_>, flags: &str) {
    link.ms(key_ref(key), &goods.parts(key, &mut [0; 4]), flags);
}
