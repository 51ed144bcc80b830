//! Near entries in the simulated farm: what each host keeps in its own memory, under the module's own stamps, and when it serves it.
//!
//! Servers keep the stripes' counters, changes announce themselves behind them, a poller per host reads them; all of it over the same
//! network and through the same faults as the calls, and with some of its own. A get that finds a good entry here ends at once and
//! is judged like any other, and once more by what the host could have known (`judge`).

pub mod announce;
pub mod calls;
pub mod judge;
pub mod memory;
pub mod mishaps;
pub mod polls;
pub mod rules;
pub mod survey;

use shardcache::invalidate::stripes::{Counter, stripe};

use super::faults::{self, Kind};
use super::server::Place;
use super::theme::Theme;
use super::world::{Event, MS, Options, World};
use super::{ALL, SINGLE};
use calls::{Claim, Late, Look};
use judge::Served;
use memory::Memory;
use polls::Poller;
pub use rules::Rules;

/// All kinds of faults, and servers that have no memory left for counters.
pub const KINDS: [Kind; 13] = with_full(faults::ALL);
pub const SINGLE_KINDS: [Kind; 11] = with_full(faults::SINGLE);

/// Tables with two copies, with one.
pub const NEAR: Options = Options { near: Some(Rules::ALL), kinds: &KINDS, ..ALL };
pub const NEAR_SINGLE: Options = Options { near: Some(Rules::ALL), kinds: &SINGLE_KINDS, ..SINGLE };

const fn with_full<const N: usize, const M: usize>(kinds: [Kind; N]) -> [Kind; M] {
    let mut all = [Kind::Full; M];
    let mut at = 0;
    while at < N {
        all[at] = kinds[at];
        at += 1;
    }
    all
}

/// What happens to near entries and the counters behind them, beside the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The next part of a change that announces itself.
    Announce {
        flight: usize,
        part: usize,
    },
    Poll(polls::Poll),
    /// A worker that stood still in the middle of looking here goes on.
    Look(usize),
    /// A worker that stood still keeps what it read.
    Keep(usize),
    Mishap,
}

#[derive(Default)]
pub struct Near {
    rules: Rules,
    hosts: Vec<Memory>,
    /// Taken by each actor when its get began.
    claims: Vec<Claim>,
    looks: Vec<Look>,
    late: Vec<Late>,
    pollers: Vec<Poller>,
    /// Which servers have no memory for counters that are not there.
    full: Vec<bool>,
    pub served: Vec<Served>,
}

/// Gives each host a near cache, if the run is to have them. All keys hold items then.
pub fn install(world: &mut World) {
    let Some(rules) = world.options.near else { return };
    world.theme = Theme::Items;
    let (servers, pairs) = (world.servers.len(), world.pairs.len());
    world.near = Some(Box::new(Near {
        rules,
        hosts: (0..world.hosts.len()).map(|_| Memory::new(0, servers, pairs)).collect(),
        claims: vec![Claim::default(); world.actors.len()],
        full: vec![false; servers],
        ..Near::default()
    }));
    (0..world.hosts.len()).for_each(|host| polls::start(world, host));
    world.after(0, 500 * MS, Event::Near(Step::Mishap));
}

pub fn step(world: &mut World, step: Step) {
    match step {
        Step::Announce { flight, part } => announce::step(world, flight, part),
        Step::Poll(poll) => polls::step(world, poll),
        Step::Look(at) => calls::go_on(world, at),
        Step::Keep(at) => calls::keep_late(world, at),
        Step::Mishap => mishaps::step(world),
    }
}

/// Only where there is a near cache does anything happen to one.
fn of(world: &World) -> &Near {
    world.near.as_ref().expect("hosts have near caches")
}

fn edit(world: &mut World) -> &mut Near {
    world.near.as_mut().expect("hosts have near caches")
}

/// A server has no memory left for counters, or has again; those that it had went first.
pub fn fill(world: &mut World, server: usize, full: bool) {
    if full {
        mishaps::lose_all(world, server);
    }
    edit(world).full[server] = full;
}

fn stripe_of(place: Place) -> u8 {
    stripe(b"t", &[place.pair as u8, place.key as u8])
}

/// A counter's name on the model servers, beside those of `server::name`.
fn name(counter: Counter) -> u64 {
    match counter {
        Counter::Stripe(stripe) => 11 | u64::from(stripe) << 4,
        Counter::Root => 12,
    }
}

/// What a host's wall clock shows, microseconds.
fn clock_us(world: &World, host: usize) -> u64 {
    (100_000 * MS + world.now).saturating_add_signed(world.hosts[host].skew * 100 * MS.cast_signed())
}

/// How long a server stands still between two commands of a packet, at least and at most.
fn moment(world: &mut World) -> (u64, u64) {
    // Not so long that a call gives the server up: one of two copies has less time.
    let long = if world.options.single.is_some() { 18 * MS } else { 6 * MS };
    (0, if world.rng.chance(10) { long } else { MS / 4 })
}

/// Adds to a counter, and makes it where it is missing; `None` = the server has no memory for it.
fn add(world: &mut World, server: usize, counter: Counter, by: u64, start: u64) -> Option<u64> {
    let (now, name, full) = (world.now, name(counter), of(world).full[server]);
    let server = &mut world.servers[server];
    if full && server.alive(name, now).is_none() {
        return None;
    }
    server.count(name, by, false, Some((start, u64::MAX)), now);
    server.alive(name, now).map(|item| item.content.value)
}
