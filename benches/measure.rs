//! How the benchmarks measure: every case in turn, round after round, so that noise of the machine hits all alike;
//! medians over the rounds; ratios taken inside each round. All on one core, servers included, where the price of a
//! call is the work done for it and not the time an idle core takes to wake up.
#![allow(dead_code, reason = "each benchmark uses its part")]

use std::time::Instant;

/// One thing to measure: `round` runs it for a short while and returns nanoseconds per operation.
pub struct Case<'a> {
    pub id: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    round: Box<dyn FnMut() -> f64 + 'a>,
}

/// What a bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Floor,
    Ours,
    Peer,
}

/// What one case took, in nanoseconds per operation, one number for each round.
pub struct Series {
    pub id: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    pub rounds: Vec<f64>,
}

impl<'a> Case<'a> {
    pub fn new(id: &'static str, label: &'static str, kind: Kind, round: impl FnMut() -> f64 + 'a) -> Self {
        Self { id, label, kind, round: Box::new(round) }
    }
}

impl Series {
    /// The median in nanoseconds per operation.
    pub fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// How many times `base` this takes: the median of the rounds' own ratios.
    pub fn over(&self, base: &Series) -> f64 {
        median(self.rounds.iter().zip(&base.rounds).map(|(own, base)| own / base).collect())
    }
}

/// Runs all cases `rounds` times, each round in another order, so that none has always the same one before it.
pub fn interleave(cases: &mut [Case<'_>], rounds: usize) -> Vec<Series> {
    let mut all: Vec<Series> = cases
        .iter()
        .map(|case| Series { id: case.id, label: case.label, kind: case.kind, rounds: Vec::with_capacity(rounds) })
        .collect();
    for case in cases.iter_mut() {
        (case.round)();
    }
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..rounds {
        for last in (1..order.len()).rev() {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            order.swap(last, (dice % (last as u64 + 1)) as usize);
        }
        for at in &order {
            let took = (cases[*at].round)();
            all[*at].rounds.push(took);
        }
    }
    all
}

/// Takes the empty loop of its own rounds off every series but the empty loop.
pub fn without_loop(raw: Vec<Series>) -> Vec<Series> {
    let idle = raw.iter().find(|one| one.id == "empty").map(|one| one.rounds.clone()).unwrap_or_default();
    let beyond = |one: Series| {
        let rounds = one.rounds.iter().zip(&idle).map(|(own, idle)| own - idle).collect();
        if one.id == "empty" { one } else { Series { rounds, ..one } }
    };
    raw.into_iter().map(beyond).collect()
}

/// Ties this process with all its threads, and all that any of them will start, to one core.
pub fn pin_to_one_core() {
    let tasks = std::fs::read_dir("/proc/self/task").expect("own threads");
    let threads = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // SAFETY: all calls get a valid set of the size they are told; plain bits.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of_val(&allowed), &raw mut allowed), 0);
        let last = (0..libc::CPU_SETSIZE as usize).rev().find(|core| libc::CPU_ISSET(*core, &allowed));
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(last.unwrap_or(0), &mut one);
        for thread in threads {
            assert_eq!(libc::sched_setaffinity(thread, size_of_val(&one), &raw const one), 0);
        }
    }
}

/// Nanoseconds per call of `operation` over `count` calls, after a few that are not counted.
pub fn timed(count: u32, mut operation: impl FnMut()) -> f64 {
    for _ in 0..=count / 8 {
        operation();
    }
    let start = Instant::now();
    for _ in 0..count {
        operation();
    }
    start.elapsed().as_nanos() as f64 / f64::from(count)
}

/// Nanoseconds of processor time per call, of this thread and of the processes `pids` together.
pub fn worked(count: u32, pids: &[i32], mut operation: impl FnMut()) -> f64 {
    for _ in 0..=count / 8 {
        operation();
    }
    let servers = || pids.iter().map(|pid| spent_ns(process_clock(*pid))).sum::<u64>();
    let (theirs, own) = (servers(), spent_ns(libc::CLOCK_THREAD_CPUTIME_ID));
    for _ in 0..count {
        operation();
    }
    let own = spent_ns(libc::CLOCK_THREAD_CPUTIME_ID) - own;
    (own + servers() - theirs) as f64 / f64::from(count)
}

fn process_clock(pid: i32) -> libc::clockid_t {
    let mut clock = 0;
    // SAFETY: `clock` is valid for the call.
    assert_eq!(unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) }, 0);
    clock
}

fn spent_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for the call.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
