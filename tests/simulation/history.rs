//! What the scripts called and what they were told.

use std::fmt;

use shardcache::cluster::copies::Outcome;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Get,
    Set,
    Delete,
    Add,
    /// Replaces what a get saw.
    Cas {
        seen: u64,
    },
    Count {
        delta: u64,
    },
}

/// One call of a script.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub act: Act,
    pub host: usize,
    pub pair: usize,
    pub key: usize,
    /// What a set wrote, what a get found.
    pub value: Option<u64>,
    /// The lifetime of what was written, microseconds; 0 = never ends.
    pub life: u64,
    pub begun: u64,
    /// `u64::MAX` = it never returned: its host died.
    pub ended: u64,
    pub outcome: Option<Outcome>,
    /// One copy: the number of the seat under which it was served; else 0.
    pub under: u64,
}

impl Call {
    /// Was the caller told that nothing was done?
    pub fn refused(&self) -> bool {
        let stores = matches!(self.act, Act::Add | Act::Cas { .. });
        self.outcome == Some(Outcome::Unavailable) || stores && self.outcome == Some(Outcome::Missing)
    }

    /// Was it acknowledged?
    pub fn good(&self) -> bool {
        let stores = matches!(self.act, Act::Add | Act::Cas { .. });
        if stores && self.outcome == Some(Outcome::Missing) {
            return false;
        }
        matches!(self.outcome, Some(Outcome::Done | Outcome::Found { .. } | Outcome::Number(_) | Outcome::Missing))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { act, host, pair, key, value, outcome, .. } = self;
        let ms = |time: u64| time as f64 / 1000.0;
        write!(f, "K{host} {act:?} {pair}.{key}")?;
        if self.under > 0 {
            write!(f, " under {}", self.under)?;
        }
        if let Some(value) = value {
            write!(f, " = {value}")?;
        }
        match outcome {
            Some(outcome) => write!(f, " -> {outcome:?} from {:.3} to {:.3}", ms(self.begun), ms(self.ended)),
            None => write!(f, " from {:.3}, never ended", ms(self.begun)),
        }
    }
}
