//! What one process keeps for itself: its way to the cache, and the texts it last gave to the script.
//!
//! Made on first use, in whatever process that is, and made anew after a fork: sockets of a parent are dropped there
//! without a word. One per thread, because a host may run our code in several threads of one process.

use super::lifecycle;
use super::lookups::Lookups;
use super::ring::Ring;
use crate::cache::Cache;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// One worker's state.
pub struct Worker {
    pub cache: Cache,
    pub ring: Ring,
    pub lookups: Lookups,
    /// The key of the invalidation that is being told: `$shcst(key)`.
    pub told_key: Option<Vec<u8>>,
    born: u32,
}

/// How many forks lie between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Where a thread keeps its worker. Nobody else uses it.
// A plain pointer: nothing of ours may run when a thread ends, the host is half gone by then.
struct Place(AtomicPtr<Worker>);

impl Place {
    const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    fn replace(&self, next: *mut Worker) -> *mut Worker {
        let kept = self.0.load(Ordering::Relaxed);
        self.0.store(next, Ordering::Relaxed);
        kept
    }
}

/// The thread that came first, in most hosts the only one: its place is found faster than those of the others.
static FIRST: AtomicUsize = AtomicUsize::new(0);
static ITS_PLACE: Place = Place::new();

thread_local! {
    static PLACE: Place = const { Place::new() };
}

/// This thread's place.
#[inline]
fn place() -> *const Place {
    // SAFETY: pthread_self has no arguments and cannot fail.
    let this = unsafe { libc::pthread_self() } as usize;
    if FIRST.load(Ordering::Relaxed) == this { &raw const ITS_PLACE } else { other_place(this) }
}

#[cold]
fn other_place(this: usize) -> *const Place {
    match FIRST.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => &raw const ITS_PLACE,
        Err(_) => PLACE.with(|place| &raw const *place),
    }
}

/// Set while the script is read: it asks for the age of entries or stores by `shc_cas`, so reads must bring both.
static STAMPS: AtomicBool = AtomicBool::new(false);

/// From now on each read brings the entry's token and lifetime too.
pub fn want_stamps() {
    STAMPS.store(true, Ordering::Relaxed);
}

/// Does a read of the script have to bring the entry's token and lifetime?
pub fn stamps_wanted() -> bool {
    STAMPS.load(Ordering::Relaxed)
}

/// From now on every new process notices that it is one.
pub fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    if !WATCHED.swap(true, Ordering::Relaxed) {
        // SAFETY: the handler only counts, and this file is never unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

/// Works with this process's own state; `None` before the module is initialised.
///
/// The state is out of its place meanwhile: should `act` panic, it is never used again.
pub fn with<R>(act: impl FnOnce(&mut Worker) -> R) -> Option<R> {
    // SAFETY: static, or this thread's own, which ends later than this call.
    let place = unsafe { &*place() };
    let mut held = Held(Some(take(place)?));
    let result = act(held.0.as_mut()?);
    let worker = held.0.take()?;
    let other = place.replace(Box::into_raw(worker));
    if !other.is_null() {
        // SAFETY: put there by a nested call, from a box, and taken out just now.
        drop(unsafe { Box::from_raw(other) });
    }
    Some(result)
}

/// A worker at work. When that panics, the texts it gave out stay where they are: the host may still read them.
struct Held(Option<Box<Worker>>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(worker) = &mut self.0 {
            std::mem::forget(std::mem::take(&mut worker.ring));
        }
    }
}

#[inline]
fn take(place: &Place) -> Option<Box<Worker>> {
    let forks = FORKS.load(Ordering::Relaxed);
    let kept = place.replace(ptr::null_mut());
    if !kept.is_null() {
        // SAFETY: only `with` fills this place, from a box, and whoever empties it owns the box.
        let worker = unsafe { Box::from_raw(kept) };
        if worker.born == forks {
            return Some(worker);
        }
    }
    make(forks)
}

#[cold]
fn make(forks: u32) -> Option<Box<Worker>> {
    let shared = lifecycle::shared()?;
    Some(Box::new(Worker {
        cache: Cache::new(shared),
        ring: Ring::default(),
        lookups: Lookups::default(),
        told_key: None,
        born: forks,
    }))
}
