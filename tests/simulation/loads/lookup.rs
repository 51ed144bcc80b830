//! One lookup, call by call: what `lookup::flow` does with the cache.

use shardcache::cluster::copies::write::Kind;
use shardcache::cluster::copies::{Commit, Hit, Read, Token, View, When, Write};

use super::super::actor::Actor;
use super::super::history::{Act, Call};
use super::super::server::Place;
use super::super::value::stored;
use super::super::worker::{self, Job};
use super::super::world::{MS, World, note};
use super::entry::{Bid, Entry, Sight};
use super::judge::Brought;
use super::{Task, Told, edit, number, of, pause};

/// How often a place is tried to be taken that others change.
const TRIES: usize = 8;
/// So many reads may fail while a caller waits.
const FAULTS: usize = 2;
/// Sleeps between two looks, from the first to the last.
const SLEEPS: [u64; 2] = [2 * MS, 20 * MS];
/// How long a caller waits for another loader.
const WAIT: u64 = 300 * MS;
/// Life of a place that was given back, seconds.
const GIVEN_UP_TTL: u32 = 1;

#[derive(Clone, Copy)]
pub struct Lookup {
    stage: Stage,
    tries: usize,
    faults: usize,
    /// Until when it waits for another loader.
    end: Option<u64>,
    sleep: u64,
    /// What the database said when the lookup began.
    before: u64,
}

#[derive(Clone, Copy)]
enum Stage {
    Look,
    Asleep,
    /// A place is being taken: `mark` lies there if that succeeds.
    Take {
        bid: Bid,
        mark: u64,
    },
    /// Is it there?
    Check {
        bid: Bid,
        mark: u64,
    },
    /// The database was read.
    Loaded {
        own: Option<Own>,
        number: u64,
    },
    /// Without [`Rules::own`](super::Rules): what lies there now?
    Now {
        number: u64,
    },
    /// What was loaded is being stored, or the place given back.
    Close {
        loaded: Option<u64>,
    },
}

/// A place that a loader holds.
#[derive(Clone, Copy)]
struct Own {
    over: Over,
    /// Something lay there before, and is served meanwhile.
    old: bool,
}

/// What is to be replaced; without a token it cannot be.
#[derive(Clone, Copy)]
struct Over {
    seen: u64,
    token: Option<Token>,
}

/// A worker in the middle of a lookup. What follows gives true where the lookup goes on, false when it is over.
struct Turn<'a> {
    world: &'a mut World,
    at: usize,
    actor: &'a mut Actor,
    lookup: Lookup,
}

pub fn begin(world: &mut World, at: usize, actor: &mut Actor) {
    let before = number(world, actor.place);
    let lookup = Lookup { stage: Stage::Look, tries: 0, faults: 0, end: None, sleep: SLEEPS[0], before };
    Turn { world, at, actor, lookup }.get(Stage::Look);
}

/// The worker stood still for long enough.
pub fn wake(world: &mut World, at: usize, actor: &mut Actor, lookup: Lookup) -> bool {
    let turn = Turn { world, at, actor, lookup };
    match lookup.stage {
        Stage::Loaded { own: Some(own), number } => turn.close(own, number),
        Stage::Loaded { own: None, .. } => false,
        _ => turn.get(Stage::Look),
    }
}

/// A call of the lookup is over.
pub fn ended(world: &mut World, at: usize, actor: &mut Actor, lookup: Lookup, call: &Call, told: Told) -> bool {
    let turn = Turn { world, at, actor, lookup };
    match lookup.stage {
        Stage::Look => turn.looked(call, told),
        Stage::Take { bid, mark } => match told {
            // A place whose taking was not confirmed is held if it is there.
            Told::Done | Told::Ambiguous => turn.get(Stage::Check { bid, mark }),
            Told::Unavailable { stumbled: false } if bid.old.is_none() => turn.load(None),
            _ => turn.get(Stage::Look),
        },
        Stage::Check { bid, mark } => match told {
            Told::Found { hit, token } if hit.digest == mark => {
                turn.load(Some(Own { over: Over { seen: mark, token }, old: bid.old.is_some() }))
            }
            Told::Found { .. } | Told::Missing => turn.get(Stage::Look),
            _ => turn.load(None),
        },
        Stage::Now { number } => match told {
            Told::Found { hit, token } => turn.keep(Over { seen: hit.digest, token }, number),
            _ => false,
        },
        Stage::Close { loaded } => {
            let now = number(turn.world, turn.actor.place);
            let overtaken = matches!(told, Told::Missing) && loaded.is_some_and(|loaded| loaded < now);
            edit(turn.world).overtaken += usize::from(overtaken);
            false
        }
        Stage::Asleep | Stage::Loaded { .. } => false,
    }
}

impl Turn<'_> {
    fn looked(mut self, call: &Call, told: Told) -> bool {
        let (now, waited) = (self.world.now, self.lookup.end.is_some());
        let (over, sight) = match told {
            Told::Found { hit, token } => (Some(Over { seen: hit.digest, token }), self.sight(&hit)),
            Told::Missing => (None, Sight::Take(Bid::default())),
            // Who waits for a loader is not put off by a server that stumbles.
            Told::Unavailable { stumbled: true } if waited && self.lookup.faults < FAULTS => {
                self.lookup.faults += 1;
                return self.get(Stage::Look);
            }
            _ => return self.load(None),
        };
        let bid = match sight {
            Sight::Serve(number) => {
                note!(self.world, "K{} serves {number}", self.actor.host);
                edit(self.world).served.push(Brought { call: *call, number });
                return false;
            }
            Sight::GivenUp { failed: true } if waited => return false,
            Sight::GivenUp { failed: false } if waited => return self.load(None),
            Sight::Taken if now >= *self.lookup.end.get_or_insert(now + WAIT) => return self.load(None),
            Sight::Taken => {
                let sleep = self.lookup.sleep;
                self.lookup.sleep = (sleep * 2).min(SLEEPS[1]);
                return self.pause(Stage::Asleep, sleep);
            }
            Sight::GivenUp { .. } => Bid::default(),
            Sight::Take(bid) => bid,
        };
        if self.lookup.tries == TRIES {
            return self.load(None);
        }
        self.lookup.tries += 1;
        self.take(over, bid)
    }

    /// Who could not take a place to load it anew serves what is there.
    fn sight(&mut self, hit: &Hit) -> Sight {
        let random = if self.lookup.tries == 0 { Some(self.world.rng.next()) } else { None };
        let loads = of(self.world);
        loads.policy.sight(loads.entries[&hit.digest], hit, random)
    }

    fn take(self, over: Option<Over>, bid: Bid) -> bool {
        let life = of(self.world).policy.lease(&bid);
        let (entry, mark) = (Entry::Place { life, old: bid.old }, stored(self.world.next_value));
        match over {
            None => self.put(Act::Add, When::Missing, entry, life, Stage::Take { bid, mark }),
            Some(Over { seen, token: Some(token) }) => {
                self.put(Act::Cas { seen }, When::Same(token), entry, life, Stage::Take { bid, mark })
            }
            Some(_) if bid.old.is_some() => self.get(Stage::Look),
            Some(_) => self.load(None),
        }
    }

    /// Reads the database, and stands still for as long as that may take. Without a place nothing is stored afterwards.
    fn load(self, own: Option<Own>) -> bool {
        let Self { world, actor, lookup, .. } = &self;
        let number = if of(world).rules.place_first { number(world, actor.place) } else { lookup.before };
        let place = if own.is_some() { "in its place" } else { "for itself" };
        let Place { pair, key } = actor.place;
        note!(self.world, "K{} reads {number} of {pair}.{key} {place}", self.actor.host);
        let most = [20, 20, 200, 800][self.world.rng.below(4)];
        let us = self.world.rng.range(0, most * MS);
        self.pause(Stage::Loaded { own, number }, us)
    }

    /// Stores what was loaded, or gives the place back: now and then the database fails, or says what is not to be kept.
    fn close(self, own: Own, number: u64) -> bool {
        let rules = of(self.world).rules;
        match (self.world.rng.below(20), own.over.token) {
            (0 | 1, _) if own.old => false,
            (nth @ (0 | 1), Some(token)) => {
                let (act, entry) = (Act::Cas { seen: own.over.seen }, Entry::GivenUp { failed: nth == 0 });
                self.put(act, When::Same(token), entry, GIVEN_UP_TTL, Stage::Close { loaded: None })
            }
            _ if rules.own => self.keep(own.over, number),
            _ => self.get(Stage::Now { number }),
        }
    }

    fn keep(self, over: Over, number: u64) -> bool {
        let random = self.world.rng.next();
        let loads = of(self.world);
        let (life, entry, stage) =
            (loads.policy.life(random), Entry::Number(number), Stage::Close { loaded: Some(number) });
        if !loads.rules.cas {
            let job = Job::Write(Write::new(self.view(), Kind::Set { ttl: life }));
            return self.store(Act::Set, job, entry, life, stage);
        }
        let Some(token) = over.token else { return false };
        self.put(Act::Cas { seen: over.seen }, When::Same(token), entry, life, stage)
    }

    fn put(self, act: Act, when: When, entry: Entry, life: u32, stage: Stage) -> bool {
        let job = Job::Commit(Commit::new(self.view(), when, life));
        self.store(act, job, entry, life, stage)
    }

    fn store(self, act: Act, job: Job, entry: Entry, life: u32, stage: Stage) -> bool {
        let value = stored(self.world.next_value);
        note!(self.world, "K{} stores {entry:?}", self.actor.host);
        edit(self.world).entries.insert(value, entry);
        self.call(act, job, life, stage)
    }

    fn get(self, stage: Stage) -> bool {
        let job = Job::Read(Read::new(self.view()));
        self.call(Act::Get, job, 0, stage)
    }

    fn call(self, act: Act, job: Job, life: u32, stage: Stage) -> bool {
        let Self { world, at, actor, lookup } = self;
        actor.task = Some(Task::Lookup(Lookup { stage, ..lookup }));
        worker::begin(world, at, actor, act, job, life, 0);
        true
    }

    fn pause(self, stage: Stage, us: u64) -> bool {
        let Self { world, at, actor, lookup } = self;
        pause(world, at, actor, Task::Lookup(Lookup { stage, ..lookup }), us);
        true
    }

    fn view(&self) -> View {
        self.world.hosts[self.actor.host].views[self.actor.pair]
    }
}
