//! A host's watcher for one seat: a poll each tick.

use shardcache::cluster::copies::{Legs, Side, Step};
use shardcache::cluster::seats::{Poll, Polled, Rules, Scene, Watch};

use super::super::actor::{Actor, Role};
use super::super::world::{Event, MS, TICK, World, note};

const LIMIT: u64 = 30 * MS;

pub struct Watching {
    watch: Watch,
    poll: Option<Poll>,
    sent: u64,
}

impl Watching {
    pub fn new(rules: &Rules) -> Self {
        Self { watch: Watch::new(rules), poll: None, sent: 0 }
    }
}

pub fn wake(world: &mut World, at: usize, actor: &mut Actor) {
    let host = &world.hosts[actor.host];
    let (life, stalled, view) = (host.life, host.stalled, host.seats[actor.pair]);
    if stalled > world.now {
        return world.at(stalled, Event::Wake { actor: at, life });
    }
    let Role::Usher(watching) = &mut actor.role else { return };
    watching.sent = world.now;
    let poll = watching.poll.insert(Poll::new(view, watching.watch));
    if let Step::Send(request) = poll.start() {
        world.send(at, actor, &request, LIMIT);
        actor.asked = actor.begun;
    }
}

pub fn advance(world: &mut World, at: usize, actor: &mut Actor, legs: &Legs) {
    let Some(rules) = world.options.single else { return };
    let host = &world.hosts[actor.host];
    let up = world.pairs[actor.pair].map(|server| host.uses(server));
    let alone = host.isolated();
    let scene = Scene { rules: &rules, up, alone, clock: world.clock(actor.host), now_ms: world.now / MS };
    let Role::Usher(watching) = &mut actor.role else { return };
    let Some(poll) = &mut watching.poll else { return };
    let step = poll.next(&scene, legs);
    watching.watch = poll.watch;
    let (view, sent) = (poll.view, watching.sent);
    let known = &mut world.hosts[actor.host].seats[actor.pair];
    let news = view > *known;
    *known = view.max(*known);
    if news {
        note!(world, "K{} knows seat {} = {} {:?}", actor.host, actor.pair, view.0, view.phase());
    }
    match step {
        Step::Send(request) => world.send(at, actor, &request, LIMIT),
        Step::Done(polled) => done(world, at, actor, polled, sent),
    }
}

fn done(world: &mut World, at: usize, actor: &Actor, polled: Polled, sent: u64) {
    world.probed(actor, polled.reached);
    let host = &mut world.hosts[actor.host];
    if polled.reached[Side::Partner as usize] {
        host.polled[actor.pair] = Some(sent);
    }
    let life = host.life;
    world.at(sent + TICK, Event::Wake { actor: at, life });
}
