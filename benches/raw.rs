//! The floor: one `mn` over a bare socket, once with blocking calls and once with the waiting of our client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const ASK: &[u8] = b"mn\r\n";
const ANSWER: &[u8] = b"MN\r\n";
const PATIENCE: libc::timespec = libc::timespec { tv_sec: 1, tv_nsec: 0 };

/// A connected socket; a unix socket travels as a `TcpStream` too, whose read and write are the same calls.
pub struct Raw(TcpStream);

impl Raw {
    pub fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&server, Duration::from_secs(1)).expect("memcached answers on TCP");
        stream.set_nodelay(true).expect("nodelay can be set");
        Self(stream)
    }

    pub fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("memcached answers on its unix socket");
        Self(TcpStream::from(OwnedFd::from(stream)))
    }

    /// write + read, both blocking.
    pub fn blocking(&mut self) {
        self.0.write_all(ASK).expect("the request is taken");
        let mut room = [0; 64];
        let count = self.0.read(&mut room).expect("an answer comes");
        assert_eq!(&room[..count], ANSWER);
    }

    /// send + ppoll + recv, the way our client waits.
    pub fn polled(&mut self) {
        let fd = self.0.as_raw_fd();
        let mut room = [0; 64];
        let count = exchange(fd, ASK, &mut room);
        assert_eq!(&room[..count], ANSWER);
    }
}

fn exchange(fd: RawFd, ask: &[u8], room: &mut [u8]) -> usize {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: `fd` is open for as long as its `Raw` lives, and the buffers are as long as said.
    unsafe {
        let sent = libc::send(fd, ask.as_ptr().cast(), ask.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        assert_eq!(usize::try_from(sent), Ok(ask.len()));
        assert_eq!(libc::ppoll(&raw mut poll, 1, &PATIENCE, std::ptr::null()), 1);
        let count = libc::recv(fd, room.as_mut_ptr().cast(), room.len(), libc::MSG_DONTWAIT);
        usize::try_from(count).expect("an answer comes")
    }
}
