//! A host's watcher on its rounds to the servers' counters: lost, late and interrupted like any packet.
//!
//! A watcher's rounds to one server come one after another. Those of two watchers, one of which stood still when the other took its
//! place, overtake each other.

use shardcache::invalidate::stripes::{Counter, Watch};

use super::super::server::State;
use super::super::world::{CMD_TIMEOUT, Event, MS, TICK, World, note};
use super::memory::{self, ms};
use super::survey::{self, Numbers};
use super::{Step, clock_us, edit, moment, name, of};

/// Where a round is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Begin,
    /// The question for the root arrives, its answer is heard.
    Ask,
    Told,
    /// The survey arrives, the server is at its second half, its answer is heard.
    Survey,
    Rest,
    Read,
    /// No answer came in time.
    Expire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Poll {
    poller: usize,
    pub server: usize,
    serial: u32,
    process: u32,
    stage: Stage,
}

/// A process that polls.
pub struct Poller {
    pub host: usize,
    dead: bool,
    rounds: Vec<Round>,
}

/// What it keeps of one server.
#[derive(Default)]
pub struct Round {
    pub watch: Watch,
    life: u32,
    serial: u32,
    sent: u64,
    /// The server's process at the other end of the connection; `None` = there is none.
    process: Option<u32>,
    /// The one that answered last.
    greeted: Option<u32>,
    /// What was told in this round, and in earlier ones.
    pub told: Numbers,
    pub last: Numbers,
    /// All stripes were read once.
    surveyed: bool,
}

/// A watcher of a host begins.
pub fn start(world: &mut World, host: usize) {
    let (life, servers) = (world.hosts[host].life, world.servers.len());
    let rounds = (0..servers).map(|_| Round { life, ..Round::default() }).collect();
    edit(world).pollers.push(Poller { host, dead: false, rounds });
    let poller = of(world).pollers.len() - 1;
    for server in 0..servers {
        let poll = Poll { poller, server, serial: 0, process: 0, stage: Stage::Begin };
        world.after(0, TICK, Event::Near(Step::Poll(poll)));
    }
}

/// A host's watcher gets a successor and dies, or only stands still for a while; or there are two, and the first dies.
pub fn succeed(world: &mut World, host: usize) {
    let pollers = &of(world).pollers;
    let living: Vec<usize> = (0..pollers.len()).filter(|at| pollers[*at].host == host && !pollers[*at].dead).collect();
    let alone = living.len() == 1;
    let dies = !alone || world.rng.chance(50);
    edit(world).pollers[living[0]].dead = dies;
    if alone {
        note!(world, "K{host} has a new watcher beside the old one, which is dead: {dies}");
        start(world, host);
    }
}

fn round(world: &World, poll: Poll) -> &Round {
    &of(world).pollers[poll.poller].rounds[poll.server]
}

pub fn edit_round(world: &mut World, poll: Poll) -> &mut Round {
    &mut edit(world).pollers[poll.poller].rounds[poll.server]
}

pub fn host_of(world: &World, poll: Poll) -> usize {
    of(world).pollers[poll.poller].host
}

pub fn step(world: &mut World, poll: Poll) {
    let Poller { host, dead, .. } = of(world).pollers[poll.poller];
    if dead || round(world, poll).serial != poll.serial {
        return;
    }
    let (me, now) = (&world.hosts[host], world.now);
    let fits = me.alive && me.life == round(world, poll).life;
    if poll.stage == Stage::Begin {
        return if me.stalled > now { again(world, poll, me.stalled) } else { begin(world, poll) };
    }
    if !fits {
        // It died with its host; the next one begins in its place.
        return over(world, poll, false);
    }
    match poll.stage {
        Stage::Begin => {}
        Stage::Expire => over(world, poll, false),
        Stage::Told | Stage::Read => heard(world, poll),
        Stage::Ask | Stage::Survey | Stage::Rest => arrived(world, poll),
    }
}

fn again(world: &mut World, poll: Poll, time: u64) {
    world.at(time, Event::Near(Step::Poll(poll)));
}

fn begin(world: &mut World, mut poll: Poll) {
    let (host, now, rules) = (host_of(world, poll), world.now, of(world).rules);
    if !world.hosts[host].alive {
        return again(world, poll, now + TICK);
    }
    let (life, process) = (world.hosts[host].life, world.servers[poll.server].process);
    let round = edit_round(world, poll);
    if round.life != life {
        *round = Round { life, serial: round.serial, ..Round::default() };
    }
    round.sent = now;
    round.watch.begin();
    if round.process.is_none() && rules.connection {
        round.watch.connected();
    }
    poll.process = *round.process.get_or_insert(process);
    ask(world, poll, Stage::Ask);
}

/// Sends a question: its answer has to come in time.
fn ask(world: &mut World, mut poll: Poll, stage: Stage) {
    let host = host_of(world, poll);
    edit_round(world, poll).serial += 1;
    poll.serial += 1;
    again(world, Poll { stage: Stage::Expire, ..poll }, world.now + CMD_TIMEOUT);
    if !world.cut[host][poll.server] {
        let most = if world.rng.chance(3) { 45 * MS } else { 3 * MS };
        world.after(MS / 2, most, Event::Near(Step::Poll(Poll { stage, ..poll })));
    }
}

/// A round is over; where its connection did not hold the next one begins over a new one.
fn over(world: &mut World, mut poll: Poll, good: bool) {
    let now = world.now;
    let round = edit_round(world, poll);
    if !good {
        round.process = None;
    }
    round.serial += 1;
    let next = now.max(round.sent + TICK);
    (poll.serial, poll.stage) = (round.serial, Stage::Begin);
    again(world, poll, next);
}

fn arrived(world: &mut World, poll: Poll) {
    let server = &world.servers[poll.server];
    let (slow, now) = (server.slow, world.now);
    if server.state == State::Down || server.process != poll.process {
        return over(world, poll, false);
    }
    if server.state == State::Frozen {
        return world.after(MS, 4 * MS, Event::Near(Step::Poll(poll)));
    }
    let (stage, low, high) = match poll.stage {
        Stage::Ask => {
            let root = world.servers[poll.server].alive(name(Counter::Root), now).map(|item| item.content.value);
            edit_round(world, poll).told.root = root;
            (Stage::Told, MS / 2 + slow, 3 * MS + 2 * slow)
        }
        Stage::Survey => {
            survey::half(world, poll, true);
            let (low, high) = moment(world);
            (Stage::Rest, low, high)
        }
        _ => {
            survey::half(world, poll, false);
            (Stage::Read, MS / 2 + slow, 3 * MS + 2 * slow)
        }
    };
    world.after(low, high, Event::Near(Step::Poll(Poll { stage, ..poll })));
}

/// The watcher takes an answer, now or when it goes on.
fn heard(world: &mut World, mut poll: Poll) {
    let host = host_of(world, poll);
    if world.cut[host][poll.server] || world.deaf[host][poll.server] {
        return;
    }
    let pause = if world.rng.chance(3) { world.rng.range(0, 400 * MS) } else { 0 };
    let until = world.hosts[host].stalled.max(world.now + pause);
    if until > world.now {
        edit_round(world, poll).serial += 1;
        poll.serial += 1;
        return again(world, poll, until);
    }
    if poll.stage == Stage::Told { told(world, poll) } else { read(world, poll) }
}

/// The root's number is known: nothing has moved, or the stripes have to be read.
fn told(world: &mut World, poll: Poll) {
    let rules = of(world).rules;
    let round = edit_round(world, poll);
    if round.greeted.replace(poll.process).is_some_and(|process| process != poll.process) && rules.process {
        round.watch.forget();
    }
    let root = survey::seen(&rules, round.told.root, round.last.root, rules.missing);
    round.watch.hear(root);
    let moved = round.watch.moved();
    if !moved || !rules.applied {
        vouch(world, poll);
    }
    if moved {
        return ask(world, poll, Stage::Survey);
    }
    over(world, poll, true);
}

fn read(world: &mut World, poll: Poll) {
    let (host, rules) = (host_of(world, poll), of(world).rules);
    let clock_us = clock_us(world, host) - (world.now - round(world, poll).sent);
    let round = edit_round(world, poll);
    let mut moved = Vec::new();
    survey::read(&rules, round, clock_us, |stripe| moved.push(stripe));
    if !round.surveyed && !rules.successor {
        moved.clear();
    }
    note!(world, "K{host} raises {} stripes of mc{}", moved.len(), poll.server);
    let versions = memory::of_host(world, host).versions();
    moved.into_iter().for_each(|stripe| versions.raise(poll.server, stripe));
    let round = edit_round(world, poll);
    if round.watch.vouches() {
        round.surveyed = true;
        let root = round.told.root;
        note!(world, "K{host} has read the stripes of mc{}: root {root:?}", poll.server);
        vouch(world, poll);
    }
    over(world, poll, true);
}

/// All that the poll told is applied.
fn vouch(world: &mut World, poll: Poll) {
    let (host, sent, now) = (host_of(world, poll), round(world, poll).sent, world.now);
    let sent = if of(world).rules.sent { sent } else { now };
    memory::of_host(world, host).versions().polled(poll.server, ms(sent));
}
