//! What all processes of a host know of the servers' stripes, in shared memory: versions, which near entries hang on.
//!
//! The watcher raises a version when another host announced a change ([`Gauge`](crate::invalidate::stripes::Gauge)), a worker when it
//! changed an entry itself. A near entry is kept with its [stamp](Shared::near_stamp), taken before its call looked up anything: who
//! serves the key, under which generation. It may be served while the watcher's polls are [young](Shared::near_fresh) and the stamp,
//! looked at after that, is the same.

use std::sync::atomic::{AtomicU64, Ordering};

use super::courier::Pair;
use super::{Layout, Shared};
use crate::invalidate::stripes::{Known, STRIPES};

/// More than seats and marks grow by in all their time.
const RENEWED: u64 = 1 << 42;

/// The stripes of one server. All zero: nothing is known.
#[derive(Debug)]
#[repr(C)]
pub struct StripeCell {
    /// `CLOCK_MONOTONIC` ms at which the last poll was *sent* that was answered and applied.
    sent_ms: AtomicU64,
    versions: [AtomicU64; STRIPES],
}

impl Default for StripeCell {
    fn default() -> Self {
        Self { sent_ms: AtomicU64::new(0), versions: [const { AtomicU64::new(0) }; STRIPES] }
    }
}

impl StripeCell {
    /// The cell is to be another server's. What the host knows of a server's seat and marks begins anew then: the versions grow
    /// by more than that may shrink.
    fn renew(&self) {
        self.sent_ms.store(0, Ordering::SeqCst);
        for version in &self.versions {
            version.fetch_add(RENEWED, Ordering::SeqCst);
        }
    }
}

/// The versions of all servers, by their slots. They only grow.
#[derive(Clone, Copy, Debug)]
pub struct Versions<'a>(&'a [StripeCell]);

impl<'a> Versions<'a> {
    /// Of servers by their slots.
    #[must_use]
    pub const fn new(cells: &'a [StripeCell]) -> Self {
        Self(cells)
    }

    /// The version of a stripe of the server in `slot`.
    #[must_use]
    pub fn stamp(&self, slot: usize, stripe: u8) -> u64 {
        self.0[slot].versions[usize::from(stripe)].load(Ordering::Acquire)
    }

    /// Voids all near entries of this stripe that the server in `slot` keeps or could keep.
    pub fn raise(&self, slot: usize, stripe: u8) {
        self.0[slot].versions[usize::from(stripe)].fetch_add(1, Ordering::SeqCst);
    }

    /// The versions of a stripe on a key's home and on its partner; 0 where there is none.
    #[must_use]
    #[inline(always)]
    pub fn both(&self, home: usize, partner: Option<usize>, stripe: u8) -> [u64; 2] {
        [self.stamp(home, stripe), partner.map_or(0, |partner| self.stamp(partner, stripe))]
    }

    /// A change of an entry of this stripe is over: its near entries are void, whoever of its servers took the change.
    pub fn void(&self, home: usize, partner: Option<usize>, stripe: u8) {
        std::iter::once(home).chain(partner).for_each(|server| self.raise(server, stripe));
    }

    /// Are the polls of a key's home and of its partner [`fresh`](Self::fresh)? A change may have gone to either alone.
    #[must_use]
    #[inline(always)]
    pub fn both_fresh(&self, home: usize, partner: Option<usize>, now_ms: u64, delta_ms: u64) -> bool {
        let fresh = |server| self.fresh(server, now_ms, delta_ms);
        fresh(home) && partner.is_none_or(fresh)
    }

    /// Do the versions tell of every change that was acknowledged up to `delta_ms` before `now_ms`? Both times are `CLOCK_MONOTONIC`;
    /// of a coarse clock the caller adds the granularity to `now_ms`. Versions have to be looked at after this, not before.
    #[must_use]
    pub fn fresh(&self, slot: usize, now_ms: u64, delta_ms: u64) -> bool {
        // Both times are cut to milliseconds: the true distance is up to one larger.
        now_ms.saturating_sub(self.0[slot].sent_ms.load(Ordering::Acquire)) < delta_ms
    }

    /// Milliseconds since the last poll was sent that was answered and applied; `None` = none was yet.
    #[must_use]
    pub fn age_ms(&self, slot: usize, now_ms: u64) -> Option<u64> {
        let sent_ms = self.0[slot].sent_ms.load(Ordering::Acquire);
        (sent_ms > 0).then(|| now_ms.saturating_sub(sent_ms))
    }

    /// A poll that was sent at `sent_ms` was answered, and all it told is applied.
    pub fn polled(&self, slot: usize, sent_ms: u64) {
        self.0[slot].sent_ms.fetch_max(sent_ms, Ordering::Release);
    }

    /// The slot gets another server.
    pub(super) fn renew(&self, slot: usize) {
        self.0[slot].renew();
    }
}

impl Shared {
    /// What a near entry of `table` has to carry to hold now, where its key is at home on `home` and belongs to `stripe`.
    #[must_use]
    pub fn near_stamp(&self, layout: &Layout, table: usize, home: usize, stripe: u8) -> u64 {
        self.stamp(layout, layout.pair(home), table, home, stripe)
    }

    /// May near entries of `table` be served at `now_ms` whose keys are at home on `home`? They may while polls of all servers of these
    /// keys, sent less than Δ before, were answered and applied. `now_ms` as in [`Versions::fresh`].
    #[must_use]
    pub fn near_fresh(&self, layout: &Layout, table: usize, home: usize, now_ms: u64) -> bool {
        self.fresh(layout.pair(home), table, home, now_ms)
    }

    /// May a near entry be served at `now_ms` that was kept with `stamp`? The others as above.
    #[inline(always)]
    pub(crate) fn near_holds(
        &self,
        layout: &Layout,
        table: usize,
        home: usize,
        stripe: u8,
        stamp: u64,
        now_ms: u64,
    ) -> bool {
        let pair = layout.pair(home);
        // The polls first: the versions are at least as new then.
        self.fresh(pair, table, home, now_ms) && self.stamp(layout, pair, table, home, stripe) == stamp
    }

    #[inline(always)]
    fn stamp(&self, layout: &Layout, pair: Option<&Pair>, table: usize, home: usize, stripe: u8) -> u64 {
        let order = match pair {
            None => 0,
            Some(pair) if self.table_at(table).copies == 2 => self.server_cell(home).pair.view(pair.tag).sum(),
            Some(_) => self.server_cell(home).seat.get().0,
        };
        let versions = self.versions().both(home, partner(pair), stripe);
        Known { versions, order, generation: self.generation(table), list: layout.version() }.stamp()
    }

    #[inline(always)]
    fn fresh(&self, pair: Option<&Pair>, table: usize, home: usize, now_ms: u64) -> bool {
        let delta_ms = self.delta_ms();
        let seated = || {
            let (seat, young) = self.server_cell(home).seat.look(now_ms, delta_ms);
            seat.known() && young
        };
        let moves = pair.is_some() && self.table_at(table).copies == 1;
        self.versions().both_fresh(home, partner(pair), now_ms, delta_ms) && (!moves || seated())
    }

    /// This host changed, or may have changed, an entry of this stripe that is at home on `home`: its near entries are void at once.
    pub(crate) fn near_void(&self, layout: &Layout, home: usize, stripe: u8) {
        self.versions().void(home, partner(layout.pair(home)), stripe);
    }
}

#[inline(always)]
fn partner(pair: Option<&Pair>) -> Option<usize> {
    pair.map(|pair| pair.servers[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::copies::{Mark, View};
    use crate::cluster::seats::Seat;
    use crate::config::Config;
    use std::sync::atomic::Ordering::Relaxed;

    const NOW_MS: u64 = 1_000_000;
    const STRIPE: u8 = 200;

    fn host(servers: usize) -> &'static Shared {
        let mut config = Config::default();
        (0..servers).for_each(|at| config.add_server(&format!("name=mc{at};addr=10.0.0.{at}")).unwrap());
        config.add_table("one=>near=1").unwrap();
        if servers > 1 {
            config.add_table("two=>near=1;copies=2").unwrap();
        }
        Shared::create(config).unwrap()
    }

    #[test]
    fn all_that_an_entry_hangs_on_makes_another_stamp() {
        type Event = fn(&Shared, [usize; 2]);
        let one: [Event; 2] = [
            |shared, [home, _]| shared.server_cell(home).seat.learn(Seat(40)),
            |shared, _| shared.table_cell(0).generation.store(7, Relaxed),
        ];
        let two: [Event; 2] = [
            |shared, [home, _]| {
                let tag = shared.layout().pair(home).unwrap().tag;
                shared.server_cell(home).pair.merge(tag, &View { home: Mark(3), partner: Mark(0) });
            },
            |shared, [home, _]| {
                let tag = shared.layout().pair(home).unwrap().tag;
                shared.server_cell(home).pair.merge(tag, &View { home: Mark(3), partner: Mark(5) });
            },
        ];
        let both: [Event; 4] = [
            |shared, [home, _]| shared.versions().raise(home, STRIPE),
            |shared, [_, partner]| shared.versions().raise(partner, STRIPE),
            |shared, [home, _]| shared.versions().renew(home),
            |shared, [home, _]| shared.near_void(&shared.layout(), home, STRIPE),
        ];
        for (table, own) in [(0, one), (1, two)] {
            for (at, event) in both.into_iter().chain(own).enumerate() {
                let (shared, home) = (host(3), 1);
                let layout = shared.layout();
                let before = shared.near_stamp(&layout, table, home, STRIPE);
                assert_eq!(shared.near_stamp(&layout, table, home, STRIPE), before);
                event(shared, layout.pair(home).unwrap().servers);
                assert_ne!(shared.near_stamp(&layout, table, home, STRIPE), before, "table {table}, event {at}");
            }
        }
    }

    #[test]
    fn another_stripe_and_another_server_say_nothing() {
        let (shared, home) = (host(3), 0);
        let layout = shared.layout();
        let partner = layout.pair(home).unwrap().servers[1];
        let before = shared.near_stamp(&layout, 0, home, STRIPE);
        shared.versions().raise(home, STRIPE + 1);
        shared.versions().raise(3 - partner, STRIPE);
        assert_eq!(shared.near_stamp(&layout, 0, home, STRIPE), before);
    }

    #[test]
    fn entries_are_served_while_the_polls_of_both_servers_are_young() {
        let (shared, home) = (host(2), 0);
        let (layout, delta) = (shared.layout(), shared.delta_ms());
        let fresh = |table, now_ms| shared.near_fresh(&layout, table, home, now_ms);
        shared.versions().polled(0, NOW_MS);
        assert!(!fresh(1, NOW_MS));
        shared.versions().polled(1, NOW_MS + 10);
        assert!(fresh(1, NOW_MS) && fresh(1, NOW_MS + delta - 1));
        assert!(!fresh(1, NOW_MS + delta));
        shared.versions().polled(1, NOW_MS - 50);
        assert!(fresh(1, NOW_MS + delta - 1), "an older poll says nothing new");
        assert!(!fresh(0, NOW_MS), "with one copy the seat has to be read too");
        shared.server_cell(home).seat.read(Seat(40), NOW_MS);
        assert!(fresh(0, NOW_MS));
        shared.versions().renew(1);
        assert!(!fresh(0, NOW_MS) && !fresh(1, NOW_MS));
    }

    #[test]
    fn a_server_alone_is_all_there_is() {
        let shared = host(1);
        let layout = shared.layout();
        let before = shared.near_stamp(&layout, 0, 0, STRIPE);
        shared.near_void(&layout, 0, STRIPE);
        assert_ne!(shared.near_stamp(&layout, 0, 0, STRIPE), before);
        shared.versions().polled(0, NOW_MS);
        assert!(shared.near_fresh(&layout, 0, 0, NOW_MS));
    }
}
