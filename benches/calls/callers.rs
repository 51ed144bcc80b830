//! Who calls: users drawn by Zipf's law, the same for every way to answer.

use std::collections::HashSet;
use zipf::{Dice, Zipf};

#[path = "../../tests/support/zipf.rs"]
mod zipf;

pub struct Callers {
    round: usize,
    users: Vec<usize>,
}

impl Callers {
    /// So many `calls` of `users` users: the one of rank `n` calls `1/n` times as often as the first.
    pub fn draw(round: usize, users: usize, calls: usize, seed: u64) -> Self {
        let (ranks, mut dice) = (Zipf::new(users, 1.0), Dice(round as u64 * 2 + seed));
        Self { round, users: (0..calls).map(|_| ranks.roll(&mut dice)).collect() }
    }

    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// How many different users call.
    pub fn distinct(&self) -> usize {
        self.users.iter().collect::<HashSet<_>>().len()
    }

    /// Their names, call by call.
    pub fn names(&self) -> Vec<String> {
        self.users.iter().map(|user| name(self.round, *user)).collect()
    }
}

/// Each round has users of its own, whom no cache knows yet.
pub fn name(round: usize, user: usize) -> String {
    format!("round{round}user{user:05}")
}

/// Every third user is in the group.
pub fn is_member(name: &str) -> bool {
    name.rsplit("user").next().and_then(|number| number.parse::<usize>().ok()).is_some_and(|number| number % 3 == 0)
}
