//! What goes wrong, one thing at a time, and how it is made good again.

use super::farm::{Farm, HOSTS, SERVERS, server_name};
use super::history::host_name;
use super::ledger::Ledger;
use super::rng::Rng;
use crate::support::proxy::Mode;
use std::fmt;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL; the server comes back with nothing.
    KillEmpty,
    /// SIGUSR1; it comes back with all it held.
    KillWarm,
    /// SIGSTOP, for less than the breaker needs.
    FreezeShort,
    /// SIGSTOP, for longer.
    FreezeLong,
    /// One host's connections to it end, and it gets no new ones.
    CutOne,
    /// The same for all hosts.
    CutAll,
    /// Between one host and it nothing passes; what was sent arrives afterwards.
    HoldOne,
    HoldAll,
    /// One host's requests reach it, its answers are lost.
    DeafOne,
    /// One host's requests are lost.
    MuteOne,
    /// All connections to it are reset, once.
    Reset,
    /// It answers late, within the time.
    Slow,
    /// It answers too late.
    Late,
    /// An operator empties it (`flush_all`).
    Flush,
    /// An operator takes it out of use on one host, and back.
    DrainOne,
    /// The same on all hosts.
    DrainAll,
    /// An operator takes it off the list of all hosts, empties it, and adds it again.
    Unlist,
    /// A Kamailio host dies with all its processes and is started again.
    HostDeath,
}

impl Kind {
    pub const ALL: [Kind; 18] = [
        Kind::KillEmpty,
        Kind::KillWarm,
        Kind::FreezeShort,
        Kind::FreezeLong,
        Kind::CutOne,
        Kind::CutAll,
        Kind::HoldOne,
        Kind::HoldAll,
        Kind::DeafOne,
        Kind::MuteOne,
        Kind::Reset,
        Kind::Slow,
        Kind::Late,
        Kind::Flush,
        Kind::DrainOne,
        Kind::DrainAll,
        Kind::Unlist,
        Kind::HostDeath,
    ];

    /// Milliseconds: the least, and less than this.
    fn length(self) -> (u64, u64) {
        match self {
            Kind::FreezeShort => (20, 120),
            Kind::FreezeLong => (800, 3_000),
            // memcached takes its memory back only if it rested for a second.
            Kind::KillWarm => (1_300, 2_500),
            Kind::Reset | Kind::Flush => (50, 51),
            Kind::HostDeath => (100, 800),
            _ => (300, 1_500),
        }
    }
}

/// One fault: its kind, and whom it strikes.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub server: usize,
    pub host: usize,
    pub lasts: Duration,
    by: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Fault { kind, server, host, lasts, .. } = self;
        write!(f, "{kind:?} of {}, {}, for {} ms", server_name(*server), host_name(*host), lasts.as_millis())
    }
}

impl Fault {
    pub fn new(kind: Kind, rng: &mut Rng) -> Fault {
        let (least, most) = kind.length();
        let by = match kind {
            Kind::Slow => rng.range(3, 12),
            _ => rng.range(80, 300),
        };
        let (server, host) = (rng.below(SERVERS), rng.below(HOSTS));
        let lasts = Duration::from_millis(rng.range(least, most));
        Fault { kind, server, host, lasts, by: Duration::from_millis(by) }
    }

    /// Whether this host meets it.
    pub fn strikes(&self, host: usize) -> bool {
        use Kind::*;
        !matches!(self.kind, CutOne | HoldOne | DeafOne | MuteOne | DrainOne | HostDeath) || host == self.host
    }

    pub fn begin(&self, farm: &mut Farm, ledger: &Ledger) {
        let server = &mut farm.servers[self.server];
        match self.kind {
            Kind::KillEmpty => server.kill(),
            Kind::KillWarm => server.rest(),
            Kind::FreezeShort | Kind::FreezeLong => server.freeze(),
            Kind::Flush => drop(server.raw(b"flush_all\r\n", "OK").expect("flush_all")),
            Kind::Reset => farm.proxies.iter().for_each(|before| before[self.server].reset()),
            Kind::DrainOne | Kind::DrainAll => self.set_state(farm, "drain"),
            Kind::Unlist => farm.unlist(self.server),
            Kind::HostDeath => {
                ledger.alive[self.host].store(false, SeqCst);
                ledger.deaths[self.host].fetch_add(1, SeqCst);
                farm.hosts[self.host].kill();
            }
            Kind::CutOne | Kind::CutAll => self.set_proxies(farm, Mode::Cut),
            Kind::HoldOne | Kind::HoldAll => self.set_proxies(farm, Mode::Hold),
            Kind::DeafOne => self.set_proxies(farm, Mode::Deaf),
            Kind::MuteOne => self.set_proxies(farm, Mode::Mute),
            Kind::Slow | Kind::Late => self.set_proxies(farm, Mode::Delay(self.by)),
        }
    }

    pub fn end(&self, farm: &mut Farm, ledger: &Ledger) {
        let server = &mut farm.servers[self.server];
        match self.kind {
            Kind::KillEmpty | Kind::KillWarm => server.revive(),
            Kind::FreezeShort | Kind::FreezeLong => server.thaw(),
            Kind::Flush | Kind::Reset => {}
            Kind::DrainOne | Kind::DrainAll => self.set_state(farm, "undrain"),
            Kind::Unlist => farm.list_again(self.server),
            Kind::HostDeath => {
                farm.hosts[self.host].revive();
                ledger.alive[self.host].store(true, SeqCst);
            }
            _ => self.set_proxies(farm, Mode::Forward),
        }
    }

    fn set_proxies(&self, farm: &Farm, mode: Mode) {
        let struck = farm.proxies.iter().enumerate().filter(|(host, _)| self.strikes(*host));
        struck.for_each(|(_, before)| before[self.server].set(mode.clone()));
    }

    fn set_state(&self, farm: &Farm, verb: &str) {
        let struck = farm.hosts.iter().enumerate().filter(|(host, _)| self.strikes(*host));
        for (_, host) in struck {
            host.ask("shc.set_state", &[server_name(self.server).into(), verb.into()]);
        }
    }
}

/// The seed's order of faults: all kinds shuffled, then again.
pub struct Deck {
    rng: Rng,
    kinds: Vec<Kind>,
    left: Vec<Kind>,
}

impl Deck {
    pub fn new(seed: u64, kinds: &[Kind]) -> Deck {
        Deck { rng: Rng::new(seed), kinds: kinds.to_vec(), left: Vec::new() }
    }
}

impl Iterator for Deck {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.left.is_empty() {
            self.left = self.kinds.clone();
        }
        let kind = self.left.swap_remove(self.rng.below(self.left.len()));
        Some(Fault::new(kind, &mut self.rng))
    }
}
