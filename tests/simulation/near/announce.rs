//! Changes that announce themselves: a server carries out the parts of such a packet one after another, and others come in between.

use shardcache::cluster::copies::{Command, Packet};
use shardcache::invalidate::stripes::{Counter, announcement};

use super::super::actor::{Actor, Role};
use super::super::history::Act;
use super::super::server::State;
use super::super::world::{Event, MS, World};
use super::{Step, add, clock_us, memory, moment, of, stripe_of};

/// What a packet announces behind its change.
#[derive(Clone, Copy, Debug)]
pub struct News {
    stripe: u8,
    /// What a counter that is not there becomes.
    start: u64,
    /// The server has not taken all of it.
    pub refused: bool,
}

#[derive(Clone, Copy)]
enum Part {
    Change,
    Move(Counter),
}

/// What this packet has to announce.
pub fn news(world: &mut World, actor: &Actor, packet: &Packet) -> Option<News> {
    let rules = world.near.as_ref()?.rules;
    let changes = match &actor.role {
        Role::Worker(Some(working)) => working.act != Act::Get,
        Role::Caller(working) => world.history[working.call].act != Act::Get,
        Role::Watcher(watching) => watching.corrects(),
        Role::Worker(None) | Role::Usher(_) => false,
    };
    if !changes || !packet.commands().iter().any(Command::changes) {
        return None;
    }
    if rules.own && !rules.own_behind && !actor.watches() {
        memory::void(world, actor.host, actor.place);
    }
    let start = if rules.clock { clock_us(world, actor.host) } else { 1 };
    rules.announced.then(|| News { stripe: stripe_of(actor.place), start, refused: false })
}

fn parts(world: &World, news: News) -> [Part; 3] {
    let rules = of(world).rules;
    let mut moves = announcement(news.stripe).map(Part::Move);
    if !rules.stripe_first {
        moves.reverse();
    }
    let [first, second] = moves;
    if rules.behind { [Part::Change, first, second] } else { [first, second, Part::Change] }
}

/// The packet is on its server.
pub fn step(world: &mut World, flight: usize, part: usize) {
    let &super::super::network::Flight { server, process, news, .. } = &world.flights[flight];
    let Some(mut news) = news else { return };
    if world.servers[server].process != process {
        return world.reset(flight);
    }
    if world.servers[server].state == State::Frozen {
        return world.after(MS, 4 * MS, Event::Near(Step::Announce { flight, part }));
    }
    let parts = parts(world, news);
    match parts[part] {
        Part::Change => world.carry_out(flight),
        Part::Move(counter) => news.refused |= add(world, server, counter, 1, news.start).is_none(),
    }
    if !of(world).rules.checked {
        news.refused = false;
    }
    world.flights[flight].news = Some(news);
    if part + 1 == parts.len() {
        return world.answer(flight);
    }
    let (low, high) = moment(world);
    world.after(low, high, Event::Near(Step::Announce { flight, part: part + 1 }));
}
