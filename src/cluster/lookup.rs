//! Names looked up beside the watcher's rounds: the system's resolver may take seconds, a round may not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use super::address;
use crate::config::Addr;

/// So many look-ups run at a time.
const MOST: usize = 16;
/// A server's name rests so long after its last look-up, milliseconds.
const REST_MS: u64 = 1_000;

/// Look-ups under way, at most one per server.
#[derive(Debug, Default)]
pub struct Lookups {
    asked: HashMap<usize, Receiver<Option<SocketAddr>>>,
    /// When the last look-up of a server ended.
    ended_ms: HashMap<usize, u64>,
}

impl Lookups {
    /// Asks for a server's address, unless that is under way, was done just now or needs no asking.
    pub fn start(&mut self, server: usize, addr: &Addr, now_ms: u64) {
        let Addr::Tcp { host, port } = addr else { return };
        let rests = self.ended_ms.get(&server).is_some_and(|ended| now_ms.saturating_sub(*ended) < REST_MS);
        if address::numeric(host) || rests || self.asked.len() >= MOST || self.asked.contains_key(&server) {
            return;
        }
        let (host, port) = (host.clone(), *port);
        let (answer, question) = mpsc::channel();
        let asked = without_signals(|| {
            std::thread::Builder::new().spawn(move || {
                let _ = answer.send(address::lookup(&host, port));
            })
        });
        if asked.is_ok() {
            self.asked.insert(server, question);
        }
    }

    /// What is under way for a server concerns another one than is there now.
    pub fn forget(&mut self, server: usize) {
        self.asked.remove(&server);
        self.ended_ms.remove(&server);
    }

    /// The answers that arrived since the last call.
    pub fn finished(&mut self, now_ms: u64) -> Vec<(usize, SocketAddr)> {
        let (mut found, ended_ms) = (Vec::new(), &mut self.ended_ms);
        self.asked.retain(|server, question| {
            match question.try_recv() {
                Err(TryRecvError::Empty) => return true,
                Ok(answer) => found.extend(answer.map(|address| (*server, address))),
                Err(TryRecvError::Disconnected) => {}
            }
            ended_ms.insert(*server, now_ms);
            false
        });
        found
    }
}

/// The addresses of servers, as far as they are known within `patience`.
pub fn within(servers: Vec<(usize, Addr)>, patience: Duration) -> Vec<(usize, SocketAddr)> {
    let (answer, answers) = mpsc::channel();
    let ask = move || {
        for (server, addr) in servers {
            if let Addr::Tcp { host, port } = addr
                && let Some(found) = address::lookup(&host, port)
                && answer.send((server, found)).is_err()
            {
                return;
            }
        }
    };
    if without_signals(|| std::thread::Builder::new().spawn(ask)).is_err() {
        return Vec::new();
    }
    let end = Instant::now() + patience;
    std::iter::from_fn(|| answers.recv_timeout(end.saturating_duration_since(Instant::now())).ok()).collect()
}

/// Threads inherit the mask: the host's signal handlers must run on its own thread only.
pub(super) fn without_signals<T>(make: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are plain memory that the calls fill; the mask of this thread is restored below.
    let old = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        old
    };
    let made = make();
    // SAFETY: `old` is the mask that the call above saved.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut()) };
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_waited_for_and_no_longer_than_allowed() {
        let tcp = |host: &str| Addr::Tcp { host: host.into(), port: 7 };
        let asked = vec![(4, tcp("127.0.0.1")), (5, Addr::Unix("/run/x".into())), (6, tcp("::1"))];
        let mut found = within(asked, Duration::from_secs(20));
        found.sort_unstable();
        assert_eq!(found, [(4, "127.0.0.1:7".parse().unwrap()), (6, "[::1]:7".parse().unwrap())]);
        assert_eq!(within(Vec::new(), Duration::from_secs(20)), []);
    }

    #[test]
    fn a_name_is_looked_up_beside_and_a_number_not_at_all() {
        let local = Addr::Tcp { host: "localhost".into(), port: 7 };
        let mut lookups = Lookups::default();
        lookups.start(0, &local, 0);
        lookups.start(1, &Addr::Tcp { host: "127.0.0.1".into(), port: 7 }, 0);
        lookups.start(2, &Addr::Unix("/run/x".into()), 0);
        assert_eq!(lookups.asked.len(), 1);
        let until = Instant::now() + Duration::from_secs(20);
        let found = loop {
            let found = lookups.finished(5);
            if !found.is_empty() || Instant::now() > until {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(found.len(), 1, "localhost was not found in 20 s");
        assert!(found[0].0 == 0 && found[0].1.ip().is_loopback() && found[0].1.port() == 7);
        assert!(lookups.asked.is_empty());
        lookups.start(0, &local, 4 + REST_MS);
        assert!(lookups.asked.is_empty(), "asked again at once");
        lookups.start(0, &local, 5 + REST_MS);
        lookups.forget(0);
        assert!(lookups.asked.is_empty() && lookups.ended_ms.is_empty());
        (0..100).for_each(|server| lookups.start(server, &local, 5 + REST_MS));
        assert_eq!(lookups.asked.len(), MOST);
    }
}
