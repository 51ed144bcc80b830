//! Hosts that drain one outbox, under everything that may happen to them: each seed is one story, and each story is judged.

use super::drain::{Change, Drain, Outcome, Pace, Row, Step};
use std::collections::BTreeMap;

const PACE: Pace = Pace { poll_ms: 50, lease_ms: 1_000 };
const HOSTS: usize = 3;
/// After this moment nothing fails any more.
const CALM_MS: u64 = 20_000;
const END_MS: u64 = 40_000;

struct Rng(u64);

impl Rng {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// A row of the model's database: ids are given when a transaction inserts, rows are seen when it commits.
struct Stored {
    commits_ms: u64,
    /// When its entry was invalidated for the last time.
    done_ms: Option<u64>,
    deleted: bool,
}

#[derive(Default)]
struct Database {
    rows: BTreeMap<i64, Stored>,
    holder: Option<u64>,
    until_ms: u64,
    down_until_ms: u64,
}

impl Database {
    fn seen(&mut self, now_ms: u64) -> impl Iterator<Item = (&i64, &mut Stored)> {
        self.rows.iter_mut().filter(move |(_, row)| row.commits_ms <= now_ms && !row.deleted)
    }

    fn lease(&mut self, who: u64, now_ms: u64) -> bool {
        if self.holder == Some(who) || self.until_ms <= now_ms {
            (self.holder, self.until_ms) = (Some(who), now_ms + PACE.lease_ms);
        }
        self.holder == Some(who)
    }
}

struct Host {
    drain: Drain,
    /// No two processes ever have the same one.
    name: u64,
    /// It does nothing before this moment: the step before took so long, it was paused, or it is dead.
    free_ms: u64,
}

/// What a story was about: one in which nothing happens proves nothing.
#[derive(Debug, Default)]
struct Told {
    rows: usize,
    late_commits: usize,
    repeated: usize,
    crashes: usize,
    takeovers: usize,
    failures: usize,
    refusals: usize,
}

struct World {
    rng: Rng,
    now_ms: u64,
    database: Database,
    hosts: Vec<Host>,
    names: u64,
    told: Told,
}

impl World {
    fn new(seed: u64) -> Self {
        let hosts = (0..HOSTS as u64).map(|name| Host { drain: Drain::new(PACE), name, free_ms: 0 }).collect();
        let (database, told) = Default::default();
        Self { rng: Rng(seed), now_ms: 0, database, hosts, names: HOSTS as u64, told }
    }

    fn chance(&mut self, in_thousand: u64) -> bool {
        self.rng.next(1_000) < in_thousand
    }

    fn calm(&self) -> bool {
        self.now_ms >= CALM_MS
    }

    /// Some transaction inserts a row and commits it at once, or long after later ones.
    fn provision(&mut self) {
        let last = self.database.rows.last_key_value();
        let (id, before_ms) = last.map_or((1, 0), |(id, row)| (id + 1, row.commits_ms));
        let long = if self.chance(100) { 5_000 } else { 20 };
        let commits_ms = self.now_ms + self.rng.next(long);
        self.told.late_commits += usize::from(commits_ms < before_ms);
        self.told.rows += 1;
        self.database.rows.insert(id, Stored { commits_ms, done_ms: None, deleted: false });
    }

    fn run(mut self) -> Told {
        while self.now_ms < END_MS {
            self.now_ms += 1;
            if !self.calm() {
                if self.chance(20) {
                    self.provision();
                }
                if self.chance(1) && self.chance(300) {
                    self.database.down_until_ms = self.now_ms + self.rng.next(3_000);
                }
            }
            for host in 0..HOSTS {
                if self.hosts[host].free_ms <= self.now_ms {
                    self.act(host);
                }
            }
        }
        self.judge();
        self.told
    }

    /// One step of one host, which may die or be stopped in front of it, or die behind it before it hears what came of it.
    fn act(&mut self, at: usize) {
        let begun_ms = self.now_ms;
        let step = Owned::of(self.hosts[at].drain.step(begun_ms));
        if let Owned::Rest(until_ms) = step {
            self.hosts[at].free_ms = until_ms;
            return;
        }
        let outcome = self.perform(at, step);
        let died = !self.calm() && self.chance(2);
        if died {
            self.told.crashes += 1;
            self.hosts[at] =
                Host { drain: Drain::new(PACE), name: self.names, free_ms: begun_ms + self.rng.next(4_000) };
            self.names += 1;
            return;
        }
        let paused = !self.calm() && self.chance(3);
        let took_ms = if paused { self.rng.next(3_000) } else { self.rng.next(4) };
        let host = &mut self.hosts[at];
        host.drain.heed(outcome, begun_ms, begun_ms + took_ms);
        host.free_ms = begun_ms + took_ms;
    }

    fn perform(&mut self, at: usize, step: Owned) -> Outcome {
        let now_ms = self.now_ms;
        if let Owned::Invalidate(id) = step {
            return self.invalidate(at, id);
        }
        if now_ms < self.database.down_until_ms {
            self.told.failures += 1;
            return Outcome::Failed;
        }
        let lost = !self.calm() && self.chance(5);
        let outcome = match step {
            Owned::Lease => {
                let before = self.database.holder;
                let held = self.database.lease(self.hosts[at].name, now_ms);
                self.told.takeovers += usize::from(held && before.is_some() && before != self.database.holder);
                Outcome::Held(held)
            }
            Owned::Read(behind) => {
                let change = |id: i64| Change::Tag(id.to_string().into_bytes());
                let row = |id: i64| Row { id, change: Some(change(id)) };
                let all = self.database.seen(now_ms).map(|(id, _)| *id).filter(|id| *id > behind);
                Outcome::Rows(all.take(5).map(row).collect())
            }
            Owned::Delete(ids) => {
                for id in ids {
                    let row = self.database.rows.get_mut(&id).expect("a row that was read");
                    assert!(row.done_ms.is_some(), "row {id} is deleted and was never done");
                    row.deleted = true;
                }
                Outcome::Deleted
            }
            Owned::Invalidate(_) | Owned::Rest(_) => unreachable!("not asked of a database"),
        };
        // The statement was carried out, and nobody heard of it.
        self.told.failures += usize::from(lost);
        if lost { Outcome::Failed } else { outcome }
    }

    fn invalidate(&mut self, at: usize, id: i64) -> Outcome {
        let (name, now_ms) = (self.hosts[at].name, self.now_ms);
        let holds = self.database.holder == Some(name) && self.database.until_ms > now_ms;
        assert!(holds, "at {now_ms} ms host {name} works, and the lease is that of {:?}", self.database.holder);
        if !self.calm() && self.chance(50) {
            self.told.refusals += 1;
            return Outcome::Invalidated(false);
        }
        let row = self.database.rows.get_mut(&id).expect("a row that was read");
        assert!(row.commits_ms <= now_ms, "row {id} is done before it is committed");
        self.told.repeated += usize::from(row.done_ms.is_some());
        row.done_ms = Some(now_ms);
        Outcome::Invalidated(true)
    }

    /// In the end each row was done after it was committed, and none is left.
    fn judge(&self) {
        for (id, row) in &self.database.rows {
            assert!(row.done_ms.is_some_and(|done_ms| done_ms >= row.commits_ms), "row {id} was skipped");
            assert!(row.deleted, "row {id} is left");
        }
    }
}

/// A step without its borrow.
enum Owned {
    Rest(u64),
    Lease,
    Read(i64),
    Invalidate(i64),
    Delete(Vec<i64>),
}

impl Owned {
    fn of(step: Step<'_>) -> Self {
        match step {
            Step::Rest(until_ms) => Self::Rest(until_ms),
            Step::Lease => Self::Lease,
            Step::Read(behind) => Self::Read(behind),
            Step::Invalidate(change) => Self::Invalidate(row_of(change)),
            Step::Delete(ids) => Self::Delete(ids.to_vec()),
        }
    }
}

/// Tags of the model are named by their rows.
fn row_of(change: &Change) -> i64 {
    let Change::Tag(tag) = change else { panic!("{change:?}") };
    std::str::from_utf8(tag).ok().and_then(|tag| tag.parse().ok()).expect("the number of a row")
}

#[test]
fn every_row_is_done_after_it_is_committed_by_one_host_at_a_time() {
    let mut sum = Told::default();
    for seed in 0..100 {
        let told = std::panic::catch_unwind(|| World::new(seed).run()).unwrap_or_else(|_| panic!("seed {seed}"));
        sum.rows += told.rows;
        sum.late_commits += told.late_commits;
        sum.repeated += told.repeated;
        sum.crashes += told.crashes;
        sum.takeovers += told.takeovers;
        sum.failures += told.failures;
        sum.refusals += told.refusals;
    }
    let least = [sum.late_commits, sum.repeated, sum.crashes, sum.takeovers, sum.failures, sum.refusals];
    assert!(sum.rows > 20_000 && least.iter().all(|count| *count > 100), "{sum:?}");
}
