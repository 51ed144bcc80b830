//! A piece of memory that all processes forked later share.

use std::io;
use std::ptr::NonNull;

/// Zeroed, page-aligned memory shared with every later child; unmapped on drop, in this process only.
#[derive(Debug)]
pub struct Region {
    at: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a region is plain memory at a fixed address; whoever puts data there answers for its synchronisation.
unsafe impl Send for Region {}
// SAFETY: as above; `&Region` gives out an address only.
unsafe impl Sync for Region {}

impl Region {
    /// Maps `bytes` (at least one page is given).
    ///
    /// # Errors
    /// What the kernel says when it has no room.
    pub fn anonymous(bytes: usize) -> io::Result<Self> {
        let bytes = bytes.max(1);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of ours.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(at.cast()).map(|at| Self { at, bytes }).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
    }

    /// Where it starts: a page boundary.
    #[must_use]
    pub fn start(&self) -> NonNull<u8> {
        self.at
    }

    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: exactly this mapping was made by `anonymous`, and who borrows from it is gone by now.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.bytes) };
    }
}
