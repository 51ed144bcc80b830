//! Which server keeps the second copy of what is at home on another.
//!
//! Each server has one partner, fixed by the configuration alone: its `pair=`, else its successor in a cycle through all
//! servers that changes the zone at each step where the zones allow it. So each server is the partner of one other, a dead
//! server's load falls on its partner alone, and every host computes the same cycle: it starts from the sorted names on the ring.

use std::cmp::Reverse;

/// What the choice looks at.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub slot: usize,
    /// Its name on the ring, the same on every host.
    pub name: &'a str,
    /// Empty = no zone: then all such servers share one.
    pub zone: &'a str,
    /// The slot of the server that `pair=` names: another member.
    pub pair: Option<usize>,
}

/// The partner of each server, by slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    partner: Vec<Option<usize>>,
}

impl Pairs {
    /// Chooses the partners.
    #[must_use]
    pub fn new(members: &[Member<'_>]) -> Self {
        let slots = members.iter().map(|member| member.slot + 1).max().unwrap_or(0);
        let mut partner = vec![None; slots];
        let cycle = cycle(members);
        for (at, member) in cycle.iter().enumerate() {
            let next = cycle[(at + 1) % cycle.len()].slot;
            partner[member.slot] = member.pair.or(Some(next)).filter(|partner| *partner != member.slot);
        }
        Self { partner }
    }

    /// Where the second copy lies; `None` when there is one server only.
    #[must_use]
    pub fn partner(&self, home: usize) -> Option<usize> {
        self.partner.get(home).copied().flatten()
    }

    /// The servers whose second copies lie on `server`.
    pub fn homes(&self, server: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.partner.len()).filter(move |home| self.partner(*home) == Some(server))
    }
}

/// All servers, the fullest zone spread over every other place, so that neighbours share a zone only if they must.
fn cycle<'a>(members: &[Member<'a>]) -> Vec<Member<'a>> {
    let size = |zone: &str| members.iter().filter(|member| member.zone == zone).count();
    let mut sorted = members.to_vec();
    sorted.sort_by_cached_key(|member| (Reverse(size(member.zone)), member.zone, member.name));
    let (even, odd) = sorted.split_at(sorted.len().div_ceil(2));
    (0..sorted.len()).map(|place| if place % 2 == 0 { even[place / 2] } else { odd[place / 2] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members<'a>(zones: &[&'a str]) -> Vec<Member<'a>> {
        const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let named = zones.iter().zip(NAMES).enumerate();
        named.map(|(slot, (zone, name))| Member { slot, name, zone, pair: None }).collect()
    }

    #[test]
    fn each_server_is_the_partner_of_exactly_one_other() {
        for zones in [&["", ""][..], &["", "", ""], &["x", "y", "x", "y"], &["x", "x", "x", "y", "y"], &[""; 8]] {
            let pairs = Pairs::new(&members(zones));
            for server in 0..zones.len() {
                assert_eq!(pairs.homes(server).count(), 1, "{zones:?}");
                assert_ne!(pairs.partner(server), Some(server), "{zones:?}");
            }
        }
        assert_eq!(Pairs::new(&members(&[""])).partner(0), None);
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
            let pairs = Pairs::new(&members(zones));
            let same = (0..zones.len()).filter(|home| zones[*home] == zones[pairs.partner(*home).unwrap()]).count();
            assert_eq!(same, shared, "{zones:?}");
        }
    }

    #[test]
    fn neither_the_order_of_the_list_nor_the_slots_matter() {
        let list = members(&["x", "y", "x", "y", "z"]);
        let named = |list: &[Member<'_>], slot| list.iter().find(|member| member.slot == slot).unwrap().name.to_owned();
        let partners = |list: &[Member<'_>]| -> Vec<(String, String)> {
            let pairs = Pairs::new(list);
            let mut all: Vec<_> = list
                .iter()
                .map(|home| (home.name.to_owned(), named(list, pairs.partner(home.slot).unwrap())))
                .collect();
            all.sort();
            all
        };
        let there = partners(&list);
        let turned: Vec<Member<'_>> = list.iter().rev().copied().collect();
        assert_eq!(partners(&turned), there);
        let moved: Vec<Member<'_>> = list.iter().map(|one| Member { slot: (one.slot * 7 + 3) % 11, ..*one }).collect();
        assert_eq!(partners(&moved), there);
    }

    #[test]
    fn an_empty_slot_has_no_partner_and_is_none() {
        let mut list = members(&["", "", ""]);
        list.remove(1);
        let pairs = Pairs::new(&list);
        assert_eq!([0, 1, 2, 3].map(|slot| pairs.partner(slot)), [Some(2), None, Some(0), None]);
        assert_eq!(pairs.homes(1).count(), 0);
    }

    #[test]
    fn the_operator_may_name_the_partner() {
        let mut list = members(&["", "", ""]);
        list[0].pair = Some(2);
        let pairs = Pairs::new(&list);
        assert_eq!(pairs.partner(0), Some(2));
        assert!(pairs.homes(2).any(|home| home == 0));
    }
}
