//! The judge of tables with one copy: no old values, no lost ones while the home was well, counts exact under each seat, and
//! somebody serves.

use shardcache::cluster::copies::{Outcome, Side, Slot};
use shardcache::cluster::seats::{Phase, Seat};

use super::super::check::{self, Violation};
use super::super::faults::Kind;
use super::super::history::{Act, Call, Claim};
use super::super::server::Place;
use super::super::world::{DELTA, MS, World};

/// A server that something was wrong with, until the farm was whole again.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub server: usize,
    pub kind: Kind,
    pub from: u64,
    pub until: u64,
}

/// After so long without news somebody serves each key.
const QUIET: u64 = 2_000 * MS;

pub fn healed(world: &mut World) {
    let now = world.now;
    world.troubles.iter_mut().for_each(|trouble| trouble.until = trouble.until.min(now));
}

/// What `shc.list` will say of the seats: each home serves, and every host knows.
pub fn settled(world: &World) -> bool {
    world.pairs.iter().enumerate().all(|(pair, servers)| {
        let place = Place { pair, key: 0 };
        let read = |side: Side, slot: Slot| world.servers[servers[side as usize]].number(place, slot, world.now);
        let seat = read(Side::Partner, Slot::Seat).map(Seat).unwrap_or_default();
        let copied = read(Side::Home, Slot::Seat) == Some(seat.0) || world.options.single.is_some_and(|it| !it.copy);
        seat.known()
            && seat.phase() == Phase::Home
            && copied
            && read(Side::Partner, Slot::Ill(Side::Home)).is_none()
            && world.hosts.iter().all(|host| host.seats[pair] == seat)
    })
}

pub fn judge(world: &World) -> Vec<Violation> {
    let mut found = Vec::new();
    for call in world.history.iter().filter(|call| call.ended != u64::MAX) {
        found.extend(check::answered(call));
        if idle(world, call) {
            found.push(Violation { what: "P5: nobody serves", call: *call, other: None });
        }
    }
    world.outages.judge(&world.history, &mut found);
    for pair in 0..world.pairs.len() {
        for key in 0..world.keys {
            let calls: Vec<&Call> = world.history.iter().filter(|call| (call.pair, call.key) == (pair, key)).collect();
            if world.counts(key) { counts(world, &calls, &mut found) } else { register(world, &calls, &mut found) }
        }
    }
    found
}

/// Was something wrong with the call's home between `from` and `until`?
fn excused(world: &World, call: &Call, from: u64, until: u64) -> bool {
    let home = world.pairs[call.pair][Side::Home as usize];
    world.troubles.iter().any(|trouble| trouble.server == home && trouble.from <= until && trouble.until >= from)
}

/// Was a call not served although nothing had happened for long?
fn idle(world: &World, call: &Call) -> bool {
    let served = match (call.outcome, call.act) {
        (Some(Outcome::Unavailable), _) => false,
        (Some(Outcome::Ambiguous), act) => matches!(act, Act::Count { .. }),
        _ => true,
    };
    // A server that does not take announcements leaves calls in doubt.
    let slow = |trouble: &Trouble| {
        matches!(trouble.kind, Kind::Slow | Kind::Full) && trouble.from <= call.ended && trouble.until >= call.begun
    };
    let recent = |(from, until): &(u64, u64)| *until + QUIET > call.begun && *from <= call.ended;
    !served && !world.deeds.iter().any(recent) && !world.troubles.iter().any(slow)
}

fn register(world: &World, calls: &[&Call], found: &mut Vec<Violation>) {
    let writes: Vec<&Call> = calls.iter().copied().filter(|call| call.act != Act::Get).collect();
    let reads: Vec<&Call> = calls.iter().copied().filter(|call| call.act == Act::Get && call.good()).collect();
    for read in &reads {
        match read.value {
            Some(value) => check::fresh(&writes, read, Claim::Holds(value), found),
            None => lost(world, &writes, read, found),
        }
    }
    check::flips(&writes, calls, found);
    check::updates(&writes, found);
    let mut added = Vec::new();
    check::additions(&writes, &mut added);
    let excuse = |it: &Violation| it.other.is_some_and(|there| excused(world, &there, there.begun, it.call.ended));
    found.extend(added.into_iter().filter(|it| !excuse(it)));
}

/// A miss although a write was acknowledged, its home was well ever since, and nobody deleted it.
fn lost(world: &World, writes: &[&Call], read: &Call, found: &mut Vec<Violation>) {
    let bound = |write: &Call| if write.host == read.host { 0 } else { DELTA };
    let stored = |write: &&&Call| write.good() && write.act != Act::Delete && write.ended + bound(write) <= read.begun;
    let ends = |call: &Call| if call.good() { call.ended } else { u64::MAX };
    let takes = |call: &&&Call| check::gone(call, read) && !call.refused() && call.begun < read.ended;
    let gone = writes.iter().filter(takes).map(|call| ends(call)).max().unwrap_or(0);
    let kept = |write: &&&Call| gone <= write.begun && !excused(world, write, write.begun, read.ended);
    if let Some(write) = writes.iter().filter(stored).find(kept) {
        found.push(Violation { what: "P1: lost without a reason", call: *read, other: Some(**write) });
    }
}

/// Under each seat the counts are exact: nothing of an older one is in them, and nothing is missing while the home is well.
fn counts(world: &World, calls: &[&Call], found: &mut Vec<Violation>) {
    let delta = |call: &Call| if let Act::Count { delta, .. } = call.act { delta } else { 0 };
    for call in calls.iter().copied().filter(|call| call.good() && call.value.is_some()) {
        let before = |other: &Call| {
            let bound = if other.host == call.host { 0 } else { DELTA };
            other.good() && other.under == call.under && other.ended + bound <= call.begun
        };
        let maybe = |other: &Call| !other.refused() && (!other.good() || other.under == call.under);
        let sum = |counts: &dyn Fn(&Call) -> bool| -> u64 {
            calls.iter().filter(|other| counts(other)).map(|other| delta(other)).sum()
        };
        let low = delta(call) + sum(&before);
        let high = sum(&|other| other.begun <= call.ended && maybe(other));
        let first = calls.iter().filter(|other| before(other)).map(|other| other.begun).min().unwrap_or(call.begun);
        let number = call.value.unwrap_or(0);
        let what = match number {
            number if number > high => "P3: an answer has too much",
            number if number < low && !excused(world, call, first, call.ended) => "P3: an increment is lost",
            _ => continue,
        };
        found.push(Violation { what, call: *call, other: None });
    }
}
