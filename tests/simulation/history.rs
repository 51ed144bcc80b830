//! What the scripts called and what they were told.

use std::fmt;

use shardcache::cluster::copies::Outcome;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Get,
    Set,
    Delete,
    Add,
    Replace,
    /// Replaces what a get saw.
    Cas {
        seen: u64,
    },
    /// Gives the value a new lifetime.
    Touch,
    Count {
        delta: u64,
        down: bool,
    },
}

/// One call of a script.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub act: Act,
    pub host: usize,
    pub pair: usize,
    pub key: usize,
    /// What a write stored, what a get found, what a count answered.
    pub value: Option<u64>,
    /// The lifetime of what was written, microseconds; 0 = never ends.
    pub life: u64,
    pub begun: u64,
    /// `u64::MAX` = it never returned: its host died.
    pub ended: u64,
    pub outcome: Option<Outcome>,
    /// When it began, its host could ask nobody.
    pub nobody: bool,
    /// A miss stands on the word of all who could hold the value.
    pub confirmed: bool,
    /// One copy: the number of the seat under which it was served; else 0.
    pub under: u64,
}

/// What a call says about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Holds(u64),
    There,
    Missing,
}

impl Call {
    /// Does it replace whatever was there?
    pub fn stores(&self) -> bool {
        matches!(self.act, Act::Set | Act::Add | Act::Replace | Act::Cas { .. })
    }

    pub fn counts(&self) -> bool {
        matches!(self.act, Act::Count { .. })
    }

    fn conditional(&self) -> bool {
        matches!(self.act, Act::Add | Act::Replace | Act::Touch | Act::Cas { .. })
    }

    /// Was the caller told that nothing was done?
    pub fn refused(&self) -> bool {
        self.outcome == Some(Outcome::Unavailable) || self.conditional() && self.outcome == Some(Outcome::Missing)
    }

    /// Was it acknowledged?
    pub fn good(&self) -> bool {
        let done =
            matches!(self.outcome, Some(Outcome::Done | Outcome::Found { .. } | Outcome::Number(_) | Outcome::Missing));
        done && !self.refused()
    }

    /// When it surely had its effect: what was not acknowledged may have it at any later time.
    pub fn effective(&self) -> u64 {
        if self.good() { self.ended } else { u64::MAX }
    }

    pub fn claim(&self) -> Option<Claim> {
        let missing = self.outcome == Some(Outcome::Missing);
        match self.act {
            Act::Get | Act::Count { .. } if self.good() => Some(self.value.map_or(Claim::Missing, Claim::Holds)),
            Act::Add if missing => Some(Claim::There),
            Act::Replace | Act::Touch if missing => Some(Claim::Missing),
            Act::Replace | Act::Touch if self.good() => Some(Claim::There),
            _ => None,
        }
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
            write!(f, " = {}", super::value::show(*value))?;
        }
        if self.life > 0 {
            write!(f, " for {:.0}", ms(self.life))?;
        }
        match outcome {
            Some(outcome) => write!(f, " -> {outcome:?} from {:.3} to {:.3}", ms(self.begun), ms(self.ended)),
            None => write!(f, " from {:.3}, never ended", ms(self.begun)),
        }
    }
}
