//! What the script is told: a store's answer becomes a verdict, is counted, and stays for `$shcst(...)`.

use super::{Answer, Back, Cache, Fault, on_back};
use crate::cluster::TableStat;

/// What every call answers to the script. Zero, which would drop the SIP message, cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Verdict {
    /// Found, or done.
    Done = 1,
    /// Not found, or not stored: a server said so.
    Missing = -1,
    /// Nobody could answer.
    Unavailable = -2,
    /// Bad argument, ambiguous outcome or internal error; [`Last::err`] says which.
    Failed = -3,
}

impl Verdict {
    /// The return code in the script.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }
}

/// What a worker remembers of its last operation: `$shcst(...)`.
#[derive(Clone, Debug)]
pub struct Last {
    pub rc: Verdict,
    /// The server that was asked.
    pub server: Option<usize>,
    /// Seconds since the value was stored, where its table's `autoexpire` tells.
    pub age: Option<u32>,
    /// Served although past its soft time.
    pub stale: bool,
    /// Empty, or why the call did not succeed.
    pub err: &'static str,
    /// The fencing number of the last lock taken.
    pub fence: Option<u64>,
}

impl Last {
    pub(super) const fn new(rc: Verdict, server: Option<usize>, err: &'static str) -> Self {
        Self { rc, server, age: None, stale: false, err, fence: None }
    }
}

impl Cache {
    #[must_use]
    pub fn last(&self) -> &Last {
        &self.last
    }

    /// Notes a bad argument that never reached a store.
    pub fn fail(&mut self, table: Option<usize>, err: &'static str) -> Verdict {
        if let Some(table) = table {
            self.shared.table_cell(table).counts.add(TableStat::Errors as usize, 1);
        }
        self.last = Last::new(Verdict::Failed, None, err);
        Verdict::Failed
    }

    /// Lets `$shcst(server)` and `$shcst(err)` speak of an event.
    pub fn note_event(&mut self, server: Option<usize>, err: &'static str) {
        if let Back::Servers(servers) = &mut self.back {
            servers.follow();
        }
        self.last = Last::new(Verdict::Done, server, err);
    }

    /// Counts what a store answered, and says it to the script; `done` counts a yes.
    pub(super) fn settle(&mut self, table: usize, answer: Answer, done: TableStat) -> Verdict {
        let (rc, stat, err) = match answer {
            Ok(true) => (Verdict::Done, done, ""),
            Ok(false) => (Verdict::Missing, TableStat::Misses, ""),
            Err(fault) if fault.unavailable() => (Verdict::Unavailable, TableStat::Unavailable, fault.as_str()),
            Err(fault) => (Verdict::Failed, TableStat::Errors, fault.as_str()),
        };
        let counts = &self.shared.table_cell(table).counts;
        let told = rc != Verdict::Missing || done == TableStat::Hits;
        if told && !on_back!(self, back => back.counted()) {
            counts.add(stat as usize, 1);
        }
        if answer == Err(Fault::Ambiguous) {
            counts.add(TableStat::Ambiguous as usize, 1);
        }
        self.last = Last::new(rc, on_back!(self, back => back.asked()), err);
        self.own.drop();
        rc
    }
}
