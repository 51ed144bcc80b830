//! Readers beside writers that are stopped, killed and in each other's way: whatever is read is whole.

use super::forks::put;
use super::rules::{how, read, soon};
use super::*;
use crate::near::children::{Child, until};
use std::time::Duration;

/// A value that shows whether it is whole: its key's number and a seed, which tells its length and all its bytes.
fn pattern(number: u32, seed: u32) -> Vec<u8> {
    let long = [8, 9, 24, 100, 1_000, 7_000][seed as usize % 6];
    let mut value = [number.to_ne_bytes(), seed.to_ne_bytes()].concat();
    value.extend((0..long).map(|at: u32| (seed.wrapping_mul(at | 1) >> 5) as u8));
    value
}

fn assert_whole(number: u32, value: &[u8]) {
    let seed = u32::from_ne_bytes(value[4..8].try_into().unwrap());
    assert!(value == pattern(number, seed), "a torn value of {} bytes under {number}", value.len());
}

fn key(number: u32) -> Vec<u8> {
    format!("{number}:{}", "k".repeat(number as usize * 5)).into_bytes()
}

/// Some millions of steps through all keys and seeds, different for each `who`.
fn steps(who: u32) -> impl Iterator<Item = (u32, u32)> {
    (1..u32::MAX)
        .map(move |turn| turn.wrapping_add(who << 20).wrapping_mul(2_654_435_761))
        .map(|mix| (mix >> 8) % 23)
        .zip(who * 1_000..)
}

fn write_on(store: &Store, who: u32) {
    for (number, seed) in steps(who) {
        match seed % 7 {
            0 => drop(store.remove(&key(number), None, 1, soon()).unwrap()),
            1 => drop(store.touch(&key(number), 0, 1, soon()).unwrap()),
            _ => put(store, &key(number), &pattern(number, seed)),
        }
    }
}

/// Reads until so many reads were hits, `how_often`, and as many were not needed to be tried again.
fn read_on(store: &Store, who: u32, hits: usize) {
    let mut out = Copied::default();
    let found = steps(who).filter(|(number, _)| match store.find(&key(*number), 1, |hit| hit.flags == 0, &mut out) {
        Found::Hit => {
            assert_whole(*number, &out.value);
            true
        }
        _ => false,
    });
    assert_eq!(found.take(hits).count(), hits);
}

#[test]
fn no_reader_sees_a_torn_value_while_writers_write_and_evict() {
    let store = Store::create(0).unwrap();
    let writers: Vec<Child> = (1..3).map(|who| Child::fork(|| write_on(&store, who))).collect();
    let readers: Vec<Child> = (3..6).map(|who| Child::fork(|| read_on(&store, who, 30_000))).collect();
    assert!(readers.into_iter().all(Child::done));
    assert!(writers.into_iter().all(Child::kill), "they write on until they are killed");
    super::model::sweep(&store);
}

#[test]
fn no_reader_sees_a_torn_value_while_writers_are_killed_again_and_again() {
    let store = Store::create(0).unwrap();
    let readers: Vec<Child> = (3..5).map(|who| Child::fork(|| read_on(&store, who, 30_000))).collect();
    let survivor = Child::fork(|| write_on(&store, 2));
    for round in 0..100 {
        let before = store.raw.cas().load(Ordering::Relaxed);
        let victim = Child::fork(|| write_on(&store, 1));
        until(|| store.raw.cas().load(Ordering::Relaxed) > before + 50 + round);
        assert!(victim.kill());
    }
    assert!(readers.into_iter().all(Child::done));
    assert!(survivor.kill());
    super::model::sweep(&store);
}

#[test]
fn under_memory_pressure_large_values_are_whole_or_gone() {
    let store = Store::create(0).unwrap();
    let fill = || (0..u64::MAX).for_each(|turn| put(&store, format!("large{}", turn % 5).as_bytes(), &large(turn)));
    let writer = Child::fork(fill);
    let mut out = Copied::default();
    let mut hits = 0;
    until(|| {
        for name in 0..5 {
            if store.find(format!("large{name}").as_bytes(), 1, |_| true, &mut out) == Found::Hit {
                assert!(out.value == large(u64::from_ne_bytes(out.value[..8].try_into().unwrap())), "a torn value");
                hits += 1;
            }
        }
        hits > 500
    });
    assert!(writer.kill());
}

fn large(turn: u64) -> Vec<u8> {
    turn.to_ne_bytes().repeat(3_000 + turn as usize % 4_000)
}

/// A process that stops itself in the middle of a change of the entry `k`.
fn stopped_inside(store: &Store) -> Child {
    let child = Child::fork(|| {
        let (shard, hash) = store.place(b"k");
        let mut locked = store.lock(shard, soon()).unwrap();
        locked.change(|shard| {
            shard.group(hash).sequence.open();
            // SAFETY: a signal to this very process.
            unsafe { libc::raise(libc::SIGSTOP) };
            shard.group(hash).sequence.close();
        });
    });
    child.wait_unreaped(libc::WSTOPPED);
    child
}

#[test]
fn a_writer_stopped_in_a_change_makes_a_near_read_a_miss_and_others_wait_no_longer_than_they_want() {
    let store = Store::create(0).unwrap();
    put(&store, b"k", b"v");
    let stopped = stopped_inside(&store);
    let (mut out, started) = (Copied::default(), std::time::Instant::now());
    assert_eq!(store.find(b"k", 1, |_| true, &mut out), Found::Busy);
    assert!(!store.keep(b"k", b"w", how(0, 1), Deadline::after(Duration::from_millis(1))));
    assert_eq!(store.get(b"k", 1, &mut out.value, Deadline::after(Duration::from_millis(1))), Err(Fault::Busy));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    stopped.signal(libc::SIGCONT);
    assert!(stopped.done());
    assert_eq!(read(&store, b"k", 1).as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_writer_killed_in_a_change_leaves_a_miss_and_the_next_writer_mends_it() {
    let store = Store::create(0).unwrap();
    put(&store, b"k", b"v");
    let stopped = stopped_inside(&store);
    assert!(stopped.kill());
    let mut out = Copied::default();
    assert_eq!(store.find(b"k", 1, |_| true, &mut out), Found::Busy);
    assert!(store.keep(b"k", b"w", how(0, 1), soon()));
    assert_eq!(store.find(b"k", 1, |_| true, &mut out), Found::Hit);
    assert_eq!((out.value.as_slice(), store.stats(soon()).unwrap().resets), (&b"w"[..], 1));
    super::model::sweep(&store);
}

#[test]
fn what_is_void_is_gone_and_what_is_stale_is_told() {
    let store = Store::create(0).unwrap();
    let mut out = Copied::default();
    for (stamp, asked, want) in [(7, 7, true), (7, 8, false), (8, 7, false)] {
        let note = [stamp, 2, u64::MAX];
        assert!(store.keep(b"k", b"value", Terms { stamp, note, flags: 5, ..how(10, 100) }, soon()));
        match store.find(b"k", 109, |hit| hit.stamp == asked, &mut out) {
            Found::Hit => {
                let hit = out.hit;
                assert_eq!((want, out.value.as_slice()), (true, &b"value"[..]));
                assert_eq!((hit.note, hit.flags, hit.stored, hit.expires), (note, 5, 100, 110));
            }
            found => assert_eq!((found, want, out.value.len()), (Found::Stale, false, 0)),
        }
        assert_eq!(store.find(b"k", 110, |_| true, &mut out), Found::Missing, "expired");
        assert_eq!(store.void(b"k", soon()), Ok(()));
        assert_eq!(store.find(b"k", 100, |_| true, &mut out), Found::Missing);
    }
    assert!(!store.keep(b"k", &vec![0; store.limit(1) + 1], how(0, 1), soon()), "too large");
}
