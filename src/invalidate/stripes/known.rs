//! What a near entry's truth hangs on.

/// Spreads the versions of lists so far apart that no sum of the other parts, which grow by little, comes from one to another.
const APART: u64 = 0x9e37_79b9_7f4a_7c15;

/// All that a host knows about the servers of a key, as far as its near entry hangs on it. Each part only grows while the list of
/// servers stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The versions of the key's stripe, of its home and its partner; 0 where there is no partner.
    pub versions: [u64; 2],
    /// Who may be asked: the number of the home's seat with one copy, the sum of both marks with two. A server that missed a
    /// write is voided only after the write was announced elsewhere: what was read from it in between ends here.
    pub order: u64,
    /// The table's generation.
    pub generation: u64,
    /// The version of the list of servers.
    pub list: u64,
}

impl Known {
    /// One number for all of it: two of them are equal only when all parts are.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        let [home, partner] = self.versions;
        let parts = [home, partner, self.order, self.generation, self.list.wrapping_mul(APART)];
        parts.into_iter().fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(parts: [u64; 4], list: u64) -> Known {
        let [home, partner, order, generation] = parts;
        Known { versions: [home, partner], order, generation, list }
    }

    proptest! {
        #[test]
        fn whatever_grows_makes_another_stamp(
            parts in proptest::array::uniform4(0u64..1 << 44),
            more in proptest::array::uniform4(prop_oneof![Just(0), Just(1), 0u64..1 << 44]),
            list in 0u64..1 << 30,
        ) {
            let grown = std::array::from_fn(|at| parts[at] + more[at]);
            prop_assert_eq!(known(parts, list).stamp() == known(grown, list).stamp(), more == [0; 4]);
        }

        #[test]
        fn another_list_of_servers_makes_another_stamp(
            parts in proptest::array::uniform4(0u64..1 << 44),
            others in proptest::array::uniform4(0u64..1 << 44),
            list in 0u64..1 << 30,
            later in 1u64..10_000,
        ) {
            prop_assert_ne!(known(parts, list).stamp(), known(others, list + later).stamp());
        }
    }
}
