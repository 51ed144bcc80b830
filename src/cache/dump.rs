//! A table's entries page by page, for operators: the key lists of all servers, one server after the other.
//!
//! memcached lists all its keys or none, so a page costs a walk over one server's whole list, in the order of its hash
//! table, which reading does not change; entries written or deleted between two pages may move the border by one.
//! Servers that are out of use are left out and named.
//!
//! Of a table with two copies every copy and every counter is a sighting, and counts for the length of a page; an entry is
//! only what a read of its key would bring. A counter whose key is known by its hash alone is left out.

use std::time::Duration;

use super::farm::Farm;
use crate::clock::{self, Deadline};
use crate::cluster::listing::{self, Listed, spelled};
use crate::key::{self, Form, Kind, Part, split_full};
use crate::value::Value;
use crate::value::frame::Wire;
use crate::wire::{self, KeyRef, Link, Reply, WireError};

/// How long a page may take in all: a process of the host waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a page leaves a busy server alone.
const PAUSE: Duration = Duration::from_millis(10);

/// One entry of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub is_int: bool,
    /// Remaining seconds; 0 = never expires.
    pub ttl: u32,
}

/// One page of a dump; `next` is the cursor of the page after it. A page whose time was up is short, even empty.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub next: Option<String>,
    /// Servers that were out of use and left out.
    pub skipped: Vec<usize>,
}

/// An entry as it was found on one server.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub server: usize,
    pub part: Part,
    pub entry: Entry,
}

/// What was found on the servers for one page.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    found: Vec<Sighting>,
    next: Option<String>,
    skipped: Vec<usize>,
}

impl Sightings {
    /// The page with the entries of those that `stands` is true for.
    pub fn page(self, mut stands: impl FnMut(&Sighting) -> bool) -> Page {
        let entries = self.found.into_iter().filter(|sighting| stands(sighting)).map(|sighting| sighting.entry);
        Page { entries: entries.collect(), next: self.next, skipped: self.skipped }
    }
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("'{0}' is no cursor that a page before returned")]
    Cursor(String),
    #[error("{0}")]
    Failed(String),
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Why a server's keys were not listed.
#[derive(Debug, thiserror::Error)]
enum Unlisted {
    #[error("busy with another list")]
    Busy,
    #[error("{0}")]
    Failed(WireError),
}

/// Where the next page begins: so many matching keys of that server are behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    server: usize,
    past: usize,
}

impl Cursor {
    fn parse(text: &str, servers: usize) -> Result<Self, Unread> {
        if text.is_empty() {
            return Ok(Self { server: 0, past: 0 });
        }
        let parts = text.split_once(':').and_then(|(server, past)| Some((server.parse().ok()?, past.parse().ok()?)));
        match parts {
            Some((server, past)) if server < servers => Ok(Self { server, past }),
            _ => Err(Unread::Cursor(text.to_owned())),
        }
    }

    fn text(self) -> String {
        format!("{}:{}", self.server, self.past)
    }
}

impl Farm {
    /// What the servers hold of a table, up to `limit` sightings.
    pub fn dump(&mut self, table: usize, cursor: &str, limit: usize) -> Result<Sightings, Unread> {
        self.begin();
        let (first, deadline) = (Cursor::parse(cursor, self.links.len())?, Deadline::after(PATIENCE));
        let (mut at, mut page) = (first, Sightings::default());
        while at.server < self.links.len() {
            match self.dump_server(table, at, limit, deadline, &mut page) {
                Ok(None) => at = Cursor { server: at.server + 1, past: 0 },
                Ok(Some(next)) => {
                    page.next = Some(next.text());
                    return Ok(page);
                }
                // The page after this one begins with the server that failed, and tells why.
                Err(_) if at != first => {
                    page.next = Some(at.text());
                    return Ok(page);
                }
                Err(why) => return Err(why.into()),
            }
        }
        Ok(page)
    }

    /// Fills a page up to `limit` with what one server has from `at` on. Where the next one begins, if there is more there.
    fn dump_server(
        &mut self,
        table: usize,
        at: Cursor,
        limit: usize,
        deadline: Deadline,
        page: &mut Sightings,
    ) -> Result<Option<Cursor>, String> {
        if self.layout.server(at.server).is_none() {
            return Ok(None);
        }
        if !self.shared.server_up(at.server) {
            page.skipped.push(at.server);
            return Ok(None);
        }
        let (keys, more) = self.walk(table, at, limit - page.found.len(), deadline)?;
        page.found.extend(self.read_entries(at.server, &keys, deadline)?);
        Ok(more.then_some(Cursor { past: at.past + keys.len(), ..at }))
    }

    /// The next raw wire keys of the table on one server, and whether there are more behind them. Waits while the server
    /// is busy: it makes one list at a time.
    fn walk(&self, table: usize, at: Cursor, limit: usize, deadline: Deadline) -> Result<(Vec<Vec<u8>>, bool), String> {
        loop {
            match self.walk_once(table, at, limit, deadline) {
                Err(Unlisted::Busy) if deadline.left(clock::monotonic_ns()) > PAUSE => std::thread::sleep(PAUSE),
                walked => return walked.map_err(|why| format!("server \"{}\": {why}", self.layout.name(at.server))),
            }
        }
    }

    fn walk_once(
        &self,
        table: usize,
        at: Cursor,
        limit: usize,
        deadline: Deadline,
    ) -> Result<(Vec<Vec<u8>>, bool), Unlisted> {
        let name = &self.shared.table_at(table).name;
        let (generation, counters) = (self.shared.generation(table), self.mirrors(table) && self.layout.len() > 1);
        let (mut keys, mut passed, mut more, mut room, mut any) = (Vec::new(), 0, false, Vec::new(), false);
        let mut link = Link::new(self.shared.endpoint(&self.layout, at.server));
        let walked = wire::stream(&mut link, listing::COMMAND, deadline, &mut |line| {
            any = true;
            let Some(Listed { key: raw, .. }) = Listed::read(line, &mut room) else { return true };
            if !belongs(raw, name, generation, counters) {
                return true;
            }
            passed += 1;
            if passed > at.past {
                more = keys.len() == limit;
                if !more {
                    keys.push(raw.to_vec());
                }
            }
            !more
        });
        match walked {
            Ok(()) if any => Ok((keys, more)),
            // The module's own records are always there: it lists nothing only while its hash table grows.
            Ok(()) => Err(Unlisted::Busy),
            Err(_) if matches!(link.reply(0), Reply::ServerError(text) if text.starts_with(b"BUSY")) => {
                Err(Unlisted::Busy)
            }
            Err(error) => Err(Unlisted::Failed(error)),
        }
    }

    fn read_entries(&mut self, server: usize, keys: &[Vec<u8>], deadline: Deadline) -> Result<Vec<Sighting>, String> {
        const PACKET: usize = 100;
        let mut entries = Vec::with_capacity(keys.len());
        for some in keys.chunks(PACKET) {
            self.prepare(server);
            for raw in some {
                let (bytes, base64) = spelled(raw);
                self.links[server].mg(KeyRef { bytes: &bytes, base64 }, "v f t u");
            }
            wire::exchange(&mut self.links, &[server], deadline);
            // How much time was left says nothing of the server, so its health is not told.
            self.links[server].status().map_err(|error| format!("server \"{}\": {error}", self.layout.name(server)))?;
            for (at, raw) in some.iter().enumerate() {
                if let Reply::Value { data, meta } = self.links[server].reply(at) {
                    let found = entry(raw, data, meta.flags, u32::try_from(meta.ttl).unwrap_or(0));
                    entries.extend(found.map(|(part, entry)| Sighting { server, part, entry }));
                }
            }
        }
        Ok(entries)
    }
}

/// `counters`: those that name an epoch belong too.
fn belongs(raw: &[u8], table: &str, generation: u64, counters: bool) -> bool {
    let (wire_key, base64) = spelled(raw);
    key::parse(&wire_key, base64).is_some_and(|found| {
        let part = found.part == Part::Item || counters && matches!(found.part, Part::Counter(_));
        part && found.kind == Kind::Entry && found.table == table && found.generation == generation
    })
}

/// The entry behind a raw key, if a read would bring a value; the key of a hashed one stands before its value.
fn entry(raw: &[u8], data: &[u8], flags: u32, ttl: u32) -> Option<(Part, Entry)> {
    let (wire_key, base64) = spelled(raw);
    let key::Parsed { table, part, form, .. } = key::parse(&wire_key, base64)?;
    let (key, data) = match form {
        Form::Plain(key) => (key.into_owned(), data),
        // A bare number under a hashed key does not tell its key.
        Form::Hashed => match split_full(data) {
            Some((full, value)) => (full.get(table.len() + 1..)?.to_vec(), value),
            None => (wire_key.clone(), data),
        },
    };
    let value = Wire { data, flags }.untagged().shown()?;
    let text = match value {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Bytes(bytes) => bytes.to_vec(),
    };
    Some((part, Entry { key, value: text, is_int: matches!(value, Value::Int(_)), ttl }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_entries_of_the_table_and_generation_belong() {
        for (raw, [once, twice]) in [
            ("t:a", [false; 2]),
            ("t@5:a", [true; 2]),
            ("t@4:a", [false; 2]),
            ("tt@5:a", [false; 2]),
            ("!gen:t", [false; 2]),
            ("!lock:t@5:a", [false; 2]),
            ("!tomb:t@5:a", [false; 2]),
            ("t@5%9:a", [false, true]),
            ("t%9:a", [false; 2]),
            ("t@5:\r\n", [true; 2]),
        ] {
            assert_eq!([false, true].map(|two| belongs(raw.as_bytes(), "t", 5, two)), [once, twice], "{raw:?}");
        }
    }

    #[test]
    fn a_cursor_that_no_page_returned_is_refused() {
        for bad in ["x", "1", "1:", ":1", "3:0", "-1:0", "0:-1"] {
            assert!(Cursor::parse(bad, 3).is_err(), "{bad}");
        }
        assert_eq!(Cursor::parse("2:17", 3).ok(), Some(Cursor { server: 2, past: 17 }));
    }
}
