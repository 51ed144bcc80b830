//! The way of abstract packets to the servers and back: any number of pairs and keys in one exchange.
//!
//! An exchange is begun, packed, sent and unpacked. Packets for the same server travel in one request; each
//! [`Parcel`] remembers where its answers begin. A connection that died while it lay idle is replaced once where every
//! command on it may run twice.

mod decode;
mod encode;
mod place;

pub use place::{Load, Pair, Place, Stored, Want};

use super::copies::{Command, Fate, Legs, Request, Side};
use crate::clock::Deadline;
use crate::cluster::news;
use crate::key::WireKey;
use crate::wire::{self, Link};

/// Whoever owns the links.
pub trait Lines {
    fn links(&mut self) -> &mut [Link];
    /// Makes a server's link ready for a new request, before the first packet of an exchange.
    fn open(&mut self, server: usize);
    /// The exchange is over for this server: its link tells how.
    fn over(&mut self, server: usize);
}

/// A packet on its way.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    pub server: usize,
    /// Where its answers begin among the replies of that server's link.
    pub at: usize,
    /// Where those to its announcement begin, if it has one.
    pub news: Option<usize>,
}

/// The packets of one request on their way.
pub type Parcels = [Option<Parcel>; 2];

/// What has become of one server's link in the exchange under way.
#[derive(Clone, Copy, Debug, Default)]
struct Trip {
    /// The exchange that this is about.
    round: u64,
    /// Everything on it may run twice.
    harmless: bool,
    repeated: bool,
}

/// Carries packets. Made once per process: once warm it allocates nothing.
#[derive(Debug, Default)]
pub struct Courier {
    key: WireKey,
    round: u64,
    used: Vec<usize>,
    again: Vec<usize>,
    trips: Vec<Trip>,
}

impl Courier {
    /// Starts a new exchange.
    pub fn begin(&mut self) {
        self.round += 1;
        self.used.clear();
    }

    /// Opens a server's link for this exchange, once.
    pub fn open(&mut self, lines: &mut impl Lines, server: usize) {
        if self.trips.len() <= server {
            self.trips.resize(server + 1, Trip::default());
        }
        if self.trips[server].round != self.round {
            self.trips[server] = Trip { round: self.round, harmless: true, repeated: false };
            self.used.push(server);
            lines.open(server);
        }
    }

    /// Adds both packets of a request; one that changes an entry announces it behind the change. What cannot be spelled (a bad key, a copy that was not handed in) makes the whole
    /// request of that server unfit: nothing of it is sent.
    pub fn pack(
        &mut self,
        lines: &mut impl Lines,
        place: &Place<'_>,
        request: &Request,
        load: &Load<'_>,
        want: Want,
    ) -> Parcels {
        Side::BOTH.map(|side| {
            let packet = request.of(side);
            (!packet.is_empty()).then(|| {
                let server = place.pair.servers[side as usize];
                self.open(lines, server);
                self.trips[server].harmless &= packet.commands().iter().all(encode::harmless);
                let link = &mut lines.links()[server];
                let at = link.commands();
                for command in packet.commands() {
                    encode::command(link, &mut self.key, place, command, load, want);
                }
                let stripe = place.stripe.filter(|_| packet.commands().iter().any(Command::changes));
                let news = stripe.map(|stripe| {
                    let at = link.commands();
                    news::announce(link, stripe);
                    at
                });
                Parcel { server, at, news }
            })
        })
    }

    /// Sends everything and waits for the answers.
    pub fn send(&mut self, lines: &mut impl Lines, deadline: Deadline) {
        wire::exchange(lines.links(), &self.used, deadline);
        let links = lines.links();
        let trips = &self.trips;
        let died = |server: &usize| trips[*server].harmless && links[*server].status().is_err_and(|error| error.reused);
        self.again.clear();
        self.again.extend(self.used.iter().copied().filter(died));
        if !self.again.is_empty() {
            self.again.iter().for_each(|server| self.trips[*server].repeated = true);
            wire::exchange(lines.links(), &self.again, deadline);
        }
        for server in &self.used {
            lines.over(*server);
        }
    }

    /// What the servers of a request answered. A change that was not announced is in doubt.
    #[must_use]
    pub fn unpack(&self, links: &[Link], parcels: &Parcels, request: &Request, want: Want) -> Legs {
        let mut legs = Legs::default();
        for side in Side::BOTH {
            let Some(Parcel { server, at, news }) = parcels[side as usize] else { continue };
            let (link, leg) = (&links[server], legs.on(side));
            match link.status() {
                Ok(()) if news.is_some_and(|at| !news::announced(link, at)) => leg.fate = Fate::Lost,
                Ok(()) => decode::leg(link, at, request.of(side), want, leg),
                Err(error) if error.sent || self.trips[server].repeated => leg.fate = Fate::Lost,
                Err(_) => {}
            }
        }
        legs
    }
}
