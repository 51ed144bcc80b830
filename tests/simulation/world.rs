//! The simulated farm: time, links, hosts with their workers and watchers, model servers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use shardcache::cluster::copies::sight::counter;
use shardcache::cluster::copies::{Fate, Leg, Legs, Mark, Packet, Request, Rules, Scene, Side, Slot, View};
use shardcache::cluster::seats::{self, Seat};

use super::faults::Faults;
use super::history::Call;
use super::rng::Rng;
use super::server::{Load, Place, Server, State};
use super::single;
use super::watcher::Watching;
use super::worker::Working;

/// Milliseconds in microseconds.
pub const MS: u64 = 1000;
pub const TICK: u64 = 100 * MS;
pub const CMD_TIMEOUT: u64 = 50 * MS;
pub const LEG: u64 = 20 * MS;
/// P2's bound: one probe interval plus one command timeout.
pub const DELTA: u64 = TICK + CMD_TIMEOUT;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Wake { actor: usize, life: u32 },
    Arrive(usize),
    Reply(usize),
    Expire { actor: usize, serial: u32 },
    Fault,
    Over,
}

/// What varies from run to run beside the seed.
#[derive(Clone, Debug)]
pub struct Options {
    pub rules: Rules,
    /// Tables with one copy, by these rules.
    pub single: Option<seats::Rules>,
    /// How many faults a run has at most.
    pub faults: usize,
    pub trace: bool,
    /// The kinds of faults.
    pub kinds: &'static [super::faults::Kind],
    /// Hosts, servers; 0 = the seed chooses.
    pub hosts: usize,
    pub servers: usize,
}

pub struct Host {
    pub alive: bool,
    pub life: u32,
    pub views: Vec<View>,
    pub up: Vec<bool>,
    pub soft: Vec<u32>,
    /// When the last answered poll of each pair's partner was sent.
    pub polled: Vec<Option<u64>>,
    /// Tenths of seconds that this host's clock is off.
    pub skew: i64,
    /// The watcher stands still until then.
    pub stalled: u64,
    /// The seats as this host knows them (one copy).
    pub seats: Vec<Seat>,
    /// Servers that its operator took out of use.
    pub drained: Vec<bool>,
}

impl Host {
    pub fn uses(&self, server: usize) -> bool {
        self.up[server] && !self.drained[server]
    }
}

pub enum Role {
    Worker(Working),
    Watcher(Box<Watching>),
    /// A worker, a watcher of tables with one copy.
    Caller(single::worker::Working),
    Usher(Box<single::watcher::Watching>),
}

pub struct Actor {
    pub host: usize,
    pub pair: usize,
    pub role: Role,
    pub place: Place,
    pub load: Load,
    pub legs: Legs,
    serial: u32,
    waiting: [bool; 2],
}

struct Flight {
    actor: usize,
    serial: u32,
    life: u32,
    side: Side,
    server: usize,
    process: u32,
    packet: Packet,
    place: Place,
    load: Load,
    leg: Leg,
}

pub struct World {
    pub options: Options,
    pub rng: Rng,
    pub now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    count: u64,
    pub servers: Vec<Server>,
    /// Home and partner of each pair.
    pub pairs: Vec<[usize; 2]>,
    pub keys: usize,
    /// Is the first key of each pair a counter?
    pub counters: bool,
    pub hosts: Vec<Host>,
    pub actors: Vec<Option<Actor>>,
    flights: Vec<Flight>,
    free: Vec<usize>,
    /// Which host cannot reach which server, and whose answers are lost.
    pub cut: Vec<Vec<bool>>,
    pub deaf: Vec<Vec<bool>>,
    /// Packets that arrive after their link heals.
    pub held: Vec<(usize, usize, usize)>,
    pub faults: Faults,
    /// One copy: which servers were in trouble, and when.
    pub troubles: Vec<single::judge::Trouble>,
    /// One copy: from when until when things happened: a fault, its end, a watcher's rest.
    pub deeds: Vec<(u64, u64)>,
    /// The names of what servers threw away.
    pub evicted: Vec<u64>,
    pub history: Vec<Call>,
    pub next_value: u64,
    pub soft_failures: u32,
    pub pace: u64,
    pub trace: Vec<String>,
}

/// Writes a line of the trace, when one is wanted.
macro_rules! note {
    ($world:expr, $($text:tt)*) => {
        if $world.options.trace {
            let line = format!("{:>9.3} {}", $world.now as f64 / 1000.0, format_args!($($text)*));
            $world.trace.push(line);
        }
    };
}
pub(crate) use note;

impl World {
    pub fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let pick = |fixed: usize, low: usize, high: usize, rng: &mut Rng| {
            if fixed > 0 { fixed } else { low + rng.below(high - low + 1) }
        };
        let servers = pick(options.servers, 2, 5, &mut rng);
        let hosts = pick(options.hosts, 2, 4, &mut rng);
        let pairs = super::setup::pairs(servers);
        let host = |rng: &mut Rng| Host {
            alive: true,
            life: 0,
            views: vec![View::default(); pairs.len()],
            up: vec![true; servers],
            soft: vec![0; servers],
            polled: vec![None; pairs.len()],
            skew: i64::try_from(rng.below(21)).unwrap() - 10,
            stalled: 0,
            seats: vec![Seat::UNKNOWN; pairs.len()],
            drained: vec![false; servers],
        };
        let mut world = Self {
            hosts: (0..hosts).map(|_| host(&mut rng)).collect(),
            servers: (0..servers).map(|_| Server::new()).collect(),
            keys: 1 + rng.below(3),
            counters: rng.chance(60),
            cut: vec![vec![false; servers]; hosts],
            deaf: vec![vec![false; servers]; hosts],
            soft_failures: 1 + u32::try_from(rng.below(3)).unwrap(),
            pace: [8, 30, 60][rng.below(3)],
            faults: Faults::default(),
            troubles: Vec::new(),
            deeds: Vec::new(),
            evicted: Vec::new(),
            queue: BinaryHeap::with_capacity(256),
            count: 0,
            now: 0,
            next_value: 1,
            actors: Vec::new(),
            flights: Vec::new(),
            free: Vec::new(),
            held: Vec::new(),
            history: Vec::with_capacity(1024),
            trace: Vec::new(),
            options,
            rng,
            pairs,
        };
        super::setup::people(&mut world);
        world
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.queue.push(Reverse((time.max(self.now), self.count, event)));
    }

    pub fn after(&mut self, low: u64, high: u64, event: Event) {
        let time = self.now + self.rng.range(low, high);
        self.at(time, event);
    }

    /// Runs until the faults are over or `most` is reached; false = the farm never became whole again.
    pub fn run(&mut self, most: u64) -> bool {
        while let Some(Reverse((time, _, event))) = self.queue.pop() {
            if time > most {
                return false;
            }
            self.now = time;
            match event {
                Event::Wake { actor, life } => self.wake(actor, life),
                Event::Arrive(flight) => self.arrive(flight),
                Event::Reply(flight) => self.reply(flight),
                Event::Expire { actor, serial } => self.expire(actor, serial),
                Event::Fault => super::faults::step(self),
                Event::Over => return true,
            }
        }
        false
    }

    /// Is this key a counter?
    pub fn counts(&self, key: usize) -> bool {
        self.counters && key == 0
    }

    /// What both copies of each counter hold at the end.
    pub fn numbers(&self) -> Vec<(usize, [Option<u64>; 2])> {
        let read = |pair: usize, side: Side, slot: Slot| {
            self.servers[self.pairs[pair][side as usize]].number(Place { pair, key: 0 }, slot, self.now)
        };
        let number = |pair: usize, side: Side| {
            let mark = Mark(read(pair, side.other(), Slot::Mark(side))?);
            read(pair, side, counter(mark, &self.options.rules))
        };
        let pairs = if self.counters && self.options.single.is_none() { self.pairs.len() } else { 0 };
        // A counter that was evicted may be made anew: that is outside the promises.
        let kept = |pair: &usize| !self.evicted.iter().any(|name| super::server::counter_of(*name) == Some(*pair));
        (0..pairs).filter(kept).map(|pair| (pair, Side::BOTH.map(|side| number(pair, side)))).collect()
    }

    /// The keys that lost an item to eviction.
    pub fn evicted_keys(&self) -> Vec<(usize, usize)> {
        self.evicted.iter().filter_map(|name| super::server::item_of(*name)).collect()
    }

    fn wake(&mut self, actor: usize, life: u32) {
        let host = self.actors[actor].as_ref().map(|actor| actor.host);
        let Some(host) = host else { return };
        if self.hosts[host].life == life && self.hosts[host].alive {
            super::setup::wake(self, actor);
        }
    }

    /// What a host's wall clock shows, tenths of seconds.
    pub fn clock(&self, host: usize) -> u64 {
        u64::try_from(1000 + i64::try_from(self.now / (100 * MS)).unwrap() + self.hosts[host].skew).unwrap()
    }

    /// What machines may know at this moment.
    pub fn scene<'a>(&self, rules: &'a Rules, host: usize, pair: usize) -> Scene<'a> {
        let me = &self.hosts[host];
        let fresh = me.polled[pair].is_some_and(|sent| self.now - sent <= DELTA - 2 * MS);
        let clock = self.clock(host);
        let up = self.pairs[pair].map(|server| me.up[server]);
        Scene { rules, up, fresh, clock, now_ms: self.now / MS }
    }

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
            });
            self.depart(flight, actor.host);
        }
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
        } else {
            self.after(MS / 2, 3 * MS, Event::Arrive(at));
        }
    }

    fn arrive(&mut self, at: usize) {
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
        flight.leg.answers = server.run(&flight.packet, flight.place, &flight.load, self.now);
        flight.leg.fate = Fate::Answered;
        let slow = server.slow;
        if self.options.trace {
            let Flight { actor, side, server, packet, place, load, leg, .. } = &self.flights[at];
            let host = self.actors[*actor].as_ref().map_or(99, |actor| actor.host);
            let commands = packet.commands();
            let pairs: Vec<_> = commands.iter().zip(&leg.answers).collect();
            let text = super::trace::packet(host, *server, *side, *place, load.value.value, &pairs);
            note!(self, "{text}");
        }
        self.after(MS / 2 + slow, 3 * MS + 2 * slow, Event::Reply(at));
    }

    fn reply(&mut self, at: usize) {
        self.free.push(at);
        let Flight { actor: who, serial, life, side, server, leg, .. } = self.flights[at];
        let Some(mut actor) = self.actors[who].take() else { return };
        let host = actor.host;
        let lost = leg.fate == Fate::Answered && (self.cut[host][server] || self.deaf[host][server]);
        let current = actor.serial == serial && self.hosts[host].life == life && actor.waiting[side as usize];
        if current && !lost {
            *actor.legs.on(side) = leg;
            actor.waiting[side as usize] = false;
            if leg.fate == Fate::Answered {
                self.hosts[host].soft[server] = 0;
            } else {
                self.hosts[host].up[server] = false;
            }
            if actor.waiting == [false; 2] {
                super::setup::advance(self, who, &mut actor);
            }
        }
        self.actors[who] = Some(actor);
    }

    fn expire(&mut self, who: usize, serial: u32) {
        let Some(mut actor) = self.actors[who].take() else { return };
        if actor.serial == serial && actor.waiting != [false; 2] {
            for side in Side::BOTH.into_iter().filter(|side| actor.waiting[*side as usize]) {
                actor.legs.on(side).fate = Fate::Lost;
                let server = self.pairs[actor.pair][side as usize];
                let soft = &mut self.hosts[actor.host].soft[server];
                *soft += 1;
                if *soft >= self.soft_failures {
                    self.hosts[actor.host].up[server] = false;
                }
            }
            actor.waiting = [false; 2];
            super::setup::advance(self, who, &mut actor);
        }
        self.actors[who] = Some(actor);
    }
}

impl Actor {
    pub fn new(host: usize, pair: usize, role: Role) -> Self {
        let (place, load, legs) = (Place { pair, key: 0 }, Load::default(), Legs::default());
        Self { host, pair, role, place, load, legs, serial: 0, waiting: [false; 2] }
    }

    /// Forgets what it waits for: its process died.
    pub fn forget(&mut self) {
        self.serial += 1;
        self.waiting = [false; 2];
    }
}

impl Actor {
    /// A new process in the old one's place.
    pub fn reborn(&mut self, keys: usize, pair: usize, single: &Option<seats::Rules>) {
        self.forget();
        self.role = match (&self.role, single) {
            (Role::Usher(_), Some(rules)) => Role::Usher(Box::new(single::watcher::Watching::new(rules))),
            (Role::Watcher(_), _) => Role::Watcher(Box::new(Watching::new(keys))),
            (Role::Caller(_), _) => Role::Caller(single::worker::Working::default()),
            _ => Role::Worker(Working::default()),
        };
        self.pair = pair;
    }
}
