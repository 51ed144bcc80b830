//! What goes wrong with counters and watchers alone: it may come at any time, for no call depends on it.

use shardcache::invalidate::stripes::Counter;

use super::super::server::Place;
use super::super::world::{Event, MS, World, note};
use super::{Step, name, polls, stripe_of};

pub fn step(world: &mut World) {
    world.after(100 * MS, 1_200 * MS, Event::Near(Step::Mishap));
    let (server, host) = (world.rng.below(world.servers.len()), world.rng.below(world.hosts.len()));
    match world.rng.below(10) {
        0..4 => {
            let place = Place { pair: world.rng.below(world.pairs.len()), key: world.rng.below(world.keys) };
            let stripe = Counter::Stripe(stripe_of(place));
            let counter = if world.rng.chance(50) { Counter::Root } else { stripe };
            note!(world, "mc{server} loses {counter:?}");
            world.servers[server].items.remove(&name(counter));
        }
        4..6 => lose_all(world, server),
        6..9 => polls::succeed(world, host),
        _ => {}
    }
}

/// A server throws all counters away.
pub fn lose_all(world: &mut World, server: usize) {
    note!(world, "mc{server} loses all counters");
    let counters = [11, 12];
    world.servers[server].items.retain(|name, _| !counters.contains(&(name & 15)));
}
