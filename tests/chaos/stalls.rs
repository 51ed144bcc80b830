//! How long this machine keeps a program from running: no fault of the module, so it is measured beside it.

use super::history::Call;
use super::now;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const NAP: Duration = Duration::from_millis(2);
/// Shorter ones are no matter.
const NOTED_US: u64 = 5_000;

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// When each was over, and how long it had lasted, microseconds.
    seen: Mutex<Vec<(u64, u64)>>,
}

/// A thread on each core that naps and notes when it woke late.
pub struct Stalls {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Stalls {
    pub fn watch() -> Stalls {
        let shared = Arc::new(Shared::default());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let watch = |core| {
            let shared = shared.clone();
            std::thread::spawn(move || nap(core, &shared))
        };
        let threads = (0..cores).map(watch).collect();
        Stalls { shared, threads }
    }

    /// What a call between these times may have lost to the machine: twice what the watching threads lost then, as the worker
    /// and the server may each have waited.
    pub fn during(&self, begun: u64, ended: u64) -> u64 {
        let near = 20_000;
        let seen = self.shared.seen.lock().expect("the list of stalls");
        2 * seen.iter().rev().take_while(|(at, _)| *at + 2_000_000 > begun).fold(0, |sum, (at, late)| {
            let overlaps = at + near >= begun && at.saturating_sub(*late) <= ended.saturating_add(near);
            if overlaps { sum + late } else { sum }
        })
    }

    /// The same for one call.
    pub fn of(&self, call: &Call) -> u64 {
        self.during(call.begun, call.ended)
    }

    /// The longest since a time, microseconds.
    pub fn longest(&self, since: u64) -> u64 {
        let seen = self.shared.seen.lock().expect("the list of stalls");
        seen.iter().rev().take_while(|(at, _)| *at >= since).map(|(_, late)| *late).max().unwrap_or(0)
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn nap(core: usize, shared: &Shared) {
    // SAFETY: an all-zero set is an empty one; the calls touch the set alone, whose size is given.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut cores);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cores);
    }
    while !shared.stop.load(Ordering::Relaxed) {
        let begun = now();
        std::thread::sleep(NAP);
        let late = (now() - begun).saturating_sub(NAP.as_micros() as u64);
        if late > NOTED_US {
            shared.seen.lock().expect("the list of stalls").push((begun + late, late));
        }
    }
}
