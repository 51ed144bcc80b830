//! The simulated farm: time, links, hosts with their workers and watchers, model servers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use shardcache::cluster::copies::sight::counter;
use shardcache::cluster::copies::{Mark, Rules, Scene, Side, Slot};
use shardcache::cluster::seats;
use shardcache::health::Change;

use super::actor::Actor;
use super::check::Facts;
use super::faults::Faults;
use super::history::Call;
use super::host::Host;
use super::loads::{self, Loads};
use super::near::{self, Near};
use super::network::Flight;
use super::outages::{Outages, Turn};
use super::rng::Rng;
use super::server::{Place, SECOND, Server, key_of};
use super::single;
use super::theme::Theme;

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
    Near(near::Step),
    Fault,
    Over,
}

/// What varies from run to run beside the seed.
#[derive(Clone, Debug)]
pub struct Options {
    pub rules: Rules,
    /// Tables with one copy, by these rules.
    pub single: Option<seats::Rules>,
    /// Hosts keep near entries, by these rules.
    pub near: Option<near::Rules>,
    /// Lookups fill the tables from a database, by these rules.
    pub loads: Option<loads::Rules>,
    /// How many faults a run has at most.
    pub faults: usize,
    pub trace: bool,
    /// The kinds of faults.
    pub kinds: &'static [super::faults::Kind],
    /// Hosts, servers, failures in a row that give a server up; 0 = the seed chooses.
    pub hosts: usize,
    pub servers: usize,
    pub soft_failures: u32,
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
    /// What the first key of each pair is used for.
    pub theme: Theme,
    pub hosts: Vec<Host>,
    pub actors: Vec<Option<Box<Actor>>>,
    pub flights: Vec<Flight>,
    pub free: Vec<usize>,
    /// Which host cannot reach which server, and whose answers are lost.
    pub cut: Vec<Vec<bool>>,
    pub deaf: Vec<Vec<bool>>,
    /// How many packets of a host to a server will be late, or lost.
    pub lag: Vec<Vec<usize>>,
    /// Packets that arrive after their link heals.
    pub held: Vec<(usize, usize, usize)>,
    pub faults: Faults,
    pub near: Option<Box<Near>>,
    pub loads: Option<Box<Loads>>,
    /// One copy: which servers were in trouble, and when.
    pub troubles: Vec<single::judge::Trouble>,
    /// One copy: from when until when things happened: a fault, its end, a watcher's rest.
    pub deeds: Vec<(u64, u64)>,
    /// The names of what servers threw away.
    pub evicted: Vec<u64>,
    /// Voidings while nothing was wrong.
    pub calm_voids: usize,
    pub outages: Outages,
    pub history: Vec<Call>,
    pub next_value: u64,
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
        let soft_failures = match options.soft_failures {
            0 => 1 + u32::try_from(rng.below(3)).unwrap(),
            fixed => fixed,
        };
        let mut world = Self {
            hosts: (0..hosts).map(|_| Host::new(servers, pairs.len(), soft_failures, &mut rng)).collect(),
            servers: (0..servers).map(|_| Server::new(rng.next() % SECOND)).collect(),
            keys: 1 + rng.below(3),
            theme: Theme::pick(&mut rng),
            cut: vec![vec![false; servers]; hosts],
            deaf: vec![vec![false; servers]; hosts],
            lag: vec![vec![0; servers]; hosts],
            pace: [8, 30, 60][rng.below(3)],
            faults: Faults::default(),
            near: None,
            loads: None,
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
            calm_voids: 0,
            outages: Outages::default(),
            history: Vec::with_capacity(1024),
            trace: Vec::new(),
            options,
            rng,
            pairs,
        };
        super::setup::people(&mut world);
        near::install(&mut world);
        loads::install(&mut world);
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
                Event::Near(step) => near::step(self, step),
                Event::Fault => super::faults::step(self),
                Event::Over => return true,
            }
        }
        false
    }

    /// What this key is used for.
    pub fn theme(&self, key: usize) -> Theme {
        if key == 0 { self.theme } else { Theme::Items }
    }

    /// Is this key a counter?
    pub fn counts(&self, key: usize) -> bool {
        self.theme(key).counts()
    }

    /// What the judge has to know beside the calls.
    pub fn facts(&self) -> Facts {
        let exact = matches!(self.theme, Theme::Sum | Theme::Floor);
        let pairs = if exact { 0..self.pairs.len() } else { 0..0 };
        let lost = |name: &u64| (0..self.pairs.len()).find_map(|pair| Some((pair, key_of(*name, pair)?)));
        Facts {
            floor: self.theme == Theme::Floor,
            evicted: self.evicted.iter().filter_map(lost).collect(),
            numbers: pairs.map(|pair| Side::BOTH.map(|side| self.number(pair, side))).collect(),
            over: self.now,
        }
    }

    /// Are both copies of each counter equal that has to be exact?
    pub fn level(&self) -> bool {
        self.facts().numbers.iter().all(|[home, partner]| home == partner)
    }

    /// The counter that a side of a pair holds.
    fn number(&self, pair: usize, side: Side) -> Option<u64> {
        let read = |side: Side, slot: Slot| {
            let content =
                self.servers[self.pairs[pair][side as usize]].peek(Place { pair, key: 0 }, slot, self.now)?.content;
            content.numeric.then_some(content.value)
        };
        let mark = Mark(read(side.other(), Slot::Mark(side))?);
        read(side, counter(mark, &self.options.rules))
    }

    fn wake(&mut self, actor: usize, life: u32) {
        let host = self.actors[actor].as_ref().map(|actor| actor.host);
        let Some(host) = host else { return };
        if self.hosts[host].life == life && self.hosts[host].alive {
            super::setup::wake(self, actor);
        }
    }

    /// Notes what became of a server's health on a host.
    pub fn turned(&mut self, host: usize, server: usize, change: Option<Change>) {
        let Some(change) = change else { return };
        note!(self, "K{host} mc{server}: {} -> {} {}", change.from, change.to, change.reason.text());
        if change.from.used() != change.to.used() {
            self.outages.turned(Turn { host, server, time: self.now, used: change.to.used() });
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
        let up = self.pairs[pair].map(|server| me.uses(server));
        let steady = self.pairs[pair].map(|server| me.steady(server, self.now));
        let gone = self.pairs[pair].map(|server| me.gone(server, self.now));
        Scene { rules, up, fresh, steady, gone, isolated: me.isolated(), clock, now_ms: self.now / MS }
    }
}
