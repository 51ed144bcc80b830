//! Two hosts and some entries: one changes them, the other reads them all the time. How long after an acknowledged change does
//! a read begin that still tells an older value?

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, TableStat};
use shardcache::value::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const KEYS: usize = 8;

/// Numbers of one entry, and a moment for each.
type Moments = Vec<(i64, Instant)>;

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For every change that was acknowledged: how long after that the last read began that told an older value; zero if none did.
    pub late: Vec<Duration>,
    pub reads: u64,
    /// Reads that came from the reader's own memory.
    pub near: u64,
    /// Changes and reads that nobody served.
    pub unserved: u64,
}

/// The hosts, and the table whose entries are changed, with a pause between two changes.
#[derive(Clone, Copy)]
pub struct Race {
    pub writer: &'static Shared,
    pub reader: &'static Shared,
    pub table: usize,
    pub pause: Duration,
}

impl Outcome {
    pub fn latest(&self) -> Duration {
        self.late.iter().copied().max().unwrap_or_default()
    }
}

impl Race {
    /// Goes on while `during` runs.
    pub fn run(self, during: impl FnOnce()) -> Outcome {
        let near = || self.reader.table_count(self.table, TableStat::NearHits);
        let (ends, before) = (AtomicBool::new(false), near());
        std::thread::scope(|scope| {
            let writes = scope.spawn(|| self.write(&ends));
            let reads = scope.spawn(|| self.read(&ends));
            during();
            ends.store(true, Relaxed);
            let (changes, failed) = writes.join().expect("the writer");
            let (told, mut outcome) = reads.join().expect("the reader");
            outcome.late = changes.iter().zip(told).flat_map(|(changes, told)| late(changes, told)).collect();
            outcome.unserved += failed;
            outcome.near = near() - before;
            outcome
        })
    }

    /// All that was acknowledged, and how many changes were not.
    fn write(&self, ends: &AtomicBool) -> ([Moments; KEYS], u64) {
        let (mut cache, mut changes, mut failed) = (Cache::new(self.writer), <[Moments; KEYS]>::default(), 0);
        for number in 1.. {
            if ends.load(Relaxed) {
                break;
            }
            let key = number as usize % KEYS;
            match cache.set(self.table, &name(key), Value::Int(number), None) {
                Verdict::Done => changes[key].push((number, Instant::now())),
                _ => failed += 1,
            }
            std::thread::sleep(self.pause);
        }
        (changes, failed)
    }

    /// When the last read began that told a number.
    fn read(&self, ends: &AtomicBool) -> ([Moments; KEYS], Outcome) {
        let (mut cache, mut told, mut outcome) =
            (Cache::new(self.reader), <[Moments; KEYS]>::default(), Outcome::default());
        while !ends.load(Relaxed) {
            for (key, told) in told.iter_mut().enumerate() {
                let begun = Instant::now();
                let number = match (cache.get(self.table, &name(key), 1), cache.value()) {
                    (Verdict::Done, Some(Value::Int(number))) => number,
                    // An entry with one copy may go with its server.
                    (Verdict::Missing, _) => continue,
                    _ => {
                        outcome.unserved += 1;
                        continue;
                    }
                };
                outcome.reads += 1;
                match told.last_mut() {
                    Some(last) if last.0 == number => last.1 = begun,
                    _ => told.push((number, begun)),
                }
            }
        }
        (told, outcome)
    }
}

fn name(key: usize) -> [u8; 4] {
    [b'k', b'e', b'y', b'0' + key as u8]
}

/// Of every change the lateness of the last read that told an older value.
fn late(changes: &Moments, mut told: Moments) -> Vec<Duration> {
    told.sort_unstable();
    let (mut older, mut last) = (told.into_iter().peekable(), None);
    let mut one = |(number, acknowledged): &(i64, Instant)| {
        while let Some((_, begun)) = older.next_if(|(told, _)| told < number) {
            last = last.max(Some(begun));
        }
        last.map_or(Duration::ZERO, |begun| begun.saturating_duration_since(*acknowledged))
    };
    changes.iter().map(&mut one).collect()
}
