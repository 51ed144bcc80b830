//! A redis-server on a free port, for comparison.
#![allow(dead_code, reason = "each benchmark uses its part")]

use crate::support::process::{Process, need};
use crate::support::{ports, until};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub struct Redis {
    port: u16,
    _process: Process,
    _dir: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let port = ports::free();
        let mut command = Command::new(need("redis-server"));
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]).current_dir(dir.path());
        let process = Process::start(command, &dir.path().join("log"));
        until("redis-server to listen", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)));
        Self { port, _process: process, _dir: dir }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}
