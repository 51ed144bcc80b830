//! Who calls: users drawn by Zipf's law, the same for every way to answer.

use std::collections::HashSet;

pub struct Callers {
    round: usize,
    users: Vec<usize>,
}

impl Callers {
    /// So many `calls` of `users` users: the one of rank `n` calls `1/n` times as often as the first.
    pub fn draw(round: usize, users: usize, calls: usize, seed: u64) -> Self {
        let mut sum = 0.0;
        let sums: Vec<f64> = (1..=users)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        let mut dice = (round as u64 * 2 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let one = |_| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            let share = (dice >> 11) as f64 / (1_u64 << 53) as f64;
            sums.partition_point(|upto| *upto <= share * sum).min(users - 1)
        };
        Self { round, users: (0..calls).map(one).collect() }
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
