//! What a host does about an outbox, one step after the other: without a database, a cache or a clock of its own.

/// The pause after a database that failed grows up to this, milliseconds.
const PAUSE_MAX_MS: u64 = 30_000;

/// One change that the outbox tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: i64,
    /// None where this host does not have the table.
    pub change: Option<Change>,
}

/// What is to be invalidated; tables by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Entry {
        table: usize,
        key: Vec<u8>,
    },
    Table(usize),
    /// All entries under this tag.
    Tag(Vec<u8>),
}

/// How long things take, milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks at an outbox that was empty, or that another host drains.
    pub poll_ms: u64,
    /// For so long a host that said nothing more keeps the others off.
    pub lease_ms: u64,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing before this moment.
    Rest(u64),
    /// Take the lease, or keep it.
    Lease,
    /// Read rows with ids above this one, the smallest first.
    Read(i64),
    Invalidate(&'a Change),
    /// Delete the rows with these ids.
    Delete(&'a [i64]),
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The lease is this host's, or another one's.
    Held(bool),
    /// Empty when there are no more.
    Rows(Vec<Row>),
    /// Done, or the cluster could not do it: the row stays.
    Invalidated(bool),
    Deleted,
    /// The database did not do it, or nobody knows.
    Failed,
}

#[derive(Debug)]
enum Phase {
    Rest(u64),
    Read,
    /// Changes by the ids of their rows, and how many of them were tried.
    Invalidate(Vec<(i64, Change)>, usize),
    Delete,
}

/// One host's side of the draining.
#[derive(Debug)]
pub struct Drain {
    pace: Pace,
    phase: Phase,
    /// Up to this moment no other host drains; counted from before the lease was asked for.
    leased_until_ms: u64,
    /// The last id read in this sweep.
    behind: i64,
    /// Rows that are done.
    done: Vec<i64>,
    /// Failures of the database in a row.
    failures: u32,
}

impl Drain {
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, phase: Phase::Rest(0), leased_until_ms: 0, behind: 0, done: Vec::new(), failures: 0 }
    }

    /// What to do at this moment. Each step needs the lease, which is renewed at half time.
    #[must_use]
    pub fn step(&self, now_ms: u64) -> Step<'_> {
        match &self.phase {
            Phase::Rest(until_ms) if now_ms < *until_ms => Step::Rest(*until_ms),
            _ if now_ms + self.pace.lease_ms / 2 >= self.leased_until_ms => Step::Lease,
            Phase::Rest(_) | Phase::Read => Step::Read(self.behind),
            Phase::Invalidate(changes, tried) => Step::Invalidate(&changes[*tried].1),
            Phase::Delete => Step::Delete(&self.done),
        }
    }

    /// Takes what came of the step that was begun at `begun_ms`.
    pub fn heed(&mut self, outcome: Outcome, begun_ms: u64, now_ms: u64) {
        match outcome {
            Outcome::Held(true) => {
                self.failures = 0;
                self.leased_until_ms = begun_ms + self.pace.lease_ms;
            }
            Outcome::Held(false) => self.sweep_later(now_ms + self.pace.poll_ms),
            Outcome::Rows(rows) => self.work(rows, now_ms),
            Outcome::Invalidated(good) => self.invalidated(good),
            Outcome::Deleted => self.phase = Phase::Read,
            Outcome::Failed => {
                self.failures += 1;
                let pause_ms = self.pace.poll_ms.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX_MS);
                self.leased_until_ms = 0;
                self.sweep_later(now_ms + pause_ms);
            }
        }
    }

    /// Does this host drain, as far as it knows?
    #[must_use]
    pub fn holds(&self, now_ms: u64) -> bool {
        now_ms < self.leased_until_ms
    }

    /// Ends the sweep; the next one begins with the smallest id.
    fn sweep_later(&mut self, at_ms: u64) {
        self.phase = Phase::Rest(at_ms);
        self.behind = 0;
        self.done.clear();
    }

    fn work(&mut self, rows: Vec<Row>, now_ms: u64) {
        let Some(last) = rows.last() else { return self.sweep_later(now_ms + self.pace.poll_ms) };
        self.behind = last.id;
        self.done.clear();
        let changes: Vec<_> = rows.into_iter().filter_map(|row| row.change.map(|change| (row.id, change))).collect();
        self.phase = if changes.is_empty() { Phase::Read } else { Phase::Invalidate(changes, 0) };
    }

    fn invalidated(&mut self, good: bool) {
        let Phase::Invalidate(changes, tried) = &mut self.phase else { return };
        if good {
            self.done.push(changes[*tried].0);
        }
        *tried += 1;
        if *tried == changes.len() {
            self.phase = if self.done.is_empty() { Phase::Read } else { Phase::Delete };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { poll_ms: 100, lease_ms: 1000 };

    fn entry(key: &[u8]) -> Change {
        Change::Entry { table: 0, key: key.to_vec() }
    }

    fn row(id: i64, key: &[u8]) -> Row {
        Row { id, change: Some(entry(key)) }
    }

    /// A host that holds the lease from moment 0 on and has read these rows.
    fn at_work(rows: Vec<Row>) -> Drain {
        let mut drain = Drain::new(PACE);
        assert_eq!(drain.step(0), Step::Lease);
        drain.heed(Outcome::Held(true), 0, 5);
        assert_eq!(drain.step(5), Step::Read(0));
        drain.heed(Outcome::Rows(rows), 5, 6);
        drain
    }

    #[test]
    fn rows_are_deleted_once_they_are_done_and_the_others_stay() {
        let mut drain = at_work(vec![row(3, b"c"), Row { id: 4, change: None }, row(7, b"g")]);
        assert_eq!(drain.step(7), Step::Invalidate(&entry(b"c")));
        drain.heed(Outcome::Invalidated(false), 7, 8);
        assert_eq!(drain.step(8), Step::Invalidate(&entry(b"g")));
        drain.heed(Outcome::Invalidated(true), 8, 9);
        assert_eq!(drain.step(9), Step::Delete(&[7]));
        drain.heed(Outcome::Deleted, 9, 10);
        assert_eq!(drain.step(10), Step::Read(7), "what failed does not stop those behind it");
        drain.heed(Outcome::Rows(Vec::new()), 10, 11);
        assert_eq!(drain.step(11), Step::Rest(111));
        assert_eq!(drain.step(111), Step::Read(0), "and comes again in the next sweep");
    }

    #[test]
    fn rows_that_nobody_could_do_are_not_deleted() {
        let mut drain = at_work(vec![row(1, b"a")]);
        drain.heed(Outcome::Invalidated(false), 7, 8);
        assert_eq!(drain.step(8), Step::Read(1));
        let mut strange = at_work(vec![Row { id: 1, change: None }]);
        assert_eq!(strange.step(8), Step::Read(1));
        strange.heed(Outcome::Rows(Vec::new()), 8, 9);
        assert_eq!(strange.step(9), Step::Rest(109));
    }

    #[test]
    fn the_lease_is_renewed_in_the_midst_of_work_and_its_loss_ends_it() {
        let mut drain = at_work(vec![row(1, b"a"), row(2, b"b")]);
        drain.heed(Outcome::Invalidated(true), 7, 8);
        assert_eq!(drain.step(500), Step::Lease);
        drain.heed(Outcome::Held(true), 500, 510);
        assert_eq!(drain.step(510), Step::Invalidate(&entry(b"b")));
        assert!(drain.holds(1499) && !drain.holds(1500), "counted from before it was asked for");
        assert_eq!(drain.step(1000), Step::Lease);
        drain.heed(Outcome::Held(false), 1000, 1010);
        assert_eq!(drain.step(1010), Step::Rest(1110));
        assert_eq!(drain.step(1110), Step::Lease);
    }

    #[test]
    fn a_database_that_fails_is_asked_less_and_less() {
        let mut drain = at_work(vec![row(1, b"a")]);
        let mut now_ms = 10;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            drain.heed(Outcome::Failed, now_ms, now_ms);
            assert!(!drain.holds(now_ms));
            let Step::Rest(until_ms) = drain.step(now_ms) else { panic!("no rest") };
            pauses.push(until_ms - now_ms);
            now_ms = until_ms;
            assert_eq!(drain.step(now_ms), Step::Lease);
        }
        assert_eq!(pauses[..4], [200, 400, 800, 1600]);
        assert_eq!(pauses.last(), Some(&PAUSE_MAX_MS));
        drain.heed(Outcome::Held(true), now_ms, now_ms);
        assert_eq!(drain.step(now_ms), Step::Read(0));
        drain.heed(Outcome::Failed, now_ms, now_ms);
        assert_eq!(drain.step(now_ms), Step::Rest(now_ms + 200));
    }
}
