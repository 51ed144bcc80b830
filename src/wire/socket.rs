//! One non-blocking stream socket and the few system calls it needs.

use super::address::Target;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A socket that never blocks, is not inherited by programs we start, and never raises SIGPIPE.
pub struct Socket(OwnedFd);

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
        let socket = Self(unsafe { OwnedFd::from_raw_fd(fd as RawFd) });
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
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the option's value is one int that outlives the call.
        let done =
            unsafe { libc::setsockopt(self.fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), size) };
        count(done as isize).map(drop)
    }

    /// The descriptor, for `ppoll`.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
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
        again(|| unsafe { libc::send(self.fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) })
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
