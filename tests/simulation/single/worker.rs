//! A Kamailio process and its calls to tables with one copy: who serves is asked first, and each command guarded at home.

use shardcache::cluster::copies::{Answer, Body, Command, Fate, Hit, Legs, Mode, Outcome, Packet, Request, Side, Slot};
use shardcache::cluster::seats::{Counted, Guard, Rules, Seat, Turn, counted};

use super::super::actor::{Actor, Role};
use super::super::history::{Act, Call};
use super::super::near;
use super::super::server::{Content, Place, SECOND};
use super::super::value::stored;
use super::super::world::{CMD_TIMEOUT, Event, MS, World, note};

/// A question for the record takes so long at most.
const ASK_LIMIT: u64 = CMD_TIMEOUT * 40 / 100;

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Begin,
    /// The record was asked for there.
    Ask(Side),
    Command,
    /// A second command follows from the first.
    Second,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Working {
    pub call: usize,
    deadline: u64,
    stage: Stage,
    side: Option<Side>,
    seat: Seat,
    /// The record was read in this call.
    asked: bool,
    tries: u8,
    ttl: u32,
    /// The cas of the value that a get of this call brought.
    seen: u64,
}

/// What a packet came to.
enum Next {
    Done(Outcome),
    Second(Mode),
    /// From the beginning: another was faster.
    Again,
}

pub fn wake(world: &mut World, at: usize, actor: &mut Actor) {
    let pair = world.rng.below(world.pairs.len());
    let key = world.rng.below(world.keys);
    let act = match world.rng.below(100) {
        0..50 if world.counts(key) => Act::Count { delta: 1 + world.rng.next() % 3, down: false },
        _ if world.counts(key) => Act::Get,
        0..60 => Act::Get,
        60..80 => Act::Set,
        80..88 => Act::Add,
        _ => Act::Delete,
    };
    actor.pair = pair;
    actor.place = Place { pair, key };
    if act == Act::Get && near::calls::hit(world, at, actor) {
        return;
    }
    let ttl = if act == Act::Set && world.rng.chance(20) { 5 + world.rng.below(20) as u32 } else { 0 };
    begin(world, at, actor, act, Working { ttl, ..Working::default() });
}

fn begin(world: &mut World, at: usize, actor: &mut Actor, act: Act, mut working: Working) {
    let mut value = None;
    if matches!(act, Act::Set | Act::Add | Act::Cas { .. }) {
        let number = stored(world.next_value);
        value = Some(number);
        actor.load.value = Content { value: number, numeric: false };
        world.next_value += 1;
    }
    let (host, Place { pair, key }) = (actor.host, actor.place);
    let (life, begun, ended) = (u64::from(working.ttl) * SECOND, world.now, u64::MAX);
    let (outcome, nobody, confirmed) = (None, world.hosts[host].isolated(), true);
    let call = Call { act, host, pair, key, value, life, begun, ended, outcome, nobody, confirmed, under: 0 };
    world.history.push(call);
    working.call = world.history.len() - 1;
    working.deadline = world.now + CMD_TIMEOUT;
    working.stage = Stage::Begin;
    working.tries = 5;
    go(world, at, actor, working);
}

/// Asks who serves, and sends the command there.
fn go(world: &mut World, at: usize, actor: &mut Actor, mut working: Working) {
    let Some(rules) = world.options.single else { return };
    let (host, pair) = (actor.host, actor.pair);
    let over = world.now >= working.deadline || working.tries == 0;
    let turn = super::who(world, &rules, host, pair, working.asked);
    if over || turn == Turn::Nobody || world.hosts[host].isolated() {
        return done(world, at, actor, &working, Outcome::Unavailable, None);
    }
    working.tries -= 1;
    let seat = world.hosts[host].seats[pair];
    let mut request = Request::default();
    match turn {
        Turn::Nobody => {}
        Turn::Ask(side) => {
            request.on(side).get(Slot::Seat);
            working.stage = Stage::Ask(side);
        }
        Turn::Serve(side) => {
            let call = &mut world.history[working.call];
            if matches!(call.act, Act::Cas { .. }) && working.seat != seat {
                return done(world, at, actor, &working, Outcome::Missing, None);
            }
            call.under = seat.0;
            command(&rules, request.on(side), call.act, side, seat, &working);
            (working.stage, working.side, working.seat) = (Stage::Command, Some(side), seat);
        }
    }
    send(world, at, actor, working, &request);
}

fn send(world: &mut World, at: usize, actor: &mut Actor, working: Working, request: &Request) {
    let left = working.deadline - world.now;
    // The question leaves time for the command: what is late then is the fault of the server that is asked.
    let limit = if matches!(working.stage, Stage::Ask(_)) { left.min(ASK_LIMIT) } else { left };
    actor.role = Role::Caller(working);
    world.send(at, actor, request, limit);
}

/// The stand-in's keys name the seat's number as those of counters name their epoch.
fn slot(rules: &Rules, side: Side, seat: Seat) -> Slot {
    match side {
        Side::Home => Slot::Item,
        Side::Partner if rules.numbered => Slot::Counter(seat.0),
        Side::Partner => Slot::Counter(0),
    }
}

fn store(rules: &Rules, side: Side, seat: Seat, mode: Mode, body: Body, ttl: u32) -> Command {
    let home = side == Side::Home;
    let (stamp, ttl) = if home { (seat.stamp(rules), ttl) } else { (0, rules.stand_in_life(ttl)) };
    Command::Set { slot: slot(rules, side, seat), mode, stamp, body, ttl }
}

fn command(rules: &Rules, packet: &mut Packet, act: Act, side: Side, seat: Seat, working: &Working) {
    let (guarded, slot) = (side == Side::Home && rules.guards, slot(rules, side, seat));
    let store = |mode| store(rules, side, seat, mode, Body::Value, working.ttl);
    let (down, ttl) = (false, rules.stand_in_life(0));
    let _ = match act {
        // The callers of this farm neither replace nor touch.
        Act::Get | Act::Replace | Act::Touch => packet.get(slot),
        Act::Set => packet.push(store(Mode::Set)),
        Act::Cas { .. } => packet.push(store(Mode::Cas(working.seen))),
        Act::Delete => {
            packet.get(slot);
            packet.push(Command::Delete { slot, cas: None })
        }
        Act::Add => {
            packet.get(slot);
            packet.push(store(Mode::Add))
        }
        Act::Count { delta, .. } => {
            packet.get(slot);
            let init = (!guarded).then_some(delta);
            let ttl = if side == Side::Home { 0 } else { ttl };
            packet.push(Command::Count { slot, delta, down, init, ttl });
            packet.get(slot)
        }
    };
}

pub fn advance(world: &mut World, at: usize, actor: &mut Actor, legs: &Legs) {
    let Some(rules) = world.options.single else { return };
    let Role::Caller(mut working) = actor.role else { return };
    let act = world.history[working.call].act;
    let lost = if matches!(act, Act::Get) { Outcome::Unavailable } else { Outcome::Ambiguous };
    match working.stage {
        Stage::Begin => {}
        Stage::Ask(side) => match legs.of(side).mark(0) {
            Some(mark) => {
                learn(world, actor, Seat(mark.0));
                working.asked = true;
                go(world, at, actor, working);
            }
            None => done(world, at, actor, &working, Outcome::Unavailable, None),
        },
        Stage::Command => {
            let side = working.side.unwrap_or(Side::Home);
            match legs.of(side).fate {
                Fate::Unsent => done(world, at, actor, &working, Outcome::Unavailable, None),
                Fate::Lost => done(world, at, actor, &working, lost, None),
                Fate::Answered => {
                    let next = answered(&rules, act, side, working.seat, &legs.of(side).answers);
                    follow(world, at, actor, working, next, Some(legs));
                }
            }
        }
        Stage::Second => {
            let side = working.side.unwrap_or(Side::Home);
            let next = match (legs.of(side).fate, legs.of(side).answers[0], act) {
                (Fate::Unsent, ..) => Next::Done(Outcome::Unavailable),
                (Fate::Lost, ..) => Next::Done(lost),
                (_, Answer::Stored(_), Act::Count { delta, .. }) => Next::Done(Outcome::Number(delta)),
                (_, Answer::Stored(_), _) => Next::Done(Outcome::Done),
                _ => Next::Again,
            };
            follow(world, at, actor, working, next, None);
        }
    }
}

fn learn(world: &mut World, actor: &Actor, seat: Seat) {
    let known = &mut world.hosts[actor.host].seats[actor.pair];
    *known = seat.max(*known);
}

/// What the server's answers mean to the call.
fn answered(rules: &Rules, act: Act, side: Side, seat: Seat, answers: &[Answer]) -> Next {
    let hit = |at: usize| if let Answer::Hit(hit) = answers[at] { Some(hit) } else { None };
    let void = |hit: &Hit| side == Side::Home && !seat.accepts(hit.stamp, rules);
    let before = hit(0);
    match (act, answers[1]) {
        (Act::Get, _) => match before {
            Some(hit) if !void(&hit) => Next::Done(Outcome::Found { side, verified: true }),
            _ => Next::Done(Outcome::Missing),
        },
        (Act::Set, _) if matches!(answers[0], Answer::Stored(_)) => Next::Done(Outcome::Done),
        (Act::Cas { .. }, _) if matches!(answers[0], Answer::Stored(_)) => Next::Done(Outcome::Done),
        (Act::Delete, _) => Next::Done(Outcome::Done),
        (Act::Add, Answer::Stored(_)) => Next::Done(Outcome::Done),
        (Act::Add, _) => match before {
            Some(hit) if void(&hit) && rules.guards => Next::Second(Mode::Cas(hit.cas)),
            _ => Next::Done(Outcome::Missing),
        },
        (Act::Count { .. }, answer) => count(rules, side, seat, before, answer, hit(2)),
        _ => Next::Done(Outcome::Missing),
    }
}

fn count(rules: &Rules, side: Side, seat: Seat, before: Option<Hit>, answer: Answer, after: Option<Hit>) -> Next {
    let guard = |hit: Option<Hit>| hit.map(|Hit { stamp, cas, .. }| Guard { stamp, cas });
    let (number, cas) = match answer {
        Answer::Number { value, cas } => (value, Some(cas)),
        Answer::NotFound => (0, None),
        _ => return Next::Done(Outcome::Missing),
    };
    if side == Side::Partner {
        return Next::Done(Outcome::Number(number));
    }
    match counted(seat, rules, guard(before), cas, guard(after)) {
        Counted::Done => Next::Done(Outcome::Number(number)),
        Counted::Absent => Next::Second(Mode::Add),
        Counted::Void(cas) => Next::Second(Mode::Cas(cas)),
        Counted::Unsure => Next::Done(Outcome::Ambiguous),
    }
}

fn follow(world: &mut World, at: usize, actor: &mut Actor, mut working: Working, next: Next, legs: Option<&Legs>) {
    let Some(rules) = world.options.single else { return };
    match next {
        Next::Done(outcome) => done(world, at, actor, &working, outcome, legs),
        Next::Again => go(world, at, actor, working),
        Next::Second(_) if world.now >= working.deadline => {
            done(world, at, actor, &working, Outcome::Unavailable, None);
        }
        Next::Second(mode) => {
            let side = working.side.unwrap_or(Side::Home);
            let body = match world.history[working.call].act {
                Act::Count { delta, .. } => Body::Number(delta),
                _ => Body::Value,
            };
            let mut request = Request::default();
            request.on(side).push(store(&rules, side, working.seat, mode, body, working.ttl));
            working.stage = Stage::Second;
            send(world, at, actor, working, &request);
        }
    }
}

fn done(world: &mut World, at: usize, actor: &mut Actor, working: &Working, outcome: Outcome, legs: Option<&Legs>) {
    let now = world.now;
    let record = &mut world.history[working.call];
    record.ended = now;
    record.outcome = Some(outcome);
    let mut seen = None;
    if let (Outcome::Found { side, .. }, Some(legs)) = (outcome, legs)
        && let Answer::Hit(hit) = legs.of(side).answers[0]
    {
        record.value = Some(hit.digest);
        seen = Some(hit);
    }
    if let Outcome::Number(number) = outcome {
        record.value = Some(number);
    }
    let record = *record;
    note!(world, "{record}");
    near::calls::ended(world, at, &record, seen);
    if let Some(hit) = seen
        && !world.counts(record.key)
        && world.rng.chance(15)
    {
        let working = Working { seen: hit.cas, seat: working.seat, ..Working::default() };
        return begin(world, at, actor, Act::Cas { seen: hit.digest }, working);
    }
    actor.role = Role::Caller(Working::default());
    let life = world.hosts[actor.host].life;
    let pace = world.pace;
    world.after(MS, pace * MS, Event::Wake { actor: at, life });
}
