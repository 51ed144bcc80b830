//! What was asked through the scripts and what they answered, key by key.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Get,
    Set,
    Add,
    Replace,
    Delete,
    /// Replaces what a get has just found.
    Cas {
        seen: u64,
    },
    Count,
    /// Invalidates the tag of the entry's key: for the entry what a delete is.
    Void,
    /// Puts the value that its caller has just stored under a tag of its own, and invalidates that one.
    Tag,
    Untag,
}

impl Act {
    /// Whether a value is stored by it, or gone for certain.
    pub fn writes(self) -> bool {
        !matches!(self, Act::Get | Act::Tag | Act::Untag)
    }

    /// Whether nothing is there afterwards.
    pub fn deletes(self) -> bool {
        matches!(self, Act::Delete | Act::Void)
    }
}

/// What is known of a call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was acknowledged; a get was answered.
    Done,
    /// Nothing was done, as the caller was told.
    Refused,
    /// It may take effect, now or later.
    Open,
}

/// One call of a script. Times are microseconds of the machine's clock, taken in the script around the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub act: Act,
    pub host: usize,
    /// What was written, found, or added; each value is written once.
    pub value: Option<u64>,
    /// What a counter was answered to hold.
    pub number: Option<u64>,
    pub begun: u64,
    /// `NEVER`: no answer.
    pub ended: u64,
    /// The script's return code; `None`: no answer.
    pub rc: Option<i32>,
    /// What the module said was wrong.
    pub error: &'static str,
}

pub const NEVER: u64 = u64::MAX;

impl Call {
    pub fn fate(&self) -> Fate {
        match (self.act, self.rc) {
            (_, Some(1)) | (Act::Get | Act::Delete, Some(-1)) => Fate::Done,
            (_, Some(-1)) | (Act::Get, _) | (Act::Count, Some(-2)) => Fate::Refused,
            // It asked nobody.
            (_, Some(-2)) if self.error == "server down" => Fate::Refused,
            _ => Fate::Open,
        }
    }

    pub fn done(&self) -> bool {
        self.fate() == Fate::Done
    }

    /// Until when it may have taken effect.
    pub fn last(&self) -> u64 {
        if self.fate() == Fate::Open { NEVER } else { self.ended }
    }

    /// How long the script waited, microseconds.
    pub fn took(&self) -> u64 {
        if self.ended == NEVER { 0 } else { self.ended.saturating_sub(self.begun) }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Call { act, host, value, number, begun, .. } = self;
        let text = |number: &Option<u64>| number.map_or("-".to_string(), |n| n.to_string());
        write!(f, "{:>12.3}  {:<8} {act:?} {}", *begun as f64 / 1e3, host_name(*host), text(value))?;
        if number.is_some() {
            write!(f, " = {}", text(number))?;
        }
        match self.rc {
            Some(rc) if rc < -1 => write!(f, " -> {rc} ({}) after {:.3} ms", self.error, self.took() as f64 / 1e3),
            Some(rc) => write!(f, " -> {rc} after {:.3} ms", self.took() as f64 / 1e3),
            None => write!(f, " -> no answer"),
        }
    }
}

pub fn host_name(host: usize) -> String {
    format!("host {}", char::from(b'A' + host as u8))
}
