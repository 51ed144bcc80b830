//! Read-through in the simulated farm: a database knows a number for each key, workers look it up, load what is missing and keep it as
//! `lookup::flow` does, others change the database and invalidate.
//!
//! A lookup is a story of several calls over the same network and through the same faults as all calls; its loader stands still between
//! reading and storing, for longer than its place lasts now and then. The calls are judged like any others, and the numbers that they
//! bring once more (`judge`).

pub mod change;
pub mod entry;
pub mod judge;
pub mod lookup;

use std::collections::HashMap;

use shardcache::cluster::copies::{Hit, Outcome, Token};

use super::ALL;
use super::actor::{Actor, Role};
use super::history::Call;
use super::server::Place;
use super::theme::Theme;
use super::worker;
use super::world::{Event, Options, World};
use entry::{Entry, Policy};
use judge::Brought;
use lookup::Lookup;

/// Tables with two copies that are filled by lookups.
pub const LOADS: Options = Options { loads: Some(Rules::ALL), ..ALL };

/// What can be switched off, to see what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What was loaded is stored by cas, not set.
    pub cas: bool,
    /// By the cas of the loader's own place, not of whatever lies there by then.
    pub own: bool,
    /// The place is taken before the database is read.
    pub place_first: bool,
    /// An invalidation is said again until it is acknowledged.
    pub repeated: bool,
}

impl Rules {
    pub const ALL: Self = Self { cas: true, own: true, place_first: true, repeated: true };
}

/// The database, and what lookups made of it.
pub struct Loads {
    rules: Rules,
    policy: Policy,
    /// The database, by pairs and keys: its numbers only grow.
    database: Vec<Vec<u64>>,
    changes: u64,
    /// What the values mean that were stored.
    entries: HashMap<u64, Entry>,
    /// Gets that brought a number, and invalidations.
    pub served: Vec<Brought>,
    pub voided: Vec<Brought>,
    /// Loads that an invalidation overtook: nothing was kept.
    pub overtaken: usize,
}

/// What a worker is in the middle of.
#[derive(Clone, Copy)]
pub enum Task {
    Lookup(Lookup),
    /// It changed the database, and invalidates; `number`: what the database said when it last began to.
    Change {
        number: u64,
    },
}

/// What a call on the cache came to.
#[derive(Clone, Copy)]
pub enum Told {
    Found {
        hit: Hit,
        /// `None` = the copies are not settled.
        token: Option<Token>,
    },
    Done,
    Missing,
    Ambiguous,
    /// Nobody could answer; `stumbled`: a server was asked, and failed.
    Unavailable {
        stumbled: bool,
    },
}

/// Puts a database behind all tables, if the run is to have one.
pub fn install(world: &mut World) {
    let Some(rules) = world.options.loads else { return };
    world.theme = Theme::Items;
    world.loads = Some(Box::new(Loads {
        rules,
        policy: Policy::pick(&mut world.rng),
        database: vec![vec![0; world.keys]; world.pairs.len()],
        changes: 0,
        entries: HashMap::new(),
        served: Vec::new(),
        voided: Vec::new(),
        overtaken: 0,
    }));
}

fn of(world: &World) -> &Loads {
    world.loads.as_ref().expect("there is a database")
}

fn edit(world: &mut World) -> &mut Loads {
    world.loads.as_mut().expect("there is a database")
}

/// What the database says now.
fn number(world: &World, Place { pair, key }: Place) -> u64 {
    of(world).database[pair][key]
}

/// A worker goes on with what it is in the middle of, or with something new.
pub fn wake(world: &mut World, at: usize, actor: &mut Actor) {
    match actor.task {
        Some(Task::Lookup(lookup)) => {
            if !lookup::wake(world, at, actor, lookup) {
                rest(world, at, actor);
            }
        }
        Some(Task::Change { .. }) => change::invalidate(world, at, actor),
        None => begin(world, at, actor),
    }
}

fn begin(world: &mut World, at: usize, actor: &mut Actor) {
    let place = Place { pair: world.rng.below(world.pairs.len()), key: world.rng.below(world.keys) };
    (actor.pair, actor.place) = (place.pair, place);
    match world.rng.below(100) {
        0..6 => change::begin(world, at, actor),
        _ => lookup::begin(world, at, actor),
    }
}

/// A call is over.
pub fn ended(world: &mut World, at: usize, actor: &mut Actor, call: &Call, told: Told) {
    let goes_on = match actor.task {
        Some(Task::Lookup(lookup)) => lookup::ended(world, at, actor, lookup, call, told),
        Some(Task::Change { number }) => change::ended(world, at, actor, number, call),
        None => false,
    };
    if !goes_on {
        rest(world, at, actor);
    }
}

fn rest(world: &mut World, at: usize, actor: &mut Actor) {
    actor.task = None;
    worker::rest(world, at, actor);
}

/// The worker stands still for some microseconds in the middle of its task.
fn pause(world: &mut World, at: usize, actor: &mut Actor, task: Task, us: u64) {
    (actor.task, actor.role) = (Some(task), Role::Worker(None));
    let life = world.hosts[actor.host].life;
    world.at(world.now + us, Event::Wake { actor: at, life });
}

impl Told {
    /// `stumbled`: a packet of the call was lost.
    pub fn new(outcome: Outcome, hit: Option<Hit>, token: Option<Token>, stumbled: bool) -> Self {
        match (outcome, hit) {
            (Outcome::Found { .. }, Some(hit)) => Self::Found { hit, token },
            (Outcome::Done, _) => Self::Done,
            (Outcome::Missing, _) => Self::Missing,
            (Outcome::Ambiguous, _) => Self::Ambiguous,
            _ => Self::Unavailable { stumbled },
        }
    }
}
