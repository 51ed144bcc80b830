//! A host's watcher for one pair: a poll each tick, and repair while it holds the lease.

use shardcache::cluster::copies::mend::Seen;
use shardcache::cluster::copies::{Answer, Legs, Mend, Mended, Pace, Poll, Polled, Side, Step, Walk};

use super::server::{Content, Place};
use super::world::{Actor, Event, MS, Role, TICK, World, note};

const LIMIT: u64 = 30 * MS;

enum Job {
    Idle,
    Poll(Poll),
    Mend(Mend),
    Declare,
}

pub struct Watching {
    job: Job,
    sent: u64,
    next_poll: u64,
    walk: Walk,
    /// The key to look at next, while this host repairs.
    cursor: Option<usize>,
    seen: Vec<Option<Seen>>,
    pace: [Pace; 2],
    whole: bool,
}

impl Watching {
    pub fn new(keys: usize) -> Self {
        Self {
            job: Job::Idle,
            sent: 0,
            next_poll: 0,
            walk: Walk::default(),
            cursor: None,
            seen: vec![None; keys],
            pace: [Pace::new(100, 800); 2],
            whole: false,
        }
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
    let mut poll = Poll::new(world.hosts[actor.host].views[actor.pair], 1 + actor.host as u64, paced);
    let step = poll.start();
    watching.job = Job::Poll(poll);
    if let Step::Send(request) = step {
        world.send(at, actor, &request, LIMIT);
    }
}

fn mend(world: &mut World, at: usize, actor: &mut Actor) {
    let rules = world.options.rules;
    let scene = world.scene(&rules, actor.host, actor.pair);
    let view = world.hosts[actor.host].views[actor.pair];
    let Role::Watcher(watching) = &mut actor.role else { return };
    let Some(key) = watching.cursor else { return rest(world, at, actor) };
    if key == 0 {
        watching.walk.begin(&view, scene.now_ms);
    }
    if key == world.keys {
        watching.cursor = None;
        let declare = watching.walk.declare(&view, &rules).filter(|_| !watching.whole);
        let Some(request) = declare else { return rest(world, at, actor) };
        watching.job = Job::Declare;
        note!(world, "K{} calls pair {} whole", actor.host, actor.pair);
        return world.send(at, actor, &request, LIMIT);
    }
    let mut mend = Mend::new(view, watching.seen[key]);
    let step = mend.start(&scene);
    watching.job = Job::Mend(mend);
    actor.place = Place { pair: actor.pair, key };
    if let Step::Send(request) = step {
        world.send(at, actor, &request, LIMIT);
    }
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
                    if let Some(key) = watching.cursor {
                        watching.seen[key] = if let Mended::Wait(seen) = mended { seen } else { None };
                        watching.cursor = Some(key + 1);
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
    let Role::Watcher(watching) = &mut actor.role else { return };
    let host = &mut world.hosts[actor.host];
    for side in Side::BOTH {
        let server = world.pairs[actor.pair][side as usize];
        host.up[server] = polled.reached[side as usize];
        if polled.reached[side as usize] {
            host.soft[server] = 0;
        }
        if polled.activated[side as usize] {
            watching.pace[side as usize].used(now / MS);
        }
    }
    if polled.reached[Side::Partner as usize] {
        host.polled[actor.pair] = Some(watching.sent);
    }
    watching.walk.polled(&polled, &host.views[actor.pair], now / MS);
    watching.whole = polled.whole;
    watching.cursor = polled.repairs.then_some(0);
    on(world, at, actor);
}
