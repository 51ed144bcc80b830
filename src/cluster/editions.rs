//! Under which list of servers each server is used, written down on the server itself.
//!
//! Each change of a list makes a new *edition* of it: a digest of the list, the same on every host that has it, and a
//! number that grows. The record `!list` on a server names the edition under which it is used. Hosts with different lists
//! find each other by it (`agreement`), and a server that left the list and comes back with what it held then is known by
//! it, and kept out (`book`).

pub mod agreement;
pub mod book;
pub mod entrance;
pub mod ledger;

use sha2::{Digest as _, Sha256};

use crate::key::WireKey;
use crate::wire::Reply;

/// What stands on a server whose place was taken off the list.
pub(super) const LEFT: &[u8] = b"left";

/// One state of a list of servers; a later one is larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edition {
    /// When its list came into force (ms of the wall clock), or one more than the edition before; 0 = not known to have
    /// followed any other.
    pub number: u64,
    /// Of the list itself: see [`digest`].
    pub digest: u64,
}

/// What a server says of its own use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Nothing: it is new, or was emptied.
    Missing,
    /// A host took it off its list, or what stands there is not ours.
    Left,
    /// It was last used under this edition.
    Of(Edition),
}

impl Edition {
    /// As it stands on a server.
    #[must_use]
    pub fn text(self) -> String {
        format!("{:016x} {}", self.digest, self.number)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (digest, number) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        Some(Self { digest: u64::from_str_radix(digest, 16).ok()?, number: number.parse().ok()? })
    }
}

impl Record {
    /// Reads a server's answer, and the cas of the record; `None` when it said nothing of it.
    #[must_use]
    pub fn read(reply: &Reply<'_>) -> Option<(Self, u64)> {
        match reply {
            Reply::Value { data, meta, .. } => Some((Edition::parse(data).map_or(Self::Left, Self::Of), meta.cas)),
            Reply::Miss => Some((Self::Missing, 0)),
            _ => None,
        }
    }
}

/// The digest of a list: of each server its name and its partner's on the ring, weight and zone, in any order.
#[must_use]
pub fn digest(mut servers: Vec<(String, u32, &str)>) -> u64 {
    servers.sort_unstable();
    let mut sha = Sha256::new();
    for (names, weight, zone) in servers {
        sha.update(format!("{names}\n{weight}\n{zone}\n"));
    }
    sha.finalize().iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte))
}

/// The key of the record, and of the one by which hosts with another list contradict it.
pub(in crate::cluster) fn keys() -> [WireKey; 2] {
    ["list", "other"].map(|kind| WireKey::of_record(kind, "", b""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Layout;
    use crate::config::Config;

    #[test]
    fn an_edition_reads_back_and_anything_else_is_no_edition() {
        let edition = Edition { number: 1_795_206_978_000, digest: 0xabc };
        assert_eq!(edition.text(), "0000000000000abc 1795206978000");
        assert_eq!(Edition::parse(edition.text().as_bytes()), Some(edition));
        for text in [LEFT, b"", b"12", b"xyz 1", b"12 x", b"\xff 1"] {
            assert_eq!(Edition::parse(text), None, "{text:?}");
        }
    }

    fn digest_of(slots: &[&str]) -> u64 {
        Layout::new(1, slots.iter().map(|text| Config::server(text).ok()).collect()).unwrap().digest()
    }

    #[test]
    fn a_digest_tells_lists_apart_and_not_how_they_are_written() {
        let (a, b, c) = ("name=a;addr=10.0.0.1", "name=b;addr=10.0.0.2", "name=c;addr=10.0.0.3");
        let all = digest_of(&[a, b, c]);
        assert_eq!(all, digest_of(&[c, "", "name=x;addr=10.0.0.1", b]));
        for other in [
            &[a, b][..],
            &[a, b, "name=c;addr=10.0.0.4"],
            &[a, b, "name=c;addr=10.0.0.3;weight=2"],
            &[a, b, "name=c;addr=10.0.0.3;zone=z"],
            &["name=a;addr=10.0.0.1;pair=b", "name=b;addr=10.0.0.2;pair=c", "name=c;addr=10.0.0.3;pair=b"],
        ] {
            assert_ne!(all, digest_of(other), "{other:?}");
        }
    }
}
