//! Commands at home that change an item ask for its stamp in the same packet: a void one must not be changed but replaced.
//!
//! * get, touch: a void item is a miss (both answer with the stamp themselves). set overwrites whatever is there.
//! * remove: asks, then deletes; nothing was there if it was void.
//! * add: asks, then adds; what is in its way is replaced by cas if it is void.
//! * replace: asks, then replaces by cas.
//! * inc, dec: ask, count, ask again ([`counted`]). A counter is made by an add with the stamp: one that the server makes itself
//!   would have none, and so be good for ever.

use super::Rules;
use super::seat::Seat;

/// What a question before or after a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    pub stamp: u16,
    pub cas: u64,
}

/// What a count between two questions came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The answered number counts.
    Done,
    /// There was none: it is to be added.
    Absent,
    /// A void item was counted, which is nothing: it is to be replaced if it still has this cas.
    Void(u64),
    /// Another replaced a void item at the same moment: whether the count fell before or behind that is not known.
    Unsure,
}

/// Judges a count under `seat`: what was there `before`, the `cas` that it left (`None` = there was nothing to count), and
/// what was there `after`.
///
/// A good item never becomes void while its seat lasts, so a good one before settles it. A void one was counted if the item
/// after it is void too; a good one after it was counted only if it bears the cas that the count left.
#[must_use]
pub fn counted(seat: Seat, rules: &Rules, before: Option<Guard>, cas: Option<u64>, after: Option<Guard>) -> Counted {
    let void = |guard: Guard| !seat.accepts(guard.stamp, rules);
    match (before, cas, after) {
        (_, None, _) => Counted::Absent,
        (Some(before), Some(_), _) if !void(before) || !rules.guards => Counted::Done,
        (_, Some(_), Some(after)) if void(after) => Counted::Void(after.cas),
        (None, Some(_), _) => Counted::Done,
        (Some(_), Some(cas), Some(after)) if after.cas == cas => Counted::Done,
        _ => Counted::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_judged_by_what_lay_there_before_and_after() {
        let seat = Seat::first(5);
        let good = |cas| Some(Guard { stamp: seat.stamp(&Rules::ALL), cas });
        let foreign = |cas| Some(Guard { stamp: 0, cas });
        let void = |cas| Some(Guard { stamp: seat.stamp(&Rules::ALL) - 1, cas });
        for (before, cas, after, want) in [
            (None, None, None, Counted::Absent),
            (void(1), None, None, Counted::Absent),
            (good(1), Some(2), good(2), Counted::Done),
            (good(1), Some(2), good(9), Counted::Done),
            (good(1), Some(2), None, Counted::Done),
            (foreign(1), Some(2), foreign(2), Counted::Done),
            (None, Some(2), good(2), Counted::Done),
            (None, Some(2), good(3), Counted::Done),
            (None, Some(2), void(2), Counted::Void(2)),
            (void(1), Some(2), void(2), Counted::Void(2)),
            (void(1), Some(2), void(3), Counted::Void(3)),
            (void(1), Some(2), good(2), Counted::Done),
            (void(1), Some(2), good(3), Counted::Unsure),
            (void(1), Some(2), None, Counted::Unsure),
        ] {
            assert_eq!(counted(seat, &Rules::ALL, before, cas, after), want, "{before:?} {cas:?} {after:?}");
        }
    }
}
