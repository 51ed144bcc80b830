//! What follows from the list of servers alone: places on the ring, partners, how to reach each.
//!
//! A process makes its own and never changes it. Servers are known by their slots: the places of their cells in the
//! host's shared memory, which a server keeps while the list around it changes.

use std::net::SocketAddr;

use super::courier::Pair;
use super::editions;
use super::pairs::{Member, Pairs};
use crate::config::{Addr, ServerSpec, TlsSpec};
use crate::ring::{Node, Ring};
use crate::wire::{Address, Endpoint, Tls, TlsOptions};

/// One list of servers and all that follows from it.
#[derive(Debug, Default)]
pub struct Layout {
    version: u64,
    slots: Vec<Option<Placed>>,
    ring: Ring,
    pairs: Pairs,
    /// By the slot of the home.
    couples: Vec<Option<Pair>>,
    digest: u64,
}

/// A server in its slot.
#[derive(Debug)]
struct Placed {
    spec: ServerSpec,
    /// Or why it cannot be used: then there is no way to the server.
    tls: Result<Option<Tls>, String>,
}

/// Why a list of servers cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server \"{server}\": {problem}")]
pub struct LayoutError {
    server: String,
    problem: String,
}

impl LayoutError {
    fn of(spec: &ServerSpec, problem: String) -> Self {
        Self { server: spec.name.clone(), problem }
    }
}

impl Layout {
    /// Lays out servers, each in the slot of its place in `slots`. The files that TLS needs are read.
    ///
    /// # Errors
    /// Files that cannot be used, and a `pair` that names no server of the list.
    pub fn new(version: u64, slots: Vec<Option<ServerSpec>>) -> Result<Self, LayoutError> {
        let layout = Self::default().follow(version, slots)?;
        layout.check()?;
        Ok(layout)
    }

    /// The layout of a later list. Files are read for servers that are new or reached in another way than before; one
    /// whose files cannot be used keeps its place, but there is no way to it (see [`Layout::check`]).
    ///
    /// # Errors
    /// A `pair` that names no server of the list.
    pub fn follow(&self, version: u64, slots: Vec<Option<ServerSpec>>) -> Result<Self, LayoutError> {
        let listed = || slots.iter().enumerate().filter_map(|(slot, spec)| Some((slot, spec.as_ref()?)));
        let names: Vec<String> = listed().map(|(_, spec)| spec.ring_name()).collect();
        let (mut nodes, mut members) = (Vec::with_capacity(names.len()), Vec::with_capacity(names.len()));
        for ((slot, spec), name) in listed().zip(&names) {
            let pair = spec.paired(listed()).map_err(|problem| LayoutError::of(spec, problem))?;
            nodes.push(Node { slot, name, weight: spec.weight });
            members.push(Member { slot, name, zone: &spec.zone, pair: pair.map(|(slot, _)| slot) });
        }
        let (ring, pairs) = (Ring::placed(nodes), Pairs::new(&members));
        let couples = couples(slots.len(), &members, &pairs);
        let pair = |slot: usize, name: &String| couples[slot].as_ref().map_or(name, |pair| &pair.name).clone();
        let rows = listed().zip(&names).map(|((slot, spec), name)| (pair(slot, name), spec.weight, &*spec.zone));
        let digest = editions::digest(rows.collect());
        let placed =
            |(slot, spec): (usize, Option<ServerSpec>)| spec.map(|spec| Placed { tls: self.tls(slot, &spec), spec });
        let slots = slots.into_iter().enumerate().map(placed).collect();
        Ok(Self { version, slots, ring, pairs, couples, digest })
    }

    /// What a server in a slot needs for TLS: as before where nothing changed.
    fn tls(&self, slot: usize, spec: &ServerSpec) -> Result<Option<Tls>, String> {
        match self.placed(slot) {
            Some(before) if before.tls.is_ok() && before.spec.reached_as(spec) => before.tls.clone(),
            _ => spec
                .tls
                .as_ref()
                .map(|tls| Tls::new(&tls_options(tls, &spec.addr)))
                .transpose()
                .map_err(|e| e.to_string()),
        }
    }

    /// Fails when there is no way to a server, because the files that TLS needs cannot be used.
    ///
    /// # Errors
    /// The first of these servers.
    pub fn check(&self) -> Result<(), LayoutError> {
        let failed = |placed: &Placed| placed.tls.as_ref().err().map(|why| LayoutError::of(&placed.spec, why.clone()));
        self.slots.iter().flatten().find_map(failed).map_or(Ok(()), Err)
    }

    /// The slots whose server is another one than in `old`, or is gone, or reached in another way.
    pub fn renewed<'a>(&'a self, old: &'a Self) -> impl Iterator<Item = usize> + 'a {
        (0..self.slots()).filter(|slot| match (self.server(*slot), old.server(*slot)) {
            (Some(new), Some(old)) => !new.reached_as(old),
            (new, old) => new.is_some() || old.is_some(),
        })
    }

    /// Grows with each change of the host's list.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Of what every host with this list knows: places on the ring, weights, zones and pairs.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Where keys live; it answers slots.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Where second copies lie, in slots.
    #[must_use]
    pub fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// The pair that keeps the keys at home in a slot; `None` when nobody can keep second copies.
    #[must_use]
    pub fn pair(&self, home: usize) -> Option<&Pair> {
        self.couples.get(home)?.as_ref()
    }

    /// The server in a slot; `None` where there is none.
    #[must_use]
    pub fn server(&self, slot: usize) -> Option<&ServerSpec> {
        self.placed(slot).map(|placed| &placed.spec)
    }

    fn placed(&self, slot: usize) -> Option<&Placed> {
        self.slots.get(slot)?.as_ref()
    }

    /// The name of the server in a slot; empty where there is none.
    #[must_use]
    pub fn name(&self, slot: usize) -> &str {
        self.server(slot).map_or("", |server| &server.name)
    }

    /// All servers with their slots.
    pub fn servers(&self) -> impl Iterator<Item = (usize, &ServerSpec)> {
        self.slots.iter().enumerate().filter_map(|(slot, placed)| Some((slot, &placed.as_ref()?.spec)))
    }

    /// The slot of the server of that name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        self.servers().find(|(_, server)| server.name.as_bytes() == name).map(|(slot, _)| slot)
    }

    /// How many slots there are, empty ones included: every slot of this layout is below.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Number of servers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// True without any server.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// How to reach the server in a slot; `address` is what its name was last looked up as.
    #[must_use]
    pub fn endpoint(&self, slot: usize, address: Option<SocketAddr>) -> Endpoint {
        let Some(Placed { spec, tls: Ok(tls) }) = self.placed(slot) else { return Endpoint::default() };
        let address = match &spec.addr {
            Addr::Unix(path) => Address::Unix(path.clone()),
            Addr::Tcp { .. } => address.map_or(Address::Unresolved, Address::Tcp),
        };
        let auth = spec.auth.as_ref().map(|auth| (auth.user.clone(), auth.pass.clone()));
        Endpoint { address, auth, tls: tls.clone() }
    }
}

/// The pair of each home, by its slot.
fn couples(slots: usize, members: &[Member<'_>], pairs: &Pairs) -> Vec<Option<Pair>> {
    let mut couples = vec![None; slots];
    // They stand in the order of their slots.
    let at = |slot: usize| members.binary_search_by_key(&slot, |member| member.slot).ok();
    for home in members {
        let partner = pairs.partner(home.slot).and_then(at).map(|at| &members[at]);
        couples[home.slot] = partner.map(|with| Pair::new([home.slot, with.slot], [home.name, with.name]));
    }
    couples
}

/// How to talk TLS to a server: its certificate is for the configured name, else for the host that is connected to.
#[must_use]
pub fn tls_options(spec: &TlsSpec, addr: &Addr) -> TlsOptions {
    let host = match addr {
        Addr::Tcp { host, .. } => host.clone(),
        Addr::Unix(_) => String::new(),
    };
    TlsOptions {
        name: spec.name.clone().unwrap_or(host),
        verify: spec.verify,
        ca: spec.ca.clone(),
        identity: spec.cert.clone().zip(spec.key.clone()),
    }
}

#[cfg(test)]
mod tests;
