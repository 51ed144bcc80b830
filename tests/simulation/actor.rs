//! Who acts on a host: its workers, and a watcher per pair.

use shardcache::cluster::copies::Legs;
use shardcache::cluster::seats;

use super::loads::Task;
use super::server::{Load, Place};
use super::single;
use super::watcher::Watching;
use super::worker::Working;

#[allow(clippy::large_enum_variant, reason = "most actors are workers")]
pub enum Role {
    Worker(Option<Working>),
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
    pub serial: u32,
    pub waiting: [bool; 2],
    /// Which sides refused the last packet to them.
    pub refused: [bool; 2],
    /// When its exchange began, and in which lives of the servers.
    pub sent: u64,
    pub begun: [u32; 2],
    /// A watcher's: in which lives of the servers its poll asked them.
    pub asked: [u32; 2],
    /// Has its exchange the time that servers may take?
    pub full: bool,
    /// What it does beyond a single call.
    pub task: Option<Task>,
}

impl Actor {
    pub fn new(host: usize, pair: usize, role: Role) -> Self {
        let (place, load, legs) = (Place { pair, key: 0 }, Load::default(), Legs::default());
        Self {
            host,
            pair,
            role,
            place,
            load,
            legs,
            serial: 0,
            waiting: [false; 2],
            refused: [false; 2],
            sent: 0,
            begun: [0; 2],
            asked: [0; 2],
            full: true,
            task: None,
        }
    }

    /// The place in the history of the call that it makes.
    pub fn call(&self) -> Option<usize> {
        match &self.role {
            Role::Worker(working) => working.as_ref().map(|working| working.call),
            Role::Caller(working) => Some(working.call),
            Role::Watcher(_) | Role::Usher(_) => None,
        }
    }

    /// Is it a watcher?
    pub fn watches(&self) -> bool {
        matches!(self.role, Role::Watcher(_) | Role::Usher(_))
    }

    /// Forgets what it waits for: its process died.
    pub fn forget(&mut self) {
        self.serial += 1;
        self.waiting = [false; 2];
    }

    /// A new process in the old one's place.
    pub fn reborn(&mut self, keys: usize, pair: usize, single: &Option<seats::Rules>) {
        self.forget();
        self.task = None;
        self.role = match (&self.role, single) {
            (Role::Usher(_), Some(rules)) => Role::Usher(Box::new(single::watcher::Watching::new(rules))),
            (Role::Watcher(_), _) => Role::Watcher(Box::new(Watching::new(keys))),
            (Role::Caller(_), _) => Role::Caller(single::worker::Working::default()),
            _ => Role::Worker(None),
        };
        self.pair = pair;
    }
}
