//! The hot path of the host's own store asks for no memory once its buffer has grown.

use shardcache::clock::Deadline;
use shardcache::near::{Copied, Found, Mode, Store, Terms};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

thread_local!(static ASKED: Cell<u64> = const { Cell::new(0) });

struct Counting;

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the caller keeps this function's own contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps this function's own contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn gets_puts_and_counts_allocate_nothing_after_the_first() {
    let store = Store::create(1 << 20).unwrap();
    let deadline = Deadline::after(Duration::from_secs(60));
    let how = Terms { ttl: 60, now: 1, ..Terms::default() };
    let (mut out, mut copied) = (Vec::new(), Copied::default());
    let mut turn = || {
        store.put(Mode::Set, b"ipauth:alice", &[7; 3_000], how, deadline).unwrap();
        store.get(b"ipauth:alice", 1, &mut out, deadline).unwrap().unwrap();
        assert_eq!(store.find(b"ipauth:alice", 1, |_| true, &mut copied), Found::Hit);
        store.delta(b"calls:alice", true, 1, Some(1), how, deadline).unwrap();
        store.touch(b"ipauth:alice", 60, 1, deadline).unwrap();
    };
    turn();
    let before = ASKED.get();
    (0..1_000).for_each(|_| turn());
    assert_eq!(ASKED.get() - before, 0);
    assert!(before > 0, "the counter must count");
}
