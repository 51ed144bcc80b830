//! What the cells say together: is the fault likely on our side?

use super::{Cell, State};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Whether most of the pool is down, for all processes to read with one load; all zero is "no".
///
/// The lowest bit says it, the others count: a tally that was taken before another process wrote its own is not
/// written but taken again, so the newest one stays. A process killed between its change and the tally leaves that to
/// the watcher's next round.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Pool(AtomicU64);

impl Pool {
    /// True while more than half of two or more servers, those not counted that the operator took out, are down.
    #[must_use]
    pub fn mostly_down(&self) -> bool {
        self.0.load(SeqCst) & 1 != 0
    }

    /// Counts again. To be called by whoever changed a cell, and by each round of the watcher.
    pub fn recount<'a, I: IntoIterator<Item = &'a Cell>>(&self, cells: impl Fn() -> I) {
        let mut old = self.0.load(SeqCst);
        loop {
            let (down, all) = tally(cells());
            let new = (old | 1).wrapping_add(1) | u64::from(all >= 2 && 2 * down > all);
            match self.0.compare_exchange(old, new, SeqCst, SeqCst) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }
}

/// How many servers are down, and how many the operator left in.
pub fn tally<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> (usize, usize) {
    cells
        .into_iter()
        .map(Cell::state)
        .filter(|state| *state != State::Drained)
        .fold((0, 0), |(down, all), state| (down + usize::from(state.failed()), all + 1))
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, Poll, Reason, Seen};
    use super::*;

    fn turn(cell: &Cell, letter: char) {
        let policy = Policy::default();
        match letter {
            'd' => drop(cell.observe(0, cell.incarnation(), Seen::Hard(Reason::Refused), &policy)),
            's' => drop(cell.observe(0, cell.incarnation(), Seen::Soft(Reason::Timeout), &policy)),
            'u' => drop(cell.probed(u64::MAX >> 20, cell.incarnation(), Poll::Known, 0, &policy)),
            _ => drop(cell.drain(0, true)),
        }
    }

    fn pool(states: &str) -> Vec<Cell> {
        states
            .chars()
            .map(|letter| {
                let cell = Cell::default();
                turn(&cell, letter);
                cell
            })
            .collect()
    }

    #[test]
    fn most_are_down_when_more_than_half_of_several_cannot_be_asked() {
        for (states, mostly) in [
            ("", false),
            ("u", false),
            ("d", false),
            ("x", false),
            ("dx", false),
            ("ds", false),
            ("dd", true),
            ("ddu", true),
            ("duu", false),
            ("dduu", false),
            ("dduux", false),
            ("ddux", true),
            ("ddd", true),
        ] {
            let (cells, pool) = (pool(states), Pool::default());
            pool.recount(|| &cells);
            assert_eq!(pool.mostly_down(), mostly, "{states:?}");
            pool.recount(|| &cells);
            assert_eq!(pool.mostly_down(), mostly, "{states:?} again");
        }
    }

    #[test]
    fn a_tally_that_was_overtaken_is_taken_again() {
        let (cells, pool, turns) = (pool("dd"), Pool::default(), std::cell::Cell::new(0));
        pool.recount(|| {
            cells.iter().inspect(|_| {
                // Between the two looks another process brings the first server back, and counts.
                if turns.replace(turns.get() + 1) == 1 {
                    (0..2).for_each(|_| turn(&cells[0], 'u'));
                    pool.recount(|| &cells);
                }
            })
        });
        assert!(!pool.mostly_down());
        assert_eq!(turns.get(), 4, "two looks at two servers");
    }
}
