//! The numbers behind the rules, and the backoff they give.

/// When to give a server up and when to trust it again. All times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Between two probes of a server that answers, and before the first probe of one that does not.
    pub probe_interval_ms: u64,
    /// The backoff grows up to this (before jitter).
    pub probe_max_ms: u64,
    /// Soft failures in a row that give a server up (1..=100).
    pub soft_failures: u32,
    /// Good probes in a row that bring it back (1..=50).
    pub return_probes: u32,
    /// A server that fails again this soon after its return is flapping.
    pub flap_window_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { probe_interval_ms: 100, probe_max_ms: 5_000, soft_failures: 3, return_probes: 2, flap_window_ms: 60_000 }
    }
}

/// The backoff does not grow beyond this many steps.
pub(super) const LEVELS: u64 = 24;

/// A flapping server is asked for more good probes, up to this many times.
pub(super) const FLAPS: u64 = 8;

impl Policy {
    /// How long to wait before the next probe after `level` failed ones.
    #[must_use]
    pub fn backoff_ms(&self, level: u64) -> u64 {
        let first = self.probe_interval_ms.max(1);
        let most = self.probe_max_ms.max(first);
        let grown = (0..level.min(LEVELS)).fold(first, |delay, _| (delay + delay.div_ceil(2)).min(most));
        grown.min(most)
    }

    /// The same with 5 to 50 % on top, chosen by `jitter` (any number).
    #[must_use]
    pub fn jittered_ms(&self, level: u64, jitter: u32) -> u64 {
        let delay = self.backoff_ms(level);
        delay + (delay * (5 + u64::from(jitter % 46))).div_ceil(100)
    }

    /// Soft failures in a row that give a server up.
    pub(super) fn soft_failures(&self) -> u64 {
        u64::from(self.soft_failures.clamp(1, 100))
    }

    /// Good probes in a row that a server needs which has flapped `flaps` times.
    pub(super) fn needed(&self, flaps: u64) -> u64 {
        (u64::from(self.return_probes.max(1)) + 2 * flaps.min(FLAPS)).min(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_grows_by_half_up_to_its_ceiling() {
        let policy = Policy::default();
        let delays: Vec<u64> = (0..13).map(|level| policy.backoff_ms(level)).collect();
        assert_eq!(delays[..5], [100, 150, 225, 338, 507]);
        assert_eq!(delays[10..], [5_000, 5_000, 5_000]);
    }

    #[test]
    fn jitter_adds_five_to_fifty_percent() {
        let policy = Policy::default();
        let delays: Vec<u64> = (0..1_000).map(|jitter| policy.jittered_ms(0, jitter)).collect();
        assert_eq!((delays.iter().min(), delays.iter().max()), (Some(&105), Some(&150)));
    }

    #[test]
    fn an_interval_above_the_ceiling_is_kept() {
        let policy = Policy { probe_interval_ms: 60_000, ..Policy::default() };
        assert_eq!(policy.backoff_ms(0), 60_000);
        assert_eq!(policy.backoff_ms(9), 60_000);
    }
}
