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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::key::{Space, WireKey};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    const TABLES: [(&str, bool, u64); 2] = [("two", true, 7), ("one", false, 0)];

    fn layout() -> Layout {
        let server = |n: usize| Config::server(&format!("name=s{n};addr=10.0.0.{n}")).ok();
        Layout::new(1, (1..=4).map(server).collect()).unwrap()
    }

    fn tables() -> Vec<Policy> {
        TABLES.map(|(name, mirrored, generation)| Policy { name: name.to_owned(), mirrored, generation }).to_vec()
    }

    /// What lies on the server: the raw key.
    fn raw(space: Space<'_>, part: Part, key: &[u8]) -> Vec<u8> {
        let mut wire = WireKey::new();
        wire.part(space, part, key).unwrap();
        if wire.base64() { STANDARD.decode(wire.bytes()).unwrap() } else { wire.bytes().to_vec() }
    }

    /// What an item is on each of the servers, as seen by the repair of the pair of each home.
    fn sort(layout: &Layout, raw: &[u8]) -> Vec<(usize, usize, Found)> {
        let tables = tables();
        let both = (0..4).flat_map(|server| (0..4).map(move |home| (server, home)));
        let whole = Slice { at: 0, of: 1 };
        let sort =
            |(server, home)| (server, home, Sieve { layout, tables: &tables, server, home, slice: whole }.sort(raw));
        both.map(sort).collect()
    }

    #[test]
    fn a_key_is_its_pairs_and_a_stray_on_all_other_servers() {
        let layout = layout();
        for (key, kind, part) in [
            (&b"alice"[..], Kind::Entry, Part::Item),
            (b"\r\n\xff", Kind::Entry, Part::Item),
            (b"bob", Kind::Entry, Part::Counter(99)),
            (b"carol", Kind::Lock, Part::Item),
        ] {
            let generation = if kind == Kind::Entry { 7 } else { 0 };
            let raw = raw(Space { kind, table: "two", generation }, part, key);
            let at_home = layout.ring().home(&[b"two:", key]);
            let partner = layout.pairs().partner(at_home).unwrap();
            for (server, home, found) in sort(&layout, &raw) {
                let want = match (server, home) {
                    _ if server != at_home && server != partner => Found::Stray,
                    _ if home == at_home => Found::Key { kind, table: 0, key: key.to_vec() },
                    _ => Found::Other,
                };
                assert_eq!(found, want, "on {server}, for the pair of {home}; home {at_home}, partner {partner}");
            }
        }
    }

    #[test]
    fn of_a_table_with_one_copy_all_but_the_home_hold_strays_but_not_what_stand_ins_keep() {
        let layout = layout();
        let space = Space { kind: Kind::Entry, table: "one", generation: 0 };
        let at_home = layout.ring().home(&[b"one:alice"]);
        for (server, _, found) in sort(&layout, &raw(space, Part::Item, b"alice")) {
            assert_eq!(found, if server == at_home { Found::Other } else { Found::Stray }, "on {server}");
        }
        let stand_in = raw(space, Part::Counter(5), b"alice");
        assert!(sort(&layout, &stand_in).iter().all(|(.., found)| *found == Found::Other));
    }

    #[test]
    fn what_nobody_reads_and_what_is_not_ours_is_left_alone() {
        let layout = layout();
        let old = Space { kind: Kind::Entry, table: "two", generation: 6 };
        let unknown = Space { kind: Kind::Entry, table: "three", generation: 0 };
        let now = Space { generation: 7, ..old };
        let items = [
            raw(old, Part::Item, b"alice"),
            raw(unknown, Part::Item, b"alice"),
            raw(now, Part::Tomb, b"alice"),
            b"!mark:home:a/b".to_vec(),
            b"of another program".to_vec(),
        ];
        for item in items {
            assert!(sort(&layout, &item).iter().all(|(.., found)| *found == Found::Other), "{item:?}");
        }
    }

    #[test]
    fn a_hashed_key_is_told_by_its_value_only() {
        let layout = layout();
        let raw = raw(Space { kind: Kind::Entry, table: "two", generation: 7 }, Part::Item, &[b'x'; 400]);
        let hashed = Found::Hashed { kind: Kind::Entry, table: 0, part: Part::Item };
        assert!(sort(&layout, &raw).iter().all(|(.., found)| *found == hashed));
    }

    #[test]
    fn an_item_and_its_counters_fall_into_the_same_one_of_the_slices() {
        let (layout, tables) = (layout(), tables());
        for n in 0..100 {
            let key = format!("key{n}");
            let home = layout.ring().home(&[b"two:", key.as_bytes()]);
            let space = Space { kind: Kind::Entry, table: "two", generation: 7 };
            let taken = |part| -> Vec<u32> {
                let raw = raw(space, part, key.as_bytes());
                let sieve =
                    |at| Sieve { layout: &layout, tables: &tables, server: home, home, slice: Slice { at, of: 5 } };
                (0..5).filter(|at| sieve(*at).sort(&raw) != Found::Other).collect()
            };
            assert_eq!(taken(Part::Item).len(), 1);
            assert_eq!(taken(Part::Item), taken(Part::Counter(3)));
        }
    }
}
