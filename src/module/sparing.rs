//! Errors about what callers send: whoever may send SIP messages must not be able to fill the log.

use crate::clock;
use crate::host::log;
use std::cell::RefCell;
use std::fmt::Display;

/// So many lines a process may write per second; the others are counted.
const LINES: u32 = 10;

#[derive(Debug, Default)]
struct Sparing {
    second: u64,
    said: u32,
    hushed: u64,
}

thread_local! {
    static SPARING: RefCell<Sparing> = RefCell::default();
}

impl Sparing {
    /// `None` when the line must not be written, else how many were not written since the last one.
    fn allow(&mut self, second: u64) -> Option<u64> {
        if self.second != second {
            (self.second, self.said) = (second, 0);
        }
        if self.said == LINES {
            self.hushed += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.hushed))
    }
}

/// An error that a caller's data brought about.
#[track_caller]
pub fn error(text: impl Display) {
    let second = clock::monotonic_ms() / 1_000;
    match SPARING.with_borrow_mut(|sparing| sparing.allow(second)) {
        Some(0) => log::error(text),
        Some(hushed) => log::error(format_args!("{text} ({hushed} such lines before it were left out)")),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_second_are_few_and_the_others_are_counted() {
        let mut sparing = Sparing::default();
        let first: Vec<Option<u64>> = (0..12).map(|_| sparing.allow(7)).collect();
        assert_eq!(first[..10], [Some(0); 10]);
        assert_eq!(first[10..], [None; 2]);
        assert_eq!(sparing.allow(8), Some(2));
        assert_eq!(sparing.allow(8), Some(0));
    }
}
