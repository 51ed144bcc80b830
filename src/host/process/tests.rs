use super::super::api::{self, Api};
use super::*;
use crate::host::ffi::tick_fn;
use std::ffi::c_char;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::{Duration, Instant};

unsafe extern "C" fn counted(count: c_int) -> c_int {
    count - 1
}

unsafe extern "C" fn refused(_: c_int) -> c_int {
    -1
}

unsafe extern "C" fn silent(_: *const c_char, _: c_int) -> c_int {
    -10
}

unsafe extern "C" fn no_fork(_: c_int, _: *mut c_char, _: c_int, _: tick_fn, _: *mut c_void, _: c_int) -> c_int {
    -1
}

/// As the host does it: the child calls `tick` for ever, the parent goes on.
unsafe extern "C" fn fork(_: c_int, _: *mut c_char, _: c_int, tick: tick_fn, arg: *mut c_void, us: c_int) -> c_int {
    // SAFETY: the child only runs the loop, and never comes back.
    unsafe {
        let pid = libc::fork();
        if pid > 0 {
            return pid;
        }
        loop {
            libc::usleep(us.unsigned_abs());
            tick.expect("a function")(0, arg);
        }
    }
}

#[test]
fn what_the_host_refuses_is_refused() {
    api::pretend(Api { register_basic_timers: counted, fork_basic_utimer: no_fork, ..Api::fake() });
    assert_eq!(prepare(), Ok(()));
    assert_eq!(start(c"test", 1000, Box::new(|| ())), Err(Refused));
    api::pretend(Api { register_basic_timers: refused, ..Api::fake() });
    assert_eq!(prepare(), Err(Refused));
}

#[test]
fn the_process_does_its_rounds_and_ends_with_its_parent() {
    api::pretend(Api { fork_basic_utimer: fork, get_debug_level: silent, ..Api::fake() });
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors, which the files own from here on.
    let (mut read, write) = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    };
    let end = write.as_raw_fd();
    // SAFETY: one byte of a constant, to a pipe that outlives the process.
    let round = move || unsafe {
        libc::write(end, b"x".as_ptr().cast(), 1);
    };
    // SAFETY: the child makes the process, waits for its first round and is gone, without coming back here.
    let parent = unsafe {
        match libc::fork() {
            0 => {
                let code = if start(c"test", 1000, Box::new(round)).is_ok() { 0 } else { 1 };
                let mut first = 0u8;
                libc::read(read.as_raw_fd(), (&raw mut first).cast(), 1);
                libc::_exit(code)
            }
            pid => pid,
        }
    };
    drop(write);
    let mut status = 0;
    // SAFETY: our own child.
    assert_eq!(unsafe { libc::waitpid(parent, &raw mut status, 0) }, parent);
    assert_eq!(status, 0, "the process was made");
    assert!(closed_within(&mut read, Duration::from_secs(5)), "the process outlived its parent");
}

/// Reads until the last writer is gone.
fn closed_within(pipe: &mut File, limit: Duration) -> bool {
    let start = Instant::now();
    let mut room = [0; 256];
    while start.elapsed() < limit {
        let mut wait = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, as said.
        let ready = unsafe { libc::poll(&raw mut wait, 1, 100) } > 0;
        if ready && pipe.read(&mut room).is_ok_and(|count| count == 0) {
            return true;
        }
    }
    false
}
