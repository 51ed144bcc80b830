//! Many entries of one table in one call: read in one round, and for a table with a source loaded one by one.

use super::batch::{Blank, Tally};
use super::{Back, Cache, Fault, Last, Verdict, on_back};
use crate::cluster::TableStat;
use crate::value::Value;
use crate::value::frame::{Kept, Wire};

impl Cache {
    /// Reads many entries of one table at once; [`found`](Self::found) gives each. `Done` when at least one was found,
    /// `Unavailable` when none was and a server could not answer.
    pub fn mget(&mut self, table: usize, keys: &[&[u8]]) -> Verdict {
        let tally = on_back!(self, back => back.mget(table, keys));
        self.count_many(table, tally);
        let rc = match tally {
            Tally { hits: 1.., .. } | Tally { near: 1.., .. } => Verdict::Done,
            Tally { unanswered: 1.., .. } => Verdict::Unavailable,
            Tally { failed: 1.., .. } => Verdict::Failed,
            _ => Verdict::Missing,
        };
        self.last = Last::new(rc, None, tally.err);
        rc
    }

    /// The same, but of what nothing is known: the numbers of these keys come into `open`, and whoever looks them up counts
    /// them. To be followed by [`amend`](Self::amend) for each and [`settle_many`](Self::settle_many).
    pub(crate) fn mget_known(&mut self, table: usize, keys: &[&[u8]], open: &mut Vec<usize>) {
        let mut tally = on_back!(self, back => back.mget(table, keys));
        open.clear();
        for i in 0..keys.len() {
            match on_back!(self, back => back.blank(i)) {
                None => continue,
                Some(Blank::Missing) => tally.misses = tally.misses.saturating_sub(1),
                Some(Blank::Unanswered) => tally.unanswered = tally.unanswered.saturating_sub(1),
                Some(Blank::Near) => {}
            }
            open.push(i);
        }
        self.count_many(table, tally);
    }

    /// Key `i` of the last batch was looked up since, with this verdict.
    pub(crate) fn amend(&mut self, i: usize, verdict: Verdict) {
        let told: Option<Kept> = self.wire().map(Kept::from);
        let told = told.as_ref().map(Kept::wire);
        let answer = match verdict {
            Verdict::Done | Verdict::Missing => Ok(told.map(|Wire { data, flags }| (data, flags))),
            Verdict::Unavailable => Err(Fault::Down),
            Verdict::Failed => Err(Fault::Refused),
        };
        on_back!(self, back => back.amend(i, answer));
    }

    /// Ends a batch of so many keys; `err` says why some of them are not known.
    pub(crate) fn settle_many(&mut self, keys: usize, err: &'static str) -> Verdict {
        let all = || (0..keys).map(|i| self.found(i).0);
        let any = |wanted| all().any(|verdict| verdict == wanted);
        let worst = [Verdict::Done, Verdict::Unavailable, Verdict::Failed].into_iter().find(|verdict| any(*verdict));
        let rc = worst.unwrap_or(Verdict::Missing);
        self.last = Last::new(rc, None, err);
        self.own.drop();
        rc
    }

    fn count_many(&self, table: usize, tally: Tally) {
        let counts = &self.shared.table_cell(table).counts;
        counts.add(TableStat::Hits as usize, tally.hits);
        counts.add(TableStat::Misses as usize, tally.misses);
        counts.add(TableStat::Unavailable as usize, tally.unanswered);
        counts.add(TableStat::Errors as usize, tally.failed);
    }

    /// What the last [`mget`](Self::mget) found for its `i`-th key.
    #[must_use]
    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        match &self.back {
            Back::Servers(back) => back.found(i),
            Back::Local(back) => back.found(i),
        }
    }
}
