//! One host's memory: the module's own cells for the versions, and the entries.

use std::collections::HashMap;

use shardcache::cluster::versions::{StripeCell, Versions};
use shardcache::invalidate::stripes::Known;

use super::super::server::Place;
use super::super::world::{DELTA, MS, World};
use super::{edit, of, stripe_of};

/// A near entry; without a value: there is none.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub stamp: u64,
    pub value: Option<u64>,
    pub ends: u64,
    /// When the read that brought it was over.
    pub read: u64,
}

pub struct Memory {
    pub life: u32,
    cells: Vec<StripeCell>,
    /// When the newest polls of each pair's marks were sent, of those kept at home and of those on the partner, milliseconds.
    marks: Vec<[u64; 2]>,
    pub entries: HashMap<(usize, usize), Entry>,
}

/// Hosts' clocks have run for a while when a run begins.
const BEGAN_MS: u64 = 1_000_000;

/// What a host's monotonic clock shows at this time.
pub fn ms(time: u64) -> u64 {
    BEGAN_MS + time / MS
}

impl Memory {
    pub fn new(life: u32, servers: usize, pairs: usize) -> Self {
        let cells = std::iter::repeat_with(StripeCell::default).take(servers).collect();
        Self { life, cells, marks: vec![[0; 2]; pairs], entries: HashMap::new() }
    }

    pub fn versions(&self) -> Versions<'_> {
        Versions::new(&self.cells)
    }
}

/// The memory of a host; a host that started anew has an empty one.
pub fn of_host(world: &mut World, host: usize) -> &mut Memory {
    let (life, servers, pairs) = (world.hosts[host].life, world.servers.len(), world.pairs.len());
    let memory = &mut edit(world).hosts[host];
    if memory.life != life {
        *memory = Memory::new(life, servers, pairs);
    }
    memory
}

/// All that a near entry of this place hangs on, as the host knows it now.
pub fn stamp(world: &mut World, host: usize, place: Place) -> u64 {
    let ([home, partner], rules) = (world.pairs[place.pair], of(world).rules);
    let me = &world.hosts[host];
    let order = match world.options.single {
        Some(_) if rules.seat => me.seats[place.pair].0,
        None if rules.marks => me.views[place.pair].sum(),
        _ => 0,
    };
    let mut versions = of_host(world, host).versions().both(home, Some(partner), stripe_of(place));
    if !rules.partner {
        versions[1] = 0;
    }
    Known { versions, order, generation: 0, list: 0 }.stamp()
}

/// May near entries of this pair be served now?
pub fn fresh(world: &mut World, host: usize, pair: usize) -> bool {
    let ([home, partner], rules, now_ms) = (world.pairs[pair], of(world).rules, ms(world.now));
    let delta_ms = if rules.young { DELTA / MS } else { now_ms };
    let young = |sent_ms: u64| now_ms.saturating_sub(sent_ms) < delta_ms;
    let me = &world.hosts[host];
    let seated = me.seats[pair].known() && me.polled[pair].is_some_and(|at| young(ms(at)));
    let single = world.options.single.is_some();
    let memory = of_host(world, host);
    let ordered = if single { seated } else { memory.marks[pair].into_iter().all(young) };
    let partner = rules.both.then_some(partner);
    (ordered || !rules.order_young) && memory.versions().both_fresh(home, partner, now_ms, delta_ms)
}

/// A call of this host that may have changed an entry is over.
pub fn void(world: &mut World, host: usize, place: Place) {
    let [home, partner] = world.pairs[place.pair];
    of_host(world, host).versions().void(home, Some(partner), stripe_of(place));
}

/// A poll of a pair's marks, sent at `sent`, was answered by these servers, and what it told is known.
pub fn marked(world: &mut World, host: usize, pair: usize, answered: [bool; 2], sent: u64) {
    if world.near.is_none() {
        return;
    }
    for (mark, _) in of_host(world, host).marks[pair].iter_mut().zip(answered).filter(|(_, answered)| *answered) {
        *mark = ms(sent).max(*mark);
    }
}
