//! A real memcached on a free port or a unix socket, with TLS or a password when asked; it can be killed, frozen, thawed
//! and started again at the same address, empty or with what it held.

use super::certs::Certs;
use super::process::{self, Process};
use super::{ports, wait};
use std::collections::HashMap;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub struct Memcached {
    process: Process,
    dir: TempDir,
    port: u16,
    socket: Option<PathBuf>,
    args: Vec<String>,
    plain: bool,
    /// Where its memory outlives it.
    memory: Option<TempDir>,
}

/// What to start; `Memcached::tcp()` and its sisters are the short forms.
#[derive(Default)]
pub struct Options {
    pub port: Option<u16>,
    pub unix: bool,
    /// It answers on every address of this machine.
    pub everywhere: bool,
    pub tls: Option<Certs>,
    pub auth: Option<(String, String)>,
    /// Its memory is kept in a file of /dev/shm, for `rest`.
    pub warm: bool,
    pub args: Vec<String>,
}

impl Memcached {
    pub fn tcp() -> Memcached {
        Memcached::start(Options::default())
    }

    pub fn unix() -> Memcached {
        Memcached::start(Options { unix: true, ..Options::default() })
    }

    pub fn tls(certs: &Certs) -> Memcached {
        Memcached::start(Options { tls: Some(certs.clone()), ..Options::default() })
    }

    pub fn auth(user: &str, password: &str) -> Memcached {
        Memcached::start(Options { auth: Some((user.into(), password.into())), ..Options::default() })
    }

    /// `count` plain servers.
    pub fn many(count: usize) -> Vec<Memcached> {
        (0..count).map(|_| Memcached::tcp()).collect()
    }

    pub fn start(options: Options) -> Memcached {
        let dir = open_dir(&std::env::temp_dir());
        let plain = options.tls.is_none() && options.auth.is_none();
        let port = options.port.unwrap_or_else(ports::free);
        let socket = options.unix.then(|| dir.path().join("mc.sock"));
        let mut args: Vec<String> = ["-U", "0", "-m", "64", "-t", "2"].map(String::from).to_vec();
        if process::is_root() {
            args.extend(["-u", "nobody"].map(String::from));
        }
        match &socket {
            Some(path) => args.extend(["-s".into(), path.display().to_string(), "-a".into(), "0777".into()]),
            None => {
                let listen = if options.everywhere { "0.0.0.0" } else { "127.0.0.1" };
                args.extend(["-l".into(), listen.into(), "-p".into(), port.to_string()]);
            }
        }
        if let Some((user, password)) = &options.auth {
            let file = dir.path().join("auth");
            std::fs::write(&file, format!("{user}:{password}\n")).expect("auth file");
            args.extend(["-Y".into(), file.display().to_string()]);
        }
        if let Some(certs) = &options.tls {
            let (chain, key) = certs.write_server(dir.path());
            args.extend(["-Z".into(), "-o".into(), format!("ssl_chain_cert={chain},ssl_key={key}")]);
        }
        let memory = options.warm.then(|| open_dir("/dev/shm".as_ref()));
        if let Some(memory) = &memory {
            args.extend(["-e".into(), memory.path().join("memory").display().to_string()]);
        }
        args.extend(options.args);
        let process = launch(&args, &dir);
        let mut server = Memcached { process, dir, port, socket, args, plain, memory };
        server.wait_ready();
        server
    }

    fn wait_ready(&mut self) {
        let limit = Duration::from_secs(10);
        let log = self.dir.path().join("log");
        wait::until("memcached to listen", limit, || {
            if self.process.ended().is_some() {
                panic!("memcached ended: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            if self.plain { self.stats().map(drop) } else { self.connect().map(drop) }
        });
    }

    /// `127.0.0.1:PORT` or `unix:/path`.
    pub fn addr(&self) -> String {
        match &self.socket {
            Some(path) => format!("unix:{}", path.display()),
            None => format!("127.0.0.1:{}", self.port),
        }
    }

    /// The text of a `server` parameter.
    pub fn spec(&self, name: &str) -> String {
        format!("name={name};addr={}", self.addr())
    }

    /// The same for each of them; their names are `mc1`, `mc2`, ...
    pub fn specs(servers: &[Self]) -> Vec<String> {
        (1..).zip(servers).map(|(number, server)| server.spec(&format!("mc{number}"))).collect()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP: connections are accepted by the kernel, nothing is answered. Returns when every thread has stopped.
    pub fn freeze(&self) {
        self.process.signal(libc::SIGSTOP);
        let tasks = || std::fs::read_dir(format!("/proc/{}/task", self.process.pid())).expect("its threads");
        let stopped = |task: std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| stat.contains(") T "))
        };
        wait::until("every thread to stop", Duration::from_secs(10), || {
            if tasks().flatten().all(stopped) { Ok(()) } else { Err("not yet") }
        });
    }

    pub fn thaw(&self) {
        self.process.signal(libc::SIGCONT);
    }

    /// An empty server at the same address; kills the old one first.
    pub fn restart(&mut self) {
        self.kill();
        self.revive();
    }

    /// Ends it in good order, so that it comes back with what it held; for a server started `warm`.
    pub fn rest(&mut self) {
        self.process.signal(libc::SIGUSR1);
        self.process.wait(Duration::from_secs(10)).expect("memcached to write down what it holds");
    }

    /// Starts it again at the same address: after `kill` empty, a second or more after `rest` with what it held.
    pub fn revive(&mut self) {
        self.process = launch(&self.args, &self.dir);
        self.wait_ready();
    }

    pub fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        let limit = Some(Duration::from_secs(3));
        Ok(match &self.socket {
            Some(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(limit)?;
                Box::new(stream)
            }
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_read_timeout(limit)?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }

    /// Sends raw bytes on a connection of its own and reads to the line `end`, which is included.
    pub fn raw(&self, request: &[u8], end: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = self.connect()?;
        stream.write_all(request)?;
        let mut lines = BufReader::new(stream);
        let mut all = Vec::new();
        loop {
            let start = all.len();
            if lines.read_until(b'\n', &mut all)? == 0 || all[start..].starts_with(end.as_bytes()) {
                return Ok(all);
            }
        }
    }

    pub fn stats(&self) -> std::io::Result<HashMap<String, String>> {
        let text = self.raw(b"stats\r\n", "END")?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let pair = |line: &str| line.strip_prefix("STAT ")?.split_once(' ').map(|(k, v)| (k.into(), v.trim().into()));
        Ok(text.lines().filter_map(pair).collect())
    }

    /// One number of `stats`.
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.stats().expect("stats");
        stats.get(name).and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("memcached has no number {name}"))
    }

    /// The value under a wire key, as any other client would read it.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let reply = self.raw(format!("get {key}\r\n").as_bytes(), "END").expect("get");
        let head = reply.iter().position(|b| *b == b'\n')?;
        let line = std::str::from_utf8(&reply[..head]).ok()?;
        let length: usize = line.strip_prefix("VALUE ")?.split_whitespace().nth(2)?.parse().ok()?;
        reply.get(head + 1..head + 1 + length).map(<[u8]>::to_vec)
    }

    /// Stores a value, as any other client would.
    pub fn set(&self, key: &str, value: impl Display) {
        let value = value.to_string();
        let request = format!("set {key} 0 0 {}\r\n{value}\r\n", value.len());
        assert_eq!(self.raw(request.as_bytes(), "STORED").expect("set"), b"STORED\r\n");
    }

    pub fn delete(&self, key: &str) {
        self.raw(format!("mg {key}\r\nmd {key} q\r\nmn\r\n").as_bytes(), "MN").expect("delete");
    }

    /// Every wire key the server holds.
    pub fn keys(&self) -> Vec<String> {
        let text = self.raw(b"lru_crawler metadump hash\r\n", "END").expect("metadump");
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().filter_map(|l| l.strip_prefix("key=")?.split(' ').next().map(plain)).collect()
    }

    /// The wire keys of all entries, without the module's own records, which come and go by themselves.
    pub fn entries(&self) -> Vec<String> {
        self.keys().into_iter().filter(|key| !key.starts_with('!')).collect()
    }
}

impl Drop for Memcached {
    /// Nothing to save: it need not take its second to say goodbye.
    fn drop(&mut self) {
        self.kill();
    }
}

/// The dump spells some bytes as `%XX`.
fn plain(key: &str) -> String {
    let mut parts = key.split('%');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| {
        let byte = u8::from_str_radix(part.get(..2).unwrap_or(""), 16).expect("two hexadecimal digits");
        text + &char::from(byte).to_string() + &part[2..]
    })
}

pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

fn open_dir(parent: &Path) -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::Builder::new().prefix("shc-mc-").tempdir_in(parent).expect("temporary directory");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).expect("permissions");
    dir
}

fn launch(args: &[String], dir: &TempDir) -> Process {
    let mut command = Command::new(process::need("memcached"));
    command.args(args);
    Process::start(command, &dir.path().join("log"))
}
