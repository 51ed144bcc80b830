//! A real memcached of one's own for the length of a test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Memcached {
    child: Child,
    pub at: SocketAddr,
    pub socket: PathBuf,
    #[allow(dead_code, reason = "holds the files of the server")]
    pub dir: tempfile::TempDir,
}

#[allow(dead_code, reason = "each test file uses some")]
impl Memcached {
    /// On a free TCP port.
    pub fn tcp(args: &[&str]) -> Self {
        let mut last = String::new();
        for _ in 0..5 {
            let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let port = at.port().to_string();
            let mut all = vec!["-l", "127.0.0.1", "-p", &port, "-U", "0"];
            all.extend(args);
            match Self::start(&all, at, PathBuf::new(), tempfile::tempdir().unwrap()) {
                Ok(server) => return server,
                Err(text) => last = text,
            }
        }
        panic!("memcached does not start: {last}");
    }

    /// On a unix socket.
    pub fn unix(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("m.sock");
        let path = socket.to_str().unwrap().to_owned();
        let mut all = vec!["-s", &path, "-a", "0777"];
        all.extend(args);
        Self::start(&all, "127.0.0.1:0".parse().unwrap(), socket, dir).unwrap()
    }

    fn start(args: &[&str], at: SocketAddr, socket: PathBuf, dir: tempfile::TempDir) -> Result<Self, String> {
        let mut command = Command::new("memcached");
        command.args(["-u", "root", "-m", "64"]).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self { child: command.spawn().map_err(|e| e.to_string())?, at, socket, dir };
        let end = Instant::now() + Duration::from_secs(10);
        while !server.answers() {
            if let Some(status) = server.child.try_wait().unwrap() {
                return Err(format!("ended with {status}"));
            }
            assert!(Instant::now() < end, "memcached {args:?} does not answer");
            std::thread::yield_now();
        }
        Ok(server)
    }

    fn answers(&self) -> bool {
        if self.at.port() == 0 {
            UnixStream::connect(&self.socket).is_ok()
        } else {
            TcpStream::connect(self.at).is_ok()
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        self.kill();
    }
}
