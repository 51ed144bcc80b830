//! One worker's link to one server: the connection that is kept while it is in step, the request being made over it,
//! and how that ended. `exchange` starts it and calls again when there is more to do.

use super::address::{Address, Endpoint};
use super::command::Request;
use super::connection::{Connection, Wish};
use super::dialog::{Dialog, Each};
use super::error::{Kind, WireError};
use super::pipe::Stop;
use super::reply::Reply;
use crate::clock::{self, Deadline};
use std::net::SocketAddr;

/// What is left for `ppoll` after a wait inside `recv`.
const SPARE_NS: u64 = 1_000_000;

/// A connection to one server, with the request being made and the replies to it.
pub struct Link {
    connection: Connection,
    dialog: Dialog,
    /// The request went out on a connection from an earlier exchange.
    reused: bool,
    error: Option<WireError>,
    detail: String,
}

impl Link {
    /// A link that is not yet connected.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        let (connection, dialog) = (Connection::new(endpoint), Dialog::default());
        Self { connection, dialog, reused: false, error: None, detail: String::new() }
    }

    /// Where the link leads.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.connection.address()
    }

    /// The server's name now stands for this address; a connection elsewhere is closed.
    pub fn redirect(&mut self, to: SocketAddr) {
        self.connection.redirect(to);
    }

    /// Drops the connection; the next exchange makes a new one.
    pub fn close(&mut self) {
        self.connection.close();
    }

    /// True when this process has a connection ready for the next request.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// How many connections were begun: another number, another connection.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connection.made()
    }

    /// Looks whether the server has closed an open connection meanwhile, and drops it then. Worth its one system call
    /// before a command whose outcome must not be left in doubt.
    pub fn recheck(&mut self) {
        self.connection.recheck();
    }

    /// Starts a new request: forgets the last one and its replies.
    pub fn begin(&mut self) {
        self.dialog.request.clear();
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
        self.dialog.reply(index)
    }

    pub(super) fn request(&self) -> &Request {
        &self.dialog.request
    }

    pub(super) fn request_mut(&mut self) -> &mut Request {
        &mut self.dialog.request
    }

    /// Begins to send the request, as far as that goes without waiting.
    pub(super) fn start(&mut self, now_ns: u64, deadline: Deadline, each: Each<'_>) {
        self.reset();
        if self.request().expects.is_empty() {
            return;
        }
        if self.request().unfit {
            self.error = Some(WireError { kind: Kind::Rejected, sent: false, reused: false });
            return;
        }
        self.reused = self.connection.check(now_ns);
        self.drive(now_ns, false, deadline, each);
    }

    /// Carries on after the socket became ready.
    pub(super) fn drive(&mut self, now_ns: u64, readable: bool, deadline: Deadline, each: Each<'_>) {
        // What made the socket readable while it was being opened was no reply.
        let readable = readable && self.connection.ready();
        let done = match self.connection.pipe(now_ns, deadline) {
            Ok(pipe) => self.dialog.go_on(pipe, readable, deadline, each),
            Err(stop) => Err(stop),
        };
        self.take_stock(done);
    }

    /// True when nothing of the request is left to be written, or it has failed already.
    pub(super) fn asked(&self) -> bool {
        self.over() || (self.connection.ready() && !self.dialog.unwritten())
    }

    /// Waits for the answer inside `recv`, which saves the call of `ppoll`, as long as the deadline is certain to be
    /// farther away than that wait can last. For a link that has [`asked`](Self::asked); true when it is over.
    pub(super) fn linger(&mut self, now_ns: u64, deadline: Deadline, each: Each<'_>) -> bool {
        let longest_ns = self.connection.longest_ns();
        let too_long = || deadline.passed(now_ns.saturating_add(longest_ns.saturating_add(SPARE_NS)));
        if !self.over()
            && !too_long()
            && let Some(pipe) = self.connection.ready_pipe()
        {
            let heard = self.dialog.hear(pipe, true, deadline, each);
            self.take_stock(heard);
        }
        self.over()
    }

    /// Tries again to connect where a full queue kept it waiting.
    pub(super) fn retry(&mut self, deadline: Deadline, each: Each<'_>) {
        let now_ns = clock::monotonic_ns();
        if self.connection.due(now_ns) && !self.over() {
            self.drive(now_ns, false, deadline, each);
        }
    }

    /// What to wait for; `None` when the exchange is over for this link.
    pub(super) fn wish(&self) -> Option<Wish> {
        (!self.over()).then(|| self.connection.wish(self.dialog.unwritten()))
    }

    /// The deadline has passed: an answer that still comes belongs to nobody.
    pub(super) fn expire(&mut self, kind: Kind) {
        if !self.over() {
            self.fail(kind, String::new());
        }
    }

    fn reset(&mut self) {
        self.dialog.rewind();
        self.error = None;
        self.detail.clear();
    }

    fn over(&self) -> bool {
        self.error.is_some() || self.dialog.over()
    }

    fn take_stock(&mut self, done: Result<(), Stop>) {
        match done {
            Err(Stop::Broken(kind, detail)) => self.fail(kind, detail),
            _ if self.dialog.stopped() => self.close(),
            Err(Stop::Wait) | Ok(()) => {}
        }
    }

    fn fail(&mut self, kind: Kind, detail: String) {
        let died = matches!(kind, Kind::Reset | Kind::Closed);
        let reused = self.reused && died && self.dialog.unanswered();
        self.error = Some(WireError { kind, sent: self.dialog.begun(), reused });
        self.detail = detail;
        self.connection.give_up();
    }
}
