//! Real processes on one store: counting, reading, killed, stopped, unwinding.

use super::rules::{how, read, soon};
use super::*;
use crate::clock::monotonic_ns;
use crate::near::children::Child;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub(super) fn put(store: &Store, key: &[u8], value: &[u8]) {
    let put = store.put(Mode::Set, key, value, how(0, 1), soon()).unwrap();
    assert!(matches!(put, Put::Stored { .. }), "{put:?}");
}

#[test]
fn processes_counting_together_lose_nothing() {
    let store = Store::create(0).unwrap();
    let count = || {
        for _ in 0..20_000 {
            store.delta(b"n", true, 1, Some(1), how(0, 1), soon()).unwrap();
        }
    };
    let children: Vec<Child> = (0..3).map(|_| Child::fork(count)).collect();
    assert!(children.into_iter().all(Child::done));
    assert_eq!(read(&store, b"n", 1).as_deref(), Some(&b"60000"[..]));
}

#[test]
fn of_processes_that_add_the_same_key_one_wins() {
    let store = Store::create(1 << 20).unwrap();
    let race = || {
        for number in 0..2_000 {
            let key = format!("key{number}");
            if let Put::Stored { .. } = store.put(Mode::Add, key.as_bytes(), b"", how(0, 1), soon()).unwrap() {
                store.delta(b"won", true, 1, Some(1), how(0, 1), soon()).unwrap();
            }
        }
    };
    let children: Vec<Child> = (0..3).map(|_| Child::fork(race)).collect();
    assert!(children.into_iter().all(Child::done));
    assert_eq!(read(&store, b"won", 1).as_deref(), Some(&b"2000"[..]));
}

/// A process that kills itself inside the lock; not reaped.
fn dead_inside(store: &Store, changing: bool) -> Child {
    let die = || {
        let mut locked = store.lock(0, soon()).unwrap();
        // SAFETY: a signal to this very process.
        let die = || unsafe { libc::raise(libc::SIGKILL) };
        if changing {
            locked.change(|_| die());
        } else {
            die();
        }
    };
    let child = Child::fork(die);
    child.wait_unreaped(libc::WEXITED);
    child
}

#[test]
fn a_process_that_dies_inside_the_lock_stops_nobody() {
    for (changing, kept) in [(false, 1), (true, 0)] {
        let store = Store::create(0).unwrap();
        put(&store, b"k", b"v");
        let zombie = dead_inside(&store, changing);
        assert_eq!(store.stats(soon()).unwrap().items, kept, "while it is a zombie");
        drop(zombie);
        drop(dead_inside(&store, changing));
        let stats = store.stats(soon()).unwrap();
        assert_eq!((stats.items, stats.resets), (kept, if changing { 2 } else { 0 }), "when it is reaped");
        put(&store, b"k", b"v");
        super::model::sweep(&store);
    }
}

#[test]
fn a_process_stopped_inside_the_lock_costs_others_their_deadline_and_no_more() {
    let store = Store::create(0).unwrap();
    put(&store, b"k", b"v");
    let stopped = Child::fork(|| {
        let locked = store.lock(0, soon()).unwrap();
        // SAFETY: a signal to this very process.
        unsafe { libc::raise(libc::SIGSTOP) };
        drop(locked);
    });
    stopped.wait_unreaped(libc::WSTOPPED);
    assert_eq!(read(&store, b"k", 1).as_deref(), Some(&b"v"[..]), "who only reads does not notice");
    let before = monotonic_ns();
    let answer = store.touch(b"k", 0, 1, Deadline::after(Duration::from_millis(30)));
    let took = Duration::from_nanos(monotonic_ns() - before);
    assert_eq!(answer, Err(Fault::Busy));
    assert!(took >= Duration::from_millis(30) && took < Duration::from_secs(2), "{took:?}");
    stopped.signal(libc::SIGCONT);
    assert!(stopped.done());
    assert_eq!(read(&store, b"k", 1).as_deref(), Some(&b"v"[..]));
}

#[test]
fn an_unwinding_holder_lets_go() {
    let store = Store::create(0).unwrap();
    for (changing, kept) in [(false, 1), (true, 0)] {
        put(&store, b"k", b"v");
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let mut locked = store.lock(0, soon()).unwrap();
            let unwind = || std::panic::resume_unwind(Box::new(()));
            if changing { locked.change(|_| unwind()) } else { unwind() }
        }));
        assert!(unwound.is_err());
        assert_eq!(store.stats(soon()).unwrap().items, kept);
    }
    assert_eq!(store.stats(soon()).unwrap().resets, 1);
}
