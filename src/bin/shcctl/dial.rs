//! One connection to one server: made, authenticated and used within a single deadline.
//!
//! The crate `memcache` speaks TCP without a deadline for connecting, so the socket is made here, spoken to in plain
//! text (auth, version, stats) and then handed over to the crate's meta connection.

use crate::tunnel;
use memcache::exp::{Error, MetaCommand, MetaConnection, MetaResponse};
use shardcache::clock::{Deadline, monotonic_ns};
use shardcache::config::{Addr, ServerSpec};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A fresh connection that still speaks plain text.
pub struct Text {
    stream: TcpStream,
    until: Deadline,
    pending: Vec<u8>,
}

/// A connection that the crate serves.
pub struct Meta {
    connection: MetaConnection,
    until: Deadline,
}

impl Text {
    /// Connects and, where the server has a password, authenticates.
    pub fn dial(server: &ServerSpec, budget: Duration) -> Result<Self, String> {
        let until = Deadline::after(budget);
        let stream = connect(server, until)
            .map_err(|error| format!("expected a connection within {} ms: {}", budget.as_millis(), said(&error)))?;
        let mut text = Self { stream, until, pending: Vec::new() };
        if let Some(auth) = &server.auth {
            text.authenticate(&auth.user, &auth.pass)?;
        }
        Ok(text)
    }

    /// The server's version.
    pub fn version(&mut self) -> Result<String, String> {
        let line = self.ask(b"version\r\n", "VERSION")?;
        match line.strip_prefix("VERSION ") {
            Some(version) => Ok(version.to_owned()),
            None => Err(format!("expected VERSION, got '{line}'")),
        }
    }

    /// The numbers of `names` from the server's general statistics; 0 where it has none.
    pub fn stats<const N: usize>(&mut self, names: [&str; N]) -> Result<[u64; N], String> {
        let mut found = [0; N];
        let mut line = self.ask(b"stats\r\n", "STAT")?;
        while line != "END" {
            let Some((name, value)) = line.strip_prefix("STAT ").and_then(|stat| stat.split_once(' ')) else {
                return Err(format!("expected STAT, got '{line}'"));
            };
            if let Some(at) = names.iter().position(|wanted| *wanted == name) {
                found[at] = value.parse().unwrap_or(0);
            }
            line = self.line("STAT")?;
        }
        Ok(found)
    }

    /// Hands the connection over to the crate.
    pub fn meta(self) -> Meta {
        Meta { connection: MetaConnection::from_stream(self.stream), until: self.until }
    }

    fn authenticate(&mut self, user: &str, pass: &str) -> Result<(), String> {
        let request = format!("set auth 0 0 {}\r\n{user} {pass}\r\n", user.len() + pass.len() + 1);
        match self.ask(request.as_bytes(), "STORED")?.as_str() {
            "STORED" => Ok(()),
            line => Err(format!("expected STORED for user '{user}', got '{line}'")),
        }
    }

    fn ask(&mut self, request: &[u8], expected: &str) -> Result<String, String> {
        let left = left(self.until);
        let sent = self.stream.set_write_timeout(Some(left)).and_then(|()| self.stream.write_all(request));
        sent.map_err(|error| format!("expected {expected}: {}", said(&error)))?;
        self.line(expected)
    }

    fn line(&mut self, expected: &str) -> Result<String, String> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.pending[..end]).into_owned();
                self.pending.drain(..end + 2);
                return Ok(line);
            }
            if self.pending.len() > 4096 {
                return Err(format!("expected {expected}, got a line without an end"));
            }
            self.fill().map_err(|error| format!("expected {expected}: {}", said(&error)))?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.until.passed(monotonic_ns()) {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left(self.until)))?;
        let mut room = [0; 4096];
        let count = self.stream.read(&mut room)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.pending.extend_from_slice(&room[..count]);
        Ok(())
    }
}

impl Meta {
    /// One command and its answer.
    pub fn ask(&mut self, command: &MetaCommand) -> Result<MetaResponse, String> {
        self.connection.set_io_timeout(Some(left(self.until)));
        self.connection.execute(command).map_err(|error| {
            let doubt = if command.has_side_effect() { "; the change may have been made all the same" } else { "" };
            format!("expected an answer of the meta protocol: {}{doubt}", reason(&error))
        })
    }
}

/// Looking up a name, connecting to a full unix socket and TLS know no time limit in all, so they run aside and are
/// waited for.
fn connect(server: &ServerSpec, until: Deadline) -> io::Result<TcpStream> {
    let (sender, receiver) = mpsc::channel();
    let server = server.clone();
    thread::spawn(move || drop(sender.send(open(&server, until))));
    receiver.recv_timeout(left(until)).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

fn open(server: &ServerSpec, until: Deadline) -> io::Result<TcpStream> {
    let stream = match &server.addr {
        Addr::Tcp { host, port } => tcp(host, *port, until),
        Addr::Unix(path) => unix(path),
    }?;
    match &server.tls {
        Some(tls) => tunnel::through(stream, server, tls),
        None => Ok(stream),
    }
}

fn tcp(host: &str, port: u16, until: Deadline) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(until)) {
            Ok(stream) => return stream.set_nodelay(true).map(|()| stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn unix(path: &Path) -> io::Result<TcpStream> {
    UnixStream::connect(path).map(|stream| TcpStream::from(OwnedFd::from(stream)))
}

/// What is left, and never zero, which a socket would take for "no limit".
fn left(until: Deadline) -> Duration {
    until.left(monotonic_ns()).max(Duration::from_millis(1))
}

fn reason(error: &Error) -> String {
    match error {
        Error::Io(error) => said(error),
        Error::Ambiguous { source, .. } => reason(source),
        Error::Timeout { .. } => "no answer in time".into(),
        other => other.to_string(),
    }
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "no answer in time".into(),
        ErrorKind::UnexpectedEof => "the server closed the connection".into(),
        _ => error.to_string(),
    }
}
