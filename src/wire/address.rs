//! Where a server is and how to be let in.

use super::tls::Tls;
use std::mem::size_of;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A server's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// A host name nobody has looked up yet; `Link::redirect` brings the address.
    #[default]
    Unresolved,
}

/// Everything needed to connect to one server.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    pub address: Address,
    /// User and password of a server that runs with `-Y`.
    pub auth: Option<(String, String)>,
    pub tls: Option<Tls>,
}

/// An address as the kernel wants it.
pub struct Target {
    pub family: libc::c_int,
    pub storage: libc::sockaddr_storage,
    pub len: libc::socklen_t,
}

impl Target {
    /// `None` for an unresolved name or a socket path that is empty or too long.
    pub fn new(address: &Address) -> Option<Self> {
        match address {
            Address::Tcp(SocketAddr::V4(at)) => Some(Self::of(libc::AF_INET, v4(*at))),
            Address::Tcp(SocketAddr::V6(at)) => Some(Self::of(libc::AF_INET6, v6(*at))),
            Address::Unix(path) => Some(Self::of(libc::AF_UNIX, unix(path)?)),
            Address::Unresolved => None,
        }
    }

    fn of<T: Copy>(family: libc::c_int, address: T) -> Self {
        const { assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>()) };
        // SAFETY: sockaddr_storage is plain numbers; all zeroes is a valid value of it.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: `storage` is large enough (asserted above) and aligned for every kind of socket address.
        unsafe { (&raw mut storage).cast::<T>().write(address) };
        Self { family, storage, len: libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0) }
    }
}

fn v4(at: std::net::SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: at.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(at.ip().octets()) },
        sin_zero: [0; 8],
    }
}

fn v6(at: std::net::SocketAddrV6) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: at.port().to_be(),
        sin6_flowinfo: at.flowinfo(),
        sin6_addr: libc::in6_addr { s6_addr: at.ip().octets() },
        sin6_scope_id: at.scope_id(),
    }
}

fn unix(path: &Path) -> Option<libc::sockaddr_un> {
    let bytes = path.as_os_str().as_bytes();
    let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    if bytes.is_empty() || bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        return None;
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    Some(address)
}
