//! A host's watcher for one pair: a poll each tick, and repair while it holds the lease.

use shardcache::cluster::copies::{Answer, Legs, Mend, Mended, Pace, Poll, Polled, Seen, Side, Step, Walk};

use super::actor::{Actor, Role};
use super::server::{Content, Place, State};
use super::world::{Event, MS, TICK, World, note};

const LIMIT: u64 = 30 * MS;

enum Job {
    Idle,
    Poll(Poll),
    Mend(Mend),
    Declare,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    None,
    /// This side is asked for its keys.
    List(Side),
    /// The place in the list of the key to look at next.
    At(usize),
}

pub struct Watching {
    job: Job,
    sent: u64,
    next_poll: u64,
    walk: Walk,
    /// How far this pass is, while this host repairs.
    pass: Pass,
    /// The keys that the servers say they hold.
    keys: Vec<usize>,
    seen: Vec<Option<Seen>>,
    pace: [Pace; 2],
}

impl Watching {
    pub fn new(keys: usize) -> Self {
        Self {
            job: Job::Idle,
            sent: 0,
            next_poll: 0,
            walk: Walk::default(),
            pass: Pass::None,
            keys: Vec::new(),
            seen: vec![None; keys],
            pace: [Pace::new(100, 800); 2],
        }
    }

    /// Does what is under way change what a read may have brought?
    pub fn corrects(&self) -> bool {
        matches!(&self.job, Job::Mend(mend) if mend.corrects())
    }
}

pub fn wake(world: &mut World, at: usize, actor: &mut Actor) {
    let host = &world.hosts[actor.host];
    if host.stalled > world.now {
        let (life, time) = (host.life, host.stalled);
        return world.at(time, Event::Wake { actor: at, life });
    }
    let Role::Watcher(watching) = &mut actor.role else { return };
    if world.now >= watching.next_poll {
        poll(world, at, actor);
    } else {
        mend(world, at, actor);
    }
}

fn poll(world: &mut World, at: usize, actor: &mut Actor) {
    let Role::Watcher(watching) = &mut actor.role else { return };
    watching.sent = world.now;
    watching.next_poll = world.now + TICK;
    let now_ms = world.now / MS;
    let paced = [0, 1].map(|side: usize| watching.pace[side].allows(now_ms));
    let host = &world.hosts[actor.host];
    let mut poll = Poll::new(host.views[actor.pair], 1 + actor.host as u64, paced);
    poll.used = world.pairs[actor.pair].map(|server| !host.drained(server));
    if let Step::Send(request) = poll.start() {
        watching.job = Job::Poll(poll);
        world.send(at, actor, &request, LIMIT);
        actor.asked = actor.begun;
    }
}

fn mend(world: &mut World, at: usize, actor: &mut Actor) {
    let rules = world.options.rules;
    let scene = world.scene(&rules, actor.host, actor.pair);
    let view = world.hosts[actor.host].views[actor.pair];
    let Role::Watcher(watching) = &mut actor.role else { return };
    let place = match watching.pass {
        Pass::None => return rest(world, at, actor),
        Pass::List(side) => return list(world, at, actor, side),
        Pass::At(place) => place,
    };
    let Some(key) = watching.keys.get(place).copied() else {
        watching.pass = Pass::None;
        let declare = watching.walk.declare(&view, &rules);
        let Some(request) = declare else { return rest(world, at, actor) };
        watching.job = Job::Declare;
        note!(world, "K{} calls pair {} whole", actor.host, actor.pair);
        return world.send(at, actor, &request, LIMIT);
    };
    let mut mend = Mend::new(view, watching.seen[key], watching.walk.calm(&rules, world.now / MS));
    let step = mend.start(&scene);
    watching.job = Job::Mend(mend);
    actor.place = Place { pair: actor.pair, key };
    if let Step::Send(request) = step {
        world.send(at, actor, &request, LIMIT);
    }
}

/// Asks a side for the keys that it holds.
fn list(world: &mut World, at: usize, actor: &mut Actor, side: Side) {
    let (host, pair) = (actor.host, actor.pair);
    let server = world.pairs[pair][side as usize];
    let reached = world.servers[server].state == State::Up && !world.cut[host][server] && !world.deaf[host][server];
    let Role::Watcher(watching) = &mut actor.role else { return };
    if !reached {
        watching.pass = Pass::None;
        return rest(world, at, actor);
    }
    if side == Side::Home {
        watching.keys.clear();
    }
    watching.keys.extend(world.servers[server].keys(pair));
    watching.pass = Pass::List(Side::Partner);
    if side == Side::Partner {
        watching.keys.sort_unstable();
        watching.keys.dedup();
        watching.pass = Pass::At(0);
    }
    watching.job = Job::Idle;
    let life = world.hosts[host].life;
    world.after(MS, 4 * MS, Event::Wake { actor: at, life });
}

fn rest(world: &mut World, at: usize, actor: &mut Actor) {
    let Role::Watcher(watching) = &mut actor.role else { return };
    watching.job = Job::Idle;
    let life = world.hosts[actor.host].life;
    let time = watching.next_poll;
    world.at(time, Event::Wake { actor: at, life });
}

/// Goes on with the next key, or with the next poll when it is due.
fn on(world: &mut World, at: usize, actor: &mut Actor) {
    wake(world, at, actor);
}

pub fn advance(world: &mut World, at: usize, actor: &mut Actor, legs: &Legs) {
    let rules = world.options.rules;
    let scene = world.scene(&rules, actor.host, actor.pair);
    let Role::Watcher(watching) = &mut actor.role else { return };
    match &mut watching.job {
        Job::Idle => {}
        Job::Declare => on(world, at, actor),
        Job::Poll(poll) => {
            let step = poll.next(&scene, legs);
            let view = poll.view;
            world.hosts[actor.host].views[actor.pair].merge(&view);
            let answered = Side::BOTH.map(|side| legs.of(side).answered());
            super::near::memory::marked(world, actor.host, actor.pair, answered, watching.sent);
            match step {
                Step::Send(request) => world.send(at, actor, &request, LIMIT),
                Step::Done(polled) => polled_(world, at, actor, polled),
            }
        }
        Job::Mend(mend) => {
            let step = mend.next(&scene, legs);
            let view = mend.view;
            world.hosts[actor.host].views[actor.pair].merge(&view);
            match step {
                Step::Send(request) => {
                    remember(actor, legs);
                    world.send(at, actor, &request, LIMIT);
                }
                Step::Done(mended) => {
                    watching.walk.mended(&mended);
                    watching.seen[actor.place.key] = if let Mended::Wait(seen) = mended { seen } else { None };
                    if let Pass::At(place) = watching.pass {
                        watching.pass = Pass::At(place + 1);
                    }
                    on(world, at, actor);
                }
            }
        }
    }
}

/// Keeps the items of a look, to be copied.
fn remember(actor: &mut Actor, legs: &Legs) {
    for side in Side::BOTH {
        if let (true, Answer::Hit(hit)) = (legs.of(side).answered(), legs.of(side).answers[0]) {
            actor.load.copies[side as usize] = Content { value: hit.digest, numeric: hit.number.is_some() };
        }
    }
}

fn polled_(world: &mut World, at: usize, actor: &mut Actor, polled: Polled) {
    let now = world.now;
    world.probed(actor, polled.reached);
    let Role::Watcher(watching) = &mut actor.role else { return };
    let host = &mut world.hosts[actor.host];
    for side in Side::BOTH {
        if polled.activated[side as usize] {
            watching.pace[side as usize].used(now / MS);
        }
    }
    if polled.reached[Side::Partner as usize] {
        host.polled[actor.pair] = Some(watching.sent);
    }
    watching.walk.polled(&polled, &host.views[actor.pair], now / MS);
    watching.pass = Pass::None;
    if polled.repairs {
        watching.pass = Pass::List(Side::Home);
        watching.walk.begin(&host.views[actor.pair], now / MS);
    }
    on(world, at, actor);
}
