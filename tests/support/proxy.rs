//! A TCP proxy in front of a real server: it counts what passes, and can delay answers, lose them after the server acted,
//! hold the traffic, or cut every connection. What it does can change while it runs.

use super::ports;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
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
    /// Nothing passes in either direction, connections stay.
    Hold,
    /// Connections end at the next byte, new ones at once.
    Cut,
}

struct State {
    mode: Mutex<Mode>,
    stop: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<u8>>,
    round_trips: AtomicUsize,
}

pub struct Proxy {
    port: u16,
    state: Arc<State>,
    acceptor: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    pub fn to(server_port: u16) -> Proxy {
        let port = ports::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
        listener.set_nonblocking(true).expect("nonblocking");
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Forward),
            stop: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: Mutex::new(Vec::new()),
            round_trips: AtomicUsize::new(0),
        });
        let shared = state.clone();
        let acceptor = std::thread::spawn(move || accept(&listener, server_port, &shared));
        Proxy { port, state, acceptor: Some(acceptor) }
    }

    pub fn set(&self, mode: Mode) {
        *lock(&self.state.mode) = mode;
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

    /// Everything the clients have sent.
    pub fn requests(&self) -> String {
        String::from_utf8_lossy(&lock(&self.state.requests)).into_owned()
    }

    /// How many request lines begin with `verb `.
    pub fn count(&self, verb: &str) -> usize {
        self.requests().lines().filter(|l| l.strip_prefix(verb).is_some_and(|r| r.starts_with(' '))).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn accept(listener: &TcpListener, server_port: u16, state: &Arc<State>) {
    let mut threads = Vec::new();
    while !state.stop.load(Ordering::Relaxed) {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        state.connections.fetch_add(1, Ordering::Relaxed);
        let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) else { continue };
        for stream in [&client, &server] {
            stream.set_nonblocking(false).expect("blocking");
            stream.set_read_timeout(Some(Duration::from_millis(20))).expect("timeout");
            stream.set_nodelay(true).expect("nodelay");
        }
        let lost = Arc::new(AtomicBool::new(false));
        for upward in [true, false] {
            let (client, server) = (client.try_clone().expect("clone"), server.try_clone().expect("clone"));
            let (state, lost) = (state.clone(), lost.clone());
            let (from, to) = if upward { (client, server) } else { (server, client) };
            threads.push(std::thread::spawn(move || pump(from, to, upward, &state, &lost)));
        }
    }
    threads.into_iter().for_each(|t| drop(t.join()));
}

fn pump(mut from: TcpStream, mut to: TcpStream, upward: bool, state: &State, lost: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    while !state.stop.load(Ordering::Relaxed) {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if *lock(&state.mode) == Mode::Cut {
                    break;
                }
                continue;
            }
            Err(_) => break,
        };
        let passes = if upward { up(&buffer[..length], state, lost) } else { down(state, lost) };
        if passes == Some(true) && to.write_all(&buffer[..length]).is_err() || passes.is_none() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

/// Whether the bytes pass; `None` cuts the connection.
fn up(bytes: &[u8], state: &State, lost: &AtomicBool) -> Option<bool> {
    lock(&state.requests).extend_from_slice(bytes);
    state.round_trips.fetch_add(1, Ordering::Relaxed);
    if let Mode::LoseAnswersAfter(needle) = &*lock(&state.mode) {
        lost.fetch_or(bytes.windows(needle.len()).any(|w| w == needle), Ordering::Relaxed);
    }
    released(state)
}

fn down(state: &State, lost: &AtomicBool) -> Option<bool> {
    let mode = lock(&state.mode).clone();
    if let Mode::Delay(pause) = mode {
        std::thread::sleep(pause);
    }
    Some(released(state)? && !lost.load(Ordering::Relaxed))
}

/// Waits while the traffic is held.
fn released(state: &State) -> Option<bool> {
    loop {
        match *lock(&state.mode) {
            Mode::Cut => return None,
            Mode::Hold if !state.stop.load(Ordering::Relaxed) => {}
            _ => return Some(true),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
