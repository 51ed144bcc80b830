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
mod tests {
    use super::*;
    use crate::config::Config;

    fn specs(texts: &[&str]) -> Vec<Option<ServerSpec>> {
        let mut config = Config::default();
        texts.iter().filter(|text| !text.is_empty()).for_each(|text| config.add_server(text).unwrap());
        let mut servers = config.servers.into_iter();
        texts.iter().map(|text| if text.is_empty() { None } else { servers.next() }).collect()
    }

    fn layout(texts: &[&str]) -> Layout {
        Layout::new(7, specs(texts)).unwrap()
    }

    fn homes(layout: &Layout) -> Vec<String> {
        let home = |n: u32| layout.ring().home(&[b"t:", n.to_string().as_bytes()]);
        (0..500).map(|n| layout.name(home(n)).to_owned()).collect()
    }

    #[test]
    fn keys_and_copies_follow_the_servers_whatever_their_slots() {
        let (a, b, c) = ("name=a;addr=10.0.0.1", "name=b;addr=10.0.0.2;weight=3", "name=c;addr=10.0.0.3");
        let first = layout(&[a, b, c]);
        let other = layout(&["", c, "", "", b, a]);
        assert_eq!(homes(&first), homes(&other));
        assert_eq!((first.len(), other.len(), other.slots()), (3, 3, 6));
        for name in ["a", "b", "c"] {
            let partner = |layout: &Layout| {
                let slot = layout.find(name.as_bytes()).unwrap();
                let pair = layout.pair(slot).unwrap();
                assert_eq!(pair.servers, [slot, layout.pairs().partner(slot).unwrap()]);
                (layout.name(pair.servers[1]).to_owned(), pair.name.clone())
            };
            assert_eq!(partner(&first), partner(&other), "{name}");
        }
        assert_eq!((other.server(0), other.name(0), other.find(b"d")), (None, "", None));
        assert_eq!(
            other.servers().map(|(slot, server)| (slot, server.name.as_str())).collect::<Vec<_>>(),
            [(1, "c"), (4, "b"), (5, "a")]
        );
    }

    #[test]
    fn a_name_given_as_pair_becomes_its_slot() {
        let layout = layout(&["", "name=a;addr=h1;pair=c", "name=b;addr=h2", "name=c;addr=h3"]);
        assert_eq!(layout.pairs().partner(1), Some(3));
        let error = Layout::new(0, specs(&["name=a;addr=h1;pair=x", "name=b;addr=h2"])).unwrap_err().to_string();
        assert_eq!(error, "server \"a\": pair=x: expected the name of another server in the list");
    }

    #[test]
    fn a_later_list_tells_which_slots_are_reached_anew() {
        let (a, b, c) = ("name=a;addr=h1", "name=b;addr=h2;user=u;pass=p", "name=c;addr=h3");
        let first = layout(&[a, b, c]);
        for (texts, want) in [
            (&[a, b, c][..], &[][..]),
            (&["name=x;addr=h1;weight=5;zone=z", b, c], &[]),
            (&["name=a;addr=h1:1", b, c], &[0]),
            (&[a, "name=b;addr=h2;user=u;pass=q", "", c], &[1, 2, 3]),
            (&[a], &[]),
        ] {
            let next = first.follow(8, specs(texts)).unwrap();
            assert_eq!(next.renewed(&first).collect::<Vec<_>>(), want, "{texts:?}");
            assert_eq!(next.version(), 8);
        }
    }

    #[test]
    fn a_server_whose_files_cannot_be_used_keeps_its_place_and_there_is_no_way_to_it() {
        let texts = ["name=a;addr=10.0.0.1", "name=b;addr=10.0.0.2;tls=1;tls_ca=/nowhere/ca.pem"];
        let next = layout(&[texts[0]]).follow(2, specs(&texts)).unwrap();
        assert_eq!(homes(&next), homes(&layout(&[texts[0], "name=b;addr=10.0.0.2"])));
        let address = "10.0.0.2:11211".parse().ok();
        assert!(matches!(next.endpoint(1, address).address, Address::Unresolved));
        let error = next.check().unwrap_err().to_string();
        assert!(error.starts_with("server \"b\": cannot read /nowhere/ca.pem"), "{error}");
        assert_eq!(Layout::new(2, specs(&texts)).unwrap_err(), next.check().unwrap_err());
    }

    #[test]
    fn an_empty_slot_leads_nowhere() {
        let layout = layout(&["", "name=a;addr=unix:/run/a"]);
        assert!(matches!(layout.endpoint(0, None).address, Address::Unresolved));
        assert!(matches!(layout.endpoint(1, None).address, Address::Unix(_)));
        assert_eq!(layout.ring().home(&[b"t:k"]), 1);
        assert_eq!((layout.pair(0), layout.pair(1), layout.pair(2)), (None, None, None));
    }
}
