//! How many keys may be looked at now: so many a second, and no more than a moment's worth at once.

/// What was not used is kept for so long, milliseconds.
const MOMENT_MS: u64 = 200;

#[derive(Clone, Copy, Debug)]
pub struct Rate {
    per_s: u64,
    /// Thousandths of a key.
    left: u64,
    at_ms: u64,
}

impl Rate {
    #[must_use]
    pub fn new(per_s: u32) -> Self {
        Self { per_s: u64::from(per_s), left: 0, at_ms: 0 }
    }

    /// How many keys are free at `now_ms`.
    pub fn free(&mut self, now_ms: u64) -> usize {
        let passed_ms = now_ms.saturating_sub(self.at_ms).min(MOMENT_MS);
        self.at_ms = now_ms;
        let most = (self.per_s * MOMENT_MS).max(2000);
        self.left = (self.left + self.per_s * passed_ms).min(most);
        usize::try_from(self.left / 1000).unwrap_or(usize::MAX)
    }

    /// So many were used.
    pub fn used(&mut self, keys: usize) {
        self.left = self.left.saturating_sub(1000 * keys as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_as_many_keys_as_asked_for() {
        for (per_s, step_ms) in [(10_000, 10), (1, 10), (7, 100), (250, 3)] {
            let mut rate = Rate::new(per_s);
            rate.free(1_000_000);
            rate.used(usize::MAX / 2000);
            let mut all = 0;
            for now_ms in (1_000_000..1_010_000).step_by(step_ms) {
                let free = rate.free(now_ms);
                rate.used(free);
                all += free;
            }
            let want = 10 * per_s as usize;
            assert!(all <= want + 2 && all + want / 50 + 2 >= want, "{per_s} per second: {all} of {want}");
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut rate = Rate::new(10_000);
        assert_eq!(rate.free(5_000_000), 2_000);
        assert_eq!(rate.free(9_000_000), 2_000);
    }
}
