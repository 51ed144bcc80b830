//! Ranks drawn by Zipf's law, the same ones for the same seed.

/// Numbers that look random (`SplitMix64`).
pub struct Dice(pub u64);

impl Dice {
    /// From 0 to below 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mix = self.0;
        mix = (mix ^ (mix >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mix ^ (mix >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// For each rank the probability of it and all before it.
pub struct Zipf(Vec<f64>);

impl Zipf {
    /// The rank `r`, from 1 to `ranks`, has a probability like `r` to the power of minus `skew`.
    pub fn new(ranks: usize, skew: f64) -> Self {
        let mut sums: Vec<f64> = (1..=ranks).map(|rank| (rank as f64).powf(-skew)).collect();
        let total = sums.iter_mut().fold(0.0, |before, sum| {
            *sum += before;
            *sum
        });
        sums.iter_mut().for_each(|sum| *sum /= total);
        Self(sums)
    }

    /// A rank, counted from 0.
    pub fn roll(&self, dice: &mut Dice) -> usize {
        let roll = dice.roll();
        self.0.partition_point(|sum| *sum <= roll).min(self.0.len() - 1)
    }
}
