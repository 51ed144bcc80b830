//! What a key on a server's list is to a pair's repair: one of the pair's, a stray, or none of its business.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::repair::Slice;
use crate::cluster::Layout;
use crate::cluster::listing::spelled;
use crate::key::{Form, Kind, Parsed, Part, parse};

/// A table as it is when the pass begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: String,
    /// Both servers of a pair keep its keys.
    pub mirrored: bool,
    pub generation: u64,
}

/// What was found on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A key that both servers of the pair keep.
    Key {
        kind: Kind,
        table: usize,
        key: Vec<u8>,
    },
    /// A key that has no place on this server.
    Stray,
    /// Only the value tells the key.
    Hashed {
        kind: Kind,
        table: usize,
        part: Part,
    },
    Other,
}

/// Sorts the keys of one server's list.
#[derive(Clone, Copy, Debug)]
pub struct Sieve<'a> {
    pub layout: &'a Layout,
    pub tables: &'a [Policy],
    /// Whose list it is.
    pub server: usize,
    /// The home of the pair.
    pub home: usize,
    pub slice: Slice,
}

impl Sieve<'_> {
    /// Looks at a raw key.
    #[must_use]
    pub fn sort(&self, raw: &[u8]) -> Found {
        let (wire, base64) = spelled(raw);
        let Some(Parsed { kind, table, generation, part, form }) = parse(&wire, base64) else { return Found::Other };
        let Some(index) = self.tables.iter().position(|policy| policy.name == table) else { return Found::Other };
        let present = kind != Kind::Entry || generation == self.tables[index].generation;
        let tail = raw.iter().position(|byte| *byte == b':').map_or(raw, |colon| &raw[colon..]);
        if part == Part::Tomb || !present || !self.takes(tail) {
            return Found::Other;
        }
        match form {
            Form::Plain(key) => self.place(kind, index, part, &key),
            Form::Hashed => Found::Hashed { kind, table: index, part },
        }
    }

    /// Where a key belongs.
    #[must_use]
    pub fn place(&self, kind: Kind, table: usize, part: Part, key: &[u8]) -> Found {
        let policy = &self.tables[table];
        let home = self.layout.ring().home(&[policy.name.as_bytes(), b":", key]);
        let second = self.layout.pairs().partner(home) == Some(self.server);
        match part {
            _ if policy.mirrored && (home == self.server || second) => {
                if home == self.home {
                    Found::Key { kind, table, key: key.to_vec() }
                } else {
                    Found::Other
                }
            }
            // What a stand-in keeps ends by itself.
            Part::Counter(_) if !policy.mirrored => Found::Other,
            _ if home == self.server => Found::Other,
            _ => Found::Stray,
        }
    }

    fn takes(&self, tail: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        tail.hash(&mut hasher);
        self.slice.of <= 1 || hasher.finish() % u64::from(self.slice.of) == u64::from(self.slice.at)
    }
}
