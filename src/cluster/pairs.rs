//! Which server keeps the second copy of what is at home on another.
//!
//! Each server has one partner, fixed by the list alone: its `pair=`, else the next server on a circle, where all stand in
//! the order of their names' hashes. Those whose neighbour is in their own zone exchange partners with others, as far as
//! the zones allow it. So each server is the partner of one other, a dead server's load falls on its partner alone,
//! every host computes the same, and a server that comes or goes changes one partner where there are no zones, and few
//! where there are.

use std::collections::HashMap;

use crate::hash::{fnv1a, mix};

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
        let circle = Circle::new(members);
        for (home, next) in circle.members.iter().zip(&circle.next) {
            let next = circle.members[*next].slot;
            partner[home.slot] = home.pair.or(Some(next)).filter(|partner| *partner != home.slot);
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

/// All servers in the order of their hashes, and whom each has for a partner, by their places here.
struct Circle<'a> {
    members: Vec<Member<'a>>,
    hashes: Vec<u64>,
    /// The zone of each, by the number of its first member in it.
    zones: Vec<usize>,
    next: Vec<usize>,
}

impl<'a> Circle<'a> {
    fn new(members: &[Member<'a>]) -> Self {
        let mut hashed: Vec<(u64, Member<'a>)> = members.iter().map(|member| (hash(member.name), *member)).collect();
        hashed.sort_by_key(|(hash, member)| (*hash, member.name));
        let (hashes, members): (Vec<u64>, Vec<Member<'a>>) = hashed.into_iter().unzip();
        let mut firsts = HashMap::new();
        let zones: Vec<usize> =
            members.iter().enumerate().map(|(at, member)| *firsts.entry(member.zone).or_insert(at)).collect();
        let next = (0..members.len()).map(|at| (at + 1) % members.len()).collect();
        let mut circle = Self { members, hashes, zones, next };
        if firsts.len() > 1 {
            circle.spread();
        }
        circle
    }

    /// Lets each home whose partner is in its own zone exchange partners with another home: best with one that is as badly
    /// off, else with one that stays well off; among those, their hashes decide, so that other choices move few.
    fn spread(&mut self) {
        for home in 0..self.next.len() {
            if self.apart(home, self.next[home]) {
                continue;
            }
            let rank =
                |other: usize| (!self.apart(other, self.next[other]), mix(self.hashes[home] ^ mix(self.hashes[other])));
            let others = (0..self.next.len()).filter(|other| self.may_exchange(home, *other));
            if let Some(other) = others.max_by_key(|other| rank(*other)) {
                self.next.swap(home, other);
            }
        }
    }

    /// Would `home` be well off with the other's partner, and the other no worse than it is?
    fn may_exchange(&self, home: usize, other: usize) -> bool {
        let (ours, theirs) = (self.next[home], self.next[other]);
        other != ours && self.apart(home, theirs) && (self.apart(other, ours) || !self.apart(other, theirs))
    }

    fn apart(&self, home: usize, partner: usize) -> bool {
        self.zones[home] != self.zones[partner]
    }
}

/// FNV-1a, mixed: the same on every host.
fn hash(name: &str) -> u64 {
    mix(fnv1a(name.as_bytes()))
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

    /// How many of the servers that stay get another partner when `gone` goes; and by going backwards, when it comes.
    fn changed(list: &[Member<'_>], gone: usize) -> usize {
        let rest: Vec<Member<'_>> = list.iter().filter(|member| member.slot != gone).copied().collect();
        let (before, after) = (Pairs::new(list), Pairs::new(&rest));
        rest.iter().filter(|member| before.partner(member.slot) != after.partner(member.slot)).count()
    }

    #[test]
    fn a_server_that_comes_or_goes_changes_few_partners() {
        let zones = ["a", "b", "c"];
        for (count, zoned, mean, most) in
            [(3, 1, 1.0, 1), (50, 1, 1.0, 1), (4, 2, 2.0, 2), (9, 3, 3.0, 7), (20, 2, 4.0, 12), (50, 3, 5.0, 14)]
        {
            let names: Vec<String> = (0..count).map(|n| format!("10.0.0.{n}:11211")).collect();
            let named = names.iter().enumerate();
            let list: Vec<Member<'_>> =
                named.map(|(slot, name)| Member { slot, name, zone: zones[slot % zoned], pair: None }).collect();
            let changes: Vec<usize> = (0..count).map(|gone| changed(&list, gone)).collect();
            let sum = changes.iter().sum::<usize>() as f64;
            assert!(sum / count as f64 <= mean, "{count} servers, {zoned} zones: {changes:?}");
            assert!(changes.iter().all(|moved| *moved <= most), "{count} servers, {zoned} zones: {changes:?}");
        }
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
