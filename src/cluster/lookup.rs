//! Names looked up beside the watcher's rounds: the system's resolver may take seconds, a round may not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, TryRecvError};

use super::address;
use crate::config::Addr;

/// Look-ups under way, at most one per server.
#[derive(Debug, Default)]
pub struct Lookups(HashMap<usize, Receiver<Option<SocketAddr>>>);

impl Lookups {
    /// Asks for a server's address, unless that is under way or needs no asking.
    pub fn start(&mut self, server: usize, addr: &Addr) {
        let Addr::Tcp { host, port } = addr else { return };
        if address::numeric(host) || self.0.contains_key(&server) {
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
            self.0.insert(server, question);
        }
    }

    /// The answers that arrived since the last call.
    pub fn finished(&mut self) -> Vec<(usize, SocketAddr)> {
        let mut found = Vec::new();
        self.0.retain(|server, question| match question.try_recv() {
            Ok(answer) => {
                found.extend(answer.map(|address| (*server, address)));
                false
            }
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Disconnected) => false,
        });
        found
    }
}

/// Threads inherit the mask: the host's signal handlers must run on its own thread only.
fn without_signals<T>(make: impl FnOnce() -> T) -> T {
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
    use std::time::{Duration, Instant};

    #[test]
    fn a_name_is_looked_up_beside_and_a_number_not_at_all() {
        let mut lookups = Lookups::default();
        lookups.start(0, &Addr::Tcp { host: "localhost".into(), port: 7 });
        lookups.start(1, &Addr::Tcp { host: "127.0.0.1".into(), port: 7 });
        lookups.start(2, &Addr::Unix("/run/x".into()));
        assert_eq!(lookups.0.len(), 1);
        let until = Instant::now() + Duration::from_secs(20);
        let found = loop {
            let found = lookups.finished();
            if !found.is_empty() || Instant::now() > until {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(found.len(), 1, "localhost was not found in 20 s");
        assert!(found[0].0 == 0 && found[0].1.ip().is_loopback() && found[0].1.port() == 7);
        assert!(lookups.0.is_empty());
    }
}
