//! The floor: bare sockets, a ready-made request, an answer that is only looked at for its end; once with blocking
//! calls and once with the waiting of our client.
#![allow(dead_code, reason = "each benchmark uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const PATIENCE: libc::timespec = libc::timespec { tv_sec: 5, tv_nsec: 0 };
const IDLE: libc::pollfd = libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 };

/// A connected socket and what is asked through it; a unix socket travels as a `TcpStream` too, whose read and write
/// are the same calls.
pub struct Raw {
    stream: TcpStream,
    ask: Vec<u8>,
    end: &'static [u8],
    room: Vec<u8>,
}

impl Raw {
    pub fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&server, Duration::from_secs(1)).expect("memcached answers on TCP");
        stream.set_nodelay(true).expect("nodelay can be set");
        Self::mn(stream)
    }

    pub fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("memcached answers on its unix socket");
        Self::mn(TcpStream::from(OwnedFd::from(stream)))
    }

    fn mn(stream: TcpStream) -> Self {
        Self { stream, ask: b"mn\r\n".to_vec(), end: b"MN\r\n", room: vec![0; 16 * 1024] }
    }

    /// Asks this instead of `mn`.
    pub fn asking(self, ask: Vec<u8>, end: &'static [u8]) -> Self {
        Self { ask, end, ..self }
    }

    /// write + read, both blocking.
    pub fn blocking(&mut self) {
        self.stream.write_all(&self.ask).expect("the request is taken");
        let count = self.stream.read(&mut self.room).expect("an answer comes");
        assert!(self.room[..count].ends_with(self.end));
    }
}

/// send + ppoll + recv, the way our client waits: all are written to first and waited for together.
pub fn polled<const N: usize>(all: &mut [Raw; N]) {
    let mut polls = [IDLE; N];
    for (raw, poll) in all.iter().zip(&mut polls) {
        poll.fd = raw.stream.as_raw_fd();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the socket is open while `raw` lives, and the buffer is as long as said.
        let sent = unsafe { libc::send(poll.fd, raw.ask.as_ptr().cast(), raw.ask.len(), flags) };
        assert_eq!(usize::try_from(sent), Ok(raw.ask.len()));
    }
    let mut got = [0; N];
    while polls.iter().any(|poll| poll.fd >= 0) {
        // SAFETY: `polls` has N entries; no signal mask is given.
        assert!(unsafe { libc::ppoll(polls.as_mut_ptr(), N as libc::nfds_t, &PATIENCE, std::ptr::null()) } > 0);
        for ((raw, poll), got) in all.iter_mut().zip(&mut polls).zip(&mut got).filter(|each| each.0.1.revents != 0) {
            let room = &mut raw.room[*got..];
            // SAFETY: as for `send`.
            let count = unsafe { libc::recv(poll.fd, room.as_mut_ptr().cast(), room.len(), libc::MSG_DONTWAIT) };
            *got += usize::try_from(count).expect("an answer comes");
            if raw.room[..*got].ends_with(raw.end) {
                poll.fd = -1;
            }
        }
    }
}
