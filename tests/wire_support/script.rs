//! Servers that misbehave as told.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Accepts connections until dropped and gives each to the script, in a thread of its own.
pub struct Script {
    pub at: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One accepted connection.
pub struct Guest {
    pub stream: TcpStream,
    over: Arc<AtomicBool>,
}

#[allow(dead_code, reason = "each test file uses some")]
impl Guest {
    /// Reads one packet; false at the end of the stream or of the test.
    pub fn hear(&mut self) -> bool {
        let mut room = [0; 65536];
        while !self.over.load(Ordering::Relaxed) {
            match self.stream.read(&mut room) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return false,
            }
        }
        false
    }

    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok() && !self.over.load(Ordering::Relaxed)
    }

    /// Says nothing until the other side gives up.
    pub fn mute(&mut self) {
        while self.hear() {}
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        let hard = libc::linger { l_onoff: 1, l_linger: 0 };
        let size = size_of::<libc::linger>() as libc::socklen_t;
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.stream);
        // SAFETY: the option's value is a linger that outlives the call.
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const hard).cast(), size) };
    }
}

impl Script {
    pub fn new(play: impl Fn(Guest) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (flag, play) = (over.clone(), Arc::new(play));
        let thread = std::thread::spawn(move || {
            let mut guests = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                if flag.load(Ordering::Relaxed) {
                    break;
                }
                stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
                stream.set_nodelay(true).unwrap();
                let (guest, play) = (Guest { stream, over: flag.clone() }, play.clone());
                guests.push(std::thread::spawn(move || play(guest)));
            }
            for guest in guests {
                let _ = guest.join();
            }
        });
        Self { at, over, thread: Some(thread) }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.at);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
