//! A Kamailio process: one call after another, each driven to its end within the command timeout.

use shardcache::cluster::copies::write::Kind;
use shardcache::cluster::copies::{Answer, Commit, Count, Legs, Outcome, Read, Side, Step, Token, When, Write};

use super::history::{Act, Call};
use super::server::{Content, Place, SECOND};
use super::world::{Actor, CMD_TIMEOUT, Event, LEG, MS, Role, World, note};

#[derive(Clone, Copy, Debug)]
enum Job {
    Read(Read),
    Write(Write),
    Count(Count),
    Commit(Commit),
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Working {
    job: Option<Job>,
    call: usize,
    deadline: u64,
}

pub fn wake(world: &mut World, at: usize, actor: &mut Actor) {
    let pair = world.rng.below(world.pairs.len());
    let key = world.rng.below(world.keys);
    let act = match world.rng.below(100) {
        0..50 if world.counts(key) && !world.faults.lull(world.now) => Act::Count { delta: 1 + world.rng.next() % 3 },
        _ if world.counts(key) => Act::Get,
        0..60 => Act::Get,
        60..80 => Act::Set,
        80..88 => Act::Add,
        _ => Act::Delete,
    };
    actor.pair = pair;
    actor.place = Place { pair, key };
    let view = world.hosts[actor.host].views[pair];
    let ttl = if act == Act::Set && world.rng.chance(20) { 5 + world.rng.below(20) as u32 } else { 0 };
    let job = match act {
        Act::Set => Job::Write(Write::new(view, Kind::Set { ttl })),
        Act::Delete => Job::Write(Write::new(view, Kind::Delete)),
        Act::Add => Job::Commit(Commit::new(view, When::Missing, 0)),
        Act::Count { delta } => Job::Count(Count::new(view, delta, false, delta, 0)),
        Act::Get | Act::Cas { .. } => Job::Read(Read::new(view)),
    };
    begin(world, at, actor, act, job, ttl);
}

fn begin(world: &mut World, at: usize, actor: &mut Actor, act: Act, job: Job, ttl: u32) {
    let mut value = None;
    if matches!(act, Act::Set | Act::Add | Act::Cas { .. }) {
        value = Some(world.next_value);
        actor.load.value = Content { value: world.next_value, numeric: false };
        world.next_value += 1;
    }
    let (host, Place { pair, key }) = (actor.host, actor.place);
    let (life, begun, ended) = (u64::from(ttl) * SECOND, world.now, u64::MAX);
    world.history.push(Call { act, host, pair, key, value, life, begun, ended, outcome: None, under: 0 });
    actor.role =
        Role::Worker(Working { job: Some(job), call: world.history.len() - 1, deadline: world.now + CMD_TIMEOUT });
    step(world, at, actor, None);
}

pub fn advance(world: &mut World, at: usize, actor: &mut Actor, legs: &Legs) {
    step(world, at, actor, Some(legs));
}

fn step(world: &mut World, at: usize, actor: &mut Actor, legs: Option<&Legs>) {
    let rules = world.options.rules;
    let scene = world.scene(&rules, actor.host, actor.pair);
    let Role::Worker(Working { job: Some(job), deadline, call }) = &mut actor.role else { return };
    let (deadline, call) = (*deadline, *call);
    let (step, view) = match (job, legs) {
        (Job::Read(read), None) => (read.start(&scene), read.view),
        (Job::Read(read), Some(legs)) => (read.next(&scene, legs), read.view),
        (Job::Commit(commit), None) => (commit.start(&scene), commit.view),
        (Job::Commit(commit), Some(legs)) => (commit.next(&scene, legs), commit.view),
        (Job::Count(count), None) => (count.start(&scene), count.view),
        (Job::Count(count), Some(legs)) => (count.next(&scene, legs), count.view),
        (Job::Write(write), None) => (write.start(&scene), write.view),
        (Job::Write(write), Some(legs)) => (write.next(&scene, legs), write.view),
    };
    world.hosts[actor.host].views[actor.pair].merge(&view);
    match step {
        Step::Send(_) if world.now >= deadline => self::step(world, at, actor, Some(&Legs::default())),
        Step::Send(request) => world.send(at, actor, &request, LEG.min(deadline - world.now)),
        Step::Done(outcome) => done(world, at, actor, call, outcome, legs),
    }
}

fn done(world: &mut World, at: usize, actor: &mut Actor, call: usize, outcome: Outcome, legs: Option<&Legs>) {
    let now = world.now;
    let record = &mut world.history[call];
    record.ended = now;
    record.outcome = Some(outcome);
    if let (Outcome::Found { side, .. }, Some(legs)) = (outcome, legs) {
        record.value = found(legs, side);
    }
    if let Outcome::Number(number) = outcome {
        record.value = Some(number);
    }
    let record = *record;
    note!(world, "{record}");
    if let (Outcome::Found { side, verified: true }, Some(legs)) = (outcome, legs)
        && let Answer::Hit(hit) = legs.of(side).answers[0]
        && world.rng.chance(15)
    {
        let view = world.hosts[actor.host].views[actor.pair];
        let token = Token { side, mark: view.of(side), cas: hit.cas };
        let job = Job::Commit(Commit::new(view, When::Same(token), 0));
        return begin(world, at, actor, Act::Cas { seen: hit.digest }, job, 0);
    }
    if let Role::Worker(working) = &mut actor.role {
        working.job = None;
    }
    let life = world.hosts[actor.host].life;
    let pace = world.pace;
    world.after(MS, pace * MS, Event::Wake { actor: at, life });
}

fn found(legs: &Legs, side: Side) -> Option<u64> {
    match legs.of(side).answers[0] {
        Answer::Hit(hit) => Some(hit.digest),
        _ => None,
    }
}
