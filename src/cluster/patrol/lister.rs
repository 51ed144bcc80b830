//! The keys of a pair as its servers list them, gathered by a thread beside the watcher's rounds: a list may take
//! seconds, a round may not.
//!
//! A server lists all its keys or none, and one list at a time. It must be read without pauses, or it repeats itself.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

use super::catalogue::{Catalogue, MOST};
use super::repair::Slice;
use super::sieve::{Found, Policy, Sieve};
use super::sweep::Stray;
use crate::clock::Deadline;
use crate::cluster::listing::{self, spelled};
use crate::cluster::lookup::without_signals;
use crate::cluster::{Layout, Shared};
use crate::key::{Kind, Part, split_full};
use crate::wire::{self, KeyRef, Link, Reply};

/// How long one server's list, or one packet of values, may take.
const LIST: Duration = Duration::from_secs(30);
/// Values asked for in one packet, at most ...
const PACKET: usize = 100;
/// ... and their bytes, unless one alone is larger.
const PACKET_BYTES: usize = 1 << 20;

/// What both lists of a pair hold.
#[derive(Debug, Default)]
pub struct Listing {
    pub keys: Catalogue,
    pub strays: Vec<Stray>,
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// The server makes one for somebody else, or cannot at this moment.
    Busy,
    /// The server runs without what makes lists.
    Disabled {
        server: usize,
    },
    Failed {
        server: usize,
        why: String,
    },
}

/// Which keys are asked for.
pub struct Order {
    pub layout: Arc<Layout>,
    pub shared: &'static Shared,
    pub servers: [usize; 2],
    pub slice: Slice,
}

/// One listing at a time; one whose server hangs ends by itself.
#[derive(Debug, Default)]
pub struct Lister {
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    home: usize,
    slice: Slice,
    listing: Receiver<Result<Listing, Unlisted>>,
}

/// What became of a listing.
#[derive(Debug)]
pub struct Listed {
    /// The home of the pair.
    pub home: usize,
    pub slice: Slice,
    pub outcome: Result<Listing, Unlisted>,
}

impl Lister {
    /// Is there nothing under way?
    #[must_use]
    pub fn idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Starts a listing for the pair whose home is `order.servers[0]`. False when the system has no thread for it.
    pub fn start(&mut self, order: Order) -> bool {
        let (home, slice) = (order.servers[0], order.slice);
        let (answer, listing) = mpsc::channel();
        let thread = without_signals(|| {
            std::thread::Builder::new().spawn(move || {
                let _ = answer.send(order.gather());
            })
        });
        if thread.is_ok() {
            self.under_way = Some(UnderWay { home, slice, listing });
        }
        thread.is_ok()
    }

    /// The listing that ended since the last call.
    pub fn finished(&mut self) -> Option<Listed> {
        let UnderWay { home, slice, listing } = self.under_way.as_ref()?;
        let outcome = match listing.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Ok(outcome) => outcome,
            Err(TryRecvError::Disconnected) => Err(Unlisted::Busy),
        };
        let listed = Listed { home: *home, slice: *slice, outcome };
        self.under_way = None;
        Some(listed)
    }
}

/// An item whose key only its value tells.
struct Hidden {
    wire: Vec<u8>,
    kind: Kind,
    table: usize,
    part: Part,
    cas: u64,
    size: u32,
}

impl Order {
    fn gather(&self) -> Result<Listing, Unlisted> {
        let tables = self.shared.all_tables().enumerate();
        let policy = |(index, table): (usize, &crate::table::Table)| Policy {
            name: table.name.clone(),
            mirrored: table.mirrored(),
            generation: self.shared.generation(index),
        };
        let tables: Vec<Policy> = tables.map(policy).collect();
        let mut listing = Listing::default();
        for server in self.servers {
            let [home, _] = self.servers;
            let sieve = Sieve { layout: &self.layout, tables: &tables, server, home, slice: self.slice };
            self.list(&sieve, &mut listing)?;
        }
        listing.keys.settle();
        Ok(listing)
    }

    /// Adds what one server lists.
    fn list(&self, sieve: &Sieve<'_>, listing: &mut Listing) -> Result<(), Unlisted> {
        let mut link = Link::new(self.shared.endpoint(&self.layout, sieve.server));
        let (mut any, mut room, mut hidden) = (false, Vec::new(), Vec::new());
        let listed = wire::stream(&mut link, listing::COMMAND, Deadline::after(LIST), &mut |line| {
            any = true;
            if let Some(item) = listing::Listed::read(line, &mut room) {
                match sieve.sort(item.key) {
                    Found::Hashed { kind, table, part } => {
                        let (wire, _) = spelled(item.key);
                        let item = Hidden { wire, kind, table, part, cas: item.cas, size: item.size };
                        listing.hide(item, &mut hidden);
                    }
                    found => listing.take(sieve, found, &item),
                }
            }
            true
        });
        if let Err(error) = listed {
            return Err(refusal(&link.reply(0), sieve.server, &error.to_string()));
        }
        // A server lists nothing while its hash table grows; our own records are always there.
        if !any {
            return Err(Unlisted::Busy);
        }
        // A slice with too many keys is listed again in smaller ones.
        if listing.keys.slices() > 1 {
            return Ok(());
        }
        listing.reveal(sieve, &mut link, &hidden).map_err(|why| Unlisted::Failed { server: sieve.server, why })
    }
}

fn refusal(reply: &Reply<'_>, server: usize, error: &str) -> Unlisted {
    match reply {
        Reply::ServerError(text) if text.starts_with(b"BUSY") => Unlisted::Busy,
        Reply::ClientError(text) if text.ends_with(b"disabled") => Unlisted::Disabled { server },
        _ => Unlisted::Failed { server, why: error.to_owned() },
    }
}

impl Listing {
    fn take(&mut self, sieve: &Sieve<'_>, found: Found, item: &listing::Listed<'_>) {
        match found {
            Found::Key { kind, table, key } => self.keys.add(kind, table, &key, item.size),
            Found::Stray if sieve.server == sieve.home && self.strays.len() < MOST => {
                let (wire, base64) = spelled(item.key);
                self.strays.push(Stray { wire, base64, cas: item.cas });
            }
            _ => {}
        }
    }

    /// An item to be revealed. One too many is only counted.
    fn hide(&mut self, item: Hidden, hidden: &mut Vec<Hidden>) {
        if hidden.len() < MOST { hidden.push(item) } else { self.keys.leave_out() }
    }

    /// Reads the values of items that are known by a hash only. A bare number does not tell its key.
    fn reveal(&mut self, sieve: &Sieve<'_>, link: &mut Link, mut hidden: &[Hidden]) -> Result<(), String> {
        while !hidden.is_empty() {
            let mut bytes = 0;
            let fits = |item: &&Hidden| {
                bytes += item.size as usize;
                bytes <= PACKET_BYTES
            };
            let count = hidden.iter().take(PACKET).take_while(fits).count().max(1);
            let (some, rest) = hidden.split_at(count);
            hidden = rest;
            link.begin();
            some.iter().for_each(|item| link.mg(KeyRef { bytes: &item.wire, base64: false }, "v"));
            wire::exchange(std::slice::from_mut(link), &[0], Deadline::after(LIST));
            link.status().map_err(|error| error.to_string())?;
            for (at, item) in some.iter().enumerate() {
                let Reply::Value { data, .. } = link.reply(at) else { continue };
                let Some(key) = split_full(data).and_then(|(full, _)| item.key(full, sieve.tables)) else { continue };
                let found = sieve.place(item.kind, item.table, item.part, key);
                self.take(sieve, found, &listing::Listed { key: &item.wire, cas: item.cas, size: item.size });
            }
        }
        Ok(())
    }
}

impl Hidden {
    /// The key within `!lock:table:key`.
    fn key<'f>(&self, full: &'f [u8], tables: &[Policy]) -> Option<&'f [u8]> {
        let kind = match self.kind.text() {
            "" => 0,
            text => text.len() + 2,
        };
        full.get(kind + tables[self.table].name.len() + 1..)
    }
}

#[cfg(test)]
mod tests;
