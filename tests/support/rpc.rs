//! The two ways into a running host: JSON-RPC over HTTP, and kamcmd over the ctl socket.

use super::process;
use serde_json::{Value, json};
use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A fault the host answered with.
#[derive(Debug)]
pub struct Fault {
    pub code: i64,
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

/// One JSON-RPC call; `Err` outside is a transport that does not answer.
pub fn json(port: u16, method: &str, params: &[Value]) -> std::io::Result<Result<Value, Fault>> {
    let body = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).to_string();
    let reply = http(port, "POST", "/RPC", &body)?;
    let reply: Value =
        serde_json::from_str(&reply).map_err(|e| Error::new(ErrorKind::InvalidData, format!("{e}: {reply}")))?;
    if let Some(error) = reply.get("error") {
        let message = error["message"].as_str().unwrap_or_default().to_string();
        return Ok(Err(Fault { code: error["code"].as_i64().unwrap_or(0), message }));
    }
    Ok(Ok(reply["result"].clone()))
}

/// One HTTP exchange with the host's xhttp; gives the body.
pub fn http(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes())?;
    let mut all = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        if let Some(body) = complete(&all) {
            return Ok(body);
        }
        match stream.read(&mut chunk)? {
            0 => {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    format!("half an answer: {}", String::from_utf8_lossy(&all)),
                ));
            }
            n => all.extend_from_slice(&chunk[..n]),
        }
    }
}

fn complete(all: &[u8]) -> Option<String> {
    let head = all.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&all[..head]).to_lowercase();
    let length: usize = text.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok())?;
    all.get(head..head + length).map(|b| String::from_utf8_lossy(b).into_owned())
}

/// One call through kamcmd; `Err` holds its text when it reports an error.
pub fn kamcmd(socket: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(process::need("kamcmd"));
    let out =
        command.arg("-s").arg(format!("unix:{}", socket.display())).arg("--").args(args).output().expect("kamcmd");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    if out.status.success() && !text.starts_with("error:") && !text.starts_with("ERROR:") {
        Ok(text)
    } else {
        Err(text)
    }
}
