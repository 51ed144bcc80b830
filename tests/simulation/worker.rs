//! A Kamailio process: one call after another, each driven to its end within the command timeout.

use shardcache::cluster::copies::write::Kind;
use shardcache::cluster::copies::{
    Answer, Commit, Count, Fate, Hit, Legs, Outcome, Read, Rules, Scene, Side, Step, Token, View, When, Write, sight,
};

use super::RULES;
use super::actor::{Actor, Role};
use super::history::{Act, Call};
use super::loads::{self, Told};
use super::near;
use super::server::{Content, Place};
use super::story::{self, Then};
use super::theme::{self, Theme};
use super::value::{MIDDLE, stored};
use super::world::{CMD_TIMEOUT, Event, LEG, MS, World, note};

#[derive(Clone, Copy, Debug)]
pub enum Job {
    Read(Read),
    Write(Write),
    Count(Count),
    Commit(Commit),
}

impl Job {
    fn step(&mut self, scene: &Scene<'_>, legs: Option<&Legs>) -> (Step<Outcome>, View) {
        match (self, legs) {
            (Self::Read(read), None) => (read.start(scene), read.view),
            (Self::Read(read), Some(legs)) => (read.next(scene, legs), read.view),
            (Self::Commit(commit), None) => (commit.start(scene), commit.view),
            (Self::Commit(commit), Some(legs)) => (commit.next(scene, legs), commit.view),
            (Self::Count(count), None) => (count.start(scene), count.view),
            (Self::Count(count), Some(legs)) => (count.next(scene, legs), count.view),
            (Self::Write(write), None) => (write.start(scene), write.view),
            (Self::Write(write), Some(legs)) => (write.next(scene, legs), write.view),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Working {
    pub job: Job,
    pub act: Act,
    pub ttl: u32,
    /// What a missing counter becomes.
    pub init: u64,
    pub tries: u8,
    /// Something was counted for nothing.
    pub seen: bool,
    /// What a count by cas answers.
    pub number: u64,
    pub call: usize,
    deadline: u64,
}

pub fn wake(world: &mut World, at: usize, actor: &mut Actor) {
    if world.loads.is_some() {
        return loads::wake(world, at, actor);
    }
    let pair = world.rng.below(world.pairs.len());
    let key = world.rng.below(world.keys);
    let rests = world.faults.lull(world.now);
    let theme = world.theme(key);
    let (act, ttl) = theme.call(rests, &mut world.rng);
    actor.pair = pair;
    actor.place = Place { pair, key };
    let init = match act {
        Act::Count { delta, down } => {
            let zero = if theme == Theme::Floor { 0 } else { MIDDLE };
            if down { u64::saturating_sub(zero, delta) } else { zero + delta }
        }
        _ => 0,
    };
    if act == Act::Get && near::calls::hit(world, at, actor) {
        return;
    }
    let view = world.hosts[actor.host].views[pair];
    let job = match act {
        Act::Set => Job::Write(Write::new(view, Kind::Set { ttl })),
        Act::Delete => Job::Write(Write::new(view, Kind::Delete)),
        Act::Add => Job::Commit(Commit::new(view, When::Missing, ttl)),
        Act::Replace => Job::Commit(Commit::new(view, When::There, ttl)),
        Act::Count { delta, down } => Job::Count(Count::new(view, delta, down, init, ttl)),
        Act::Get | Act::Touch | Act::Cas { .. } => Job::Read(Read::new(view)),
    };
    begin(world, at, actor, act, job, ttl, init);
}

pub fn begin(world: &mut World, at: usize, actor: &mut Actor, act: Act, job: Job, ttl: u32, init: u64) {
    let (host, Place { pair, key }) = (actor.host, actor.place);
    let mut value = None;
    if matches!(act, Act::Set | Act::Add | Act::Replace | Act::Cas { .. }) {
        let number = stored(world.next_value);
        value = Some(number);
        actor.load.value = Content { value: number, numeric: world.theme(key).counts() };
        world.next_value += 1;
    }
    let nobody = world.scene(&RULES, host, pair).nobody();
    let (life, begun, ended) = (theme::life(ttl), world.now, u64::MAX);
    let (outcome, confirmed) = (None, true);
    let call = Call { act, host, pair, key, value, life, begun, ended, outcome, nobody, confirmed, under: 0 };
    world.history.push(call);
    let (call, deadline) = (world.history.len() - 1, world.now + CMD_TIMEOUT);
    actor.role = Role::Worker(Some(Working { job, act, ttl, init, tries: 3, seen: false, number: 0, call, deadline }));
    step(world, at, actor, None);
}

pub fn advance(world: &mut World, at: usize, actor: &mut Actor, legs: &Legs) {
    step(world, at, actor, Some(legs));
}

fn step(world: &mut World, at: usize, actor: &mut Actor, legs: Option<&Legs>) {
    let rules = world.options.rules;
    let scene = world.scene(&rules, actor.host, actor.pair);
    let Role::Worker(Some(working)) = &mut actor.role else { return };
    let (deadline, call) = (working.deadline, working.call);
    let (step, view) = working.job.step(&scene, legs);
    let known = &mut world.hosts[actor.host].views[actor.pair];
    known.merge(&view);
    match step {
        Step::Send(request) if world.now >= deadline || request.is_empty() => {
            self::step(world, at, actor, Some(&Legs::default()));
        }
        Step::Send(request) => {
            world.send(at, actor, &request, LEG.min(deadline - world.now));
        }
        Step::Done(outcome) => {
            let hit = found(outcome, legs);
            match story::then(working, outcome, hit, *known) {
                Then::Next(job) => {
                    working.job = job;
                    if let Some(content) = story::load(working, hit) {
                        actor.load.value = content;
                    }
                    self::step(world, at, actor, None);
                }
                Then::Done(outcome) => {
                    let miss = working.act == Act::Get && outcome == Outcome::Missing;
                    world.history[call].confirmed =
                        !miss || legs.is_some_and(|legs| confirmed(legs, &view, &world.options.rules));
                    done(world, at, actor, call, outcome, hit, lost(legs));
                }
            }
        }
    }
}

fn done(world: &mut World, at: usize, actor: &mut Actor, call: usize, outcome: Outcome, hit: Option<Hit>, lost: bool) {
    let record = &mut world.history[call];
    record.ended = world.now;
    record.outcome = Some(outcome);
    match outcome {
        Outcome::Found { .. } => record.value = hit.map(|hit| hit.digest),
        Outcome::Number(number) => record.value = Some(number),
        _ => {}
    }
    let (record, host) = (*record, actor.host);
    note!(world, "{record}");
    near::calls::ended(world, at, &record, hit);
    let view = world.hosts[host].views[actor.pair];
    let token = token(outcome, hit, &view);
    if actor.task.is_some() {
        return loads::ended(world, at, actor, &record, Told::new(outcome, hit, token, lost));
    }
    if let (Some(token), Some(hit)) = (token, hit)
        && !world.theme(record.key).counts()
        && world.rng.chance(15)
    {
        let job = Job::Commit(Commit::new(view, When::Same(token), 0));
        return begin(world, at, actor, Act::Cas { seen: hit.digest }, job, 0, 0);
    }
    rest(world, at, actor);
}

/// Until the next call.
pub fn rest(world: &mut World, at: usize, actor: &mut Actor) {
    actor.role = Role::Worker(None);
    let (life, pace) = (world.hosts[actor.host].life, world.pace);
    world.after(MS, pace * MS, Event::Wake { actor: at, life });
}

/// By what the item that a get found may be replaced: by nothing where the copies are not settled.
fn token(outcome: Outcome, hit: Option<Hit>, view: &View) -> Option<Token> {
    let (Outcome::Found { side, verified: true }, Some(hit)) = (outcome, hit) else { return None };
    Some(Token { side, mark: view.of(side), cas: hit.cas })
}

/// Was a packet of the last exchange lost?
fn lost(legs: Option<&Legs>) -> bool {
    legs.is_some_and(|legs| Side::BOTH.into_iter().any(|side| legs.of(side).fate == Fate::Lost))
}

/// Does a miss stand on the word of both sides, or of one that has its current full record, or a tombstone of the current epoch while the
/// other one is void?
fn confirmed(legs: &Legs, view: &View, rules: &Rules) -> bool {
    let answered = |side: Side| legs.of(side).answered();
    let knows = |side: Side| {
        let (leg, mark) = (legs.of(side), view.of(side));
        let complete = leg.mark(sight::FULL).is_some_and(|full| mark.complete(full, rules));
        let buried = matches!(leg.answers[sight::TOMB], Answer::Hit(tomb) if mark.verifies(tomb.stamp, rules));
        answered(side) && (complete || buried && !view.of(side.other()).active(rules))
    };
    answered(Side::Home) && answered(Side::Partner) || Side::BOTH.into_iter().any(knows)
}

/// The item that a get found.
fn found(outcome: Outcome, legs: Option<&Legs>) -> Option<Hit> {
    match (outcome, legs) {
        (Outcome::Found { side, .. }, Some(legs)) => match legs.of(side).answers[0] {
            Answer::Hit(hit) => Some(hit),
            _ => None,
        },
        _ => None,
    }
}
