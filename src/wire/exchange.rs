//! One round of requests and replies with any number of servers at once, under one deadline.
//!
//! Open links are written to straight away; then one `ppoll` waits for all of them together. The usual case, open links,
//! small requests and prompt servers, is two system calls for each: send and recv.

use super::dialog::Each;
use super::error::{Kind, WireError};
use super::link::Link;
use super::parse::Expect;
use crate::clock::{self, Deadline};
use std::time::Duration;

/// So many links need no memory of their own for `ppoll`.
const FEW: usize = 32;
const IDLE: libc::pollfd = libc::pollfd { fd: -1, events: 0, revents: 0 };

/// Sends the requests of the links `used` (each index once) and waits for all their replies or the deadline, connecting
/// first where needed. Never waits longer. Afterwards each link has its own status and replies; a request stays in its
/// link until `begin`, so that calling again repeats it.
pub fn exchange(links: &mut [Link], used: &[usize], deadline: Deadline) {
    run(links, used, deadline, &mut |_| true);
}

/// Sends one command whose answer is many lines up to `END` (as `lru_crawler metadump all`), and hands out each line as
/// it comes. A false from `each` ends the stream early and closes the connection.
///
/// # Errors
/// As [`Link::status`]. After a refusal of the server the text is in `reply(0)`.
pub fn stream(link: &mut Link, command: &[u8], deadline: Deadline, each: Each<'_>) -> Result<(), WireError> {
    link.begin();
    link.plain(command, Expect::Stream);
    run(std::slice::from_mut(link), &[0], deadline, each);
    link.status()
}

fn run(links: &mut [Link], used: &[usize], deadline: Deadline, each: Each<'_>) {
    let now = clock::monotonic_ns();
    for &index in used {
        links[index].start(now, deadline, each);
    }
    let crowd = used.len() > FEW;
    let started = if crowd { clock::monotonic_ns() } else { 0 };
    linger(links, used, now, deadline, each);
    let mut few = [IDLE; FEW];
    let mut many = Vec::new();
    let polls = if used.len() <= FEW {
        &mut few[..used.len()]
    } else {
        many.resize(used.len(), IDLE);
        &mut many[..]
    };
    let (begun, mut waited) = (now, if crowd { clock::monotonic_ns() - started } else { 0 });
    loop {
        let Some(wake) = wishes(links, used, polls) else { return };
        let now = clock::monotonic_ns();
        let last = deadline.passed(now);
        wait(polls, deadline.left(now).min(Duration::from_nanos(wake.saturating_sub(now))));
        if crowd {
            waited += clock::monotonic_ns() - now;
        }
        for (poll, &index) in polls.iter().zip(used) {
            let link = &mut links[index];
            if poll.revents != 0 {
                link.drive(now, poll.revents & !libc::POLLOUT != 0, deadline, each);
            } else if poll.fd < 0 && wake != u64::MAX {
                link.retry(deadline, each);
            }
            // What had come by the deadline is still taken, once.
            if last {
                // Where serving the crowd took most of the time, the servers had too little of it to be blamed.
                let busy = crowd && now - begun > 2 * waited;
                link.expire(if busy { Kind::Local } else { Kind::Timeout });
            }
        }
    }
}

/// Takes the replies by plain receives while all servers are prompt. The one asked last is waited for first: by then the
/// others have mostly answered. The first that does not keeps nobody longer than one such wait; `ppoll` has the rest.
fn linger(links: &mut [Link], used: &[usize], mut now: u64, deadline: Deadline, each: Each<'_>) {
    if !used.iter().all(|index| links[*index].asked()) {
        return;
    }
    for (nth, &index) in used.iter().rev().enumerate() {
        if nth > 0 {
            now = clock::monotonic_ns();
        }
        if !links[index].linger(now, deadline, each) {
            return;
        }
    }
}

/// Fills `polls` with what the links wait for, and gives the time of the first that needs a call by itself.
/// `None` when all are done.
fn wishes(links: &[Link], used: &[usize], polls: &mut [libc::pollfd]) -> Option<u64> {
    let mut first = None;
    for (poll, &index) in polls.iter_mut().zip(used) {
        *poll = IDLE;
        if let Some(wish) = links[index].wish() {
            *poll = libc::pollfd { fd: wish.fd, events: wish.events, revents: 0 };
            first = Some(first.unwrap_or(u64::MAX).min(wish.wake_ns));
        }
    }
    first
}

fn wait(polls: &mut [libc::pollfd], left: Duration) {
    let left = libc::timespec {
        tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(left.subsec_nanos().cast_signed()),
    };
    // SAFETY: `polls` and `left` are valid for the call; a failure (a signal) leaves `revents` at zero.
    unsafe { libc::ppoll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, &raw const left, std::ptr::null()) };
}
