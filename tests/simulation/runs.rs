//! Many seeds on all cores, and one seed with its trace.

use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::check::{Violation, judge};
use super::world::{MS, Options, World};

/// No run lasts longer, in simulated time.
const MOST: u64 = 25_000 * MS;

/// One run's result.
pub struct Run {
    pub violations: Vec<Violation>,
    pub calls: usize,
    pub unsure: usize,
    pub whole: bool,
    pub trace: Vec<String>,
    pub lasted: u64,
    pub calm_voids: usize,
    pub near_hits: usize,
    pub hits: usize,
    pub overtaken: usize,
}

pub fn run(seed: u64, options: &Options) -> Run {
    let mut world = World::new(seed, options.clone());
    let whole = world.run(MOST);
    let mut violations = match &options.single {
        Some(_) => super::single::judge::judge(&world),
        None => judge(&world),
    };
    violations.extend(super::near::judge::judge(&world));
    violations.extend(super::loads::judge::judge(&world));
    let [hits, overtaken] = world.loads.as_ref().map_or([0; 2], |loads| [loads.served.len(), loads.overtaken]);
    let unsure = world.history.iter().filter(|call| !call.good()).count();
    Run {
        violations,
        calls: world.history.len(),
        unsure,
        whole,
        trace: world.trace,
        lasted: world.now,
        calm_voids: world.calm_voids,
        near_hits: world.near.map_or(0, |near| near.served.len()),
        hits,
        overtaken,
    }
}

/// What many runs showed.
#[derive(Debug, Default)]
pub struct Tally {
    pub runs: u64,
    pub calls: usize,
    pub unsure: usize,
    pub lasted: u64,
    pub calm_voids: usize,
    /// Gets that hosts answered from their own memory.
    pub near_hits: usize,
    /// Lookups answered from the cache, and loads that an invalidation overtook.
    pub hits: usize,
    pub overtaken: usize,
    /// Seeds and their first violation.
    pub bad: Vec<(u64, &'static str)>,
    pub never_whole: Vec<u64>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, calls, unsure, bad, never_whole, .. } = self;
        let hours = self.lasted as f64 / (3_600_000.0 * MS as f64);
        write!(f, "{runs} runs of {hours:.1} simulated hours, {calls} calls ({unsure} not acknowledged), ")?;
        write!(f, "{} broken promises, {} never whole again", bad.len(), never_whole.len())
    }
}

/// A long search tells how far it is after so many runs.
const TELL: u64 = 10_000;

/// Runs `seeds`; stops early after `enough` bad ones.
pub fn many(seeds: Range<u64>, options: &Options, enough: usize) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || total.lock().unwrap().bad.len() >= enough {
                        return;
                    }
                    let run = run(seed, options);
                    let mut total = total.lock().unwrap();
                    total.runs += 1;
                    total.calls += run.calls;
                    total.unsure += run.unsure;
                    total.lasted += run.lasted;
                    total.calm_voids += run.calm_voids;
                    total.near_hits += run.near_hits;
                    total.hits += run.hits;
                    total.overtaken += run.overtaken;
                    if let Some(first) = run.violations.first() {
                        println!("seed {seed}: {}", first.what);
                        total.bad.push((seed, first.what));
                    }
                    if !run.whole {
                        total.never_whole.push(seed);
                    }
                    if total.runs % TELL == 0 {
                        println!("{total}");
                    }
                }
            });
        }
    });
    total.into_inner().unwrap()
}

/// The number that the environment gives.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The seeds to run: `SIM_SEEDS` of them from `SIM_FIRST` on, else `few` in a debug build and `many` in a release build, from 0 on.
pub fn seeds(few: u64, many: u64) -> Range<u64> {
    let first = number("SIM_FIRST").unwrap_or(0);
    first..first + number("SIM_SEEDS").unwrap_or(if cfg!(debug_assertions) { few } else { many })
}

/// The trace of one seed, up to its first violation.
pub fn replay(seed: u64, options: &Options) -> String {
    let run = run(seed, &Options { trace: true, ..options.clone() });
    let mut text = run.trace.join("\n");
    text.push('\n');
    for violation in &run.violations {
        text.push_str(&format!("VIOLATION {violation}\n"));
    }
    let (calls, unsure) = (run.calls, run.unsure);
    text.push_str(&format!("seed {seed}: {calls} calls, {unsure} not acknowledged, whole at the end: {}\n", run.whole));
    text
}
