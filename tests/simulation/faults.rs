//! What goes wrong: one fault at a time, the next when the farm is whole again.

use shardcache::cluster::copies::{Mark, Side, Slot};
use shardcache::cluster::seats::Seat;

use super::server::{Place, State};
use super::setup;
use super::single;
use super::world::{CMD_TIMEOUT, Event, MS, World, note};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A server dies and comes back with nothing.
    Empty,
    /// A server dies and comes back with all its items and their cas numbers.
    Warm,
    /// A server stops; what was sent meanwhile is executed when it goes on, in any order.
    Freeze,
    /// Some hosts cannot reach a server; some of what they sent arrives after the link heals.
    Part,
    /// A host does not get a server's answers.
    Deaf,
    /// A server answers late.
    Slow,
    /// A server throws items away.
    Evict,
    /// A watcher stands still.
    Stall,
    /// A host dies, and starts again knowing nothing.
    Host,
    /// An operator takes a server out of one host's use.
    Drain,
}

pub const ALL: [Kind; 9] =
    [Kind::Empty, Kind::Warm, Kind::Freeze, Kind::Part, Kind::Deaf, Kind::Slow, Kind::Evict, Kind::Stall, Kind::Host];

/// For tables with one copy.
pub const SINGLE: [Kind; 10] = [
    Kind::Empty,
    Kind::Warm,
    Kind::Freeze,
    Kind::Part,
    Kind::Deaf,
    Kind::Slow,
    Kind::Evict,
    Kind::Stall,
    Kind::Host,
    Kind::Drain,
];

#[derive(Clone, Copy, Debug)]
enum Deed {
    Crash(usize),
    Up { server: usize, empty: bool },
    Freeze(usize),
    Thaw(usize),
    Cut { host: usize, server: usize },
    Heal { host: usize, server: usize },
    Deaf { host: usize, server: usize, deaf: bool },
    Slow { server: usize, by: u64 },
    Evict { server: usize, share: u64 },
    Stall { host: usize, until: u64 },
    Kill(usize),
    Boot(usize),
    Drain { host: usize, server: usize, drained: bool },
}

#[derive(Default)]
pub struct Faults {
    plan: Vec<(u64, Deed)>,
    begun: usize,
    /// When the last one ended.
    pub ended: u64,
    due: Option<u64>,
    settle: u64,
}

impl Faults {
    /// A while after each fault the counters rest: one that never rests is never copied again, and the farm never whole.
    pub fn lull(&self, now: u64) -> bool {
        self.plan.is_empty() && self.due.is_none() && now > self.ended + 200 * MS
    }
}

/// Calls begun in a fault have ended by then.
const SETTLE: u64 = CMD_TIMEOUT + 10 * MS;

pub fn step(world: &mut World) {
    let now = world.now;
    let mut plan = std::mem::take(&mut world.faults.plan);
    let before = plan.len();
    plan.sort_by_key(|(time, _)| *time);
    let later = plan.partition_point(|(time, _)| *time <= now);
    for (_, deed) in plan.drain(..later) {
        act(world, deed);
    }
    world.faults.plan = plan;
    if let Some((time, _)) = world.faults.plan.first() {
        return world.at(*time, Event::Fault);
    }
    if before > 0 {
        world.faults.ended = now;
    }
    calm(world);
}

/// Between faults: wait until the farm is whole, and a little.
fn calm(world: &mut World) {
    let now = world.now;
    match world.faults.due {
        // A packet may still be on its way that fences a home.
        Some(_) if world.options.single.is_some() && !whole(world) => world.faults.due = None,
        Some(due) if now >= due => {
            world.faults.due = None;
            single::judge::healed(world);
            begin(world);
            return world.at(now, Event::Fault);
        }
        Some(_) => {}
        None if now >= world.faults.ended + world.faults.settle && whole(world) => {
            note!(world, "WHOLE");
            if world.faults.begun == world.options.faults {
                // The counters rest by then, and their copies are level again.
                if now < world.faults.ended + 600 * MS {
                    return world.at(world.faults.ended + 600 * MS, Event::Fault);
                }
                return world.at(now + 100 * MS, Event::Over);
            }
            world.faults.due = Some(now + world.rng.range(0, 120) * MS);
        }
        None => {}
    }
    world.at(now + 10 * MS, Event::Fault);
}

fn begin(world: &mut World) {
    world.faults.begun += 1;
    let kinds = world.options.kinds;
    let kind = kinds[world.rng.below(kinds.len())];
    let server = world.rng.below(world.servers.len());
    let host = world.rng.below(world.hosts.len());
    let now = world.now;
    let long = world.options.single.is_some() && world.rng.chance(5);
    let end = now + if long { world.rng.range(2_000, 4_000) } else { world.rng.range(15, 400) } * MS;
    note!(world, "FAULT {kind:?} mc{server} K{host} until {:.3}", end as f64 / 1000.0);
    // Nobody notices an eviction but the next pass over the keys.
    world.faults.settle = if kind == Kind::Evict { 800 * MS } else { SETTLE };
    let mut plan = Vec::new();
    match kind {
        Kind::Empty | Kind::Warm => {
            let empty = kind == Kind::Empty;
            plan.extend([(now, Deed::Crash(server)), (end, Deed::Up { server, empty })]);
        }
        Kind::Freeze => plan.extend([(now, Deed::Freeze(server)), (end, Deed::Thaw(server))]),
        Kind::Part => {
            for some in 0..world.hosts.len() {
                if some == host || world.rng.chance(50) {
                    let (cut, heal) = (Deed::Cut { host: some, server }, Deed::Heal { host: some, server });
                    plan.extend([(now, cut), (end, heal)]);
                }
            }
        }
        Kind::Deaf => {
            let deaf = |deaf| Deed::Deaf { host, server, deaf };
            plan.extend([(now, deaf(true)), (end, deaf(false))]);
        }
        Kind::Slow => {
            let by = world.rng.range(5, 40) * MS;
            plan.extend([(now, Deed::Slow { server, by }), (end, Deed::Slow { server, by: 0 })]);
        }
        Kind::Evict => {
            let share = [5, 30, 100][world.rng.below(3)];
            plan.push((now, Deed::Evict { server, share }));
        }
        Kind::Stall => plan.push((now, Deed::Stall { host, until: end })),
        Kind::Host => plan.extend([(now, Deed::Kill(host)), (end, Deed::Boot(host))]),
        Kind::Drain => {
            let drain = |drained| Deed::Drain { host, server, drained };
            plan.extend([(now, drain(true)), (end, drain(false))]);
        }
    }
    if !matches!(kind, Kind::Host | Kind::Stall) {
        world.troubles.push(single::judge::Trouble { server, kind, from: now, until: u64::MAX });
    }
    // A host may die in the middle of it, and its watcher may stand still.
    if !matches!(kind, Kind::Host | Kind::Stall | Kind::Evict) {
        let time = world.rng.range(now, end);
        let host = if world.options.single.is_some() { world.rng.below(world.hosts.len()) } else { host };
        match world.rng.below(10) {
            0..2 => {
                let back = time + world.rng.range(50, 400) * MS;
                plan.extend([(time, Deed::Kill(host)), (back, Deed::Boot(host))]);
            }
            2..4 => plan.push((time, Deed::Stall { host, until: time + world.rng.range(100, 500) * MS })),
            _ => {}
        }
    }
    world.faults.plan = plan;
}

fn act(world: &mut World, deed: Deed) {
    note!(world, "DEED {deed:?}");
    world.deeds.push((world.now, if let Deed::Stall { until, .. } = deed { until } else { world.now }));
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
        Deed::Freeze(server) => world.servers[server].state = State::Frozen,
        Deed::Thaw(server) => {
            world.servers[server].state = State::Up;
            for flight in std::mem::take(&mut world.servers[server].buffer) {
                world.after(0, 1500, Event::Arrive(flight));
            }
        }
        Deed::Cut { host, server } => world.cut[host][server] = true,
        Deed::Heal { host, server } => heal(world, host, server),
        Deed::Deaf { host, server, deaf } => world.deaf[host][server] = deaf,
        Deed::Slow { server, by } => world.servers[server].slow = by,
        Deed::Evict { server, share } => evict(world, server, share),
        Deed::Stall { host, until } => world.hosts[host].stalled = until,
        Deed::Kill(host) => {
            world.hosts[host].alive = false;
            world.hosts[host].life += 1;
            for actor in world.actors.iter_mut().flatten().filter(|actor| actor.host == host) {
                actor.forget();
            }
        }
        Deed::Boot(host) => boot(world, host),
        Deed::Drain { host, server, drained } => world.hosts[host].drained[server] = drained,
    }
}

fn heal(world: &mut World, host: usize, server: usize) {
    world.cut[host][server] = false;
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
    let me = &mut world.hosts[host];
    me.alive = true;
    me.views.fill_with(Default::default);
    me.up.fill(true);
    me.soft.fill(0);
    me.polled.fill(None);
    me.seats.fill(Seat::UNKNOWN);
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

/// What `shc.list` will say: both copies of every key verified, and every host knows the marks.
pub fn whole(world: &World) -> bool {
    let rules = &world.options.rules;
    let healthy = world.servers.iter().all(|server| server.state == State::Up && server.slow == 0)
        && world.hosts.iter().all(|host| host.alive && host.stalled <= world.now && host.up.iter().all(|up| *up));
    if world.options.single.is_some() {
        return healthy && single::judge::settled(world);
    }
    healthy
        && world.pairs.iter().enumerate().all(|(pair, servers)| {
            let place = Place { pair, key: 0 };
            let read = |side: Side, slot: Slot| world.servers[servers[side as usize]].number(place, slot, world.now);
            Side::BOTH.into_iter().all(|side| {
                let mark = read(side.other(), Slot::Mark(side)).map(Mark).unwrap_or_default();
                mark.active(rules)
                    && read(side, Slot::Full(side)) == Some(mark.0)
                    && world.hosts.iter().all(|host| host.views[pair].of(side) == mark)
                    && read(side.other(), Slot::Ill(side)).is_none()
            })
        })
}
