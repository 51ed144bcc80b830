//! Who loads a key, and what becomes of what was loaded: the same whoever keeps the entries, one copy or two.
//!
//! [`open`] reads the entry. Where it is missing, past its time or due, the caller tries to take its place: by `add` where
//! nothing is, else by `cas` over exactly what it read, which goes on to serve the others from within that place. One of
//! all hosts' workers succeeds. It loads, and [`close`] stores by `cas` over its own place: who was overtaken by an
//! invalidation or by time stores nothing. Whoever finds the place taken, and nothing to serve in it, looks again in
//! short sleeps until his time is up, and then loads for himself alone.
//!
//! Where an invalidation is younger than the source may lag behind, everybody loads for himself alone.
//!
//! Time, chance and the store are arguments.

use super::policy::{Age, Policy};
use crate::cache::Fault;
use crate::value::frame::{Item, Kept, Loading, Wire};

mod claim;

pub use claim::{Claim, claim};

/// How often a caller tries to take a place that others change under him.
const TRIES: usize = 8;
/// So many reads may fail while a caller waits.
const FAULTS: usize = 2;
/// Sleeps between two looks grow from the first to the last, milliseconds.
const SLEEPS_MS: [u64; 2] = [2, 20];
/// A place that is given back stays visible to those who wait for it, seconds.
const GIVEN_UP_TTL: u32 = 1;

/// One key of a store, the clock and the dice.
pub trait Store {
    /// What an entry's replacement has to name.
    type Token: Copy;

    /// Reads the entry.
    fn read(&mut self) -> Result<Option<Seen<Self::Token>>, Fault>;
    /// What the last read found.
    fn found(&self) -> Wire<'_>;
    /// Stores for `ttl` seconds where nothing is, or over what was read with the token. False where something else is.
    fn put(&mut self, over: Option<Self::Token>, wire: Wire<'_>, ttl: u32) -> Result<bool, Fault>;
    /// Was the entry invalidated so lately that a source which lags may not know of it?
    fn held_off(&mut self) -> bool;
    fn now_ms(&self) -> u64;
    fn sleep(&mut self, ms: u64);
    fn random(&mut self) -> u64;
}

/// What is known of an entry besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Seen<T> {
    pub token: T,
    /// Seconds to live; 0 = for ever.
    pub left: u32,
    /// Its home is away. Entries live shortly there, and are never past their time.
    pub stands_in: bool,
}

/// What a lookup came to.
#[derive(Debug)]
pub struct Opened<T> {
    pub next: Next<T>,
    /// The caller had to wait for another loader.
    pub waited: bool,
}

#[derive(Debug)]
pub enum Next<T> {
    /// What the last read found is the answer.
    Serve { stale: bool },
    /// The caller has to load.
    Load(Place<T>),
    /// The loader that was waited for got no answer from the source.
    Failed,
}

/// From where a caller loads.
#[derive(Debug)]
pub enum Place<T> {
    /// It holds the entry's place; `old` lay there before and may be served.
    Own { token: T, old: Option<Old> },
    /// For itself, nothing is stored.
    Alone,
    /// The same, because the cache is not there.
    Down,
}

/// What lay in an entry's place before it was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Old {
    entry: Kept,
    /// Past its time.
    pub stale: bool,
}

impl Old {
    pub fn wire(&self) -> Wire<'_> {
        self.entry.wire()
    }
}

/// For what an entry's place is taken: the old value goes on to be served from it, for as long as it would have lived.
#[derive(Default)]
struct Bid {
    old: Option<Old>,
    /// Seconds; 0 = for ever.
    left: u32,
}

/// What an entry means for this caller.
enum Sight {
    Serve { stale: bool },
    Take(Bid),
    Taken,
    GivenUp { failed: bool },
}

/// Begins a lookup.
pub fn open<S: Store>(store: &mut S, policy: &Policy) -> Opened<S::Token> {
    let (mut end_ms, mut waited, mut tries, mut faults, mut sleep_ms) = (None, false, 0, 0, SLEEPS_MS[0]);
    let next = loop {
        let seen = match store.read() {
            Ok(seen) => seen,
            // Who waits for a loader is not put off by a server that stumbles.
            Err(Fault::Wire(_)) if waited && faults < FAULTS => {
                faults += 1;
                continue;
            }
            Err(fault) => break Next::Load(alone(fault)),
        };
        let sight = match seen {
            None => Sight::Take(Bid::default()),
            Some(seen) => {
                // Who could not take a place to load it anew serves what is there.
                let random = if tries == 0 { Some(store.random()) } else { None };
                sight(store.found(), seen, policy, random)
            }
        };
        let bid = match sight {
            Sight::Serve { stale } => break Next::Serve { stale },
            Sight::GivenUp { failed: true } if waited => break Next::Failed,
            Sight::GivenUp { failed: false } if waited => break Next::Load(Place::Alone),
            Sight::Taken => {
                let now_ms = store.now_ms();
                if now_ms >= *end_ms.get_or_insert(now_ms + policy.wait_ms) {
                    break Next::Load(Place::Alone);
                }
                waited = true;
                store.sleep(sleep_ms);
                sleep_ms = (sleep_ms * 2).min(SLEEPS_MS[1]);
                continue;
            }
            Sight::GivenUp { .. } => Bid::default(),
            Sight::Take(bid) => bid,
        };
        if tries == TRIES {
            break Next::Load(Place::Alone);
        }
        tries += 1;
        if let Some(place) = enter(store, policy, seen.map(|seen| seen.token), bid) {
            break Next::Load(place);
        }
    };
    Opened { next, waited }
}

fn alone<T>(fault: Fault) -> Place<T> {
    if fault.unavailable() { Place::Down } else { Place::Alone }
}

/// What lies there and means this. Without `random` nothing that can be served is loaded anew.
fn sight<T>(found: Wire<'_>, seen: Seen<T>, policy: &Policy, random: Option<u64>) -> Sight {
    let age = |negative| match random {
        _ if seen.stands_in => Age::Fresh,
        random => policy.age(seen.left, negative, random.unwrap_or(0)),
    };
    let bid = |wire: Wire<'_>, stale| Bid { old: Some(Old { entry: wire.into(), stale }), left: seen.left };
    match Item::from_wire(found) {
        None => Sight::Take(Bid::default()),
        Some(Item::GivenUp { failed }) => Sight::GivenUp { failed },
        Some(Item::Loading(Loading { life, old: kept, .. })) => {
            let over = policy.over(life, seen.left);
            match kept {
                None if over => Sight::Take(Bid::default()),
                None => Sight::Taken,
                Some(kept) => {
                    let negative = kept.negative();
                    let stale = age(negative) == Age::Stale;
                    if over && random.is_some() { Sight::Take(bid(kept, stale)) } else { Sight::Serve { stale } }
                }
            }
        }
        Some(item) => match age(item.negative()) {
            Age::Fresh => Sight::Serve { stale: false },
            age if random.is_some() => Sight::Take(bid(found, age == Age::Stale)),
            age => Sight::Serve { stale: age == Age::Stale },
        },
    }
}

/// Takes the entry's place, where what is loaded now may be kept; `None` when somebody else was there first.
fn enter<S: Store>(store: &mut S, policy: &Policy, over: Option<S::Token>, bid: Bid) -> Option<Place<S::Token>> {
    if store.held_off() {
        return Some(Place::Alone);
    }
    let place = take(store, policy, over, bid)?;
    Some(if yielded(store, policy, &place) { Place::Alone } else { place })
}

/// Gives a place back that was taken where what is loaded now may not be kept: an invalidation from here on takes the place away, one
/// before it is known by now.
fn yielded<S: Store>(store: &mut S, policy: &Policy, place: &Place<S::Token>) -> bool {
    let yields = matches!(place, Place::Own { .. }) && store.held_off();
    if yields {
        close(store, policy, place, End::Uncached);
    }
    yields
}

/// Tries to take the entry's place; `None` when somebody else was there first.
fn take<S: Store>(store: &mut S, policy: &Policy, over: Option<S::Token>, bid: Bid) -> Option<Place<S::Token>> {
    let Bid { old, left } = bid;
    let (loader, life) = (store.random(), if old.is_some() { left.max(1) } else { policy.lease });
    let mut room = Vec::new();
    let mark = Item::Loading(Loading { loader, life, old: old.as_ref().map(Old::wire) });
    match store.put(over, mark.to_wire(&mut room), life) {
        Ok(true) | Err(Fault::Ambiguous) => {}
        Ok(false) => return None,
        // What can be served is served at the next look; one that stumbled is asked again.
        Err(Fault::Wire(_)) => return None,
        Err(_) if old.is_some() => return None,
        Err(fault) => return Some(alone(fault)),
    }
    match store.read() {
        Ok(Some(Seen { token, .. })) => match Item::from_wire(store.found()) {
            Some(Item::Loading(found)) if found.loader == loader => Some(Place::Own { token, old }),
            _ => None,
        },
        Ok(None) => None,
        Err(fault) => Some(alone(fault)),
    }
}

/// What is to be done with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// This was loaded.
    Keep(Item<'a>),
    /// Something was, but it is not to be kept.
    Uncached,
    /// The source did not answer.
    Failed,
}

/// Ends a load: stores what is to be kept. An old value goes on to be served when nothing better was loaded, and nobody
/// else tries before the place has had its time. True when it was stored for certain.
pub fn close<S: Store>(store: &mut S, policy: &Policy, place: &Place<S::Token>, end: End<'_>) -> bool {
    let Place::Own { token, old } = place else { return false };
    let mut room = Vec::new();
    if let End::Keep(item) = end {
        let random = store.random();
        if let Some(life) = policy.life(item.negative(), random) {
            match store.put(Some(*token), item.to_wire(&mut room), life) {
                Err(Fault::TooLarge | Fault::Refused) => {}
                answer => return answer == Ok(true),
            }
        }
    }
    if old.is_none() {
        let given_up = Item::GivenUp { failed: end == End::Failed };
        // Unheard, the place ends by itself.
        let _ = store.put(Some(*token), given_up.to_wire(&mut room), GIVEN_UP_TTL);
    }
    false
}

#[cfg(test)]
#[path = "flow/tests.rs"]
mod tests;
