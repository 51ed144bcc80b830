//! Where a server listens, and how libmemcached would spell that place.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

/// memcached's own port, which libmemcached leaves out of a server's name.
const PORT: u16 = 11211;

/// Longest path of a unix socket on Linux, bytes.
const PATH_MAX: usize = 107;

/// A server's address as configured: nothing is looked up here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addr {
    /// A name, an IPv4 or an IPv6 address (without brackets), and a port.
    Tcp { host: String, port: u16 },
    /// An absolute path.
    Unix(PathBuf),
}

impl Addr {
    /// Reads `10.0.0.11:11211`, `mc1.example.com`, `[2001:db8::1]:11211` or `unix:/run/memcached.sock`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fail = |expected: &str| Err(format!("addr={text}: expected {expected}"));
        if let Some(path) = text.strip_prefix("unix:") {
            let good = path.starts_with('/') && (2..=PATH_MAX).contains(&path.len());
            return if good { Ok(Self::Unix(path.into())) } else { fail("unix:/path of 2 to 107 bytes") };
        }
        if text.starts_with('/') || text == "unix" {
            return fail("unix:/path for a unix socket");
        }
        if text.contains(',') {
            return fail("one server per parameter: write one \"server\" line for each");
        }
        let Some((host, port)) = split(text) else {
            return fail("host, host:port, [ipv6]:port or unix:/path");
        };
        if !text.starts_with('[') && port.contains(':') {
            return fail("an IPv6 address in brackets, as in [2001:db8::1]:11211");
        }
        if !is_host(host, text.starts_with('[')) {
            return fail("a host name, an IPv4 address or an IPv6 address in brackets");
        }
        match super::attrs::whole(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0) {
            Some(port) => Ok(Self::Tcp { host: host.to_owned(), port }),
            None => fail("a port from 1 to 65535"),
        }
    }

    /// libmemcached's name of the place, which decides the place on the ring.
    pub(super) fn ring_name(&self) -> String {
        match self {
            Self::Tcp { host, port: PORT } => host.clone(),
            Self::Tcp { host, port } => format!("{host}:{port}"),
            Self::Unix(path) => format!("{}:0", path.display()),
        }
    }

    /// True when both lead to the same listener, however they are spelled.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp { host, port }, Self::Tcp { host: other, port: other_port }) => {
                let numbers = host.parse::<Ipv6Addr>().ok().zip(other.parse::<Ipv6Addr>().ok());
                port == other_port && numbers.map_or(host.eq_ignore_ascii_case(other), |(one, other)| one == other)
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Host and port; the default port where none is named.
fn split(text: &str) -> Option<(&str, &str)> {
    let default = "11211";
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return if rest.is_empty() { Some((host, default)) } else { Some((host, rest.strip_prefix(':')?)) };
    }
    Some(text.split_once(':').unwrap_or((text, default)))
}

/// Names are letters, digits, `.`, `-` and `_`; what looks like an IPv4 address must be one.
pub(super) fn is_host(host: &str, brackets: bool) -> bool {
    if brackets {
        return host.parse::<Ipv6Addr>().is_ok();
    }
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.len() <= 253
        && !host.starts_with(['-', '.'])
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
