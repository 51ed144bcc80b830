//! Packets on their way: what leaves, what arrives, what is lost.

use shardcache::cluster::copies::{Body, Command, Fate, Leg, Legs, Packet, Request, Side, Slot};
use shardcache::health::{Reason, Seen};

use super::actor::Actor;
use super::near::announce::{self, News};
use super::outages::Wait;
use super::server::{Load, Place, State};
use super::world::{Event, LEG, MS, World, note};

/// One side's packet of an exchange, and what becomes of it.
pub struct Flight {
    actor: usize,
    serial: u32,
    life: u32,
    side: Side,
    pub server: usize,
    pub process: u32,
    packet: Packet,
    place: Place,
    load: Load,
    leg: Leg,
    /// What it announces to hosts that keep near entries.
    pub news: Option<News>,
}

/// Does it begin a new epoch?
fn voids(command: &Command) -> bool {
    matches!(command, Command::Set { slot: Slot::Mark(_), body: Body::Number(number), .. } if number % 2 == 0)
}

impl World {
    /// Sends an exchange for `actor`; its answers come back through `setup::advance` within `limit`.
    pub fn send(&mut self, at: usize, actor: &mut Actor, request: &Request, limit: u64) {
        actor.serial += 1;
        actor.legs = Legs::default();
        let packets = [request.home, request.partner];
        for side in Side::BOTH {
            let packet = packets[side as usize];
            actor.waiting[side as usize] = !packet.is_empty();
            if packet.is_empty() {
                continue;
            }
            let server = self.pairs[actor.pair][side as usize];
            actor.refused[side as usize] = false;
            actor.begun[side as usize] = self.hosts[actor.host].incarnation(server);
            let news = announce::news(self, actor, &packet);
            let flight = self.flight(Flight {
                actor: at,
                serial: actor.serial,
                life: self.hosts[actor.host].life,
                side,
                server,
                process: self.servers[server].process,
                packet,
                place: actor.place,
                load: actor.load,
                leg: Leg { fate: Fate::Lost, ..Leg::default() },
                news,
            });
            self.depart(flight, actor.host);
        }
        (actor.sent, actor.full) = (self.now, limit >= LEG);
        self.at(self.now + limit, Event::Expire { actor: at, serial: actor.serial });
    }

    fn flight(&mut self, flight: Flight) -> usize {
        if let Some(at) = self.free.pop() {
            self.flights[at] = flight;
            return at;
        }
        self.flights.push(flight);
        self.flights.len() - 1
    }

    fn depart(&mut self, at: usize, host: usize) {
        let server = self.flights[at].server;
        if self.cut[host][server] {
            if self.rng.chance(40) {
                self.held.push((host, server, at));
            } else {
                self.free.push(at);
            }
        } else if self.servers[server].state == State::Down {
            self.flights[at].leg.fate = Fate::Unsent;
            self.after(MS / 2, MS, Event::Reply(at));
        } else if self.lag[host][server] > 0 {
            self.lag[host][server] -= 1;
            match self.rng.below(3) {
                0 => self.free.push(at),
                _ => self.after(LEG, 400 * MS, Event::Arrive(at)),
            }
        } else {
            self.after(MS / 2, 3 * MS, Event::Arrive(at));
        }
    }

    pub fn arrive(&mut self, at: usize) {
        let flight = &self.flights[at];
        let server = &mut self.servers[flight.server];
        if server.state == State::Down || server.process != flight.process {
            // A reset: the caller cannot know that nothing was executed.
            return self.after(MS / 2, MS, Event::Reply(at));
        }
        if server.state == State::Frozen {
            return server.buffer.push(at);
        }
        self.execute(at);
    }

    /// Runs a packet on its server, if that process still lives.
    pub fn execute(&mut self, at: usize) {
        let flight = &mut self.flights[at];
        let server = &mut self.servers[flight.server];
        if server.process != flight.process {
            return self.free.push(at);
        }
        if flight.news.is_some() {
            return announce::step(self, at, 0);
        }
        self.carry_out(at);
        self.answer(at);
    }

    /// The server does what a packet asks for.
    pub fn carry_out(&mut self, at: usize) {
        let flight = &mut self.flights[at];
        let server = &mut self.servers[flight.server];
        flight.leg.answers = server.run(&flight.packet, flight.place, &flight.load, self.now);
        flight.leg.fate = Fate::Answered;
        self.calm_voids += usize::from(self.faults.calm() && flight.packet.commands().iter().any(voids));
        if self.options.trace {
            let Flight { actor, side, server, packet, place, load, leg, .. } = &self.flights[at];
            let host = self.actors[*actor].as_ref().map_or(99, |actor| actor.host);
            let commands = packet.commands();
            let pairs: Vec<_> = commands.iter().zip(&leg.answers).collect();
            let text = super::trace::packet(host, *server, *side, *place, load.value.value, &pairs);
            note!(self, "{text}");
        }
    }

    /// Its answer leaves.
    pub fn answer(&mut self, at: usize) {
        let slow = self.servers[self.flights[at].server].slow;
        self.after(MS / 2 + slow, 3 * MS + 2 * slow, Event::Reply(at));
    }

    /// The server died before it answered.
    pub fn reset(&mut self, at: usize) {
        self.flights[at].leg.fate = Fate::Lost;
        self.after(MS / 2, MS, Event::Reply(at));
    }

    pub fn reply(&mut self, at: usize) {
        self.free.push(at);
        let Flight { actor: who, serial, life, side, server, leg, news, .. } = self.flights[at];
        let Some(mut actor) = self.actors[who].take() else { return };
        let host = actor.host;
        let lost = leg.fate == Fate::Answered && (self.cut[host][server] || self.deaf[host][server]);
        let current = actor.serial == serial && self.hosts[host].life == life && actor.waiting[side as usize];
        if current && !lost {
            *actor.legs.on(side) = leg;
            if news.is_some_and(|news| news.refused) {
                actor.legs.on(side).fate = Fate::Lost;
            }
            actor.waiting[side as usize] = false;
            let answered = leg.fate == Fate::Answered;
            actor.refused[side as usize] = !answered;
            if !actor.watches() || !answered {
                let seen = if answered { Seen::Ok } else { Seen::Hard(Reason::Refused) };
                self.observe(&actor, side, seen);
            }
            if actor.waiting == [false; 2] {
                super::setup::advance(self, who, &mut actor);
            }
        }
        self.actors[who] = Some(actor);
    }

    /// A server's answer to a call did not come in time.
    fn missed(&mut self, actor: &Actor, side: Side) {
        let (host, server) = (actor.host, self.pairs[actor.pair][side as usize]);
        let Some(call) = actor.call() else { return };
        let (life, sent, ended, full) = (self.hosts[host].life, actor.sent, self.now, actor.full);
        note!(self, "K{host} waited for mc{server} in vain since {:.3}", sent as f64 / 1000.0);
        self.outages.waited(Wait { host, life, server, call, sent, ended, full });
        // A server is not to blame when the call has no time left.
        if full {
            self.observe(actor, side, Seen::Soft(Reason::Timeout));
        }
    }

    fn observe(&mut self, actor: &Actor, side: Side, seen: Seen) {
        let server = self.pairs[actor.pair][side as usize];
        let change = self.hosts[actor.host].observe(server, actor.begun[side as usize], seen, self.now);
        self.turned(actor.host, server, change);
    }

    /// A watcher's poll of a pair came to this.
    pub fn probed(&mut self, actor: &Actor, reached: [bool; 2]) {
        for side in Side::BOTH {
            let (host, server) = (actor.host, self.pairs[actor.pair][side as usize]);
            if self.hosts[host].drained(server) {
                continue;
            }
            let (begun, refused) = (actor.asked[side as usize], actor.refused[side as usize]);
            let change = self.hosts[host].probed(server, begun, reached[side as usize], refused, self.now);
            self.turned(host, server, change);
        }
    }

    pub fn expire(&mut self, who: usize, serial: u32) {
        let Some(mut actor) = self.actors[who].take() else { return };
        if actor.serial == serial && actor.waiting != [false; 2] {
            for side in Side::BOTH.into_iter().filter(|side| actor.waiting[*side as usize]) {
                actor.legs.on(side).fate = Fate::Lost;
                self.missed(&actor, side);
            }
            actor.waiting = [false; 2];
            super::setup::advance(self, who, &mut actor);
        }
        self.actors[who] = Some(actor);
    }
}
