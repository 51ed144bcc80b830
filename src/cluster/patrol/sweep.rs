//! Strays of one server: entries that have their place elsewhere since the list of servers changed.
//!
//! Nobody reads them, until a later list makes their server their home again: then they would be served, however old. So the
//! host that repairs the server's pair takes them away, and after a change of the list the pair is whole only once a pass has
//! found none and a record on the server says so. While the hosts' lists differ nobody knows what is a stray.
//!
//! Pure.

use crate::cluster::copies::Rules;

/// An item that has no place on the pair's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub wire: Vec<u8>,
    pub base64: bool,
    pub cas: u64,
}

/// What the server is to be told about the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It is of an older list: away with it.
    Forget,
    Read,
}

/// What this host knows of one server's strays.
#[derive(Debug)]
pub struct Sweep {
    /// The list of servers, in short.
    list: u64,
    /// No pass has found the server free of strays since the list changed.
    due: bool,
    asks: Ask,
    /// When the hosts' lists differed last, or changed.
    apart_ms: u64,
    /// When a stray was found last.
    found_ms: u64,
    strays: Vec<Stray>,
}

impl Sweep {
    /// For the list that this host began with, or one that it `changed` to.
    #[must_use]
    pub fn new(list: u64, changed: bool, now_ms: u64) -> Self {
        let apart_ms = if changed { now_ms } else { 0 };
        Self { list, due: changed, asks: Ask::Forget, apart_ms, found_ms: 0, strays: Vec::new() }
    }

    /// In each round: do all hosts have the same list?
    pub fn compared(&mut self, agree: bool, now_ms: u64) {
        if !agree {
            (self.due, self.asks, self.apart_ms) = (true, Ask::Forget, now_ms);
            self.strays.clear();
        }
    }

    /// Have the lists been the same for so long that no call under another one is under way?
    #[must_use]
    pub fn settled(&self, rules: &Rules, now_ms: u64) -> bool {
        now_ms >= self.apart_ms + rules.calm_ms
    }

    /// Must a pass still find the server free of strays?
    #[must_use]
    pub fn due(&self) -> bool {
        self.due
    }

    /// What to tell the server in this round.
    #[must_use]
    pub fn asks(&self) -> Option<Ask> {
        self.due.then_some(self.asks)
    }

    /// The record is gone.
    pub fn forgotten(&mut self) {
        self.asks = Ask::Read;
    }

    /// The record names the list under which the server was found free of strays.
    pub fn read(&mut self, list: u64) {
        self.due &= list != self.list;
    }

    /// A pass found these.
    pub fn found(&mut self, strays: Vec<Stray>, rules: &Rules, now_ms: u64) {
        if !strays.is_empty() {
            self.found_ms = now_ms;
        }
        if self.settled(rules, now_ms) {
            self.strays = strays;
        }
    }

    /// Takes up to `most` of the strays found, to be deleted.
    pub fn take(&mut self, most: usize) -> Vec<Stray> {
        self.strays.split_off(self.strays.len().saturating_sub(most))
    }

    /// Is there anything to delete?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.strays.is_empty()
    }

    /// A pass is over that began then: the number for the record when it has shown that there are no strays.
    #[must_use]
    pub fn proven(&self, began_ms: u64, rules: &Rules) -> Option<u64> {
        (self.found_ms < began_ms && self.settled(rules, began_ms)).then_some(self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules::ALL;
    const CALM: u64 = RULES.calm_ms;

    fn strays(count: u64) -> Vec<Stray> {
        (0..count).map(|cas| Stray { wire: b"t:k".to_vec(), base64: false, cas }).collect()
    }

    #[test]
    fn the_list_that_a_host_begins_with_needs_no_proof() {
        let sweep = Sweep::new(7, false, 1_000_000);
        assert_eq!((sweep.due(), sweep.asks(), sweep.proven(1_000_000, &RULES)), (false, None, Some(7)));
    }

    #[test]
    fn a_changed_list_needs_a_pass_without_strays_and_a_record_of_that_list() {
        let mut sweep = Sweep::new(7, true, 10_000);
        assert_eq!((sweep.due(), sweep.asks()), (true, Some(Ask::Forget)));
        sweep.forgotten();
        assert_eq!(sweep.asks(), Some(Ask::Read));
        sweep.found(strays(3), &RULES, 10_000 + CALM);
        assert_eq!(sweep.proven(10_000 + CALM, &RULES), None, "it found some");
        assert_eq!((sweep.take(2).len(), sweep.take(2).len(), sweep.is_empty()), (2, 1, true));
        sweep.found(strays(0), &RULES, 20_000);
        assert_eq!(sweep.proven(19_000, &RULES), Some(7));
        sweep.read(6);
        assert!(sweep.due());
        sweep.read(7);
        assert_eq!((sweep.due(), sweep.asks()), (false, None));
    }

    #[test]
    fn nothing_is_taken_away_or_proven_while_lists_differ_and_shortly_after() {
        let mut sweep = Sweep::new(7, false, 0);
        sweep.found(strays(3), &RULES, 50_000);
        sweep.compared(false, 50_100);
        assert_eq!((sweep.take(9).len(), sweep.due(), sweep.asks()), (0, true, Some(Ask::Forget)));
        sweep.compared(true, 50_200);
        sweep.found(strays(3), &RULES, 50_099 + CALM);
        assert_eq!((sweep.is_empty(), sweep.proven(50_099 + CALM, &RULES)), (true, None));
        sweep.found(strays(3), &RULES, 50_100 + CALM);
        assert!(!sweep.is_empty());
        assert_eq!(sweep.proven(50_101 + CALM, &RULES), Some(7));
    }
}
