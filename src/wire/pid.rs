//! Which process this is, without a system call each time.
//!
//! The number lies on a page that the kernel blanks in a child (`MADV_WIPEONFORK`), so a forked process sees zero and
//! asks again. Without such a page every call asks the kernel.

use once_cell::sync::OnceCell;
use std::sync::atomic::{AtomicI32, Ordering};

const PAGE: usize = 4096;

/// The id of the calling process.
#[must_use]
pub fn pid() -> i32 {
    static SLOT: OnceCell<Option<&'static AtomicI32>> = OnceCell::new();
    let Some(slot) = SLOT.get_or_init(wiped_on_fork) else { return ask() };
    match slot.load(Ordering::Relaxed) {
        0 => {
            let pid = ask();
            slot.store(pid, Ordering::Relaxed);
            pid
        }
        pid => pid,
    }
}

fn ask() -> i32 {
    // SAFETY: getpid has no arguments and cannot fail.
    unsafe { libc::getpid() }
}

fn wiped_on_fork() -> Option<&'static AtomicI32> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing of ours.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, access, private, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: `page` is the mapping made above, PAGE bytes long.
    if unsafe { libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above, and nobody else knows the mapping yet.
        unsafe { libc::munmap(page, PAGE) };
        return None;
    }
    // SAFETY: the mapping is page-aligned, zeroed, writable, never unmapped, and only ever used as this atomic.
    Some(unsafe { &*page.cast::<AtomicI32>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_knows_its_own_id() {
        assert_eq!(pid(), ask());
        // SAFETY: the child only reads an atomic, asks its id and leaves with _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let same = pid() == ask();
            // SAFETY: ends the child at once, without running the parent's exit handlers.
            unsafe { libc::_exit(i32::from(!same)) };
        }
        let mut status = 0;
        // SAFETY: `child` is our own child and `status` a valid place for its end.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child took itself for its parent");
        assert_eq!(pid(), ask());
    }
}
