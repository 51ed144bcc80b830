//! A database that is down is tried again by one process that nobody waits for.

use super::{PATIENCE_MS, SourceStat, Sources, SqlSource, question};
use crate::clock::monotonic_ms;
use crate::host::db::{Fault, Select};

impl Sources {
    /// Is the database to be tried again whose first source this is? If so, the caller must ask all of its
    /// [sources](Self::beside), and [say](SqlSource::retried) whether they answered.
    #[must_use]
    pub fn retry(&self, first: usize) -> bool {
        self.list[first].breaker == first && self.breaker(first).retry(monotonic_ms())
    }

    /// The sources with the database of this one, which is the first of them.
    pub fn beside(&self, first: usize) -> impl Iterator<Item = usize> + '_ {
        (first..self.list.len()).filter(move |at| self.list[*at].breaker == first)
    }
}

impl SqlSource {
    /// Asks for a row, which need not be there, as a lookup would. True if the database answers in time.
    pub fn answers(&mut self) -> bool {
        let Self { sources, at, database, rows } = self;
        let spec = sources.spec(*at);
        sources.add(*at, SourceStat::Queries);
        let columns: Vec<&str> = spec.columns.iter().map(String::as_str).collect();
        let conditions = &question::any(spec);
        let query = Select { table: &spec.table, columns: &columns, conditions, floors: &[], order: None, most: 1 };
        let begun_ms = monotonic_ms();
        let down = database.select(&query, rows).is_err_and(|error| error.fault == Fault::Down);
        if down {
            sources.add(*at, SourceStat::Failures);
        }
        !down && monotonic_ms().saturating_sub(begun_ms) < PATIENCE_MS
    }

    /// Says what came of trying its database again.
    pub fn retried(&self, answered: bool) {
        let Self { sources, at, .. } = self;
        self.tell(sources.breaker(*at).retried(answered, monotonic_ms(), &sources.policy), None);
    }
}
