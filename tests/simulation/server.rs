//! A model of one memcached 1.6.18: what each meta command does, a cas per process, lifetimes in whole seconds.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use shardcache::cluster::copies::packet::ROOM;
use shardcache::cluster::copies::{Answer, Body, Command, Hit, Mode, Packet, Side, Slot};

/// One "second" of the servers' lifetimes, in microseconds of the simulation: runs are short.
pub const SECOND: u64 = 100_000;

#[derive(Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers")
    }
    fn write_u64(&mut self, number: u64) {
        let mixed = (number ^ (number >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// Which pair and key a packet is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub pair: usize,
    pub key: usize,
}

/// The values that a packet may store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    pub value: Content,
    /// What the last look found at home, on the partner.
    pub copies: [Content; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub value: u64,
    pub numeric: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub content: Content,
    pub stamp: u16,
    pub cas: u64,
    ends: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Up,
    Down,
    Frozen,
}

pub struct Server {
    pub items: HashMap<u64, Item, BuildHasherDefault<Quick>>,
    cas: u64,
    pub state: State,
    /// Which process this is: packets for an older one find nobody.
    pub process: u32,
    /// Packets read into the buffer of a frozen process.
    pub buffer: Vec<usize>,
    /// Extra time for each answer, microseconds.
    pub slow: u64,
    /// When its seconds begin.
    phase: u64,
}

/// The name of a slot on its server, as one number.
pub fn name(place: Place, slot: Slot) -> u64 {
    let side = |side: Side| side as u64;
    let (kind, key, epoch) = match slot {
        Slot::Item => (0, place.key, 0),
        Slot::Tomb => (1, place.key, 0),
        Slot::Counter(epoch) => (2, place.key, epoch),
        Slot::Mark(of) => (3 + side(of), 0, 0),
        Slot::Full(of) => (5 + side(of), 0, 0),
        Slot::Ill(of) => (7 + side(of), 0, 0),
        Slot::Lease => (9, 0, 0),
        Slot::Seat => (10, 0, 0),
    };
    kind | (place.pair as u64) << 4 | (key as u64) << 12 | epoch << 20
}

/// The key of this pair whose item, tombstone or counter has this name.
pub fn key_of(name: u64, pair: usize) -> Option<usize> {
    let here = name & 15 < 3 && (name >> 4) & 255 == pair as u64;
    here.then_some((name >> 12 & 255) as usize)
}

impl Server {
    pub fn new(phase: u64) -> Self {
        let (items, buffer) = (HashMap::default(), Vec::new());
        Self { items, cas: 0, state: State::Up, process: 0, buffer, slow: 0, phase }
    }

    /// Its clock, which counts whole seconds.
    fn second(&self, now: u64) -> u64 {
        (now + self.phase) / SECOND
    }

    /// When what is stored now for `ttl` seconds ends.
    fn ends(&self, ttl: u32, now: u64) -> u64 {
        if ttl == 0 { u64::MAX } else { self.second(now) + u64::from(ttl) }
    }

    /// The keys of this pair that hold an item or a counter.
    pub fn keys(&self, pair: usize) -> impl Iterator<Item = usize> + '_ {
        self.items.keys().filter(move |name| **name & 15 != 1).filter_map(move |name| key_of(*name, pair))
    }

    /// Starts again with nothing.
    pub fn empty(&mut self) {
        self.items.clear();
        self.cas = 0;
    }

    pub fn alive(&mut self, name: u64, now: u64) -> Option<&mut Item> {
        let second = self.second(now);
        if self.items.get(&name).is_some_and(|item| item.ends <= second) {
            self.items.remove(&name);
        }
        self.items.get_mut(&name)
    }

    /// What lies under `slot`, without side effects.
    pub fn peek(&self, place: Place, slot: Slot, now: u64) -> Option<&Item> {
        self.items.get(&name(place, slot)).filter(|item| item.ends > self.second(now))
    }

    /// The number under `slot`; 0 of what is empty.
    pub fn number(&self, place: Place, slot: Slot, now: u64) -> Option<u64> {
        self.peek(place, slot, now).map(|item| item.content.value)
    }

    pub fn run(&mut self, packet: &Packet, place: Place, load: &Load, now: u64) -> [Answer; ROOM] {
        let mut answers = [Answer::Miss; ROOM];
        for (command, answer) in packet.commands().iter().zip(&mut answers) {
            *answer = self.command(command, place, load, now);
        }
        answers
    }

    fn command(&mut self, command: &Command, place: Place, load: &Load, now: u64) -> Answer {
        match *command {
            Command::Get { slot } => self.get(name(place, slot), now),
            Command::Touch { slot, ttl } => {
                let (name, ends) = (name(place, slot), self.ends(ttl, now));
                let found = self.get(name, now);
                if let Some(item) = self.alive(name, now) {
                    item.ends = ends;
                }
                found
            }
            Command::Prolong { slot, ttl } => {
                let (name, ends) = (name(place, slot), self.ends(ttl, now));
                if let Some(item) = self.alive(name, now) {
                    item.ends = ends;
                }
                self.count(name, 0, false, None, now)
            }
            Command::Set { slot, mode, stamp, body, ttl } => {
                let content = match body {
                    Body::Value => load.value,
                    Body::Copy(side) => load.copies[side as usize],
                    Body::Number(value) => Content { value, numeric: true },
                    Body::Empty => Content::default(),
                };
                let ends = self.ends(ttl, now);
                self.set(name(place, slot), mode, Item { content, stamp, cas: 0, ends }, now)
            }
            Command::Delete { slot, cas } => {
                let name = name(place, slot);
                match self.alive(name, now) {
                    None => Answer::NotFound,
                    Some(item) if cas.is_some_and(|cas| cas != item.cas) => Answer::Differs,
                    Some(_) => {
                        self.items.remove(&name);
                        Answer::Deleted
                    }
                }
            }
            Command::Count { slot, delta, down, init, ttl } => {
                let ends = self.ends(ttl, now);
                self.count(name(place, slot), delta, down, init.map(|init| (init, ends)), now)
            }
        }
    }

    fn get(&mut self, name: u64, now: u64) -> Answer {
        let second = self.second(now);
        match self.alive(name, now) {
            None => Answer::Miss,
            Some(item) => Answer::Hit(Hit {
                stamp: item.stamp,
                cas: item.cas,
                ttl: (item.ends != u64::MAX).then(|| u32::try_from(item.ends - second).unwrap()),
                digest: item.content.value,
                number: item.content.numeric.then_some(item.content.value),
            }),
        }
    }

    fn set(&mut self, name: u64, mode: Mode, item: Item, now: u64) -> Answer {
        match (mode, self.alive(name, now)) {
            (Mode::Add, Some(_)) => return Answer::NotStored,
            (Mode::Cas(_), None) => return Answer::NotFound,
            (Mode::Cas(cas), Some(old)) if old.cas != cas => return Answer::Differs,
            _ => {}
        }
        self.cas += 1;
        self.items.insert(name, Item { cas: self.cas, ..item });
        Answer::Stored(self.cas)
    }

    pub fn count(&mut self, name: u64, delta: u64, down: bool, init: Option<(u64, u64)>, now: u64) -> Answer {
        let cas = self.cas + 1;
        let Some(item) = self.alive(name, now) else {
            let Some((value, ends)) = init else { return Answer::NotFound };
            self.cas = cas;
            self.items.insert(name, Item { content: Content { value, numeric: true }, stamp: 0, cas, ends });
            return Answer::Number { value, cas };
        };
        if !item.content.numeric {
            return Answer::Refused;
        }
        let value = &mut item.content.value;
        *value = if down { value.saturating_sub(delta) } else { *value + delta };
        item.cas = cas;
        let value = *value;
        self.cas = cas;
        Answer::Number { value, cas }
    }
}
