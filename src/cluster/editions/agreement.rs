//! Do all hosts have the same list of servers?
//!
//! Pure: what was found and the time are arguments.

/// Hosts agree when none has contradicted for so long, milliseconds.
pub const CALM_MS: u64 = 3_000;

/// What this host knows of the other hosts' lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// When it was last open whether they agree.
    open_ms: u64,
    differ: bool,
}

impl Agreement {
    /// This host's list is another one, or was never compared.
    pub fn reopen(&mut self, now_ms: u64) {
        self.open_ms = now_ms;
    }

    /// The servers were looked at, and a host with another list was noticed, or none. Returns whether the lists differ, when that is
    /// news.
    pub fn looked(&mut self, now_ms: u64, contradicted: bool) -> Option<bool> {
        if contradicted {
            self.open_ms = now_ms;
        }
        let differ = contradicted || self.differ && now_ms.saturating_sub(self.open_ms) < CALM_MS;
        (std::mem::replace(&mut self.differ, differ) != differ).then_some(differ)
    }

    /// True from the first contradiction on, until there was none for a while.
    #[must_use]
    pub fn differ(&self) -> bool {
        self.differ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_once_and_ends_when_it_was_calm_for_a_while() {
        let mut agreement = Agreement::default();
        agreement.reopen(1_000);
        for (now_ms, contradicted, news) in [
            (1_000, false, None),
            (2_000, true, Some(true)),
            (3_000, true, None),
            (4_000, false, None),
            (5_000, true, None),
            (6_000, false, None),
            (7_999, false, None),
            (8_000, false, Some(false)),
            (9_000, false, None),
            (9_500, true, Some(true)),
        ] {
            assert_eq!(agreement.looked(now_ms, contradicted), news, "at {now_ms}");
        }
        assert!(agreement.differ());
        agreement.reopen(9_900);
        assert_eq!(agreement.looked(12_800, false), None, "a change of this host's list ends no difference at once");
        assert_eq!(agreement.looked(12_900, false), Some(false));
    }
}
