//! The ring against recorded rings of libmemcached, against a naive one, and by its own laws.

use proptest::prelude::*;
use serde_json::Value;
use sha2::Sha256;

use super::*;

/// Clients that compute the weighted ring; the file also holds answers of other distributions.
const CLIENTS: [&str; 4] = [
    "libmemcached_ketama_weighted_md5",
    "spymemcached_LIBMEMCACHED_format",
    "nutcracker_md5_ketama",
    "uhashring_ketama",
];

fn recorded() -> Value {
    serde_json::from_str(include_str!("../../tests/data/ketama_vectors.json")).unwrap()
}

fn list<'a>(from: &'a Value, name: &str) -> &'a [Value] {
    from[name].as_array().unwrap_or_else(|| panic!("no list {name:?}"))
}

fn index(from: &Value) -> usize {
    usize::try_from(from.as_u64().unwrap()).unwrap()
}

fn ring_of(set: &Value) -> Ring {
    let names = list(set, "servers").iter().map(|server| {
        let (host, port) = (server["host"].as_str().unwrap(), server["port"].as_u64().unwrap());
        let name = if port == 11211 { host.to_owned() } else { format!("{host}:{port}") };
        (name, u32::try_from(server["weight"].as_u64().unwrap()).unwrap())
    });
    made_of(&names.collect::<Vec<_>>())
}

fn made_of(servers: &[(String, u32)]) -> Ring {
    Ring::new(&servers.iter().map(|(name, weight)| (name.as_str(), *weight)).collect::<Vec<_>>())
}

fn equals(count: usize) -> Ring {
    made_of(&(0..count).map(|number| (format!("10.0.{}.{}", number / 250, number % 250), 1)).collect::<Vec<_>>())
}

fn points_of(ring: &Ring, server: usize) -> usize {
    ring.owners.iter().filter(|owner| **owner as usize == server).count()
}

#[test]
fn recorded_rings_are_reproduced_point_for_point() {
    let recorded = recorded();
    let sets = list(&recorded, "sets");
    assert!(sets.len() >= 3);
    for set in sets {
        let (name, ring) = (&set["name"], ring_of(set));
        for (server, want) in list(set, "points_per_server_weighted").iter().enumerate() {
            assert_eq!(points_of(&ring, server), index(want), "{name}: server {server}");
        }
        for (at, want) in list(set, "continuum_weighted_first8").iter().enumerate() {
            assert_eq!(
                (ring.points[at] as usize, ring.owners[at] as usize),
                (index(&want[0]), index(&want[1])),
                "{name}"
            );
        }
        let pairs = ring.points.iter().zip(&ring.owners);
        let bytes: Vec<u8> =
            pairs.flat_map(|(point, owner)| [point.to_le_bytes(), owner.to_le_bytes()].concat()).collect();
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(set["continuum_weighted_sha256"], digest, "{name}");
    }
}

#[test]
fn recorded_keys_find_the_server_other_clients_chose() {
    for set in list(&recorded(), "sets") {
        let (name, ring) = (&set["name"], ring_of(set));
        let keys = list(set, "keys");
        assert_eq!(keys.len(), 400, "{name}");
        for client in CLIENTS {
            for (key, want) in keys.iter().zip(list(set, client)) {
                let key = key.as_str().unwrap().as_bytes();
                assert_eq!(ring.home(&[key]), index(want), "{name} {client}");
                let (front, back) = key.split_at(key.len() / 2);
                assert_eq!(ring.home(&[front, back]), index(want), "in parts");
            }
            let raw: Vec<&[u8]> = keys.iter().map(|key| key.as_str().unwrap().as_bytes()).collect();
            let mut homes = Vec::new();
            ring.homes(b"", &raw, |at, home| homes.push((at, home)));
            assert!(homes.into_iter().eq(list(set, client).iter().map(index).enumerate()), "{name}: many at a time");
        }
    }
}

#[test]
fn single_precision_gives_some_sizes_156_points() {
    let recorded = recorded();
    let few: Vec<usize> = list(&recorded, "equal_weight_sizes_with_156_points_f32").iter().map(index).collect();
    assert_eq!(few.len(), 54);
    for count in 1..=512 {
        let want = if few.contains(&count) { 39 } else { 40 };
        assert_eq!(hashes(1, count as u64, count), want, "{count} servers");
    }
}

#[test]
fn weights_share_the_points() {
    assert_eq!([1, 2, 3].map(|weight| hashes(weight, 6, 3)), [20, 40, 60]);
    assert_eq!(hashes(0, 2, 2), 40, "weight 0 counts as 1");
    assert_eq!(hashes(1, 1001, 2), 0, "a tiny weight may have no point");
}

#[test]
fn small_rings_work() {
    let (none, one) = (Ring::new(&[]), equals(1));
    assert!(none.is_empty() && none.order(&[b"k"]).next().is_none());
    assert_eq!(none.home(&[b"k"]), 0);
    assert_eq!((one.len(), one.home(&[b"k"])), (1, 0));
    assert_eq!(one.order(&[b"k"]).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_hash_past_the_last_point_wraps_to_the_first() {
    let ring = Ring::of(vec![0, 1], vec![1, 0], vec![0, 1]);
    assert_eq!(ring.home(&[b"k"]), 1);
    assert_eq!(ring.order(&[b"k"]).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a_server_without_points_comes_last() {
    let ring = Ring::new(&[("tiny", 1), ("big", 1000), ("bigger", 2000)]);
    assert_eq!(points_of(&ring, 0), 0);
    for key in [b"a", b"b", b"c", b"d"] {
        assert_eq!(ring.order(&[key]).last(), Some(0));
        assert_eq!(ring.order(&[key]).count(), 3);
    }
}

#[test]
fn a_thousand_servers_are_each_named_once() {
    for count in [1000, 1024, 1025, 1500] {
        let ring = equals(count);
        for key in 0..20_u32 {
            let key = key.to_le_bytes();
            let mut order: Vec<usize> = ring.order(&[&key]).collect();
            assert_eq!(order[0], ring.home(&[&key]));
            order.sort_unstable();
            assert!(order.into_iter().eq(0..count), "{count} servers");
        }
    }
}

/// Among so many points some coincide: there the names decide.
#[test]
fn neither_the_order_of_the_list_nor_the_slots_decide_where_keys_live() {
    const COUNT: usize = 1500;
    let names: Vec<String> = (0..COUNT).map(|at| format!("10.0.{}.{}", at / 250, at % 250)).collect();
    let node = |(at, name): (usize, &'static str), slot| Node { slot, name, weight: 1 + at as u32 % 3 };
    let names: Vec<(usize, &'static str)> = names.into_iter().map(|name| &*name.leak()).enumerate().collect();
    let one = Ring::placed(names.iter().map(|&named| node(named, named.0)).collect());
    let other = Ring::placed(names.iter().rev().map(|&named| node(named, 3 * COUNT - 2 * named.0)).collect());
    assert!(one.points.windows(2).any(|two| two[0] == two[1]), "no points coincide");
    assert_eq!(one.points, other.points);
    assert!(one.owners.iter().zip(&other.owners).all(|(one, other)| 3 * COUNT as u32 - 2 * one == *other));
}

#[test]
fn only_the_keys_of_an_absent_server_move() {
    let ring = equals(8);
    for key in 0..2000_u32 {
        let key = key.to_le_bytes();
        for absent in 0..8 {
            let serving = ring.order(&[&key]).find(|server| *server != absent).unwrap();
            assert!(serving == ring.home(&[&key]) || ring.home(&[&key]) == absent);
        }
    }
}

/// The share of all keys whose home is another one on the other ring.
fn moved(one: &Ring, other: &Ring) -> f64 {
    let mut ends: Vec<u32> = one.points.iter().chain(&other.points).copied().chain([u32::MAX]).collect();
    ends.sort_unstable();
    let mut begin = 0;
    let mut keys = 0;
    for end in ends {
        let owner = |ring: &Ring| ring.owners[ring.after(end)];
        if owner(one) != owner(other) {
            keys += u64::from(end) + 1 - begin;
        }
        begin = u64::from(end) + 1;
    }
    keys as f64 / 2f64.powi(32)
}

#[test]
fn of_n_servers_one_takes_at_most_its_share_of_the_keys_along() {
    let names: Vec<String> = (0..50).map(|n| format!("10.0.{}.{}", n / 7, 11 + n)).collect();
    let placed = |count: usize, gone: usize| {
        let servers = names.iter().enumerate().take(count).filter(|(slot, _)| *slot != gone);
        Ring::placed(servers.map(|(slot, name)| Node { slot, name, weight: 1 }).collect())
    };
    for count in 3..=50 {
        let whole = placed(count, count);
        // Where libmemcached's rounding gives all servers a hash more or less, the keys of that one move too.
        let hashes = |count: usize| hashes(1, count as u64, count);
        let rounded = if hashes(count) == hashes(count - 1) { 0.0 } else { 1.0 / 40.0 };
        for gone in (0..count).step_by(1 + count / 8) {
            let share = moved(&whole, &placed(count, gone));
            assert!(share <= 1.3 / count as f64 + rounded, "{gone} of {count} servers takes {share} along");
        }
    }
}

/// The same answer by looking at every point.
fn naive(servers: &[(String, u32)], key: &[u8]) -> usize {
    let total = servers.iter().map(|(_, weight)| *weight).sum::<u32>();
    let hash = |bytes: &[u8]| -> [u8; 16] { Md5::digest(bytes).into() };
    let read = |digest: [u8; 16], at: usize| u32::from_le_bytes(digest[at..at + 4].try_into().unwrap());
    let key = read(hash(key), 0);
    let mut best: Option<(u32, usize)> = None;
    for (server, (name, weight)) in servers.iter().enumerate() {
        let count = (*weight as f32 / total as f32 * 160.0 / 4.0 * servers.len() as f32 + 1e-10).floor() as usize;
        for number in 0..count {
            let digest = hash(format!("{name}-{number}").as_bytes());
            for at in [0, 4, 8, 12] {
                let ahead = (read(digest, at).wrapping_sub(key), server);
                best = Some(best.map_or(ahead, |best| best.min(ahead)));
            }
        }
    }
    best.unwrap().1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_key_finds_what_the_naive_ring_finds(
        weights in proptest::collection::vec(1_u32..50, 1..24),
        keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20),
    ) {
        let servers: Vec<_> = weights.into_iter().enumerate().map(|(at, weight)| (format!("mc{at}:{}", 11212 + at), weight)).collect();
        let ring = made_of(&servers);
        for key in keys {
            let want = naive(&servers, &key);
            prop_assert_eq!(ring.home(&[&key]), want);
            let mut order: Vec<usize> = ring.order(&[&key]).collect();
            prop_assert_eq!(order[0], want);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..servers.len()));
        }
    }
}
