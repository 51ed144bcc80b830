//! One worker's connection to one server: opened when first needed, kept while it is in step, closed at the first doubt.
//!
//! A link goes through its stages (connect, TLS, log in, talk) only as far as the socket lets it; `exchange` calls again
//! when there is more to do. After a fork the child forgets an inherited connection without a word.

use super::address::{Address, Endpoint, Target};
use super::command::Request;
use super::error::{Kind, WireError};
use super::inbox::{Inbox, KEEP_REPLIES, LEAST};
use super::parse::{Expect, Frame, Malformed, Progress, Shape, parse};
use super::pid::pid;
use super::pipe::{Pipe, Stop};
use super::reply::Reply;
use super::socket::{Opening, Socket};
use crate::clock::{self, Deadline};
use std::net::SocketAddr;
use std::os::fd::RawFd;

/// A connection that rested longer is looked at before it is used again.
const REST_NS: u64 = 1_000_000_000;
/// How soon a unix socket with a full queue is tried again.
const RETRY_NS: u64 = 1_000_000;
/// What is left for `ppoll` after a wait inside `recv`.
const SPARE_NS: u64 = 1_000_000;
/// The one client error after which the server is still in step with us.
const NOT_A_NUMBER: &[u8] = b"cannot increment or decrement non-numeric value";

/// Takes one line of a stream; false ends it.
pub type Each<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    /// The server's queue is full; try again then.
    Full(u64),
    Connecting,
    Tls,
    Login,
    Ready,
}

/// What a link waits for.
pub struct Wish {
    /// -1 when there is no socket to watch.
    pub fd: RawFd,
    pub events: libc::c_short,
    /// When to call even though nothing happened.
    pub wake_ns: u64,
}

/// A connection to one server, with the request being made and the replies to it.
pub struct Link {
    endpoint: Endpoint,
    target: Option<Target>,
    login: Vec<u8>,
    owner: i32,
    pipe: Option<Pipe>,
    stage: Stage,
    used_ns: u64,
    connections: u64,
    request: Request,
    /// How much of the login or request is written.
    written: usize,
    begun: bool,
    reused: bool,
    stopped: bool,
    inbox: Inbox,
    progress: Progress,
    frames: Vec<(usize, Frame)>,
    error: Option<WireError>,
    detail: String,
}

impl Link {
    /// A link that is not yet connected.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        let login = endpoint.auth.as_ref().map_or_else(Vec::new, |(user, pass)| {
            let secret = format!("{user} {pass}");
            format!("set auth 0 0 {}\r\n{secret}\r\n", secret.len()).into_bytes()
        });
        Self {
            target: Target::new(&endpoint.address),
            endpoint,
            login,
            owner: 0,
            pipe: None,
            stage: Stage::Closed,
            used_ns: 0,
            connections: 0,
            request: Request::default(),
            written: 0,
            begun: false,
            reused: false,
            stopped: false,
            inbox: Inbox::default(),
            progress: Progress::default(),
            frames: Vec::new(),
            error: None,
            detail: String::new(),
        }
    }

    /// Where the link leads.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.endpoint.address
    }

    /// The server's name now stands for this address; a connection elsewhere is closed.
    pub fn redirect(&mut self, to: SocketAddr) {
        let address = Address::Tcp(to);
        if self.endpoint.address != address {
            self.close();
            self.target = Target::new(&address);
            self.endpoint.address = address;
        }
    }

    /// Drops the connection; the next exchange makes a new one.
    pub fn close(&mut self) {
        self.pipe = None;
        self.stage = Stage::Closed;
    }

    /// True when this process has a connection ready for the next request.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Ready && self.owner == pid()
    }

    /// How many connections were begun: another number, another connection.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Looks whether the server has closed an open connection meanwhile, and drops it then. Worth its one system call
    /// before a command whose outcome must not be left in doubt.
    pub fn recheck(&mut self) {
        self.forget_inherited();
        if self.stage == Stage::Ready && self.pipe.as_mut().is_some_and(Pipe::stale) {
            self.close();
        }
    }

    /// Starts a new request: forgets the last one and its replies.
    pub fn begin(&mut self) {
        self.request.clear();
        self.reset();
    }

    /// Gives large buffers back now, with the replies in them.
    pub fn release(&mut self) {
        self.begin();
    }

    /// How the last exchange ended for this link.
    ///
    /// # Errors
    /// The [`WireError`] that ended it; replies that came before it stay readable.
    pub fn status(&self) -> Result<(), WireError> {
        self.error.map_or(Ok(()), Err)
    }

    /// More about the last failure for the operator's log; often empty.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The reply to command `index` of the request.
    #[must_use]
    pub fn reply(&self, index: usize) -> Reply<'_> {
        let Some((at, frame)) = self.frames.get(index) else { return Reply::Nothing };
        Reply::of(frame, self.inbox.all().get(*at..).unwrap_or_default())
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn request_mut(&mut self) -> &mut Request {
        &mut self.request
    }

    /// Begins to send the request, as far as that goes without waiting.
    pub(super) fn start(&mut self, now_ns: u64, deadline: Deadline, each: Each<'_>) {
        self.reset();
        if self.request.expects.is_empty() {
            return;
        }
        if self.request.unfit {
            self.error = Some(WireError { kind: Kind::Rejected, sent: false, reused: false });
            return;
        }
        self.forget_inherited();
        if self.stage == Stage::Ready && now_ns.saturating_sub(self.used_ns) > REST_NS {
            self.recheck();
        }
        self.reused = self.stage == Stage::Ready;
        if !self.reused {
            self.stage = Stage::Full(now_ns);
        }
        self.drive(now_ns, false, deadline, each);
    }

    /// Carries on after the socket became ready.
    pub(super) fn drive(&mut self, now_ns: u64, readable: bool, deadline: Deadline, each: Each<'_>) {
        match self.step(now_ns, readable, deadline, each) {
            Err(Stop::Broken(kind, detail)) => self.fail(kind, detail),
            Err(Stop::Wait) | Ok(()) => self.used_ns = now_ns,
        }
    }

    /// True when nothing of the request is left to be written, or it has failed already.
    pub(super) fn asked(&self) -> bool {
        self.over() || (self.stage == Stage::Ready && self.written >= self.request.bytes.len())
    }

    /// Waits for the answer inside `recv`, which saves the call of `ppoll`, as long as the deadline is certain to be
    /// farther away than that wait can last. For a link that has [`asked`](Self::asked); true when it is over.
    pub(super) fn linger(&mut self, now_ns: u64, deadline: Deadline, each: Each<'_>) -> bool {
        let longest_ns = self.pipe.as_ref().map_or(u64::MAX, |pipe| pipe.socket().longest_ns());
        let too_long = || deadline.passed(now_ns.saturating_add(longest_ns.saturating_add(SPARE_NS)));
        if !self.over()
            && !too_long()
            && let Err(Stop::Broken(kind, detail)) = self.hear(true, deadline, each)
        {
            self.fail(kind, detail);
        }
        self.over()
    }

    /// Tries again to connect where a full queue kept it waiting.
    pub(super) fn retry(&mut self, deadline: Deadline, each: Each<'_>) {
        let now_ns = clock::monotonic_ns();
        if matches!(self.stage, Stage::Full(until) if until <= now_ns) && !self.over() {
            self.drive(now_ns, false, deadline, each);
        }
    }

    /// What to wait for; `None` when the exchange is over for this link.
    pub(super) fn wish(&self) -> Option<Wish> {
        if self.over() {
            return None;
        }
        let fd = self.pipe.as_ref().map_or(-1, |pipe| pipe.socket().fd());
        let unsent = self.pipe.as_ref().is_some_and(Pipe::unsent) || self.written < self.outgoing().len();
        let (events, wake_ns) = match self.stage {
            Stage::Closed => (0, 0),
            Stage::Full(until) => (0, until),
            Stage::Connecting => (libc::POLLOUT, u64::MAX),
            Stage::Tls if !self.pipe.as_ref().is_some_and(Pipe::unsent) => (libc::POLLIN, u64::MAX),
            _ if unsent => (libc::POLLIN | libc::POLLOUT, u64::MAX),
            _ => (libc::POLLIN, u64::MAX),
        };
        Some(Wish { fd, events, wake_ns })
    }

    /// The deadline has passed: an answer that still comes belongs to nobody.
    pub(super) fn expire(&mut self, kind: Kind) {
        if !self.over() {
            self.fail(kind, String::new());
        }
    }

    fn reset(&mut self) {
        self.inbox.clear();
        self.progress = Progress::default();
        self.frames.clear();
        self.frames.shrink_to(KEEP_REPLIES);
        self.error = None;
        self.detail.clear();
        self.written = 0;
        self.begun = false;
        self.stopped = false;
    }

    fn over(&self) -> bool {
        let all = self.frames.len() == self.request.expects.len();
        self.error.is_some() || self.stopped || (all && self.written >= self.request.bytes.len())
    }

    fn outgoing(&self) -> &[u8] {
        if self.stage == Stage::Login { &self.login } else { &self.request.bytes }
    }

    fn forget_inherited(&mut self) {
        if self.pipe.is_some() && self.owner != pid() {
            self.close();
        }
    }

    fn fail(&mut self, kind: Kind, detail: String) {
        let died = matches!(kind, Kind::Reset | Kind::Closed);
        let reused = self.reused && died && self.inbox.is_empty();
        self.error = Some(WireError { kind, sent: self.begun, reused });
        self.detail = detail;
        if let Some(pipe) = &self.pipe {
            pipe.socket().give_up();
        }
        self.close();
    }

    fn step(&mut self, now_ns: u64, readable: bool, deadline: Deadline, each: Each<'_>) -> Result<(), Stop> {
        match self.stage {
            Stage::Ready => return self.talk(readable, deadline, each),
            Stage::Full(_) => self.connect(now_ns)?,
            _ => {}
        }
        let Some(pipe) = &mut self.pipe else { return Err(Stop::Wait) };
        if self.stage == Stage::Connecting {
            pipe.socket().outcome()?;
            self.stage = Stage::Tls;
        }
        if self.stage == Stage::Tls {
            pipe.shake()?;
            pipe.settle();
            self.stage = if self.login.is_empty() { Stage::Ready } else { Stage::Login };
        }
        if self.stage == Stage::Login {
            self.log_in()?;
        }
        self.talk(false, deadline, each)
    }

    /// Opens a socket; returns `Wait` unless it is connected at once.
    fn connect(&mut self, now_ns: u64) -> Result<(), Stop> {
        let Some(target) = &self.target else {
            let unresolved = self.endpoint.address == Address::Unresolved;
            let kind = if unresolved { Kind::Unresolved } else { Kind::Unreachable };
            return Err(Stop::Broken(kind, String::new()));
        };
        let (socket, opening) = match Socket::connect(target) {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                self.stage = Stage::Full(now_ns + RETRY_NS);
                return Err(Stop::Wait);
            }
            result => result?,
        };
        self.connections += 1;
        self.pipe = Some(Pipe::new(socket, self.endpoint.tls.as_ref())?);
        self.owner = pid();
        self.stage = if opening == Opening::Done { Stage::Tls } else { Stage::Connecting };
        if opening == Opening::Done { Ok(()) } else { Err(Stop::Wait) }
    }

    fn log_in(&mut self) -> Result<(), Stop> {
        let Some(pipe) = &mut self.pipe else { return Err(Stop::Wait) };
        while self.written < self.login.len() {
            self.written += pipe.write(&self.login[self.written..])?;
        }
        pipe.flush()?;
        loop {
            let room = self.inbox.space(LEAST).ok_or(Malformed)?;
            let count = pipe.read(room)?;
            self.inbox.fill(count);
            let Some(frame) = parse(Expect::Line, self.inbox.rest(), &mut self.progress)? else { continue };
            let text = &self.inbox.all()[frame.body.0..frame.body.1];
            if text == b"STORED" && frame.len == self.inbox.all().len() {
                self.inbox.clear();
                self.progress = Progress::default();
                self.written = 0;
                self.stage = Stage::Ready;
                return Ok(());
            }
            let kind = match out_of_step(&frame, text) {
                Some(Kind::Rejected) => Kind::Auth,
                other => other.unwrap_or(Kind::Protocol),
            };
            return Err(Stop::Broken(kind, lossy(text)));
        }
    }

    fn talk(&mut self, readable: bool, deadline: Deadline, each: Each<'_>) -> Result<(), Stop> {
        let spoken = self.speak();
        // A server that hangs up on us may have said why.
        let cut = matches!(spoken, Err(Stop::Broken(..)));
        if readable || cut {
            match self.hear(false, deadline, each) {
                Ok(()) | Err(Stop::Wait) => {}
                broken => return broken,
            }
        }
        spoken
    }

    fn speak(&mut self) -> Result<(), Stop> {
        let Some(pipe) = &mut self.pipe else { return Err(Stop::Wait) };
        while self.written < self.request.bytes.len() {
            let end = if pipe.is_tls() { self.request.record_end(self.written) } else { self.request.bytes.len() };
            self.written += pipe.write(&self.request.bytes[self.written..end])?;
            self.begun = true;
        }
        pipe.flush()
    }

    fn hear(&mut self, patient: bool, deadline: Deadline, each: Each<'_>) -> Result<(), Stop> {
        loop {
            let Some(pipe) = &mut self.pipe else { return Err(Stop::Wait) };
            let known = self.progress.missing(self.inbox.rest().len());
            let room = self.inbox.space(if known == 0 { LEAST } else { known }).ok_or(Malformed)?;
            let count = if patient { pipe.await_bytes(room)? } else { pipe.read(room)? };
            let tls = pipe.is_tls();
            self.inbox.fill(count);
            self.digest(each)?;
            // Decrypted bytes would not wake ppoll, so TLS is read until it runs dry.
            if !tls || self.over() || deadline.passed(clock::monotonic_ns()) {
                return Ok(());
            }
        }
    }

    /// Takes all complete replies off the inbox.
    fn digest(&mut self, each: Each<'_>) -> Result<(), Stop> {
        while let Some(expect) = self.request.expects.get(self.frames.len()) {
            let Some(frame) = parse(*expect, self.inbox.rest(), &mut self.progress)? else {
                if *expect == Expect::Stream {
                    self.inbox.compact();
                }
                return Ok(());
            };
            self.progress = Progress::default();
            let at = self.inbox.taken();
            let text = &self.inbox.rest()[frame.body.0..frame.body.1];
            if frame.shape == Shape::Row {
                let more = each(text);
                self.inbox.take(frame.len);
                if !more {
                    self.stopped = true;
                    self.close();
                    return Ok(());
                }
                continue;
            }
            let broken = out_of_step(&frame, text).map(|kind| Stop::Broken(kind, lossy(text)));
            self.inbox.take(frame.len);
            self.frames.push((at, frame));
            broken.map_or(Ok(()), Err)?;
        }
        if self.inbox.rest().is_empty() { Ok(()) } else { Err(Malformed.into()) }
    }
}

impl From<Malformed> for Stop {
    fn from(_: Malformed) -> Self {
        Self::Broken(Kind::Protocol, String::new())
    }
}

/// What an error reply says about the connection; `None` when it goes on.
fn out_of_step(frame: &Frame, text: &[u8]) -> Option<Kind> {
    match frame.shape {
        Shape::Unknown if text.starts_with(b"Too many open connections") => Some(Kind::TooMany),
        Shape::ClientError if text.starts_with(b"unauthenticated") => Some(Kind::Auth),
        Shape::ClientError if text == NOT_A_NUMBER => None,
        Shape::Unknown | Shape::ClientError => Some(Kind::Rejected),
        _ => None,
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
