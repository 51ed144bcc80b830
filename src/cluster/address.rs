//! Where a server's name leads: looked up at start and by the watcher, never by a worker, which it could block.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};

/// A socket address that one process writes and all read.
///
/// The version is odd while the words change; a reader that meets a change half done reads again, and after a
/// writer that was killed half-way it answers "not known" until the next look-up.
#[derive(Debug, Default)]
#[repr(C)]
pub struct SharedAddress {
    version: AtomicU64,
    high: AtomicU64,
    low: AtomicU64,
    /// 0 = not known, else `1 << 16 | port`.
    port: AtomicU64,
}

impl SharedAddress {
    /// Only the watcher calls this; before it knows of the server, who puts that on the list.
    pub fn set(&self, address: SocketAddr) {
        let bits = match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        self.store(bits, 1 << 16 | u64::from(address.port()));
    }

    /// As long as nobody sets another one, there is none; to be called by whoever may [`set`](Self::set).
    pub fn forget(&self) {
        self.store(0, 0);
    }

    fn store(&self, bits: u128, port: u64) {
        let version = self.version.load(Ordering::Relaxed) | 1;
        self.version.store(version, Ordering::SeqCst);
        self.high.store((bits >> 64) as u64, Ordering::SeqCst);
        self.low.store(bits as u64, Ordering::SeqCst);
        self.port.store(port, Ordering::SeqCst);
        self.version.store(version + 1, Ordering::SeqCst);
    }

    #[must_use]
    pub fn get(&self) -> Option<SocketAddr> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let before = self.version.load(Ordering::SeqCst);
            let (high, low) = (self.high.load(Ordering::SeqCst), self.low.load(Ordering::SeqCst));
            let port = self.port.load(Ordering::SeqCst);
            if before.is_multiple_of(2) && before == self.version.load(Ordering::SeqCst) {
                let v6 = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
                let ip = v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4);
                return (port != 0).then(|| SocketAddr::new(ip, (port & 0xffff) as u16));
            }
            std::hint::spin_loop();
        }
        None
    }
}

/// Asks the system's resolver, which may take seconds for a name; a numeric address costs nothing.
#[must_use]
pub fn lookup(host: &str, port: u16) -> Option<SocketAddr> {
    (host, port).to_socket_addrs().ok()?.next()
}

/// True when `host` needs no resolver.
#[must_use]
pub fn numeric(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_set() {
        let shared = SharedAddress::default();
        assert_eq!(shared.get(), None);
        for text in ["10.0.0.11:11211", "[2001:db8::1]:1", "[::1]:65535", "127.0.0.1:1"] {
            let address: SocketAddr = text.parse().unwrap();
            shared.set(address);
            assert_eq!(shared.get(), Some(address), "{text}");
        }
        shared.forget();
        assert_eq!(shared.get(), None);
    }

    #[test]
    fn a_writer_killed_half_way_leaves_an_unknown_address_and_the_next_one_repairs_it() {
        let shared = SharedAddress::default();
        let address: SocketAddr = "10.0.0.1:2".parse().unwrap();
        shared.set(address);
        shared.version.fetch_add(1, Ordering::SeqCst);
        assert_eq!(shared.get(), None);
        shared.set(address);
        assert_eq!(shared.get(), Some(address));
    }

    #[test]
    fn a_numeric_address_needs_no_resolver() {
        assert!(numeric("10.0.0.1") && numeric("::1") && !numeric("mc1.example.org"));
        assert_eq!(lookup("127.0.0.1", 11211), "127.0.0.1:11211".parse().ok());
    }
}
