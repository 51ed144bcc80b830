//! The story of one call, readable in one sitting: which store answers, what it said, what the script is told.
//!
//! A worker owns one [`Cache`]. With servers configured the `farm` answers: the key's home on the ring is asked
//! within the deadline, and a home that is down is a clear no. Without servers the host's own store answers, by the
//! same rules. Before the servers of a near table are asked, `near` looks into this host's own memory.

mod batch;
mod bump;
mod dump;
mod farm;
mod fault;
mod goods;
mod holdoff;
mod local;
mod many;
mod near;
mod news;
mod pair;
mod reading;
mod request;
mod servers;
mod single;
mod tags;
mod token;
mod verdict;

pub use dump::{Entry, Page, Unread};
pub use fault::Fault;
pub use near::NEAR_VALUE_MAX;
pub use request::COUNTER_MAX;
pub use token::{Hold, Token};
pub use verdict::{Last, Verdict};

use crate::cluster::{Shared, TableStat};
use crate::value::frame::Wire;
use crate::value::{Digits, Value};
use local::Local;
pub(crate) use request::{Answer, Ask, Mode, Step, Way};
use servers::Servers;
use token::{Fences, Tokens};

/// Where a key lives.
#[derive(Clone, Debug)]
pub struct Location {
    /// Its home; `None` where the host's own store keeps it.
    pub server: Option<usize>,
    pub wire_key: String,
}

/// Who keeps the entries.
enum Back {
    Servers(Box<Servers>),
    Local(Box<Local>),
}

macro_rules! on_back {
    ($cache:expr, $back:ident => $call:expr) => {
        match &mut $cache.back {
            Back::Servers($back) => $call,
            Back::Local($back) => $call,
        }
    };
}
use on_back;

/// One worker's way to the cache. Made after fork, never shared.
pub struct Cache {
    shared: &'static Shared,
    back: Back,
    tokens: Tokens,
    fences: Fences,
    last: Last,
    /// What the last call came to, where it is not what the store holds.
    own: reading::Own,
    tags: tags::Tags,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Cache {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        let back = match shared.local() {
            Some(store) => Back::Local(Box::new(Local::new(shared, store))),
            None => Back::Servers(Box::new(Servers::new(shared))),
        };
        let last = Last::new(Verdict::Done, None, "");
        let (tokens, fences, own, tags) = Default::default();
        Self { shared, back, tokens, fences, last, own, tags }
    }

    #[must_use]
    pub fn shared(&self) -> &'static Shared {
        self.shared
    }

    /// The name of the server in a slot; empty where there is none.
    #[must_use]
    pub fn server_name(&self, server: usize) -> &str {
        match &self.back {
            Back::Servers(servers) => servers.name(server),
            Back::Local(_) => "",
        }
    }

    /// Reads an entry; [`value`](Self::value) holds it until the next call. `scope` names the SIP message, within which
    /// [`cas`](Self::cas) may follow.
    pub fn get(&mut self, table: usize, key: &[u8], scope: u64) -> Verdict {
        let answer = on_back!(self, back => back.get(table, key, Ask::All));
        if self.settle_read(table, answer) == Verdict::Done {
            self.remember(table, key, scope);
        }
        self.last.rc
    }

    /// Reads an entry as [`get`](Self::get), past what this host keeps near: from its servers, for operators.
    pub fn fetch(&mut self, table: usize, key: &[u8]) -> Verdict {
        let answer = on_back!(self, back => back.fetch(table, key, Ask::All));
        self.settle_read(table, answer)
    }

    /// Reads an entry's value and nothing else: no [`cas`](Self::cas) may follow, its age and lifetime are not known.
    /// A little cheaper than [`get`](Self::get).
    #[inline]
    pub fn peek(&mut self, table: usize, key: &[u8]) -> Verdict {
        let ask = if self.shared.table_at(table).stale > 0 { Ask::All } else { Ask::Value };
        let answer = on_back!(self, back => back.get(table, key, ask));
        self.settle_read(table, answer)
    }

    /// The value that the last get, inc or dec brought.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Option<Value<'_>> {
        match (&self.own, &self.back) {
            (own, _) if own.used() => own.wire()?.shown(),
            (_, Back::Servers(back)) => back.value(),
            (_, Back::Local(back)) => back.value(),
        }
    }

    /// The same where it is a text that the near cache brought: the shortest way to it.
    #[must_use]
    #[inline(always)]
    pub fn near_text(&self) -> Option<&[u8]> {
        match &self.back {
            Back::Servers(back) if !self.own.used() => back.near_text(),
            _ => None,
        }
    }

    /// The seconds that the entry just read still has to live; 0 = it never expires.
    #[must_use]
    pub fn left(&mut self) -> u32 {
        let left = on_back!(self, back => back.left());
        left.and_then(|left| u32::try_from(left).ok()).unwrap_or(0)
    }

    /// Stores a value. `ttl` in seconds: `None` = the table's `autoexpire`, `Some(0)` = never expires.
    pub fn set(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Verdict {
        self.put(Mode::Set, table, key, value, ttl, 0)
    }

    /// Stores a value where there is none.
    pub fn add(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Verdict {
        self.put(Mode::Add, table, key, value, ttl, 0)
    }

    /// Stores a value where there is one.
    pub fn replace(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Verdict {
        self.put(Mode::Replace, table, key, value, ttl, 0)
    }

    /// Stores a value if nobody changed it since this worker read it in the same `scope`.
    pub fn cas(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>, scope: u64) -> Verdict {
        let Some(Hold { token, tag }) = self.tokens.take(scope, table, key) else {
            return self.fail(Some(table), "not read before");
        };
        match self.still_under(table, key, tag) {
            Ok(true) => self.put(Mode::Cas(token), table, key, value, ttl, tag),
            changed => self.settle(table, changed, TableStat::Sets),
        }
    }

    fn put(&mut self, mode: Mode, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>, tag: u64) -> Verdict {
        let ttl = ttl.unwrap_or_else(|| self.life(table));
        let mut room = Digits::default();
        let (data, flags) = value.to_wire(&mut room);
        let answer = self.store(mode, table, key, Wire { data, flags }, ttl, tag);
        self.settle(table, answer, TableStat::Sets)
    }

    /// Gives an entry a new lifetime of `ttl` seconds (0 = never expires) without rewriting it.
    pub fn touch(&mut self, table: usize, key: &[u8], ttl: u32) -> Verdict {
        let answer = match self.stands(table, key) {
            Ok(true) => on_back!(self, back => back.touch(table, key, ttl)),
            other => other,
        };
        self.settle(table, answer, TableStat::Touches)
    }

    /// The seconds an entry still has to live; 0 = it never expires.
    pub fn ttl(&mut self, table: usize, key: &[u8]) -> (Verdict, u32) {
        let answer = on_back!(self, back => back.ttl(table, key));
        let rc = self.settle(table, answer, TableStat::Hits);
        (rc, if rc == Verdict::Done { self.left() } else { 0 })
    }

    /// Adds `n` to a counter; a missing one becomes `init + n` for `ttl` seconds. The number is in [`value`](Self::value).
    pub fn inc(&mut self, table: usize, key: &[u8], n: u64, init: u64, ttl: Option<u32>) -> Verdict {
        self.count(table, key, Step { way: Way::Up, by: n, created: init.saturating_add(n) }, ttl)
    }

    /// Takes `n` from a counter, not below 0; a missing one becomes `init - n`.
    pub fn dec(&mut self, table: usize, key: &[u8], n: u64, init: u64, ttl: Option<u32>) -> Verdict {
        self.count(table, key, Step { way: Way::Down, by: n, created: init.saturating_sub(n) }, ttl)
    }

    fn count(&mut self, table: usize, key: &[u8], step: Step, ttl: Option<u32>) -> Verdict {
        if step.by > COUNTER_MAX || step.created > COUNTER_MAX {
            return self.fail(Some(table), "counter beyond 2^63-1");
        }
        if self.shared.table_at(table).tag.is_some() {
            return self.fail(Some(table), "no counters under tags");
        }
        let ttl = ttl.unwrap_or_else(|| self.life(table));
        let answer = on_back!(self, back => back.count(table, key, step, ttl));
        self.settle(table, answer, TableStat::Counts)
    }

    /// Deletes an entry; `Missing` when there was none.
    pub fn remove(&mut self, table: usize, key: &[u8]) -> Verdict {
        let answer = on_back!(self, back => back.remove(table, key));
        self.settle(table, answer, TableStat::Deletes)
    }

    /// Deletes an entry, or makes sure that there is none: `Done` means that nothing older is served from now on.
    pub fn invalidate(&mut self, table: usize, key: &[u8]) -> Verdict {
        let held = self.hold_off_entry(table, key);
        let answer = on_back!(self, back => back.remove(table, key));
        self.settle(table, held.and(answer).map(|_| true), TableStat::Invalidations)
    }

    /// Takes the advisory lock of a key for `ttl` seconds; `Missing` when somebody holds it.
    pub fn lock(&mut self, table: usize, key: &[u8], ttl: u32) -> Verdict {
        let answer = on_back!(self, back => back.lock(table, key, ttl));
        let fence = *answer.as_ref().ok().and_then(Option::as_ref).unwrap_or(&0);
        self.settle(table, answer.map(|fence| fence.is_some()), TableStat::Locks);
        if self.last.rc == Verdict::Done {
            self.fences.keep(table, key, fence);
            self.last.fence = Some(fence);
        }
        self.last.rc
    }

    /// Gives a lock back: the one taken by this worker, or the one with that fencing number. `Missing` when it is held no more.
    pub fn unlock(&mut self, table: usize, key: &[u8], fence: Option<u64>) -> Verdict {
        let Some(fence) = fence.or_else(|| self.fences.find(table, key)) else {
            return self.fail(Some(table), "not locked by this worker");
        };
        self.fences.drop(table, key);
        let answer = on_back!(self, back => back.unlock(table, key, fence));
        self.settle(table, answer, TableStat::Locks)
    }

    /// Makes every entry of the table unreachable at once.
    pub fn bump(&mut self, table: usize) -> Verdict {
        let held = self.hold_off_table(table);
        let answer = on_back!(self, back => back.bump(table));
        self.settle(table, held.and(answer), TableStat::Bumps)
    }

    /// The server and wire key of an entry, without asking anybody.
    pub fn locate(&mut self, table: usize, key: &[u8]) -> Result<Location, Fault> {
        on_back!(self, back => back.locate(table, key))
    }

    /// One page of a table's entries; `cursor` is empty at first. Reads the servers' whole key lists: for operators,
    /// not for calls.
    ///
    /// # Errors
    /// A cursor that is none of ours; a server in use that does not answer.
    pub fn dump(&mut self, table: usize, cursor: &str, limit: usize) -> Result<Page, Unread> {
        on_back!(self, back => back.dump(table, cursor, limit))
    }

    /// How long an entry of the table lives when nothing else is said; 0 = for ever.
    fn life(&self, table: usize) -> u32 {
        let table = self.shared.table_at(table);
        table.life(table.autoexpire)
    }

    fn age(&self, table: usize, ttl: Option<i64>) -> Option<u32> {
        let whole = self.life(table);
        let left = u32::try_from(ttl?).ok()?;
        (whole > 0 && left > 0 && left <= whole).then(|| whole - left)
    }
}
