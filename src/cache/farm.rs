//! One worker's legs to the memcached servers: which server, under which key, within the deadline.
//!
//! A leg is one packet to one server and its answers. Before it goes out the server's shared health is asked; afterwards
//! it is told. While the watcher's polls are too old to vouch for the table's generation, the packet also reads the
//! generation's record, and a leg that went out under an old generation is repeated under the new one.

mod legs;

pub(crate) use legs::Repeat;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::batch::Batch;
use super::single::Spot;
use super::{Answer, Fault, Location};
use crate::clock::{self, Deadline};
use crate::cluster::record::number;
use crate::cluster::seats::Seat;
use crate::cluster::{Layout, ServerStat, Shared, TableStat};
use crate::key::{self, Part, Space, WireKey};
use crate::value::Value;
use crate::value::frame::Wire;
use crate::wire::{Link, Reply};

/// How often a leg follows a generation that moved under it.
pub(crate) const CHASES: usize = 3;
/// What is said when it moved too often.
pub(crate) const BUMPED: Fault = Fault::Wire("table bumped");

/// So often a call begins anew when others change the entry under it.
pub(crate) const ROUNDS: usize = 8;
/// What is said of an entry that others changed too often meanwhile.
pub(crate) const RACED: Fault = Fault::Wire("changed too often");

/// The worker's links and what their last answers were.
pub(crate) struct Farm {
    pub shared: &'static Shared,
    pub layout: Arc<Layout>,
    pub links: Vec<Link>,
    incarnations: Vec<u32>,
    pub key: WireKey,
    pub record: WireKey,
    pub batch: Batch,
    held: Held,
    asked: Option<usize>,
    /// Where the key of the call under way is at home.
    pub(super) home: usize,
    /// The stripe in which the call under way announces what it changes.
    pub(super) news: Option<u8>,
    /// The seat that the call under way goes by.
    seat: Seat,
    /// It goes to another server than the key's home.
    stands_in: bool,
    /// When the call under way began: reading the clock is not free.
    now_ns: u64,
    /// The leg under way has less than a leg's time, because the call's own ends.
    hurried: bool,
}

/// Where the value of the last call lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    Nothing,
    Number(u64),
    /// The reply `at` of a link; `skip` bytes of it are the full key of a hashed one.
    Reply {
        server: usize,
        at: usize,
        skip: usize,
    },
}

impl Farm {
    pub fn new(shared: &'static Shared) -> Self {
        let mut farm = Self {
            shared,
            layout: Arc::default(),
            links: Vec::new(),
            incarnations: Vec::new(),
            key: WireKey::new(),
            record: WireKey::new(),
            batch: Batch::default(),
            held: Held::Nothing,
            asked: None,
            home: 0,
            news: None,
            seat: Seat::UNKNOWN,
            stands_in: false,
            now_ns: 0,
            hurried: false,
        };
        farm.follow();
        farm
    }

    /// Takes over the host's list of servers as it is now.
    #[cold]
    fn follow(&mut self) {
        let next = self.shared.layout();
        self.incarnations.resize(next.slots(), 0);
        for slot in self.shared.relink(&mut self.links, &self.layout, &next) {
            self.incarnations[slot] = self.shared.server_cell(slot).health.incarnation();
        }
        self.layout = next;
    }

    pub fn asked(&self) -> Option<usize> {
        self.asked
    }

    /// This server is the one that the call is about.
    pub fn answered(&mut self, server: usize) {
        self.asked = Some(server);
    }

    /// The call is about a key that is at home there.
    pub fn at_home(&mut self, home: usize) {
        (self.home, self.asked) = (home, Some(home));
    }

    /// The call goes to whoever serves its key.
    pub fn go_by(&mut self, spot: Spot) {
        (self.asked, self.seat, self.stands_in) = (Some(spot.server), spot.seat, spot.stands_in());
    }

    /// Did the last call go to another server because the key's home is away?
    pub fn stands_in(&self) -> bool {
        self.stands_in
    }

    /// The seat that the last call on a single copy went by.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// Keeps what the call brought.
    pub fn hold(&mut self, held: Held) {
        self.held = held;
    }

    /// The reply that the call brought.
    pub fn held(&self) -> Option<Reply<'_>> {
        match self.held {
            Held::Reply { server, at, .. } => Some(self.links[server].reply(at)),
            _ => None,
        }
    }

    pub fn value(&self) -> Option<Value<'_>> {
        match self.held {
            Held::Nothing => None,
            Held::Number(number) => i64::try_from(number).ok().map(Value::Int),
            Held::Reply { .. } => self.wire()?.shown(),
        }
    }

    /// The entry that the call brought, as it is.
    pub fn wire(&self) -> Option<Wire<'_>> {
        let Held::Reply { server, at, skip } = self.held else { return None };
        match self.links[server].reply(at) {
            Reply::Value { data, meta } => Some(Wire { data: data.get(skip..)?, flags: meta.flags }),
            _ => None,
        }
    }

    /// The token of the last value read and its remaining seconds (`None` = never expires).
    pub fn stamp(&self) -> (u64, Option<i64>) {
        match self.held() {
            Some(Reply::Value { meta, .. } | Reply::Done(meta)) => (meta.cas, meta.left()),
            _ => (0, None),
        }
    }

    pub fn locate(&mut self, table: usize, key: &[u8]) -> Result<Location, Fault> {
        self.begin();
        self.set_key(table, key)?;
        let wire_key = String::from_utf8_lossy(self.key.bytes()).into_owned();
        Ok(Location { server: Some(self.home(table, key)), wire_key })
    }

    /// Are this table's keys to be kept in two copies?
    pub fn mirrors(&self, table: usize) -> bool {
        self.shared.table_at(table).mirrored()
    }

    /// The slot of the first server on the ring for a key; generations do not move keys.
    pub fn home(&self, table: usize, key: &[u8]) -> usize {
        self.layout.ring().home(&[self.shared.table_at(table).name.as_bytes(), b":", key])
    }

    /// Takes over the host's list of servers, if it is another one now.
    pub fn keep_up(&mut self) {
        if self.layout.version() != self.shared.list_version() {
            self.follow();
        }
    }

    /// Begins a call, before the call looks for any server: what the last one brought is forgotten, and a new list of
    /// servers is taken over. Returns when this call has to end.
    pub fn begin(&mut self) -> Deadline {
        (self.held, self.hurried, self.stands_in) = (Held::Nothing, false, false);
        self.keep_up();
        self.now_ns = clock::monotonic_ns();
        Deadline::at_ns(self.now_ns + u64::from(self.shared.config().cmd_timeout_ms) * 1_000_000)
    }

    /// When the call began, nanoseconds.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// When the call began, milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ns / 1_000_000
    }

    /// Spells the key of an entry and returns the generation it was spelled under.
    pub fn set_key(&mut self, table: usize, key: &[u8]) -> Result<u64, Fault> {
        self.spell(key::Kind::Entry, table, Part::Item, key)
    }

    /// Spells a key. Only entries have generations.
    pub fn spell(&mut self, kind: key::Kind, table: usize, part: Part, key: &[u8]) -> Result<u64, Fault> {
        let generation = if kind == key::Kind::Entry { self.shared.generation(table) } else { 0 };
        self.key.part(Space { kind, table: &self.shared.table_at(table).name, generation }, part, key)?;
        Ok(generation)
    }

    /// True while the watcher's last poll of this server is young enough to trust what the host remembers.
    pub fn vouched(&self, server: usize) -> bool {
        let polled = self.shared.server_cell(server).polled_ms.load(Relaxed);
        (self.now_ns / 1_000_000).saturating_sub(polled) <= self.shared.delta_ms()
    }

    /// Takes over the generation that a server's record holds and returns it; 0 where there is none.
    pub fn learn(&self, table: usize, record: &Reply<'_>) -> Result<u64, Fault> {
        let found = match record {
            Reply::Value { .. } => number(record).unwrap_or(0),
            Reply::Miss => 0,
            other => return Err(refusal(other)),
        };
        self.shared.table_cell(table).generation.fetch_max(found, Relaxed);
        Ok(found)
    }

    pub fn count_server(&self, server: usize, stat: ServerStat) {
        self.shared.server_cell(server).counts.add(stat as usize, 1);
    }

    /// Counts a read of a key at `home` that `server` answered, where that is another one.
    pub fn count_failover(&self, table: usize, home: usize, server: usize) {
        if server != home {
            self.shared.table_cell(table).counts.add(TableStat::Failovers as usize, 1);
        }
    }
}

/// The answers that mean yes and no for every command.
pub(crate) fn plain(reply: &Reply<'_>) -> Answer {
    match reply {
        Reply::Done(_) | Reply::Value { .. } => Ok(true),
        Reply::Miss | Reply::NotStored | Reply::NotFound | Reply::Exists => Ok(false),
        other => Err(refusal(other)),
    }
}

pub(crate) fn refusal(reply: &Reply<'_>) -> Fault {
    match reply {
        Reply::ServerError(text) if text.starts_with(b"object too large") => Fault::TooLarge,
        _ => Fault::Refused,
    }
}

#[cfg(test)]
mod tests;
