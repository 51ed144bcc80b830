//! Who takes part in a run, and who goes on when answers are there.

use shardcache::cluster::copies::Legs;
use shardcache::cluster::pairs::{Member, Pairs};

use super::actor::{Actor, Role};
use super::watcher::Watching;
use super::world::{Event, MS, TICK, World};
use super::{single, watcher, worker};

/// Home and partner of each pair.
pub fn pairs(servers: usize) -> Vec<[usize; 2]> {
    let names: Vec<String> = (0..servers).map(|server| format!("mc{server}")).collect();
    let members: Vec<_> =
        names.iter().enumerate().map(|(slot, name)| Member { slot, name, zone: "", pair: None }).collect();
    let pairs = Pairs::new(&members);
    (0..servers).map(|home| [home, pairs.partner(home).unwrap()]).collect()
}

/// Each host has one watcher per pair and some workers.
pub fn people(world: &mut World) {
    let workers = 1 + world.rng.below(3);
    for host in 0..world.hosts.len() {
        for pair in 0..world.pairs.len() {
            let role = match &world.options.single {
                Some(rules) => Role::Usher(Box::new(single::watcher::Watching::new(rules))),
                None => Role::Watcher(Box::new(Watching::new(world.keys))),
            };
            world.actors.push(Some(Box::new(Actor::new(host, pair, role))));
        }
        for _ in 0..workers {
            let role = match &world.options.single {
                Some(_) => Role::Caller(single::worker::Working::default()),
                None => Role::Worker(None),
            };
            world.actors.push(Some(Box::new(Actor::new(host, 0, role))));
        }
    }
    for actor in 0..world.actors.len() {
        start(world, actor);
    }
    world.at(300 * MS, Event::Fault);
}

/// The first wake of an actor in its host's life.
pub fn start(world: &mut World, actor: usize) {
    let (host, watcher) = world.actors[actor].as_ref().map(|actor| (actor.host, actor.watches())).unwrap();
    let life = world.hosts[host].life;
    let (low, high) = if watcher { (0, TICK) } else { (150 * MS, 300 * MS) };
    world.after(low, high, Event::Wake { actor, life });
}

pub fn wake(world: &mut World, at: usize) {
    let Some(mut actor) = world.actors[at].take() else { return };
    match actor.role {
        Role::Worker(_) => worker::wake(world, at, &mut actor),
        Role::Watcher(_) => watcher::wake(world, at, &mut actor),
        Role::Caller(_) => single::worker::wake(world, at, &mut actor),
        Role::Usher(_) => single::watcher::wake(world, at, &mut actor),
    }
    world.actors[at] = Some(actor);
}

pub fn advance(world: &mut World, at: usize, actor: &mut Actor) {
    let legs: Legs = actor.legs;
    match actor.role {
        Role::Worker(_) => worker::advance(world, at, actor, &legs),
        Role::Watcher(_) => watcher::advance(world, at, actor, &legs),
        Role::Caller(_) => single::worker::advance(world, at, actor, &legs),
        Role::Usher(_) => single::watcher::advance(world, at, actor, &legs),
    }
}
