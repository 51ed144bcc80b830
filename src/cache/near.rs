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
use crate::cluster::{Layout, Shared, TableStat};
use crate::invalidate::stripes::stripe;
use crate::near::{Found, Hit, Store, Terms};
use crate::table::TAGS;
use crate::value::frame::{Item, Tagged, Wire};
use crate::value::{Value, framed};
use note::Note;

/// The longest value that is kept, in bytes; a very small `near_size` may keep less.
pub const NEAR_VALUE_MAX: usize = 16 * 1024;

/// So long whoever keeps something waits for others who do, nanoseconds.
const PATIENCE_NS: u64 = 200_000;

/// The kernel's ticks are not taken to be later than this, milliseconds.
const LATEST_MS: u64 = 50;

/// What is needed to keep an answer that is yet to come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim {
    home: u16,
    stripe: u8,
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

/// What the stamp of a near entry of a key hangs on.
#[derive(Clone, Copy, Debug)]
struct Place {
    home: usize,
    stripe: u8,
    /// Home and stripe of the tag that is made of the key.
    tag: Option<(usize, u8)>,
}

impl Place {
    fn stamp(self, shared: &Shared, layout: &Layout, table: usize) -> u64 {
        let tag = self.tag.map_or(0, |(home, stripe)| shared.near_stamp(layout, shared.tags(), home, stripe));
        // Both only grow, so equal sums mean equal parts.
        tag.wrapping_add(shared.near_stamp(layout, table, self.home, self.stripe))
    }

    fn fresh(self, shared: &Shared, layout: &Layout, table: usize, now_ms: u64) -> bool {
        let tag = self.tag.is_none_or(|(home, _)| shared.near_fresh(layout, shared.tags(), home, now_ms));
        tag && shared.near_fresh(layout, table, self.home, now_ms)
    }
}

/// One worker's way to the near cache.
#[derive(Debug)]
pub(crate) struct Near {
    shared: &'static Shared,
    store: &'static Store,
    /// So late the coarse clock is taken to be, at most.
    late_ms: u64,
    process: u32,
    name: Vec<u8>,
    /// The tag that is made of a key.
    tag: Vec<u8>,
    data: Vec<u8>,
    /// What the last call found here, and when.
    held: Option<(Hit, u64)>,
}

impl Near {
    /// `None` where no table is near.
    pub fn new(shared: &'static Shared) -> Option<Self> {
        let (name, tag, data) = (Vec::new(), Vec::new(), Vec::new());
        let (late_ms, process) = ((shared.delta_ms() / 3).min(LATEST_MS), std::process::id());
        shared.near().map(|store| Self { shared, store, late_ms, process, name, tag, data, held: None })
    }

    /// Begins a call: forgets what the last one found.
    pub fn begin(&mut self) {
        self.held = None;
    }

    /// Looks for a key of a near table. `layout`: of the newest list of servers.
    pub fn look(&mut self, layout: &Layout, table: usize, key: &[u8]) -> Said {
        self.spell(table, key);
        let tag = self.tag_of(layout, table, key);
        // The exact time costs as much as all the rest: it is looked at where it may matter.
        let mut now_ms = clock::coarse_ms() + self.late_ms;
        let mut found = self.find(layout, table, tag, now_ms);
        if found == Found::Stale {
            now_ms = clock::monotonic_ms();
            found = self.find(layout, table, tag, now_ms);
        }
        let (said, stat) = match found {
            Found::Hit(hit) => {
                self.held = Some((hit, now_ms));
                match Note::of(&hit).absent {
                    true => (Said::Absent, TableStat::NearAbsent),
                    false => (Said::There, TableStat::NearHits),
                }
            }
            Found::Stale => (Said::Nothing, TableStat::NearVoids),
            Found::Missing | Found::Busy => (Said::Nothing, TableStat::NearMisses),
        };
        self.shared.table_cell(table).near.add(self.process, stat);
        said
    }

    fn find(&mut self, layout: &Layout, table: usize, tag: Option<(usize, u8)>, now_ms: u64) -> Found {
        let Self { shared, store, name, data, .. } = self;
        let true_now = |hit: &Hit| {
            let Note { home, stripe, .. } = Note::of(hit);
            let place = Place { home: home.into(), stripe, tag };
            // The polls first: the versions are at least as new then.
            place.fresh(shared, layout, table, now_ms) && place.stamp(shared, layout, table) == hit.stamp
        };
        store.find(name, now_ms, true_now, data)
    }

    /// Home and stripe of the tag that is made of a key, where the table has tags.
    fn tag_of(&mut self, layout: &Layout, table: usize, key: &[u8]) -> Option<(usize, u8)> {
        let rule = self.shared.table_at(table).tag.as_ref()?;
        self.tag.clear();
        rule.put(key, &mut self.tag);
        let home = layout.ring().home(&[TAGS.as_bytes(), b":", &self.tag]);
        Some((home, stripe(TAGS.as_bytes(), &self.tag)))
    }

    /// To be taken before the servers are asked.
    pub fn claim(&mut self, farm: &Farm, table: usize, key: &[u8]) -> Claim {
        let home = farm.home(table, key);
        let stripe = stripe(self.shared.table_at(table).name.as_bytes(), key);
        let tag = self.tag_of(&farm.layout, table, key);
        let stamp = Place { home, stripe, tag }.stamp(self.shared, &farm.layout, table);
        // There are fewer slots than that.
        Claim { home: home as u16, stripe, stamp, now_ms: clock::coarse_ms() }
    }

    /// Keeps what servers confirmed; `None` = there is no entry.
    pub fn keep(&mut self, claim: Claim, table: usize, key: &[u8], brought: Option<Brought<'_>>) {
        let Claim { home, stripe, stamp, now_ms } = claim;
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
        self.spell(table, key);
        let note = Note { home, stripe, absent, left, token }.words();
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
        self.held.is_some()
    }

    pub fn value(&self) -> Option<Value<'_>> {
        self.wire()?.shown()
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
        let (hit, _) = self.held.filter(|(hit, _)| !Note::of(hit).absent)?;
        Some(Wire { data: &self.data, flags: hit.flags })
    }

    pub fn token(&self) -> Token {
        self.held.map_or(Token::Unsettled, |(hit, _)| Note::of(&hit).token)
    }

    /// The remaining seconds of the last entry found; `None` = it never expires.
    pub fn left(&self) -> Option<i64> {
        let (hit, now_ms) = self.held?;
        let end_ms = hit.stored + u64::from(Note::of(&hit).left?) * 1_000;
        Some(end_ms.saturating_sub(now_ms).div_ceil(1_000).cast_signed())
    }

    fn spell(&mut self, table: usize, key: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(&(table as u32).to_le_bytes());
        self.name.extend_from_slice(key);
    }
}
