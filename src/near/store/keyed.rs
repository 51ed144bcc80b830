//! The hash that spreads keys: fast, and keyed by numbers of this store alone, which nobody outside the host ever sees.

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A store's own hash. All processes of the host have to agree on it, so it is made before the host forks.
#[derive(Debug)]
pub(super) struct Keyed {
    seed: u64,
    shared: SharedSeed,
}

impl Keyed {
    /// Another hash each time, by the kernel's random numbers.
    pub fn new() -> Self {
        let random = RandomState::new();
        Self { seed: random.hash_one(0), shared: SharedSeed::from_u64(random.hash_one(1)) }
    }

    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(key);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_store_has_its_own_hash_and_keeps_it() {
        let (one, other) = (Keyed::new(), Keyed::new());
        assert_eq!(one.hash(b"alice"), one.hash(b"alice"));
        assert_ne!(one.hash(b"alice"), other.hash(b"alice"));
    }

    #[test]
    fn keys_that_are_alike_have_other_hashes_in_either_half() {
        let keyed = Keyed::new();
        let alike = (0..=64).flat_map(|len| [vec![0; len], vec![0; len + 1], vec![b'a'; len + 1]]);
        let keys: HashSet<Vec<u8>> = alike.chain((0..2_000).map(|at| format!("k{at}").into_bytes())).collect();
        let hashes: HashSet<u64> = keys.iter().map(|key| keyed.hash(key)).collect();
        assert_eq!(hashes.len(), keys.len());
        // By chance one pair in 2^32 is the same in a half.
        for half in [0, 32] {
            let halves: HashSet<u32> = hashes.iter().map(|hash| (hash >> half) as u32).collect();
            assert!(halves.len() + 8 > keys.len(), "{} of {}", halves.len(), keys.len());
        }
    }
}
