//! A worker's gets look here first, and keep here what servers confirmed; its changes void what is here.

use shardcache::cluster::copies::{Hit, Outcome, Side};

use super::super::actor::Actor;
use super::super::history::{Act, Call};
use super::super::server::{Place, SECOND};
use super::super::world::{CMD_TIMEOUT, Event, MS, World, note};
use super::judge::Served;
use super::memory::{self, Entry};
use super::{Step, edit, of};

/// The longest life of an entry.
const NEAR_TTL: u64 = 20 * SECOND;

/// What is needed to keep an answer that is yet to come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim {
    stamp: u64,
    taken: u64,
}

/// An entry that a worker has looked at; half of what it hangs on is yet to be seen.
#[derive(Clone, Copy)]
pub struct Look {
    actor: usize,
    host: usize,
    life: u32,
    place: Place,
    entry: Entry,
    begun: u64,
    /// What was seen first: are the polls young, is the stamp the same?
    first: bool,
}

/// An entry that is about to be kept.
#[derive(Clone, Copy)]
pub struct Late {
    host: usize,
    life: u32,
    place: Place,
    entry: Entry,
}

/// A get begins; true = it needs no server: it is over, or will be.
pub fn hit(world: &mut World, at: usize, actor: &Actor) -> bool {
    if world.near.is_none() {
        return false;
    }
    let (host, place, now) = (actor.host, actor.place, world.now);
    let stamp = memory::stamp(world, host, place);
    edit(world).claims[at] = Claim { stamp, taken: now };
    let memory = memory::of_host(world, host);
    let (life, entry) = (memory.life, memory.entries.get(&(place.pair, place.key)).copied());
    let Some(entry) = entry.filter(|entry| entry.ends > now) else { return false };
    // A look takes a moment: what ends in the same microsecond may be later.
    let mut look = Look { actor: at, host, life, place, entry, begun: now - 1, first: true };
    look.first = see(world, &look, true);
    if world.rng.chance(5) {
        edit(world).looks.push(look);
        let at = of(world).looks.len() - 1;
        world.after(0, CMD_TIMEOUT - MS, Event::Near(Step::Look(at)));
        return true;
    }
    finish(world, &look)
}

/// Half of what an entry hangs on.
fn see(world: &mut World, look: &Look, first: bool) -> bool {
    if first == of(world).rules.polls_first {
        memory::fresh(world, look.host, look.place.pair)
    } else {
        memory::stamp(world, look.host, look.place) == look.entry.stamp
    }
}

/// The second half; true = the entry is served.
fn finish(world: &mut World, look: &Look) -> bool {
    let good = look.first && see(world, look, false);
    if good {
        serve(world, look);
    }
    good
}

/// A worker that paused goes on. Where the entry does not hold it calls something else: nobody can tell.
pub fn go_on(world: &mut World, at: usize) {
    let look = of(world).looks[at];
    if world.hosts[look.host].life == look.life && !finish(world, &look) {
        rest(world, &look);
    }
}

fn serve(world: &mut World, look: &Look) {
    let Look { host, place: Place { pair, key }, entry, begun, .. } = *look;
    let found = Outcome::Found { side: Side::Home, verified: true };
    let outcome = Some(if entry.value.is_some() { found } else { Outcome::Missing });
    let (act, value, ended) = (Act::Get, entry.value, world.now);
    let (life, nobody, confirmed, under) = (0, false, true, 0);
    let call = Call { act, host, pair, key, value, life, begun, ended, outcome, nobody, confirmed, under };
    world.history.push(call);
    note!(world, "near: {call}, read by {:.3} under {}", entry.read as f64 / 1000.0, entry.stamp);
    edit(world).served.push(Served { call, read: entry.read });
    rest(world, look);
}

fn rest(world: &mut World, look: &Look) {
    let pace = world.pace;
    world.after(MS, pace * MS, Event::Wake { actor: look.actor, life: look.life });
}

/// A call is over: what a get found is kept, what a change may have touched is void.
pub fn ended(world: &mut World, at: usize, call: &Call, hit: Option<Hit>) {
    let Some(near) = &world.near else { return };
    let (rules, claim) = (near.rules, near.claims[at]);
    let (host, place) = (call.host, Place { pair: call.pair, key: call.key });
    if call.act != Act::Get {
        if rules.own && rules.own_behind {
            memory::void(world, host, place);
        }
        return;
    }
    let value = match call.outcome {
        Some(Outcome::Found { verified, .. }) if verified || !rules.verified => call.value,
        Some(Outcome::Missing) => None,
        _ => return,
    };
    // What has a second left may be gone in a moment.
    let left = hit.filter(|_| rules.lifetimes).and_then(|hit| hit.ttl).map(|left| u64::from(left.saturating_sub(1)));
    let ends = claim.taken + left.map_or(NEAR_TTL, |left| NEAR_TTL.min(left * SECOND));
    let entry = Entry { stamp: claim.stamp, value, ends, read: call.ended };
    let late = Late { host, life: world.hosts[host].life, place, entry };
    if world.rng.chance(85) {
        return keep(world, late);
    }
    edit(world).late.push(late);
    let at = of(world).late.len() - 1;
    world.after(0, 300 * MS, Event::Near(Step::Keep(at)));
}

pub fn keep_late(world: &mut World, at: usize) {
    let late = of(world).late[at];
    keep(world, late);
}

fn keep(world: &mut World, Late { host, life, place, mut entry }: Late) {
    if world.hosts[host].life != life {
        return;
    }
    if !of(world).rules.early {
        entry.stamp = memory::stamp(world, host, place);
    }
    note!(world, "K{host} keeps {}.{} under {}", place.pair, place.key, entry.stamp);
    memory::of_host(world, host).entries.insert((place.pair, place.key), entry);
}
