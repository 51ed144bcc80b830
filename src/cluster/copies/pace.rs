//! How often epochs are activated.

/// Paces activations: each one soon after another doubles the pause, so that an outage that only some hosts see uses few epochs.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    first_ms: u64,
    most_ms: u64,
    gap_ms: u64,
    last_ms: u64,
}

impl Pace {
    #[must_use]
    pub fn new(first_ms: u64, most_ms: u64) -> Self {
        Self { first_ms, most_ms, gap_ms: 0, last_ms: 0 }
    }

    /// May an epoch be activated now?
    #[must_use]
    pub fn allows(&self, now_ms: u64) -> bool {
        now_ms >= self.last_ms + self.gap_ms
    }

    /// One was.
    pub fn used(&mut self, now_ms: u64) {
        let calm = now_ms > self.last_ms + 4 * self.most_ms;
        self.gap_ms = if calm { self.first_ms } else { (2 * self.gap_ms).clamp(self.first_ms, self.most_ms) };
        self.last_ms = now_ms;
    }
}
