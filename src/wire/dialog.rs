//! One request and the replies to it, written and read as far as the stream lets it.

use super::command::Request;
use super::error::Kind;
use super::inbox::{Inbox, KEEP_REPLIES, LEAST};
use super::parse::{Expect, Frame, Malformed, Progress, Shape, parse};
use super::pipe::{Pipe, Stop};
use super::reply::Reply;
use crate::clock::{self, Deadline};

/// The one client error after which the server is still in step with us.
const NOT_A_NUMBER: &[u8] = b"cannot increment or decrement non-numeric value";

/// Takes one line of a stream; false ends it.
pub type Each<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// A request, how much of it is written, and what came back.
#[derive(Default)]
pub struct Dialog {
    pub request: Request,
    written: usize,
    inbox: Inbox,
    progress: Progress,
    /// Each reply and where it begins in the inbox.
    replies: Vec<(usize, Frame)>,
    stopped: bool,
}

impl Dialog {
    pub fn of(request: Request) -> Self {
        Self { request, ..Self::default() }
    }

    /// Forgets the replies; nothing of the request is written.
    pub fn rewind(&mut self) {
        self.written = 0;
        self.inbox.clear();
        self.progress = Progress::default();
        self.replies.clear();
        self.replies.shrink_to(KEEP_REPLIES);
        self.stopped = false;
    }

    /// True when bytes of the request may have reached the server.
    pub fn begun(&self) -> bool {
        self.written > 0
    }

    pub fn unwritten(&self) -> bool {
        self.written < self.request.bytes.len()
    }

    /// True while no byte of an answer has come.
    pub fn unanswered(&self) -> bool {
        self.inbox.is_empty()
    }

    /// True when whoever takes the lines of a stream wanted no more: the rest is still on its way.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    pub fn over(&self) -> bool {
        self.stopped || (self.replies.len() == self.request.expects.len() && !self.unwritten())
    }

    /// The reply to command `index` of the request.
    pub fn reply(&self, index: usize) -> Reply<'_> {
        let Some((at, frame)) = self.replies.get(index) else { return Reply::Nothing };
        Reply::of(frame, self.inbox.all().get(*at..).unwrap_or_default())
    }

    /// Writes what the stream takes, and reads what is there when it is `readable`.
    pub fn go_on(&mut self, pipe: &mut Pipe, readable: bool, deadline: Deadline, each: Each<'_>) -> Result<(), Stop> {
        let spoken = self.speak(pipe);
        // A server that hangs up on us may have said why.
        let cut = matches!(spoken, Err(Stop::Broken(..)));
        if readable || cut {
            match self.hear(pipe, false, deadline, each) {
                Ok(()) | Err(Stop::Wait) => {}
                broken => return broken,
            }
        }
        spoken
    }

    fn speak(&mut self, pipe: &mut Pipe) -> Result<(), Stop> {
        while self.unwritten() {
            let end = if pipe.is_tls() { self.request.record_end(self.written) } else { self.request.bytes.len() };
            self.written += pipe.write(&self.request.bytes[self.written..end])?;
        }
        pipe.flush()
    }

    /// Takes what has come; `patient`: may sleep for it up to the socket's `longest_ns`.
    pub fn hear(&mut self, pipe: &mut Pipe, patient: bool, deadline: Deadline, each: Each<'_>) -> Result<(), Stop> {
        loop {
            let known = self.progress.missing(self.inbox.rest().len());
            let room = self.inbox.space(if known == 0 { LEAST } else { known }).ok_or(Malformed)?;
            let count = if patient { pipe.await_bytes(room)? } else { pipe.read(room)? };
            self.inbox.fill(count);
            self.digest(each)?;
            // Decrypted bytes would not wake ppoll, so TLS is read until it runs dry.
            if !pipe.is_tls() || self.over() || deadline.passed(clock::monotonic_ns()) {
                return Ok(());
            }
        }
    }

    /// Takes all complete replies off the inbox.
    fn digest(&mut self, each: Each<'_>) -> Result<(), Stop> {
        while let Some(expect) = self.request.expects.get(self.replies.len()) {
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
                self.stopped = !each(text);
                self.inbox.take(frame.len);
                if self.stopped {
                    return Ok(());
                }
                continue;
            }
            let broken = out_of_step(&frame, text).map(|kind| Stop::said(kind, text));
            self.inbox.take(frame.len);
            self.replies.push((at, frame));
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
