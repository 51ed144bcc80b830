//! What the cells say together.

use super::{Cell, State};

/// True when every server the operator left in is down: nobody can be asked.
/// False for a pool without such servers.
pub fn pool_down<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> bool {
    let (down, all) = tally(cells);
    all > 0 && down == all
}

/// True when more than half of three or more servers are down: the fault is likely on our side.
pub fn mostly_down<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> bool {
    let (down, all) = tally(cells);
    all >= 3 && 2 * down > all
}

fn tally<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> (usize, usize) {
    cells.into_iter().map(Cell::state).filter(|state| *state != State::Drained).fold((0, 0), |(down, all), state| {
        (down + usize::from(matches!(state, State::Down | State::Returning)), all + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Policy, Reason, Seen};
    use super::*;

    fn pool(states: &str) -> Vec<Cell> {
        let cell = |letter| {
            let cell = Cell::default();
            match letter {
                'd' => drop(cell.observe(0, 0, Seen::Hard(Reason::Refused), &Policy::default())),
                's' => drop(cell.observe(0, 0, Seen::Soft(Reason::Timeout), &Policy::default())),
                'x' => drop(cell.drain(0, true)),
                _ => {}
            }
            cell
        };
        states.chars().map(cell).collect()
    }

    #[test]
    fn a_pool_is_down_when_nobody_left_in_can_be_asked() {
        for (states, all_down, mostly) in [
            ("", false, false),
            ("u", false, false),
            ("d", true, false),
            ("x", false, false),
            ("dx", true, false),
            ("ds", false, false),
            ("dd", true, false),
            ("ddu", false, true),
            ("duu", false, false),
            ("dduu", false, false),
            ("dduux", false, false),
            ("ddux", false, true),
            ("ddd", true, true),
        ] {
            let cells = pool(states);
            assert_eq!((pool_down(&cells), mostly_down(&cells)), (all_down, mostly), "{states:?}");
        }
    }
}
