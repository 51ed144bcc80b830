//! A byte stream to one server, plain or inside TLS, that never waits.

use super::error::Kind;
use super::socket::Socket;
use super::tls::Tls;
use rustls::ClientConnection;
use std::io::{Error, ErrorKind, Read, Write};

/// Why nothing more could be done now.
#[derive(Debug)]
pub enum Stop {
    /// The socket is not ready.
    Wait,
    /// The connection is of no more use; the text is empty when the kind says it all.
    Broken(Kind, String),
}

impl Stop {
    /// Broken, in the server's own words.
    pub fn said(kind: Kind, text: &[u8]) -> Self {
        Self::Broken(kind, String::from_utf8_lossy(text).into_owned())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::WouldBlock {
            return Self::Wait;
        }
        Self::Broken(kind(&error), String::new())
    }
}

/// What a failed system call means.
pub fn kind(error: &Error) -> Kind {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED | libc::ENOENT | libc::ENOTSOCK) => Kind::Refused,
        Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED | libc::ENOTCONN) => Kind::Reset,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EADDRNOTAVAIL) => Kind::Local,
        _ => Kind::Unreachable,
    }
}

/// The stream.
pub struct Pipe {
    socket: Socket,
    session: Option<Box<ClientConnection>>,
}

impl Pipe {
    pub fn new(socket: Socket, tls: Option<&Tls>) -> Result<Self, Stop> {
        let session = tls.map(Tls::session).transpose().map_err(|error| broken(&error))?;
        Ok(Self { socket, session: session.map(Box::new) })
    }

    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// True while TLS has something to write that our own bytes do not account for.
    pub fn unsent(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.wants_write())
    }

    /// Lets a connected plain stream wait in `await_bytes`; without it `ppoll` does all the waiting.
    pub fn settle(&mut self) {
        if self.session.is_none() {
            let _ = self.socket.settle();
        }
    }

    /// Receives into `room` like `read`, but may sleep up to the socket's `longest_ns`. For plain streams.
    pub fn await_bytes(&mut self, room: &mut [u8]) -> Result<usize, Stop> {
        match self.socket.await_bytes(room)? {
            0 => Err(Stop::Broken(Kind::Closed, String::new())),
            count => Ok(count),
        }
    }

    pub fn is_tls(&self) -> bool {
        self.session.is_some()
    }

    /// Carries the TLS handshake on; `Ok` once it is done, at once without TLS.
    pub fn shake(&mut self) -> Result<(), Stop> {
        let Some(session) = &mut self.session else { return Ok(()) };
        while session.is_handshaking() {
            let blocked = flush(session, &self.socket).err();
            if session.is_handshaking() && !session.wants_write() {
                pull(session, &self.socket)?;
            } else if let Some(stop) = blocked {
                return Err(stop);
            }
        }
        match flush(session, &self.socket) {
            Err(Stop::Wait) | Ok(()) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Takes some of `bytes`: at least one, or `Stop`. Where the socket broke after it took a part of them, they count as
    /// taken: the next call meets the broken socket.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        let Some(session) = &mut self.session else { return Ok(self.socket.send(bytes)?) };
        flush(session, &self.socket)?;
        let taken = session.writer().write(bytes)?;
        match push(session, &self.socket) {
            (0, Err(Stop::Broken(kind, text))) => Err(Stop::Broken(kind, text)),
            _ if taken == 0 => Err(Stop::Wait),
            _ => Ok(taken),
        }
    }

    /// Pushes out what TLS still holds back.
    pub fn flush(&mut self) -> Result<(), Stop> {
        match &mut self.session {
            Some(session) => flush(session, &self.socket),
            None => Ok(()),
        }
    }

    /// Receives into `room`: at least one byte, or `Stop`.
    pub fn read(&mut self, room: &mut [u8]) -> Result<usize, Stop> {
        let Some(session) = &mut self.session else {
            return match self.socket.recv(room)? {
                0 => Err(Stop::Broken(Kind::Closed, String::new())),
                count => Ok(count),
            };
        };
        loop {
            match session.reader().read(room) {
                Ok(0) => return Err(Stop::Broken(Kind::Closed, String::new())),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => pull(session, &self.socket)?,
                Err(_) => return Err(Stop::Broken(Kind::Closed, String::new())),
            }
        }
    }

    /// True when a connection at rest is no longer good: closed, or the server said something unasked.
    pub fn stale(&mut self) -> bool {
        let mut byte = [0];
        match self.socket.peek(&mut byte) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            // TLS may have its own to say: tickets and key updates carry no bytes for us.
            Ok(1..) if self.is_tls() => !matches!(self.read(&mut byte), Err(Stop::Wait)),
            _ => true,
        }
    }
}

fn flush(session: &mut ClientConnection, socket: &Socket) -> Result<(), Stop> {
    push(session, socket).1
}

/// How many bytes went out, and whether all did.
fn push(session: &mut ClientConnection, mut socket: &Socket) -> (usize, Result<(), Stop>) {
    let mut gone = 0;
    while session.wants_write() {
        match session.write_tls(&mut socket) {
            Ok(count) => gone += count,
            Err(error) => return (gone, Err(error.into())),
        }
    }
    (gone, Ok(()))
}

fn pull(session: &mut ClientConnection, mut socket: &Socket) -> Result<(), Stop> {
    if session.read_tls(&mut socket)? == 0 {
        return Err(Stop::Broken(Kind::Closed, String::new()));
    }
    if let Err(error) = session.process_new_packets() {
        // The server is told why; whether that succeeds makes no difference to us.
        let _ = flush(session, socket);
        return Err(broken(&error));
    }
    Ok(())
}

fn broken(error: &rustls::Error) -> Stop {
    Stop::Broken(Kind::Tls, error.to_string())
}
