//! Of all calls up to some time, the one that lasts, or began, latest: asked often, so answered by a search.

use super::super::history::Call;

pub struct Best<'a> {
    /// Times, rising, and the best call up to each.
    steps: Vec<(u64, &'a Call)>,
}

impl<'a> Best<'a> {
    /// `at` puts a call in its place in time, `score` says which of two is better.
    pub fn new(calls: impl Iterator<Item = &'a Call>, at: fn(&Call) -> u64, score: fn(&Call) -> u64) -> Best<'a> {
        let mut calls: Vec<&Call> = calls.collect();
        calls.sort_by_key(|call| at(call));
        let mut best: Option<&Call> = None;
        let step = |call: &'a Call| {
            best = best.filter(|best| score(best) >= score(call)).or(Some(call));
            best.map(|best| (at(call), best))
        };
        Best { steps: calls.into_iter().filter_map(step).collect() }
    }

    /// The best of those up to and including `time`.
    pub fn up_to(&self, time: u64) -> Option<&'a Call> {
        let after = self.steps.partition_point(|(at, _)| *at <= time);
        Some(self.steps.get(after.checked_sub(1)?)?.1)
    }
}
