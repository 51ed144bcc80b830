//! The protocol of `sequence` in every order that the memory model allows, by the code that is shipped.

use super::sequence::{Sequence, Torn, Word};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, fence};
use loom::thread;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

impl Word for AtomicU64 {
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    fn store(&self, number: u64, order: Ordering) {
        self.store(number, order);
    }

    fn fence(order: Ordering) {
        fence(order);
    }

    fn pause(_: u32) {
        thread::yield_now();
    }
}

/// Two groups, a place that holds an entry of one of them, and words that tell whether the group has it.
struct Memory {
    groups: [Sequence<AtomicU64>; 2],
    linked: [AtomicU64; 2],
    place: [AtomicU64; 2],
    lock: AtomicU64,
}

impl Memory {
    /// The first group has an entry: twice 1.
    fn new() -> Arc<Self> {
        let words = |words: [u64; 2]| words.map(AtomicU64::new);
        let groups = words([0, 0]).map(Sequence::new);
        Arc::new(Self { groups, linked: words([1, 0]), place: words([1, 1]), lock: AtomicU64::new(0) })
    }

    fn write(&self, number: u64) {
        self.place.iter().for_each(|word| word.store(number, Relaxed));
    }

    /// Gives the first group's entry another value, in its place.
    fn rewrite(&self, number: u64) {
        self.groups[0].open();
        self.write(number);
        self.groups[0].close();
    }

    fn link(&self, group: usize, linked: u64) {
        self.groups[group].open();
        self.linked[group].store(linked, Relaxed);
        self.groups[group].close();
    }

    /// The entry of that group, as a reader takes it.
    fn read(&self, group: usize, tries: u32) -> Result<Option<[u64; 2]>, Torn> {
        self.groups[group].read(tries, |_| {
            let there = self.linked[group].load(Relaxed) == 1;
            Ok(there.then(|| [self.place[0].load(Relaxed), self.place[1].load(Relaxed)]))
        })
    }

    fn unlock(&self) {
        self.lock.store(1, Release);
    }

    /// True once the other writer let go.
    fn locked(&self) -> bool {
        self.lock.load(Acquire) == 1
    }
}

#[test]
fn a_reader_sees_a_rewritten_entry_whole_or_not_at_all() {
    loom::model(|| {
        let memory = Memory::new();
        let writer = thread::spawn({
            let memory = memory.clone();
            move || [2, 3].map(|number| memory.rewrite(number))
        });
        if let Ok(found) = memory.read(0, 2) {
            assert!([1, 2, 3].map(|number| Some([number; 2])).contains(&found), "{found:?}");
        }
        writer.join().unwrap();
        assert_eq!(memory.read(0, 1), Ok(Some([3, 3])), "at rest nobody fails");
    });
}

#[test]
fn a_place_that_another_writer_gives_to_another_group_is_read_as_the_entry_of_one_of_them() {
    for (group, whole) in [(0, [1, 1]), (1, [2, 2])] {
        loom::model(move || {
            let memory = Memory::new();
            let first = thread::spawn({
                let memory = memory.clone();
                move || {
                    memory.link(0, 0);
                    memory.unlock();
                }
            });
            let second = thread::spawn({
                let memory = memory.clone();
                move || {
                    if memory.locked() {
                        Sequence::<AtomicU64>::before_reuse();
                        memory.write(2);
                        memory.link(1, 1);
                    }
                }
            });
            if let Ok(found) = memory.read(group, 1) {
                assert!([None, Some(whole)].contains(&found), "{group}: {found:?}");
            }
            first.join().unwrap();
            second.join().unwrap();
        });
    }
}

#[test]
fn what_a_writer_killed_in_a_change_left_is_not_read_before_it_is_mended() {
    loom::model(|| {
        let memory = Memory::new();
        let killed = thread::spawn({
            let memory = memory.clone();
            move || {
                memory.groups[0].open();
                memory.place[0].store(2, Relaxed);
                memory.unlock();
            }
        });
        let mender = thread::spawn({
            let memory = memory.clone();
            move || {
                if memory.locked() {
                    memory.rewrite(3);
                }
            }
        });
        if let Ok(found) = memory.read(0, 2) {
            assert!([Some([1, 1]), Some([3, 3])].contains(&found), "{found:?}");
        }
        killed.join().unwrap();
        mender.join().unwrap();
    });
}
