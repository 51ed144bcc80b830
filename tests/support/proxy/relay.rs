//! The proxy's only thread: waits for all its sockets at once and moves bytes as the mode allows.

use super::super::fake::reset_at_close;
use super::{KEPT, Mode, State, lock};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The ends of a connection, and the directions named after where they come from.
const CLIENT: usize = 0;
const SERVER: usize = 1;

/// How long a connection to the server may take to be made.
const CONNECT: Duration = Duration::from_millis(500);

pub(super) struct Relay<'a> {
    listener: TcpListener,
    woken: UnixStream,
    server: SocketAddr,
    state: &'a State,
    pairs: Vec<Pair>,
    room: Vec<u8>,
}

/// One client's connection and ours to the server.
struct Pair {
    ends: [TcpStream; 2],
    /// What came from each end and when it may go on.
    queues: [VecDeque<(Instant, Vec<u8>)>; 2],
    /// What comes from this end is lost.
    lost: [bool; 2],
    /// The end from which nothing comes any more.
    over: Option<usize>,
    /// Not to be kept.
    dead: bool,
}

impl<'a> Relay<'a> {
    pub(super) fn new(listener: TcpListener, woken: UnixStream, server_port: u16, state: &'a State) -> Relay<'a> {
        listener.set_nonblocking(true).expect("nonblocking");
        woken.set_nonblocking(true).expect("nonblocking");
        Relay {
            listener,
            woken,
            server: ([127, 0, 0, 1], server_port).into(),
            state,
            pairs: Vec::new(),
            room: vec![0; 65_536],
        }
    }

    pub(super) fn run(mut self) {
        // SAFETY: plain numbers. Without it the kernel adds some 50 us to each wait.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
        while !self.state.stop.load(Ordering::Relaxed) {
            let mode = lock(&self.state.mode).clone();
            self.wait(&mode);
            while self.woken.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
            if self.state.reset.swap(false, Ordering::Relaxed) {
                self.pairs.drain(..).for_each(Pair::reset);
            }
            if self.state.cut.swap(false, Ordering::Relaxed) {
                self.pairs.clear();
            }
            let mode = lock(&self.state.mode).clone();
            self.pass(&mode);
            self.accept();
        }
    }

    /// Until a socket has something, something held is due, or the proxy is told something.
    fn wait(&self, mode: &Mode) {
        let entry = |fd: &dyn AsRawFd, events| libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        let mut fds = vec![entry(&self.listener, libc::POLLIN), entry(&self.woken, libc::POLLIN)];
        let now = Instant::now();
        let mut limit = Duration::from_secs(1);
        for pair in &self.pairs {
            for end in [CLIENT, SERVER] {
                if pair.over.is_none() {
                    fds.push(entry(&pair.ends[end], libc::POLLIN));
                }
                let due = pair.queues[end].front().filter(|_| *mode != Mode::Hold).map(|(due, _)| *due);
                limit = limit.min(due.map_or(limit, |due| due.saturating_duration_since(now)));
            }
        }
        let limit = libc::timespec { tv_sec: limit.as_secs() as libc::time_t, tv_nsec: limit.subsec_nanos().into() };
        // SAFETY: the pointer and the length describe `fds`, whose descriptors are open for the call.
        unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, &raw const limit, std::ptr::null()) };
    }

    fn pass(&mut self, mode: &Mode) {
        for pair in &mut self.pairs {
            for end in [CLIENT, SERVER] {
                pair.read(end, mode, self.state, &mut self.room);
            }
            if *mode != Mode::Hold {
                pair.flush();
            }
        }
        self.pairs.retain(|pair| !pair.dead);
    }

    fn accept(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            self.state.connections.fetch_add(1, Ordering::Relaxed);
            let Ok(server) = TcpStream::connect_timeout(&self.server, CONNECT) else { continue };
            for stream in [&client, &server] {
                stream.set_nonblocking(true).expect("nonblocking");
                stream.set_nodelay(true).expect("nodelay");
            }
            let ends = [client, server];
            self.pairs.push(Pair { ends, queues: Default::default(), lost: [false; 2], over: None, dead: false });
        }
    }
}

impl Pair {
    /// Takes what has come from `end`; as the mode says it is queued for the other one, or lost.
    fn read(&mut self, end: usize, mode: &Mode, state: &State, room: &mut [u8]) {
        while self.over.is_none() && !self.dead {
            match self.ends[end].read(room) {
                Ok(0) => self.over = Some(end),
                Ok(_) if *mode == Mode::Cut => self.dead = true,
                Ok(length) => self.take(end, &room[..length], mode, state),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.over = Some(end),
            }
        }
    }

    fn take(&mut self, end: usize, bytes: &[u8], mode: &Mode, state: &State) {
        if end == CLIENT {
            state.round_trips.fetch_add(1, Ordering::Relaxed);
            let mut kept = lock(&state.requests);
            let room = KEPT.saturating_sub(kept.len()).min(bytes.len());
            kept.extend_from_slice(&bytes[..room]);
        }
        let mut due = Instant::now();
        match mode {
            Mode::Mute if end == CLIENT => self.lost[CLIENT] = true,
            Mode::Deaf if end == SERVER => self.lost[SERVER] = true,
            Mode::Delay(pause) if end == SERVER => due += *pause,
            Mode::LoseAnswersAfter(needle) if end == CLIENT => {
                self.lost[SERVER] |= bytes.windows(needle.len()).any(|w| w == needle);
            }
            _ => {}
        }
        if !self.lost[end] {
            self.queues[end].push_back((due, bytes.to_vec()));
        }
    }

    /// Passes on what is due. When one end is over, what it has sent is still passed.
    fn flush(&mut self) {
        for from in [CLIENT, SERVER] {
            while let Some((due, bytes)) = self.queues[from].front_mut().filter(|(due, _)| *due <= Instant::now()) {
                match self.ends[1 - from].write(bytes) {
                    Ok(length) if length == bytes.len() => drop(self.queues[from].pop_front()),
                    Ok(length) => drop(bytes.drain(..length)),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        *due = Instant::now() + Duration::from_millis(1);
                        break;
                    }
                    Err(_) => {
                        self.dead = true;
                        return;
                    }
                }
            }
        }
        self.dead |= self.over.is_some_and(|end| self.queues[end].is_empty());
    }

    fn reset(self) {
        self.ends.iter().for_each(reset_at_close);
    }
}
