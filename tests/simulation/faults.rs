//! What goes wrong: one fault at a time, the next when the farm is whole again.

use shardcache::cluster::copies::{Mark, Side, Slot};

use super::deeds::{self, Deed};
use super::server::{Place, State};
use super::single;
use super::world::{CMD_TIMEOUT, DELTA, Event, MS, World, note};

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
    /// An operator flushes a server.
    Flush,
    /// A server throws the counters of near tables away and has no memory for new ones.
    Full,
    /// An operator takes a server out, on one host or on all.
    Drain,
    /// A host cannot reach most of the servers.
    Isolate,
    /// A watcher stands still.
    Stall,
    /// A host dies, and starts again knowing nothing.
    Host,
}

/// What may befall one server.
const SERVER: [Kind; 8] =
    [Kind::Empty, Kind::Warm, Kind::Freeze, Kind::Part, Kind::Deaf, Kind::Slow, Kind::Flush, Kind::Drain];

pub const ALL: [Kind; 12] = [
    Kind::Empty,
    Kind::Warm,
    Kind::Freeze,
    Kind::Part,
    Kind::Deaf,
    Kind::Slow,
    Kind::Flush,
    Kind::Drain,
    Kind::Evict,
    Kind::Isolate,
    Kind::Stall,
    Kind::Host,
];

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

impl Faults {
    /// The farm is whole, and the next fault has not begun.
    pub fn calm(&self) -> bool {
        self.due.is_some()
    }
}

/// Calls begun in a fault have ended by then.
const SETTLE: u64 = CMD_TIMEOUT + 10 * MS;
/// After the last fault, until the counters rest.
const REST: u64 = 600 * MS;
/// After the last fault, until they must be level: a calm after what was late came, and one more where the lease moved meanwhile.
const LEVEL: u64 = 2_000 * MS;

pub fn step(world: &mut World) {
    let now = world.now;
    let mut plan = std::mem::take(&mut world.faults.plan);
    let before = plan.len();
    plan.sort_by_key(|(time, _)| *time);
    let later = plan.partition_point(|(time, _)| *time <= now);
    for (_, deed) in plan.drain(..later) {
        deeds::act(world, deed);
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
        // A packet was still on its way that fences a home, a copy was found missing.
        Some(_) if !whole(world) => world.faults.due = None,
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
                let (rest, level) = (world.faults.ended + REST, world.faults.ended + LEVEL);
                if now < rest {
                    return world.at(rest, Event::Fault);
                }
                if now < level && !world.level() {
                    return world.at(now + 10 * MS, Event::Fault);
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
    let alone = world.options.single.is_some();
    let long = alone && world.rng.chance(5);
    let end = now + if long { world.rng.range(2_000, 4_000) } else { world.rng.range(15, 400) } * MS;
    // Nobody notices an eviction but the next pass over the keys.
    world.faults.settle = if kind == Kind::Evict { 800 * MS } else { SETTLE };
    let mut plan = deeds(world, kind, server, host, now, end);
    if alone && !matches!(kind, Kind::Host | Kind::Stall) {
        world.troubles.push(single::judge::Trouble { server, kind, from: now, until: u64::MAX });
    }
    if SERVER.contains(&kind) {
        let host = if alone { world.rng.below(world.hosts.len()) } else { host };
        if !alone && world.rng.chance(25) {
            // The same server fails again before it is whole.
            let (again, begin) = (SERVER[world.rng.below(SERVER.len())], end + world.rng.range(0, 400) * MS);
            let end = begin + world.rng.range(15, 300) * MS;
            plan.extend(deeds(world, again, server, host, begin, end));
        }
        // A host may die in the middle of it, and its watcher may stand still.
        let time = world.rng.range(now, end);
        match world.rng.below(10) {
            0..2 => {
                let back = time + world.rng.range(50, 400) * MS;
                plan.extend([(time, Deed::Kill(host)), (back, Deed::Boot(host))]);
            }
            2..4 => plan.push((time, Deed::Stall { host, until: time + world.rng.range(100, 500) * MS })),
            _ => {}
        }
        if !alone && world.rng.chance(30) {
            let over = plan.iter().map(|(time, deed)| deed.over().max(*time)).max();
            plan.extend(stumbles(world, server, over.unwrap_or(end)));
        }
    }
    world.faults.plan = plan;
}

fn deeds(world: &mut World, kind: Kind, server: usize, host: usize, from: u64, end: u64) -> Vec<(u64, Deed)> {
    note!(world, "FAULT {kind:?} mc{server} K{host} from {:.3} until {:.3}", from as f64 / 1000.0, end as f64 / 1000.0);
    let hosts = world.hosts.len();
    let some =
        |world: &mut World| -> Vec<usize> { (0..hosts).filter(|some| *some == host || world.rng.chance(50)).collect() };
    match kind {
        Kind::Empty | Kind::Warm => {
            vec![(from, Deed::Crash(server)), (end, Deed::Up { server, empty: kind == Kind::Empty })]
        }
        Kind::Freeze => vec![(from, Deed::Freeze(server)), (end, Deed::Thaw(server))],
        Kind::Part => some(world).into_iter().flat_map(|host| cut(host, server, from, end)).collect(),
        Kind::Isolate => {
            let cut_off: Vec<usize> = (0..world.servers.len()).filter(|_| world.rng.chance(85)).collect();
            cut_off.into_iter().flat_map(|server| cut(host, server, from, end)).collect()
        }
        Kind::Deaf => {
            let deaf = |deaf| Deed::Deaf { host, server, deaf };
            vec![(from, deaf(true)), (end, deaf(false))]
        }
        Kind::Slow => {
            let by = world.rng.range(5, 40) * MS;
            vec![(from, Deed::Slow { server, by }), (end, Deed::Slow { server, by: 0 })]
        }
        Kind::Drain => {
            let one = world.options.single.is_some() || world.rng.chance(50);
            let hosts = if one { vec![host] } else { (0..hosts).collect() };
            let drain = |host, drained| Deed::Drain { host, server, drained };
            hosts.into_iter().flat_map(|host| [(from, drain(host, true)), (end, drain(host, false))]).collect()
        }
        Kind::Evict => vec![(from, Deed::Evict { server, share: [5, 30, 100][world.rng.below(3)] })],
        Kind::Full => {
            let full = |full| Deed::Full { server, full };
            vec![(from, full(true)), (end, full(false))]
        }
        Kind::Flush => vec![(from, Deed::Flush(server))],
        Kind::Stall => vec![(from, Deed::Stall { host, until: end })],
        Kind::Host => vec![(from, Deed::Kill(host)), (end, Deed::Boot(host))],
    }
}

/// While the copies of `server` are repaired, a server that holds the other ones is late now and then: for some hosts or for
/// all, for single packets or altogether. After `over` each host learns which copies are void within the promised bound.
fn stumbles(world: &mut World, server: usize, over: u64) -> Vec<(u64, Deed)> {
    let pairs: Vec<[usize; 2]> = world.pairs.iter().copied().filter(|pair| pair.contains(&server)).collect();
    let [home, partner] = pairs[world.rng.below(pairs.len())];
    let well = if home == server { partner } else { home };
    let mut plan = Vec::new();
    let mut from = over + DELTA + CMD_TIMEOUT + world.rng.range(0, 500) * MS;
    for _ in 0..1 + world.rng.below(3) {
        let until = from + world.rng.range(20, 400) * MS;
        let host = world.rng.below(world.hosts.len());
        if world.rng.chance(50) {
            let packets = 1 + world.rng.below(8);
            note!(world, "STUMBLE mc{well} K{host} {packets} packets from {:.3}", from as f64 / 1000.0);
            plan.push((from, Deed::Lag { host, server: well, packets }));
            plan.push((until, Deed::Lag { host, server: well, packets: 0 }));
        } else {
            let kind = [Kind::Freeze, Kind::Slow, Kind::Deaf, Kind::Part][world.rng.below(4)];
            plan.extend(deeds(world, kind, well, host, from, until));
        }
        // In between it is found to be well.
        from = until + world.rng.range(150, 400) * MS;
    }
    plan
}

fn cut(host: usize, server: usize, from: u64, end: u64) -> [(u64, Deed); 2] {
    [(from, Deed::Cut { host, server }), (end, Deed::Heal { host, server })]
}

/// What `shc.list` will say: both copies of every key verified, and every host knows the marks.
pub fn whole(world: &World) -> bool {
    let rules = &world.options.rules;
    let healthy = world.servers.iter().all(|server| server.state == State::Up && server.slow == 0)
        && world.hosts.iter().all(|host| host.alive && host.stalled <= world.now && host.well());
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
