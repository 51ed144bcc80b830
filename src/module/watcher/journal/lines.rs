//! How often one subject may be spoken of: a few lines a minute, the rest is counted.

use crate::host::log::Level;

/// Within so many milliseconds ...
const WINDOW_MS: u64 = 60_000;
/// ... a subject gets so many lines.
const LINES: u32 = 6;

/// One line of the log.
pub type Line = (Level, String);

/// The lines of one subject.
#[derive(Debug, Default)]
pub struct Lines {
    window: u64,
    changes: u32,
}

impl Lines {
    /// The line, unless there were too many.
    pub fn say(&mut self, level: Level, text: String, now_ms: u64) -> Option<Line> {
        if self.changes == 0 {
            self.window = now_ms;
        }
        self.changes += 1;
        match self.changes.cmp(&LINES) {
            std::cmp::Ordering::Less => Some((level, text)),
            std::cmp::Ordering::Equal => {
                Some((level, format!("{text}; more changes within this minute are counted only")))
            }
            std::cmp::Ordering::Greater => None,
        }
    }

    /// How many got no line, once the minute is over.
    pub fn hushed(&mut self, now_ms: u64) -> Option<u32> {
        if self.changes == 0 || now_ms.saturating_sub(self.window) < WINDOW_MS {
            return None;
        }
        std::mem::take(&mut self.changes).checked_sub(LINES).filter(|more| *more > 0)
    }
}
