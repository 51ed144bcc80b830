//! One non-blocking stream socket and the few system calls it needs.

use super::address::Target;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A socket that is not inherited by programs we start, never raises SIGPIPE, and never blocks but in `await_bytes`.
pub struct Socket {
    fd: OwnedFd,
    longest_ns: u64,
}

/// How far a connection got at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Done,
    Pending,
}

impl Socket {
    /// Begins to connect.
    ///
    /// # Errors
    /// The system's own; `EAGAIN` means that a unix socket's queue is full and nothing will tell when it is not.
    pub fn connect(target: &Target) -> Result<(Self, Opening)> {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: socket takes plain numbers.
        let fd = count(unsafe { libc::socket(target.family, kind, 0) } as isize)?;
        // SAFETY: `fd` was just made and belongs to nobody else.
        let socket = Self { fd: unsafe { OwnedFd::from_raw_fd(fd as RawFd) }, longest_ns: u64::MAX };
        if target.family != libc::AF_UNIX {
            socket.nodelay()?;
        }
        // SAFETY: `storage` holds an address of `len` bytes and outlives the call.
        let done = unsafe { libc::connect(socket.fd(), (&raw const target.storage).cast(), target.len) };
        match count(done as isize) {
            Ok(_) => Ok((socket, Opening::Done)),
            // An interrupted connect goes on in the background like a pending one.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
                Ok((socket, Opening::Pending))
            }
            Err(error) => Err(error),
        }
    }

    fn nodelay(&self) -> Result<()> {
        let on: libc::c_int = 1;
        self.option(libc::IPPROTO_TCP, libc::TCP_NODELAY, &on)
    }

    fn option<T>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> Result<()> {
        let size = size_of::<T>() as libc::socklen_t;
        // SAFETY: the kernel reads at most `size` bytes of `value`, which outlives the call.
        let done = unsafe { libc::setsockopt(self.fd(), level, name, (&raw const *value).cast(), size) };
        count(done as isize).map(drop)
    }

    /// Lets the close that follows throw away what the kernel has not sent yet: a request that was given up must not
    /// arrive later.
    pub fn give_up(&self) {
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = self.option(libc::SOL_SOCKET, libc::SO_LINGER, &at_once);
    }

    /// Makes `await_bytes` possible on a connected socket: a receive that may sleep, but wakes at the second tick of the
    /// kernel's timer at the latest. All other calls ask not to wait each time.
    pub fn settle(&mut self) -> Result<()> {
        let least = libc::timeval { tv_sec: 0, tv_usec: 1 };
        self.option(libc::SOL_SOCKET, libc::SO_RCVTIMEO, &least)?;
        // SAFETY: fcntl takes plain numbers here, and the descriptor is ours.
        count(unsafe { libc::fcntl(self.fd(), libc::F_SETFL, 0) } as isize)?;
        self.longest_ns = 2 * tick_ns();
        Ok(())
    }

    /// The longest that `await_bytes` may take, in ns; `u64::MAX` before `settle`.
    pub fn longest_ns(&self) -> u64 {
        self.longest_ns
    }

    /// Receives what is there or comes within `longest_ns`. A signal ends the wait like the time does.
    pub fn await_bytes(&self, room: &mut [u8]) -> Result<usize> {
        // SAFETY: `room` is writable for its whole length during the call.
        match count(unsafe { libc::recv(self.fd(), room.as_mut_ptr().cast(), room.len(), 0) }) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(ErrorKind::WouldBlock.into()),
            result => result,
        }
    }

    /// The descriptor, for `ppoll`.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// What became of a pending connect, once the socket is writable.
    pub fn outcome(&self) -> Result<()> {
        let mut code: libc::c_int = 0;
        let mut size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: `code` and `size` are valid for the one int that SO_ERROR gives.
        let done = unsafe {
            libc::getsockopt(self.fd(), libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut code).cast(), &raw mut size)
        };
        count(done as isize)?;
        if code == 0 { Ok(()) } else { Err(Error::from_raw_os_error(code)) }
    }

    /// Sends what the kernel takes now.
    pub fn send(&self, bytes: &[u8]) -> Result<usize> {
        // SAFETY: `bytes` is readable for its whole length during the call.
        again(|| unsafe {
            libc::send(self.fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
        })
    }

    /// Receives what is there now; 0 is the end of the stream.
    pub fn recv(&self, room: &mut [u8]) -> Result<usize> {
        self.receive(room, 0)
    }

    /// Looks at what is there without taking it.
    pub fn peek(&self, room: &mut [u8]) -> Result<usize> {
        self.receive(room, libc::MSG_PEEK)
    }

    fn receive(&self, room: &mut [u8], flags: libc::c_int) -> Result<usize> {
        let flags = flags | libc::MSG_DONTWAIT;
        // SAFETY: `room` is writable for its whole length during the call.
        again(|| unsafe { libc::recv(self.fd(), room.as_mut_ptr().cast(), room.len(), flags) })
    }
}

impl std::io::Read for &Socket {
    fn read(&mut self, room: &mut [u8]) -> Result<usize> {
        self.recv(room)
    }
}

impl std::io::Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.send(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn again(mut call: impl FnMut() -> isize) -> Result<usize> {
    loop {
        match count(call()) {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            result => return result,
        }
    }
}

fn count(result: isize) -> Result<usize> {
    usize::try_from(result).map_err(|_| Error::last_os_error())
}

/// Length of one tick of the kernel's timer in nanoseconds (4 ms at 250 Hz).
fn tick_ns() -> u64 {
    let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `tick` is a valid timespec; the coarse clock advances once per tick and says so.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
    u64::try_from(tick.tv_nsec).ok().filter(|tick| *tick > 0).unwrap_or(10_000_000)
}
