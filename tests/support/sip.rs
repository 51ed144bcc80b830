//! The smallest SIP client: one request over UDP, one reply, then perhaps the next.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub struct Reply {
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
}

impl Reply {
    /// The first header of that name; "" when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v)
    }
}

pub struct Request<'a> {
    pub method: &'a str,
    /// User part of the request URI.
    pub user: &'a str,
    /// User part of From.
    pub from: &'a str,
    /// Written as they are: a value may hold a folded line.
    pub headers: &'a [(&'a str, &'a str)],
    pub limit: Duration,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Request { method: "OPTIONS", user: "test", from: "alice", headers: &[], limit: Duration::from_secs(10) }
    }
}

/// Sends the request to 127.0.0.1:`port`; `None` when no final reply came in time.
pub fn send(port: u16, request: &Request) -> Option<Reply> {
    Client::new().send(port, request)
}

/// A socket that asks one thing after the other.
pub struct Client {
    socket: UdpSocket,
    own: u16,
}

impl Client {
    pub fn new() -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("udp");
        let own = socket.local_addr().expect("address").port();
        Client { socket, own }
    }

    /// Sends the request once to 127.0.0.1:`port`; `None` when no final reply to it came in time.
    pub fn send(&self, port: u16, request: &Request) -> Option<Reply> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{}-{number}", std::process::id(), self.own);
        self.socket.send_to(self.text(port, request, number, &id).as_bytes(), ("127.0.0.1", port)).expect("send");
        let start = Instant::now();
        let mut buffer = vec![0; 65_536];
        while let Some(left) = request.limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left)).expect("timeout");
            let Ok(length) = self.socket.recv(&mut buffer) else { continue };
            let reply = parse(&buffer[..length]);
            if reply.status >= 200 && reply.header("Call-ID") == id {
                return Some(reply);
            }
        }
        None
    }

    fn text(&self, port: u16, request: &Request, number: u32, id: &str) -> String {
        let own = self.own;
        let Request { method, user, from, headers, .. } = request;
        let mut text = format!(
            "{method} sip:{user}@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{from}@127.0.0.1>;tag={number}\r\nTo: <sip:{user}@127.0.0.1>\r\n\
             Call-ID: {id}\r\nCSeq: {number} {method}\r\n"
        );
        for (name, value) in *headers {
            text += &format!("{name}: {value}\r\n");
        }
        text + "Content-Length: 0\r\n\r\n"
    }
}

fn parse(packet: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(packet);
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ').skip(1);
    let status = first.next().and_then(|s| s.parse().ok()).unwrap_or(0);
    let reason = first.next().unwrap_or_default().to_string();
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.trim().to_string(), v.trim().to_string()));
    Reply { status, reason, headers: lines.take_while(|l| !l.is_empty()).filter_map(header).collect() }
}
