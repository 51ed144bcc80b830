//! Which server keeps the second copy of what is at home on another.
//!
//! Each server has one partner, fixed by the configuration alone: its `pair=`, else its successor in a cycle through all
//! servers that changes the zone at each step where the zones allow it. So each server is the partner of one other, a dead
//! server's load falls on its partner alone, and every host computes the same cycle: it starts from the sorted names.

/// What the choice looks at.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    pub name: &'a str,
    /// Empty = no zone: then all such servers share one.
    pub zone: &'a str,
    /// The server that `pair=` names.
    pub pair: Option<&'a str>,
}

/// The partner of each server, by its place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    partner: Vec<usize>,
}

impl Pairs {
    /// Chooses the partners.
    ///
    /// # Errors
    /// A `pair=` that names no other server.
    pub fn new(seats: &[Seat<'_>]) -> Result<Self, String> {
        let mut partner = vec![0; seats.len()];
        let cycle = cycle(seats);
        for (at, &server) in cycle.iter().enumerate() {
            partner[server] = cycle[(at + 1) % cycle.len()];
        }
        for (server, seat) in seats.iter().enumerate() {
            let Some(name) = seat.pair else { continue };
            partner[server] = seats
                .iter()
                .position(|other| other.name == name && other.name != seat.name)
                .ok_or_else(|| format!("pair={name}: expected the name of another server"))?;
        }
        Ok(Self { partner })
    }

    /// Where the second copy lies; `None` when there is one server only.
    #[must_use]
    pub fn partner(&self, home: usize) -> Option<usize> {
        self.partner.get(home).copied().filter(|partner| *partner != home)
    }

    /// The servers whose second copies lie on `server`.
    pub fn homes(&self, server: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.partner.len()).filter(move |home| self.partner(*home) == Some(server))
    }
}

/// All servers, the fullest zone spread over every other place, so that neighbours share a zone only if they must.
fn cycle(seats: &[Seat<'_>]) -> Vec<usize> {
    let size = |zone: &str| seats.iter().filter(|seat| seat.zone == zone).count();
    let mut sorted: Vec<usize> = (0..seats.len()).collect();
    sorted.sort_by_key(|server| {
        let seat = &seats[*server];
        (usize::MAX - size(seat.zone), seat.zone, seat.name)
    });
    let places = (0..seats.len()).step_by(2).chain((1..seats.len()).step_by(2));
    let mut cycle = vec![0; seats.len()];
    places.zip(sorted).for_each(|(place, server)| cycle[place] = server);
    cycle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats<'a>(zones: &[&'a str]) -> Vec<Seat<'a>> {
        const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        zones.iter().zip(NAMES).map(|(zone, name)| Seat { name, zone, pair: None }).collect()
    }

    #[test]
    fn each_server_is_the_partner_of_exactly_one_other() {
        for zones in [&["", ""][..], &["", "", ""], &["x", "y", "x", "y"], &["x", "x", "x", "y", "y"], &[""; 8]] {
            let pairs = Pairs::new(&seats(zones)).unwrap();
            for server in 0..zones.len() {
                assert_eq!(pairs.homes(server).count(), 1, "{zones:?}");
                assert_ne!(pairs.partner(server), Some(server), "{zones:?}");
            }
        }
        assert_eq!(Pairs::new(&seats(&[""])).unwrap().partner(0), None);
    }

    #[test]
    fn copies_lie_in_different_zones_where_the_zones_allow_it() {
        for (zones, shared) in [
            (&["x", "x", "y", "y"][..], 0),
            (&["x", "x", "x", "y", "y", "y"], 0),
            (&["x", "y", "z"], 0),
            (&["x", "x", "y", "y", "z", "z", "z"], 0),
            (&["x", "x", "y"], 1),
            (&["x", "x", "x", "y"], 2),
        ] {
            let pairs = Pairs::new(&seats(zones)).unwrap();
            let same = (0..zones.len()).filter(|home| zones[*home] == zones[pairs.partner(*home).unwrap()]).count();
            assert_eq!(same, shared, "{zones:?}");
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter() {
        let list = seats(&["x", "y", "x", "y", "z"]);
        let there = Pairs::new(&list).unwrap();
        let back: Vec<Seat<'_>> = list.iter().rev().copied().collect();
        let turned = Pairs::new(&back).unwrap();
        for home in 0..list.len() {
            let partner = list[there.partner(home).unwrap()].name;
            assert_eq!(back[turned.partner(list.len() - 1 - home).unwrap()].name, partner);
        }
    }

    #[test]
    fn the_operator_may_name_the_partner() {
        let mut list = seats(&["", "", ""]);
        list[0].pair = Some("c");
        assert_eq!(Pairs::new(&list).unwrap().partner(0), Some(2));
        list[0].pair = Some("a");
        assert!(Pairs::new(&list).unwrap_err().contains("pair=a"));
        list[0].pair = Some("nobody");
        assert!(Pairs::new(&list).is_err());
    }
}
