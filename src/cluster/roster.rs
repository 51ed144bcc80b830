//! The list of servers with the slot of each, as it stands in shared memory: one line per slot.
//!
//! A server keeps its slot as long as its place on the ring and its address stay the same. A slot that became free rests
//! before another server gets it: a call that began under the older list may still use it.

use crate::config::{Config, ServerSpec};

/// What stands in a slot.
#[allow(clippy::large_enum_variant, reason = "most slots are taken")]
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    /// Nobody had it yet.
    Fresh,
    Taken(ServerSpec),
    /// Free since then (ms of the monotonic clock).
    Left(u64),
}

/// A list of servers, each in its slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roster(Vec<Slot>);

/// How slots are given out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub now_ms: u64,
    /// How long a slot rests.
    pub rest_ms: u64,
    /// How many slots there are.
    pub slots: usize,
}

/// No slot is free for a new server; one will be after so many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoSlot {
    pub wait_ms: u64,
}

impl Roster {
    /// The first list: each server in the slot of its place.
    pub fn first(servers: Vec<ServerSpec>) -> Self {
        Self(servers.into_iter().map(Slot::Taken).collect())
    }

    /// Reads what [`Roster::text`] wrote; `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let slot = |line: &str| match line.strip_prefix('-') {
            Some(since) => since.parse().ok().map(Slot::Left),
            None if line.is_empty() => Some(Slot::Fresh),
            None => Config::server(line).ok().map(Slot::Taken),
        };
        text.lines().map(slot).collect::<Option<_>>().map(Self)
    }

    /// As text, passwords included.
    pub fn text(&self) -> String {
        let line = |slot: &Slot| match slot {
            Slot::Fresh => "\n".to_owned(),
            Slot::Taken(server) => format!("{}\n", server.spelled()),
            Slot::Left(since_ms) => format!("-{since_ms}\n"),
        };
        self.0.iter().map(line).collect()
    }

    /// All servers.
    pub fn servers(&self) -> Vec<ServerSpec> {
        self.0.iter().filter_map(Slot::server).cloned().collect()
    }

    /// What stands in each slot.
    pub fn into_slots(self) -> Vec<Option<ServerSpec>> {
        self.0.into_iter().map(|slot| if let Slot::Taken(server) = slot { Some(server) } else { None }).collect()
    }

    /// The slots of `servers`: those that are here already keep theirs. Also, which slots get a new server.
    ///
    /// # Errors
    /// The slots that are free still rest.
    pub fn change(&self, servers: &[ServerSpec], terms: Terms) -> Result<(Self, Vec<usize>), NoSlot> {
        let mut next = Self(self.0.iter().map(|slot| slot.left(terms.now_ms)).collect());
        let mut new = Vec::new();
        for server in servers {
            match self.0.iter().position(|slot| slot.server().is_some_and(|old| old.stays(server))) {
                Some(at) => next.0[at] = Slot::Taken(server.clone()),
                None => new.push(server),
            }
        }
        let mut given = Vec::with_capacity(new.len());
        for server in new {
            let at = next.free(terms)?;
            next.0[at] = Slot::Taken(server.clone());
            given.push(at);
        }
        Ok((next, given))
    }

    /// The first slot that may be given out.
    fn free(&mut self, terms: Terms) -> Result<usize, NoSlot> {
        if let Some(at) = self.0.iter().position(|slot| slot.wait_ms(terms) == Some(0)) {
            return Ok(at);
        }
        if self.0.len() < terms.slots {
            self.0.push(Slot::Fresh);
            return Ok(self.0.len() - 1);
        }
        let wait_ms = self.0.iter().filter_map(|slot| slot.wait_ms(terms)).min().unwrap_or(terms.rest_ms);
        Err(NoSlot { wait_ms })
    }
}

impl Slot {
    fn server(&self) -> Option<&ServerSpec> {
        if let Self::Taken(server) = self { Some(server) } else { None }
    }

    /// Without its server.
    fn left(&self, now_ms: u64) -> Self {
        match self {
            Self::Taken(_) => Self::Left(now_ms),
            other => other.clone(),
        }
    }

    /// How long until it may be given out; `None` while it is taken.
    fn wait_ms(&self, terms: Terms) -> Option<u64> {
        match self {
            Self::Fresh => Some(0),
            Self::Taken(_) => None,
            Self::Left(since_ms) => Some((since_ms + terms.rest_ms).saturating_sub(terms.now_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs(texts: &[&str]) -> Vec<ServerSpec> {
        texts.iter().map(|text| Config::server(text).unwrap()).collect()
    }

    fn terms(now_ms: u64) -> Terms {
        Terms { now_ms, rest_ms: 100, slots: 4 }
    }

    fn names(roster: &Roster) -> Vec<String> {
        let name = |slot: Option<ServerSpec>| slot.map_or(String::new(), |server| server.name);
        roster.clone().into_slots().into_iter().map(name).collect()
    }

    const A: &str = "name=a;addr=h1;user=u;pass=p=1 2";
    const B: &str = "name=b;addr=h2";
    const C: &str = "name=c;addr=h3:5;ring=place";

    #[test]
    fn a_server_keeps_its_slot_and_a_free_one_rests() {
        let first = Roster::first(specs(&[A, B]));
        let (second, given) = first.change(&specs(&[C, B]), terms(1_000)).unwrap();
        assert_eq!((names(&second), given), (["", "b", "c"].map(String::from).to_vec(), vec![2]));
        let (third, given) = second.change(&specs(&[A, C, B]), terms(1_099)).unwrap();
        assert_eq!((names(&third), given), (["", "b", "c", "a"].map(String::from).to_vec(), vec![3]));
        let (third, given) = second.change(&specs(&[A, C, B]), terms(1_100)).unwrap();
        assert_eq!((names(&third), given), (["a", "b", "c"].map(String::from).to_vec(), vec![0]));
    }

    #[test]
    fn another_address_is_another_server_and_other_attributes_are_not() {
        let roster = Roster::first(specs(&[A, C]));
        let changed = specs(&["name=x;addr=h1;weight=7;zone=z", "name=c;addr=h3:6;ring=place"]);
        let (next, given) = roster.change(&changed, terms(5)).unwrap();
        assert_eq!((names(&next), given), (["x", "", "c"].map(String::from).to_vec(), vec![2]));
        assert_eq!(next.servers()[0].weight, 7);
    }

    #[test]
    fn without_a_free_slot_the_list_stays() {
        let four = specs(&[A, B, C, "name=d;addr=h4"]);
        let roster = Roster::first(four.clone());
        let (three, _) = roster.change(&four[1..], terms(50)).unwrap();
        let mut wanted = three.servers();
        wanted.push(Config::server("name=e;addr=h5").unwrap());
        assert_eq!(three.change(&wanted, terms(60)), Err(NoSlot { wait_ms: 90 }));
        assert!(three.change(&wanted, terms(150)).is_ok());
    }

    #[test]
    fn it_reads_back_from_its_text() {
        let (roster, _) = Roster::first(specs(&[A, B])).change(&specs(&[B, C]), terms(77)).unwrap();
        assert_eq!(roster.text(), "-77\nname=b;addr=h2:11211;weight=1\nname=c;addr=h3:5;weight=1;ring=place\n");
        assert_eq!(Roster::parse(roster.text().as_bytes()), Some(roster));
        let with_secret = Roster::first(specs(&[A]));
        assert_eq!(Roster::parse(with_secret.text().as_bytes()), Some(with_secret));
        for bad in ["-x\n", "name=a\n", "\u{0}\n"] {
            assert_eq!(Roster::parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Roster::parse(b""), Some(Roster::default()));
    }
}
