//! Free ports, chosen at run time. They lie below the kernel's ephemeral range, so that no outgoing connection takes one
//! between the choice and its use, and a client that dials a dead server can never meet itself.

use std::collections::HashSet;
use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

const FIRST: u16 = 12_000;
const COUNT: u32 = 20_000;

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that is free for UDP and TCP on 127.0.0.1, given once per test program.
pub fn free() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let given = given.get_or_insert_with(HashSet::new);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").subsec_nanos();
    let mut candidate = (nanos / 1_000) ^ std::process::id().wrapping_mul(2_654_435_761);
    for _ in 0..COUNT {
        candidate = candidate.wrapping_add(7_919);
        let port = FIRST + (candidate % COUNT) as u16;
        let both = (TcpListener::bind(("127.0.0.1", port)), UdpSocket::bind(("127.0.0.1", port)));
        if both.0.is_ok() && both.1.is_ok() && given.insert(port) {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1");
}
