//! Who changes the database invalidates afterwards, again and again until it is acknowledged.

use shardcache::cluster::copies::Write;
use shardcache::cluster::copies::write::Kind;

use super::super::actor::Actor;
use super::super::history::{Act, Call};
use super::super::worker::{self, Job};
use super::super::world::{MS, World, note};
use super::judge::Brought;
use super::{Task, edit, number, of, pause};

pub fn begin(world: &mut World, at: usize, actor: &mut Actor) {
    let (host, place) = (actor.host, actor.place);
    let loads = edit(world);
    loads.changes += 1;
    loads.database[place.pair][place.key] = loads.changes;
    note!(world, "K{host} changes {}.{} in the database to {}", place.pair, place.key, number(world, place));
    let (soon, number) = (world.rng.range(0, 5 * MS), number(world, place));
    pause(world, at, actor, Task::Change { number }, soon);
}

pub fn invalidate(world: &mut World, at: usize, actor: &mut Actor) {
    let number = number(world, actor.place);
    actor.task = Some(Task::Change { number });
    let job = Job::Write(Write::new(world.hosts[actor.host].views[actor.pair], Kind::Delete));
    worker::begin(world, at, actor, Act::Delete, job, 0, 0);
}

/// An attempt is over; true = another one follows.
pub fn ended(world: &mut World, at: usize, actor: &mut Actor, number: u64, call: &Call) -> bool {
    if !call.good() && of(world).rules.repeated {
        let soon = world.rng.range(MS, 50 * MS);
        pause(world, at, actor, Task::Change { number }, soon);
        return true;
    }
    edit(world).voided.push(Brought { call: *call, number });
    false
}
