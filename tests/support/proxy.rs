//! A TCP proxy in front of a real server: it counts what passes, and can delay answers, lose requests or answers, hold the
//! traffic, and end or reset every connection. What it does can change while it runs.

mod relay;

use super::ports;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    Forward,
    /// Each answer waits this long.
    Delay(Duration),
    /// A connection that has carried a request with these bytes gets no answer any more; the server acts on all of it.
    LoseAnswersAfter(Vec<u8>),
    /// The server acts, its answers are lost; a connection that lost one gets none any more.
    Deaf,
    /// Requests are lost; a connection that lost one carries none any more.
    Mute,
    /// Nothing passes in either direction, connections stay; what was held passes afterwards.
    Hold,
    /// Connections end now, new ones at their first byte.
    Cut,
}

struct State {
    mode: Mutex<Mode>,
    stop: AtomicBool,
    reset: AtomicBool,
    cut: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<u8>>,
    round_trips: AtomicUsize,
}

/// So much of what the clients send is kept to be looked at.
const KEPT: usize = 1 << 20;

pub struct Proxy {
    port: u16,
    state: Arc<State>,
    wake: UnixStream,
    relay: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    pub fn to(server_port: u16) -> Proxy {
        let port = ports::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
        let (wake, woken) = UnixStream::pair().expect("a pair of sockets");
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Forward),
            stop: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: Mutex::new(Vec::new()),
            round_trips: AtomicUsize::new(0),
        });
        let shared = state.clone();
        let relay = std::thread::spawn(move || relay::Relay::new(listener, woken, server_port, &shared).run());
        Proxy { port, state, wake, relay: Some(relay) }
    }

    pub fn set(&self, mode: Mode) {
        self.state.cut.store(mode == Mode::Cut, Ordering::Relaxed);
        *lock(&self.state.mode) = mode;
        self.rouse();
    }

    /// Resets every connection (RST to both ends); new ones are served.
    pub fn reset(&self) {
        self.state.reset.store(true, Ordering::Relaxed);
        self.rouse();
    }

    fn rouse(&self) {
        (&self.wake).write_all(b"!").expect("the proxy's thread");
    }

    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The text of a `server` parameter.
    pub fn spec(&self, name: &str) -> String {
        format!("name={name};addr={}", self.addr())
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// How often a request packet was followed to the server.
    pub fn round_trips(&self) -> usize {
        self.state.round_trips.load(Ordering::Relaxed)
    }

    /// What the clients have sent, the first megabyte of it.
    pub fn requests(&self) -> String {
        String::from_utf8_lossy(&lock(&self.state.requests)).into_owned()
    }

    /// How many of these request lines begin with `verb `.
    pub fn count(&self, verb: &str) -> usize {
        self.requests().lines().filter(|l| l.strip_prefix(verb).is_some_and(|r| r.starts_with(' '))).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        // It may have seen that by itself.
        let _ = (&self.wake).write_all(b"!");
        if let Some(relay) = self.relay.take() {
            drop(relay.join());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
