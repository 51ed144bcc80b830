//! What a watcher reads behind a root that moved.

use shardcache::invalidate::stripes::Counter;

use super::super::server::Place;
use super::super::world::World;
use super::polls::{Poll, Round, edit_round, host_of};
use super::{Rules, add, clock_us, of, stripe_of};

/// The numbers of a server's counters, of those stripes that any key has: the others never move.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    pub root: Option<u64>,
    stripes: Vec<(u8, Option<u64>)>,
}

impl Numbers {
    fn stripe(&self, stripe: u8) -> Option<Option<u64>> {
        self.stripes.iter().find(|(one, _)| *one == stripe).map(|(_, number)| *number)
    }
}

/// The server carries out one half of a survey: counters that are lost are made anew.
pub fn half(world: &mut World, poll: Poll, first: bool) {
    if first == of(world).rules.root_first {
        let root = number(world, poll, Counter::Root);
        edit_round(world, poll).told.root = root;
        return;
    }
    let mut stripes = Vec::new();
    for pair in (0..world.pairs.len()).filter(|pair| world.pairs[*pair].contains(&poll.server)).collect::<Vec<_>>() {
        for key in 0..world.keys {
            let stripe = stripe_of(Place { pair, key });
            stripes.push((stripe, number(world, poll, Counter::Stripe(stripe))));
        }
    }
    edit_round(world, poll).told.stripes = stripes;
}

fn number(world: &mut World, poll: Poll, counter: Counter) -> Option<u64> {
    let clock = clock_us(world, host_of(world, poll));
    let start = if of(world).rules.clock { edit_round(world, poll).watch.start(counter, clock) } else { 1 };
    add(world, poll.server, counter, 0, start)
}

/// What a number looks like to a watcher whose mechanisms may be switched off: `missing` = it heeds that there is none.
pub fn seen(rules: &Rules, number: Option<u64>, last: Option<u64>, missing: bool) -> Option<u64> {
    match number {
        None if !missing => last,
        Some(number) if !rules.smaller && last.is_some_and(|last| number < last) => last,
        number => number,
    }
}

/// The answers are there.
pub fn read(rules: &Rules, round: &mut Round, clock_us: u64, raise: impl FnMut(u8)) {
    let Round { watch, told, last, .. } = round;
    let number = |counter| match counter {
        Counter::Root => told.root,
        Counter::Stripe(stripe) => match (told.stripe(stripe), last.stripe(stripe)) {
            (None, _) => Some(1),
            (Some(now), then) => seen(rules, now, then.flatten(), true),
        },
    };
    watch.read(clock_us, number, raise);
    *last = told.clone();
}
