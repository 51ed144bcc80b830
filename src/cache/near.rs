//! One worker's view of the near cache: what this host read lately is answered from its own memory while that is still true.
//!
//! Before a call asks the servers it takes a [`Claim`]: where the key lives, and the stamp of all that an answer hangs on. What
//! the servers confirm is kept under that stamp, and served as long as the stamp is the same and the watcher's polls of
//! the key's servers are young (`cluster::versions`). An entry carries all that its item told, so that age and lifetime are
//! known after a hit too, and `shc_cas` may follow. What is in doubt, and what is large, is not kept.

mod many;
mod note;

pub(crate) use many::Mixed;

use super::farm::Farm;
use super::token::Token;
use crate::clock::{self, Deadline};
use crate::cluster::{Lane, Layout, Shared, TableStat};
use crate::invalidate::stripes::stripe;
use crate::near::{Copied, Found, Hit, Store, Terms, spell};
use crate::table::TAGS;
use crate::value::frame::{Item, Tagged, Wire};
use crate::value::{Value, framed};
use note::{Note, Place};

/// The longest value that is kept, in bytes; a very small `near_size` may keep less.
pub const NEAR_VALUE_MAX: usize = 16 * 1024;

/// So long whoever keeps something waits for others who do, nanoseconds.
const PATIENCE_NS: u64 = 200_000;

/// How late the kernel's tick is taken to be, milliseconds: at least one tick where there are a hundred in a second.
const LATE_MS: [u64; 2] = [10, 50];

/// What is needed to keep an answer that is yet to come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim {
    place: Place,
    stamp: u64,
    now_ms: u64,
}

/// A value that servers confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brought<'a> {
    pub data: &'a [u8],
    pub flags: u32,
    /// Whole seconds that are left of its life, the last one perhaps not whole; `None` = it never expires.
    pub left: Option<i64>,
    pub token: Token,
}

/// What the near cache says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// There is an entry; it is held until the next call.
    There,
    /// There is none.
    Absent,
    /// The servers have to be asked.
    Nothing,
}

/// A loader's place: it will soon be something else.
fn passing(wire: Wire<'_>) -> bool {
    framed(wire.flags) && matches!(Item::from_wire(wire), None | Some(Item::Loading(_) | Item::GivenUp { .. }))
}

/// What the tag that is made of an entry's key adds to its stamp.
fn tag_stamp(shared: &Shared, layout: &Layout, tag: Option<Place>) -> u64 {
    tag.map_or(0, |Place { home, stripe }| shared.near_stamp(layout, shared.tags(), home.into(), stripe))
}

/// One worker's way to the near cache.
#[derive(Debug)]
pub(crate) struct Near {
    shared: &'static Shared,
    store: &'static Store,
    /// So late the coarse clock is taken to be, at most.
    late_ms: u64,
    /// Where this worker counts.
    lane: Lane,
    name: Vec<u8>,
    /// Tags are made of the keys of some tables.
    tags: bool,
    /// The last one made.
    tag: Vec<u8>,
    /// What the last call found here, if it `holds`.
    found: Copied,
    holds: bool,
    /// When it was found.
    now_ms: u64,
}

impl Near {
    /// `None` where no table is near.
    pub fn new(shared: &'static Shared) -> Option<Self> {
        let store = shared.near()?;
        Some(Self {
            shared,
            store,
            late_ms: (shared.delta_ms() / 3).clamp(LATE_MS[0], LATE_MS[1]),
            lane: shared.lane(),
            name: Vec::new(),
            tags: shared.config().tables.iter().any(|table| table.tag.is_some()),
            tag: Vec::new(),
            found: Copied::default(),
            holds: false,
            now_ms: 0,
        })
    }

    /// Begins a call: forgets what the last one found.
    pub fn begin(&mut self) {
        self.holds = false;
    }

    /// Looks for a key of a near table. `layout`: of the newest list of servers.
    #[inline(never)]
    pub fn look(&mut self, layout: &Layout, table: usize, key: &[u8]) -> Said {
        spell(&mut self.name, table as u32, key);
        let tag = if self.tags { self.tag_of(layout, table, key) } else { None };
        let mut exact = false;
        let found = loop {
            // The exact time costs as much as all the rest: it is looked at where it may matter.
            let now_ms = if exact { clock::monotonic_ms() } else { clock::coarse_ms() + self.late_ms };
            match self.find(layout, table, tag, now_ms) {
                Found::Stale if !exact => exact = true,
                found => break found,
            }
        };
        self.holds = found == Found::Hit;
        let (said, stat) = match found {
            Found::Hit if note::absent(&self.found.hit) => (Said::Absent, TableStat::NearAbsent),
            Found::Hit => (Said::There, TableStat::NearHits),
            Found::Stale => (Said::Nothing, TableStat::NearVoids),
            Found::Missing | Found::Busy => (Said::Nothing, TableStat::NearMisses),
        };
        self.shared.table_cell(table).near.add(self.lane, stat);
        said
    }

    #[inline(always)]
    fn find(&mut self, layout: &Layout, table: usize, tag: Option<Place>, now_ms: u64) -> Found {
        let Self { shared, store, name, found, .. } = self;
        let holds = |hit: &Hit| {
            let Place { home, stripe } = Place::of(hit);
            // The polls first: the versions are at least as new then.
            let tag = match tag {
                Some(tag) if !shared.near_fresh(layout, shared.tags(), tag.home.into(), now_ms) => return false,
                tag => tag_stamp(shared, layout, tag),
            };
            shared.near_holds(layout, table, home.into(), stripe, hit.stamp.wrapping_sub(tag), now_ms)
        };
        self.now_ms = now_ms;
        store.find(name, now_ms, holds, found)
    }

    /// Home and stripe of the tag that is made of a key, where the table has tags.
    fn tag_of(&mut self, layout: &Layout, table: usize, key: &[u8]) -> Option<Place> {
        let rule = self.shared.table_at(table).tag.as_ref()?;
        self.tag.clear();
        rule.put(key, &mut self.tag);
        let home = layout.ring().home(&[TAGS.as_bytes(), b":", &self.tag]);
        Some(Place { home: home as u16, stripe: stripe(TAGS.as_bytes(), &self.tag) })
    }

    /// To be taken before the servers are asked.
    pub fn claim(&mut self, farm: &Farm, table: usize, key: &[u8]) -> Claim {
        let home = farm.home(table, key);
        let stripe = stripe(self.shared.table_at(table).name.as_bytes(), key);
        let tag = self.tag_of(&farm.layout, table, key);
        let own = self.shared.near_stamp(&farm.layout, table, home, stripe);
        // Both only grow, so equal sums mean equal parts.
        let stamp = own.wrapping_add(tag_stamp(self.shared, &farm.layout, tag));
        // There are fewer slots than that.
        Claim { place: Place { home: home as u16, stripe }, stamp, now_ms: clock::coarse_ms() }
    }

    /// Keeps what servers confirmed; `None` = there is no entry.
    pub fn keep(&mut self, claim: Claim, table: usize, key: &[u8], brought: Option<Brought<'_>>) {
        let Claim { place, stamp, now_ms } = claim;
        let absent = brought.is_none();
        let nothing = Brought { data: b"", flags: 0, left: None, token: Token::Unsettled };
        let Brought { data, flags, left, token } = brought.unwrap_or(nothing);
        let left = left.map(|left| u32::try_from(left).unwrap_or(0));
        let near_ttl = self.shared.table_at(table).near_ttl;
        // What has a second left may be gone in a moment.
        let life = left.map_or(near_ttl, |left| near_ttl.min(left.saturating_sub(1)));
        if life == 0 || data.len() > NEAR_VALUE_MAX || !self.lasts(table, Wire { data, flags }) {
            return;
        }
        spell(&mut self.name, table as u32, key);
        let plain = !framed(flags) && Value::from_wire(data, flags) == Value::Bytes(data);
        let note = Note { place, absent, plain, left, token }.words();
        let terms = Terms { flags, ttl: u64::from(life) * 1_000, now: now_ms, stamp, note };
        self.store.keep(&self.name, data, terms, Deadline::at_ns(clock::monotonic_ns() + PATIENCE_NS));
    }

    /// Does the stamp tell of all that may void this entry? It knows nothing of tags given one by one.
    fn lasts(&self, table: usize, wire: Wire<'_>) -> bool {
        match Tagged::from_wire(wire) {
            None => !passing(wire),
            Some(entry) => {
                let ruled = self.shared.table_at(table).tag.is_some();
                ruled && entry.names().next().is_none() && !passing(entry.inner())
            }
        }
    }

    /// Did the last call find anything here?
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// Did it find that there is no entry, or an entry that is a value and nothing else?
    pub fn tells_all(&self) -> bool {
        self.holds && (note::absent(&self.found.hit) || !framed(self.found.hit.flags))
    }

    pub fn value(&self) -> Option<Value<'_>> {
        match self.text() {
            Some(text) => Some(Value::Bytes(text)),
            None => self.wire()?.shown(),
        }
    }

    /// The last value found, if it is a text and nothing else.
    #[inline(always)]
    pub fn text(&self) -> Option<&[u8]> {
        (self.holds && note::plain(&self.found.hit)).then_some(&self.found.value)
    }

    /// The last entry found, as it is.
    pub fn wire(&self) -> Option<Wire<'_>> {
        self.stored().map(Wire::untagged)
    }

    /// The same with its tags.
    pub fn entry(&self) -> Option<Tagged<'_>> {
        Tagged::from_wire(self.stored()?)
    }

    fn stored(&self) -> Option<Wire<'_>> {
        let Copied { hit, value } = &self.found;
        (self.holds && !note::absent(hit)).then_some(Wire { data: value, flags: hit.flags })
    }

    pub fn token(&self) -> Token {
        if self.holds { Note::of(&self.found.hit).token } else { Token::Unsettled }
    }

    /// The remaining seconds of the last entry found; `None` = it never expires.
    pub fn left(&self) -> Option<i64> {
        let Self { found: Copied { hit, .. }, now_ms, .. } = self;
        let end_ms = hit.stored + u64::from(Note::of(hit).left?) * 1_000;
        self.holds.then(|| end_ms.saturating_sub(*now_ms).div_ceil(1_000).cast_signed())
    }
}
