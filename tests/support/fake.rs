//! Servers that misbehave: one that accepts and never answers, one that drips, one that resets, one that speaks another
//! protocol, one whose accept queue is full so that the kernel drops every packet.

use super::ports;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a thread sits in a read or an accept before it looks whether it should end.
const TICK: Duration = Duration::from_millis(20);

#[derive(Default)]
pub struct Counts {
    pub connections: AtomicUsize,
    pub requests: AtomicUsize,
}

pub struct Fake {
    port: u16,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    /// It behaves as an empty memcached.
    polite: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
    fillers: Vec<TcpStream>,
}

impl Fake {
    /// Calls `serve` in a thread for each connection. It must return soon after `stop` is set.
    pub fn new(serve: impl Fn(TcpStream, &Counts, &AtomicBool) + Send + Sync + 'static) -> Fake {
        let port = ports::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
        listener.set_nonblocking(true).expect("nonblocking");
        let counts = Arc::new(Counts::default());
        let [stop, polite] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (c, s, p, serve) = (counts.clone(), stop.clone(), polite.clone(), Arc::new(serve));
        let acceptor = std::thread::spawn(move || {
            let mut threads = Vec::new();
            while !s.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                c.connections.fetch_add(1, Ordering::Relaxed);
                stream.set_nonblocking(false).expect("blocking");
                stream.set_read_timeout(Some(TICK)).expect("timeout");
                stream.set_nodelay(true).expect("nodelay");
                let (c, s, p, serve) = (c.clone(), s.clone(), p.clone(), serve.clone());
                threads.push(std::thread::spawn(move || {
                    behave(&stream, &p, &s);
                    serve(stream, &c, &s);
                }));
            }
            threads.into_iter().for_each(|t| drop(t.join()));
        });
        Fake { port, counts, stop, polite, acceptor: Some(acceptor), fillers: Vec::new() }
    }

    /// At first it is an empty memcached, until it turns.
    pub fn polite(self) -> Fake {
        self.polite.store(true, Ordering::Relaxed);
        self
    }

    /// From now on it misbehaves, on all connections.
    pub fn turn(&self) {
        self.polite.store(false, Ordering::Relaxed);
        std::thread::sleep(3 * TICK);
    }

    /// Accepts, reads, never answers.
    pub fn mute() -> Fake {
        Fake::new(|stream, counts, stop| requests(stream, counts, stop, |_, _| true))
    }

    /// Answers with a plausible head and then one byte every `pause`, for ever.
    pub fn drip(pause: Duration) -> Fake {
        Fake::new(move |stream, counts, stop| {
            requests(stream, counts, stop, |stream, _| {
                let head = b"VA 100000 s100000 f0 t-1\r\n";
                let endless = head.iter().copied().chain(std::iter::repeat(b'x'));
                for byte in endless {
                    if stop.load(Ordering::Relaxed) || stream.write_all(&[byte]).is_err() {
                        return false;
                    }
                    std::thread::sleep(pause);
                }
                true
            })
        })
    }

    /// Resets the connection at the first request.
    pub fn reset() -> Fake {
        Fake::new(|stream, counts, stop| {
            requests(stream, counts, stop, |stream, _| {
                reset_at_close(stream);
                false
            })
        })
    }

    /// Answers every line as redis does to a command it does not know.
    pub fn redis() -> Fake {
        Fake::answering(b"-ERR unknown command\r\n")
    }

    /// Gives the same bytes to each request.
    pub fn answering(answer: &'static [u8]) -> Fake {
        Fake::new(move |stream, counts, stop| {
            requests(stream, counts, stop, |stream, _| stream.write_all(answer).is_ok());
        })
    }

    /// Answers each line as `say` says; `None` is silence.
    pub fn saying(say: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Fake {
        Fake::new(move |stream, counts, stop| {
            let mut begun = Vec::new();
            requests(stream, counts, stop, |stream, bytes| {
                begun.extend_from_slice(bytes);
                let Some(end) = begun.iter().rposition(|byte| *byte == b'\n') else { return true };
                let whole: Vec<u8> = begun.drain(..=end).collect();
                let text = String::from_utf8_lossy(&whole);
                let answers: String = text.lines().filter_map(&say).collect();
                stream.write_all(answers.as_bytes()).is_ok()
            });
        })
    }

    /// Closes each connection at the first request, without an answer.
    pub fn closing() -> Fake {
        Fake::new(|stream, counts, stop| requests(stream, counts, stop, |_, _| false))
    }

    /// Packets are dropped: nobody accepts and the queue of the kernel is full.
    pub fn dropped() -> Fake {
        let port = ports::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
        // SAFETY: plain integers; a second listen on a listening socket only changes its backlog.
        unsafe { libc::listen(listener.as_raw_fd(), 0) };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut fillers = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            fillers.push(stream);
            assert!(fillers.len() < 64, "the accept queue never fills");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let s = stop.clone();
        let holder = std::thread::spawn(move || {
            while !s.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
            }
            drop(listener);
        });
        Fake { port, counts: Arc::default(), stop, polite: Arc::default(), acceptor: Some(holder), fillers }
    }

    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The text of a `server` parameter.
    pub fn spec(&self, name: &str) -> String {
        format!("name={name};addr={}", self.addr())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Reads that brought bytes.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

/// Its end will be a reset.
pub(super) fn reset_at_close(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the descriptor is open for the call, and the pointer and size describe `linger`.
    unsafe {
        let size = size_of::<libc::linger>() as libc::socklen_t;
        let option = (&raw const linger).cast();
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, option, size);
    }
}

/// Answers as an empty memcached as long as that is wanted.
fn behave(mut stream: &TcpStream, polite: &AtomicBool, stop: &AtomicBool) {
    let answer = |line: &str| match line.split_once(' ').map_or(line, |(verb, _)| verb) {
        "version" => "VERSION 1.6.18\r\n",
        "stats" => "END\r\n",
        "mg" => "EN\r\n",
        "ms" | "ma" => "HD\r\n",
        _ => "",
    };
    let mut buffer = [0; 4096];
    while polite.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
        let Ok(length) = stream.read(&mut buffer) else { continue };
        let answers: String = String::from_utf8_lossy(&buffer[..length]).lines().map(answer).collect();
        if length == 0 || stream.write_all(answers.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads until the peer leaves or the server stops; `answer` says whether to go on.
fn requests(
    mut stream: TcpStream,
    counts: &Counts,
    stop: &AtomicBool,
    mut answer: impl FnMut(&mut TcpStream, &[u8]) -> bool,
) {
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                counts.requests.fetch_add(1, Ordering::Relaxed);
                if !answer(&mut stream, &buffer[..length]) {
                    return;
                }
            }
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    drop(stream.shutdown(Shutdown::Both));
}
