//! After the first few requests a link asks the heap for nothing, and gives back what a large value took.

#[path = "wire_support/memcached.rs"]
mod memcached;

use memcached::Memcached;
use shardcache::clock::Deadline;
use shardcache::wire::{Address, Endpoint, Flags, KeyRef, Link, Reply, exchange};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn note(calls: usize, bytes: isize) {
    CALLS.set(CALLS.get() + calls);
    HELD.set(HELD.get() + bytes);
}

// SAFETY: every request is passed on unchanged to the system's allocator; counting touches no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(0, -layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KEY: KeyRef<'static> = KeyRef { bytes: b"t:k", base64: false };
const NUMBER: KeyRef<'static> = KeyRef { bytes: b"t:n", base64: false };

fn go(links: &mut [Link], used: &[usize]) {
    exchange(links, used, Deadline::after(Duration::from_secs(5)));
    for &at in used {
        assert_eq!(links[at].status(), Ok(()));
    }
}

fn round(links: &mut [Link], names: &[Vec<u8>], value: &[u8]) {
    let all = [0, 1];
    for link in &mut *links {
        link.begin();
        link.ms(KEY, &[value], &Flags::new("c").with('T', 60).with('F', 65536));
        link.mg(KEY, "v f c t");
        link.ma(NUMBER, "v N0 J1");
        names.iter().for_each(|name| link.ms(KeyRef { bytes: name, base64: false }, &[name], ""));
        link.get(b"", names.iter().map(Vec::as_slice));
        link.md(KEY, "");
        link.mn();
    }
    go(links, &all);
    for link in &*links {
        assert!(matches!(link.reply(1), Reply::Value { data, .. } if data == value));
        let Reply::Values(values) = link.reply(3 + names.len()) else { panic!() };
        assert_eq!(values.count(), names.len());
        assert_eq!(link.reply(5 + names.len()), Reply::Noop);
    }
}

#[test]
fn a_warm_link_asks_the_heap_for_nothing() {
    let (tcp, unix) = (Memcached::tcp(&[]), Memcached::unix(&[]));
    let addresses = [Address::Tcp(tcp.at), Address::Unix(unix.socket.clone())];
    let mut links: Vec<Link> =
        addresses.into_iter().map(|address| Link::new(Endpoint { address, ..Endpoint::default() })).collect();
    let names: Vec<Vec<u8>> = (0..100).map(|n| format!("t:{n:0>40}").into_bytes()).collect();
    let value = vec![b'v'; 3000];
    for _ in 0..5 {
        round(&mut links, &names, &value);
    }
    let before = CALLS.get();
    for _ in 0..200 {
        round(&mut links, &names, &value);
    }
    assert_eq!(CALLS.get() - before, 0, "heap requests in 200 rounds");

    for link in &mut links {
        link.close();
    }
    round(&mut links, &names, &value);
    assert_eq!(CALLS.get() - before, 0, "heap requests to connect again");

    let held = HELD.get();
    let large = vec![b'x'; 1_000_000];
    for _ in 0..3 {
        round(&mut links, &names, &large);
    }
    drop(large);
    assert!(HELD.get() - held > 2_000_000, "a large value takes room while it can be read");
    links.iter_mut().for_each(Link::release);
    assert!(HELD.get() - held < 2 * 2 * 64 * 1024, "{} bytes are kept", HELD.get() - held);
}
