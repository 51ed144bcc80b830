//! The single steps of faults.

use super::server::State;
use super::setup;
use super::world::{Event, MS, World, note};

#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Crash(usize),
    Up {
        server: usize,
        empty: bool,
    },
    Freeze(usize),
    Thaw(usize),
    Cut {
        host: usize,
        server: usize,
    },
    Heal {
        host: usize,
        server: usize,
    },
    Deaf {
        host: usize,
        server: usize,
        deaf: bool,
    },
    Slow {
        server: usize,
        by: u64,
    },
    /// So many packets are late, or lost.
    Lag {
        host: usize,
        server: usize,
        packets: usize,
    },
    Drain {
        host: usize,
        server: usize,
        drained: bool,
    },
    Evict {
        server: usize,
        share: u64,
    },
    Flush(usize),
    /// No memory for near tables' counters.
    Full {
        server: usize,
        full: bool,
    },
    Stall {
        host: usize,
        until: u64,
    },
    Kill(usize),
    Boot(usize),
}

impl Deed {
    /// When it is over, if not at once.
    pub fn over(self) -> u64 {
        if let Self::Stall { until, .. } = self { until } else { 0 }
    }
}

pub fn act(world: &mut World, deed: Deed) {
    note!(world, "DEED {deed:?}");
    world.deeds.push((world.now, deed.over().max(world.now)));
    match deed {
        Deed::Crash(server) => {
            world.servers[server].state = State::Down;
            world.servers[server].process += 1;
            for flight in std::mem::take(&mut world.servers[server].buffer) {
                world.after(MS / 2, MS, Event::Reply(flight));
            }
        }
        Deed::Up { server, empty } => {
            world.servers[server].state = State::Up;
            if empty {
                world.servers[server].empty();
            }
        }
        Deed::Freeze(server) => {
            world.servers[server].state = State::Frozen;
            (0..world.hosts.len()).for_each(|host| dead(world, host, server));
        }
        Deed::Thaw(server) => {
            world.servers[server].state = State::Up;
            (0..world.hosts.len()).for_each(|host| world.outages.end(host, server, world.now));
            for flight in std::mem::take(&mut world.servers[server].buffer) {
                world.after(0, 1500, Event::Arrive(flight));
            }
        }
        Deed::Cut { host, server } => {
            world.cut[host][server] = true;
            dead(world, host, server);
        }
        Deed::Heal { host, server } => heal(world, host, server),
        Deed::Deaf { host, server, deaf } => {
            world.deaf[host][server] = deaf;
            if deaf {
                dead(world, host, server);
            } else {
                world.outages.end(host, server, world.now);
            }
        }
        Deed::Lag { host, server, packets } => world.lag[host][server] = packets,
        Deed::Slow { server, by } => world.servers[server].slow = by,
        Deed::Drain { host, server, drained } => {
            let change = world.hosts[host].drain(server, drained, world.now);
            world.turned(host, server, change);
        }
        Deed::Evict { server, share } => evict(world, server, share),
        Deed::Flush(server) => world.servers[server].items.clear(),
        Deed::Full { server, full } => super::near::fill(world, server, full),
        Deed::Stall { host, until } => world.hosts[host].stalled = until,
        Deed::Kill(host) => {
            world.hosts[host].alive = false;
            world.hosts[host].life += 1;
            for actor in world.actors.iter_mut().flatten().filter(|actor| actor.host == host) {
                actor.forget();
            }
        }
        Deed::Boot(host) => boot(world, host),
    }
}

/// From now on the host waits for this server in vain.
fn dead(world: &mut World, host: usize, server: usize) {
    let life = world.hosts[host].life;
    world.outages.begin(host, life, server, world.now);
}

fn heal(world: &mut World, host: usize, server: usize) {
    world.cut[host][server] = false;
    world.outages.end(host, server, world.now);
    for (from, to, flight) in std::mem::take(&mut world.held) {
        if (from, to) == (host, server) {
            world.after(MS, 200 * MS, Event::Arrive(flight));
        } else {
            world.held.push((from, to, flight));
        }
    }
}

fn evict(world: &mut World, server: usize, share: u64) {
    let mut names: Vec<u64> = world.servers[server].items.keys().copied().collect();
    names.sort_unstable();
    for name in names {
        if world.rng.chance(share) {
            world.evicted.push(name);
            world.servers[server].items.remove(&name);
        }
    }
}

fn boot(world: &mut World, host: usize) {
    world.hosts[host].reborn();
    world.outages.reborn(host, world.hosts[host].life, world.servers.len(), world.now);
    let single = world.options.single;
    for at in 0..world.actors.len() {
        let pair = match world.actors[at].as_mut() {
            Some(actor) if actor.host == host => actor.pair,
            _ => continue,
        };
        let keys = world.keys;
        if let Some(actor) = world.actors[at].as_mut() {
            actor.reborn(keys, pair, &single);
        }
        setup::start(world, at);
    }
}
