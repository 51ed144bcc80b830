//! A watcher's rounds to one server's counters: when the stripes have to be read, and when a poll vouches for them.

use super::{Counter, Gauge};

/// What this round's poll found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Found {
    #[default]
    Nothing,
    /// The root moved: the stripes have to be read.
    Moved,
    /// All changes that were announced before the poll are applied.
    Applied,
}

/// One server on a watcher's rounds. A new watcher begins with a new one, and so does a slot that gets another server.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    gauge: Gauge,
    found: Found,
}

impl Watch {
    /// Begins a round: nothing is known of it yet.
    pub fn begin(&mut self) {
        self.found = Found::Nothing;
    }

    /// The root is asked for over a new connection.
    pub fn connected(&mut self) {
        self.gauge.doubt();
    }

    /// Another process answers than before.
    pub fn forget(&mut self) {
        self.gauge.forget();
    }

    /// The round's poll found this number in the root's record, or no record.
    pub fn hear(&mut self, root: Option<u64>) {
        self.found = if self.gauge.rests(root) { Found::Applied } else { Found::Moved };
    }

    /// Do the stripes have to be read?
    #[must_use]
    pub fn moved(&self) -> bool {
        self.found == Found::Moved
    }

    /// Where a counter begins that is not there; see [`Gauge::start`].
    #[must_use]
    pub fn start(&self, counter: Counter, clock_us: u64) -> u64 {
        self.gauge.start(counter, clock_us)
    }

    /// Takes the answers to a survey; see [`Gauge::read`].
    pub fn read(&mut self, clock_us: u64, number: impl Fn(Counter) -> Option<u64>, raise: impl FnMut(u8)) {
        if self.gauge.read(clock_us, number, raise) {
            self.found = Found::Applied;
        }
    }

    /// Does this round's poll vouch for all changes that were acknowledged before it was sent?
    #[must_use]
    pub fn vouches(&self) -> bool {
        self.found == Found::Applied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(watch: &mut Watch, number: Option<u64>) {
        watch.read(1, |_| number, |_| {});
    }

    #[test]
    fn a_round_vouches_when_the_root_rests_or_all_stripes_were_read() {
        let mut watch = Watch::default();
        watch.hear(Some(7));
        assert!(watch.moved() && !watch.vouches());
        survey(&mut watch, None);
        assert!(watch.moved() && !watch.vouches(), "nothing was told");
        survey(&mut watch, Some(7));
        assert!(!watch.moved() && watch.vouches());
        watch.begin();
        assert!(!watch.moved() && !watch.vouches(), "an earlier round says nothing of this one");
        watch.hear(Some(7));
        assert!(watch.vouches());
    }

    #[test]
    fn after_a_new_connection_and_from_another_process_the_stripes_are_read_again() {
        for doubt in [Watch::connected, Watch::forget] {
            let mut watch = Watch::default();
            survey(&mut watch, Some(7));
            doubt(&mut watch);
            watch.hear(Some(7));
            assert!(watch.moved());
        }
    }
}
