//! How long what was loaded is fresh, when it is loaded anew, and who does it.

use crate::config::Config;
use crate::table::TTL_MAX;

/// Lifetimes differ by so many thousandths either way, so that what was loaded together does not expire together.
const JITTER: u64 = 50;
/// The last tenth of an entry's fresh time, in which it may be loaded anew.
const EARLY: u32 = 10;

/// What holds for one table. Times in seconds, if nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a value is fresh; 0 = for ever.
    pub fresh: u32,
    /// How long a "there is nothing" is fresh; 0 = it is not kept.
    pub negative: u32,
    /// How long either may be served after that.
    pub stale: u32,
    /// How long a loader keeps its place.
    pub lease: u32,
    /// How long a call may wait for a loader, milliseconds.
    pub wait_ms: u64,
}

/// How old an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Fresh,
    /// Fresh, but this caller is to load it anew.
    Due,
    /// Past its time.
    Stale,
}

impl Policy {
    /// What the configuration says for a table.
    #[must_use]
    pub fn new(config: &Config, table: usize) -> Self {
        let table = &config.tables[table];
        Self {
            fresh: table.autoexpire,
            negative: table.negexpire,
            stale: table.stale,
            lease: 2 * config.load_timeout_s,
            wait_ms: u64::from(config.load_wait_ms),
        }
    }

    /// The same for a caller who can wait so many milliseconds at most.
    #[must_use]
    pub fn waiting(self, wait_ms: u64) -> Self {
        Self { wait_ms: self.wait_ms.min(wait_ms), ..self }
    }

    /// How old an entry is that has `left` seconds to live (0 = for ever). In the last tenth of the fresh time a caller
    /// loads it anew with a chance that grows from none to certainty; `random` draws.
    #[must_use]
    pub fn age(&self, left: u32, negative: bool, random: u64) -> Age {
        let fresh = if negative { self.negative } else { self.fresh };
        if left == 0 || fresh == 0 {
            return Age::Fresh;
        }
        let (rest, early) = (left.saturating_sub(self.stale), fresh / EARLY);
        match rest {
            0 => Age::Stale,
            rest if rest < early && random % u64::from(early) >= u64::from(rest) => Age::Due,
            _ => Age::Fresh,
        }
    }

    /// The lifetime of what was loaded just now; 0 = for ever, `None` = it is not kept.
    #[must_use]
    pub fn life(&self, negative: bool, random: u64) -> Option<u32> {
        match (negative, self.fresh, self.negative) {
            (true, _, 0) => None,
            (false, 0, _) => Some(0),
            (_, fresh, negexpire) => {
                let fresh = u64::from(if negative { negexpire } else { fresh });
                let spread = fresh * JITTER / 1_000;
                let jittered = fresh - spread + random % (2 * spread + 1);
                Some(u32::try_from(jittered + u64::from(self.stale)).unwrap_or(TTL_MAX).min(TTL_MAX))
            }
        }
    }

    /// Has a loader that took its place with `life` seconds to go had its time, when `left` are left?
    #[must_use]
    pub fn over(&self, life: u32, left: u32) -> bool {
        life.saturating_sub(left) >= self.lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { fresh: 1_000, negative: 50, stale: 600, lease: 2, wait_ms: 100 };

    #[test]
    fn lifetimes_differ_by_a_twentieth_and_stale_time_comes_on_top() {
        let lives: Vec<u32> = (0..10_000).filter_map(|random| POLICY.life(false, random)).collect();
        assert_eq!((lives.iter().min(), lives.iter().max()), (Some(&1_550), Some(&1_650)));
        let lives: Vec<u32> = (0..100).filter_map(|random| POLICY.life(true, random)).collect();
        assert_eq!((lives.iter().min(), lives.iter().max()), (Some(&648), Some(&652)));
        assert_eq!(Policy { fresh: 0, ..POLICY }.life(false, 7), Some(0), "for ever");
        assert_eq!(Policy { negative: 0, ..POLICY }.life(true, 7), None, "not kept");
        let most = Policy { fresh: TTL_MAX - 600, ..POLICY };
        assert_eq!(most.life(false, 30_000_000), Some(TTL_MAX));
    }

    #[test]
    fn the_chance_to_load_anew_grows_through_the_last_tenth_of_the_fresh_time() {
        let due = |left| (0..100).filter(|random| POLICY.age(left, false, *random) == Age::Due).count();
        for (left, want) in [(1_600, 0), (700, 0), (699, 1), (650, 50), (601, 99)] {
            assert_eq!(due(left), want, "{left} s left");
        }
        for (left, want) in [(600, Age::Stale), (1, Age::Stale), (0, Age::Fresh)] {
            assert_eq!(POLICY.age(left, false, 99), want, "{left} s left");
        }
        assert_eq!(POLICY.age(605, true, 4), Age::Fresh, "its last tenth begins later");
        assert_eq!(POLICY.age(604, true, 4), Age::Due);
    }

    #[test]
    fn a_loader_has_its_lease_and_no_more() {
        assert!(!POLICY.over(600, 600) && !POLICY.over(600, 599) && POLICY.over(600, 598));
        assert!(!POLICY.over(2, 3), "a clock that went back");
    }
}
