//! The way to one server: opened as far as the socket lets it (connect, TLS, log in), and closed at the first doubt.
//!
//! After a fork the child forgets an inherited connection without a word.

use super::address::{Address, Endpoint, Target};
use super::command::Request;
use super::dialog::Dialog;
use super::error::Kind;
use super::pid::pid;
use super::pipe::{Pipe, Stop};
use super::reply::Reply;
use super::socket::{Opening, Socket};
use crate::clock::Deadline;
use std::net::SocketAddr;
use std::os::fd::RawFd;

/// A connection that rested longer is looked at before it is used again.
const REST_NS: u64 = 1_000_000_000;
/// How soon a unix socket with a full queue is tried again.
const RETRY_NS: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// May be connected from this time on, in ns: the server's queue may have been full.
    Closed(u64),
    Connecting,
    Tls,
    Login,
    Ready,
}

/// What a connection waits for.
pub struct Wish {
    /// -1 when there is no socket to watch.
    pub fd: RawFd,
    pub events: libc::c_short,
    /// When to call even though nothing happened.
    pub wake_ns: u64,
}

/// A connection to one server, or the place of one.
pub struct Connection {
    endpoint: Endpoint,
    target: Option<Target>,
    owner: i32,
    pipe: Option<Pipe>,
    stage: Stage,
    /// Under way until the server has let us in.
    login: Option<Box<Dialog>>,
    used_ns: u64,
    made: u64,
}

impl Connection {
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            target: Target::new(&endpoint.address),
            endpoint,
            owner: 0,
            pipe: None,
            stage: Stage::Closed(0),
            login: None,
            used_ns: 0,
            made: 0,
        }
    }

    /// Where it leads.
    pub fn address(&self) -> &Address {
        &self.endpoint.address
    }

    /// It is to lead there now; a connection elsewhere is closed.
    pub fn redirect(&mut self, to: SocketAddr) {
        let address = Address::Tcp(to);
        if self.endpoint.address != address {
            self.close();
            self.target = Target::new(&address);
            self.endpoint.address = address;
        }
    }

    pub fn close(&mut self) {
        (self.pipe, self.login) = (None, None);
        self.stage = Stage::Closed(0);
    }

    /// Closes it so that the kernel need not remember it.
    pub fn give_up(&mut self) {
        if let Some(pipe) = &self.pipe {
            pipe.socket().give_up();
        }
        self.close();
    }

    /// True when requests may be sent. It may still be a parent's.
    pub fn ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// True when requests of this process may be sent.
    pub fn is_open(&self) -> bool {
        self.ready() && self.owner == pid()
    }

    /// How many were begun in this place.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The longest that a receive may sleep, in ns.
    pub fn longest_ns(&self) -> u64 {
        self.pipe.as_ref().map_or(u64::MAX, |pipe| pipe.socket().longest_ns())
    }

    /// Closes an open connection that is no longer good; one system call.
    pub fn recheck(&mut self) {
        self.forget_inherited();
        if self.ready() && self.pipe.as_mut().is_some_and(Pipe::stale) {
            self.close();
        }
    }

    /// Looks after itself before a request, and tells whether it is ready for it.
    pub fn check(&mut self, now_ns: u64) -> bool {
        self.forget_inherited();
        if self.ready() && now_ns.saturating_sub(self.used_ns) > REST_NS {
            self.recheck();
        }
        self.ready()
    }

    /// The stream once it is ready; until then, opens it as far as that goes without waiting.
    pub fn pipe(&mut self, now_ns: u64, deadline: Deadline) -> Result<&mut Pipe, Stop> {
        self.used_ns = now_ns;
        if !self.ready() {
            self.open(now_ns, deadline)?;
        }
        self.pipe.as_mut().ok_or(Stop::Wait)
    }

    /// The stream, if it is ready.
    pub fn ready_pipe(&mut self) -> Option<&mut Pipe> {
        self.pipe.as_mut().filter(|_| self.stage == Stage::Ready)
    }

    /// True when it waits only for its time to connect.
    pub fn due(&self, now_ns: u64) -> bool {
        matches!(self.stage, Stage::Closed(until) if until <= now_ns)
    }

    /// What to wait for; `asking`: part of the request is still to be written.
    pub fn wish(&self, asking: bool) -> Wish {
        let asking = match self.stage {
            Stage::Tls => false,
            Stage::Login => self.login.as_ref().is_some_and(|login| login.unwritten()),
            _ => asking,
        };
        let unsent = asking || self.pipe.as_ref().is_some_and(Pipe::unsent);
        let (events, wake_ns) = match self.stage {
            Stage::Closed(until) => (0, until),
            Stage::Connecting => (libc::POLLOUT, u64::MAX),
            _ if unsent => (libc::POLLIN | libc::POLLOUT, u64::MAX),
            _ => (libc::POLLIN, u64::MAX),
        };
        let fd = self.pipe.as_ref().map_or(-1, |pipe| pipe.socket().fd());
        Wish { fd, events, wake_ns }
    }

    fn forget_inherited(&mut self) {
        if self.pipe.is_some() && self.owner != pid() {
            self.close();
        }
    }

    #[cold]
    fn open(&mut self, now_ns: u64, deadline: Deadline) -> Result<(), Stop> {
        if matches!(self.stage, Stage::Closed(_)) {
            self.connect(now_ns)?;
        }
        let Some(pipe) = &mut self.pipe else { return Err(Stop::Wait) };
        if self.stage == Stage::Connecting {
            pipe.socket().outcome()?;
            self.stage = Stage::Tls;
        }
        if self.stage == Stage::Tls {
            pipe.shake()?;
            pipe.settle();
            self.stage = Stage::Login;
        }
        if let Some(login) = &mut self.login {
            log_in(login, pipe, deadline)?;
        }
        self.login = None;
        self.stage = Stage::Ready;
        Ok(())
    }

    /// Makes a socket; returns `Wait` unless it is connected at once.
    fn connect(&mut self, now_ns: u64) -> Result<(), Stop> {
        let Some(target) = &self.target else {
            let unresolved = self.endpoint.address == Address::Unresolved;
            let kind = if unresolved { Kind::Unresolved } else { Kind::Unreachable };
            return Err(Stop::Broken(kind, String::new()));
        };
        let (socket, opening) = match Socket::connect(target) {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                self.stage = Stage::Closed(now_ns + RETRY_NS);
                return Err(Stop::Wait);
            }
            result => result?,
        };
        self.made += 1;
        self.pipe = Some(Pipe::new(socket, self.endpoint.tls.as_ref())?);
        self.owner = pid();
        self.login = self.endpoint.auth.as_ref().map(|(user, pass)| Box::new(Dialog::of(Request::login(user, pass))));
        self.stage = if opening == Opening::Done { Stage::Tls } else { Stage::Connecting };
        if opening == Opening::Done { Ok(()) } else { Err(Stop::Wait) }
    }
}

/// Tells the server who we are; `Ok` once it has let us in.
fn log_in(login: &mut Dialog, pipe: &mut Pipe, deadline: Deadline) -> Result<(), Stop> {
    match login.go_on(pipe, true, deadline, &mut |_| true) {
        Err(Stop::Broken(Kind::Rejected, text)) => return Err(Stop::Broken(Kind::Auth, text)),
        result => result?,
    }
    match login.reply(0) {
        Reply::Nothing => Err(Stop::Wait),
        Reply::Line(b"STORED") => Ok(()),
        Reply::Line(text) | Reply::ServerError(text) => Err(Stop::said(Kind::Protocol, text)),
        _ => Err(Stop::Broken(Kind::Protocol, String::new())),
    }
}
