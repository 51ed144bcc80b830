//! Random operations against a plain map with a clock, and a sweep of every shard after each.

use super::chunk::{BODY, FREE, HEAD, SEEN, chunks_for};
use super::rules::soon;
use super::shard::Shard;
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// Every chunk is either in exactly one entry or on the free list, and the numbers agree.
pub(super) fn sweep(store: &Store) {
    for at in 0..store.raw.shards() {
        whole(store.raw.lock(at, soon()).unwrap().shard());
    }
}

fn whole(shard: &Shard<'_>) {
    let mut owned = vec![0; shard.meta.fresh as usize + 1];
    let (mut items, mut bytes, mut used) = (0, 0, 0);
    for (bucket, first) in shard.buckets.iter().enumerate() {
        let mut entry = *first;
        while entry != 0 {
            let head = shard.chunk(entry).head();
            assert_eq!(shard.bucket(head.hash), bucket);
            let mut at = entry;
            let mut chain = 0;
            while at != 0 {
                owned[at as usize] += 1;
                chain += 1;
                let tag = shard.chunk(at).tag;
                assert!(if at == entry { tag == HEAD || tag == SEEN } else { tag == BODY }, "{at} is {tag}");
                at = shard.chunk(at).link;
            }
            let long = u64::from(head.key_len) + u64::from(head.value_len);
            assert_eq!(chain, chunks_for(long as usize));
            (items, bytes, used) = (items + 1, bytes + long, used + chain);
            entry = head.next;
        }
    }
    let mut at = shard.meta.free;
    while at != 0 {
        assert_eq!(shard.chunk(at).tag, FREE);
        owned[at as usize] += 1;
        at = shard.chunk(at).link;
    }
    assert!(owned[1..].iter().all(|owners| *owners == 1), "each used chunk has one owner: {owned:?}");
    assert_eq!((items, bytes, used), (shard.meta.items, shard.meta.bytes, shard.meta.used as usize));
}

#[derive(Clone, Debug)]
struct Item {
    value: Vec<u8>,
    flags: u32,
    cas: u64,
    expires: Option<u64>,
}

#[derive(Clone, Debug)]
enum Step {
    Get,
    Put(u8, usize, u32),
    Delta(bool, u64, Option<u64>, u32),
    Touch(u32),
    Remove(bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = || prop_oneof![Just(0u32), 1u32..20];
    let size = prop_oneof![4 => 0usize..300, 1 => 0usize..20_000, 1 => 60_000usize..125_000];
    let number = || prop_oneof![3 => 0u64..200, 1 => Just(i64::MAX as u64), 1 => Just(u64::MAX)];
    prop_oneof![
        3 => Just(Step::Get),
        6 => (0u8..5, size, ttl()).prop_map(|(mode, size, ttl)| Step::Put(mode, size, ttl)),
        3 => (any::<bool>(), number(), prop::option::of(number()), ttl()).prop_map(|(up, n, initial, ttl)| {
            Step::Delta(up, n, initial, ttl)
        }),
        1 => ttl().prop_map(Step::Touch),
        1 => any::<bool>().prop_map(Step::Remove),
        1 => (1u64..15).prop_map(Step::Wait),
    ]
}

struct Pair {
    store: Store,
    model: HashMap<Vec<u8>, Item>,
    now: u64,
    cas: u64,
    evictions: u64,
}

impl Pair {
    fn new() -> Self {
        Self { store: Store::create(0).unwrap(), model: HashMap::new(), now: 100, cas: 0, evictions: 0 }
    }

    fn run(&mut self, key: &[u8], step: &Step, salt: u8) {
        let now = self.now;
        self.model.retain(|_, item| item.expires.is_none_or(|at| now < at));
        let old = self.model.get(key).cloned();
        match *step {
            Step::Wait(seconds) => self.now += seconds,
            Step::Get => self.get(key, old),
            Step::Touch(ttl) => {
                assert_eq!(self.store.touch(key, ttl, now, soon()), Ok(old.is_some()));
                self.model.entry(key.to_vec()).and_modify(|item| item.expires = expires(ttl, now));
            }
            Step::Remove(right) => self.remove(key, old, right),
            Step::Put(mode, size, ttl) => self.put(key, old, mode, &vec![salt; size], ttl),
            Step::Delta(up, n, initial, ttl) => self.delta(key, old, (up, n, initial), ttl),
        }
        self.settle();
    }

    fn get(&mut self, key: &[u8], old: Option<Item>) {
        let mut out = vec![1, 2, 3];
        let hit = self.store.get(key, self.now, &mut out, soon()).unwrap();
        assert_eq!(hit.map(|hit| (hit.flags, hit.cas)), old.as_ref().map(|item| (item.flags, item.cas)));
        assert_eq!(out, old.map(|item| item.value).unwrap_or_default());
    }

    fn remove(&mut self, key: &[u8], old: Option<Item>, right: bool) {
        let cas = old.as_ref().map_or(0, |item| item.cas) + u64::from(!right);
        let want = match (&old, right) {
            (None, _) => Removed::NotFound,
            (_, false) => Removed::Exists,
            _ => Removed::Done,
        };
        assert_eq!(self.store.remove(key, Some(cas), self.now, soon()), Ok(want));
        if want == Removed::Done {
            self.model.remove(key);
        }
    }

    fn put(&mut self, key: &[u8], old: Option<Item>, mode: u8, value: &[u8], ttl: u32) {
        let cas = old.as_ref().map_or(1, |item| item.cas);
        let (mode, refused) = match (mode, old.is_some()) {
            (0, there) => (Mode::Add, there.then_some(Put::NotStored)),
            (1, there) => (Mode::Replace, (!there).then_some(Put::NotStored)),
            (2, there) => (Mode::Cas(cas), (!there).then_some(Put::NotFound)),
            (3, there) => (Mode::Cas(cas + 1), Some(if there { Put::Exists } else { Put::NotFound })),
            _ => (Mode::Set, None),
        };
        let limit = self.store.limit(key.len());
        let refused = if value.len() > limit { Some(Put::TooLarge { limit }) } else { refused };
        let flags = ttl * 3;
        let got = self.store.put(mode, key, value, Terms { flags, ttl_s: ttl, now_s: self.now }, soon()).unwrap();
        match (refused, got) {
            (None, Put::Stored { cas }) => {
                assert!(cas > self.cas, "cas numbers grow");
                self.cas = cas;
                let item = Item { value: value.to_vec(), flags, cas, expires: expires(ttl, self.now) };
                self.model.insert(key.to_vec(), item);
            }
            (want, got) => assert_eq!(Some(got), want),
        }
    }

    fn delta(&mut self, key: &[u8], old: Option<Item>, (up, n, initial): (bool, u64, Option<u64>), ttl: u32) {
        let how = Terms { flags: 5, ttl_s: ttl, now_s: self.now };
        let most = i64::MAX as u128;
        let want = match (&old, initial) {
            (None, None) => Delta::NotFound,
            (None, Some(first)) if u128::from(first) > most => Delta::Overflow,
            (None, Some(first)) => Delta::Number(first),
            (Some(item), _) => match std::str::from_utf8(&item.value).ok().and_then(|text| text.parse::<u64>().ok()) {
                None => Delta::NotANumber,
                Some(now) if up && u128::from(now) + u128::from(n) > most => Delta::Overflow,
                Some(now) if up => Delta::Number(now + n),
                Some(now) => Delta::Number(now.saturating_sub(n)),
            },
        };
        assert_eq!(self.store.delta(key, up, n, initial, how, soon()), Ok(want));
        if let Delta::Number(number) = want {
            let first = Item { value: vec![], flags: 5, cas: 0, expires: expires(ttl, self.now) };
            self.cas = self.store.look(key, self.now, soon()).unwrap().unwrap().cas;
            let item = Item { value: number.to_string().into_bytes(), cas: self.cas, ..old.unwrap_or(first) };
            self.model.insert(key.to_vec(), item);
        }
    }

    /// Nothing is there that should not be; what is missing was evicted.
    fn settle(&mut self) {
        sweep(&self.store);
        let page = self.store.scan(0, usize::MAX, b"", self.now, soon()).unwrap();
        let there: HashMap<_, _> =
            page.entries.into_iter().map(|entry| (entry.key, (entry.value, entry.hit))).collect();
        let now = self.now;
        self.model.retain(|_, item| item.expires.is_none_or(|at| now < at));
        for (key, (value, hit)) in &there {
            let item = &self.model[key];
            assert_eq!((&item.value, item.flags, item.cas), (value, hit.flags, hit.cas));
            assert_eq!(item.expires.unwrap_or(0), hit.expires_s);
        }
        let before = self.model.len();
        self.model.retain(|key, _| there.contains_key(key));
        let evictions = self.store.stats(soon()).unwrap().evictions;
        assert!((before - self.model.len()) as u64 <= evictions - self.evictions, "lost without eviction");
        self.evictions = evictions;
    }
}

fn expires(ttl: u32, now: u64) -> Option<u64> {
    (ttl > 0).then(|| now + u64::from(ttl))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_operations_agree_with_a_map(steps in prop::collection::vec((0usize..8, step()), 1..60)) {
        let mut pair = Pair::new();
        for (at, (key, step)) in steps.iter().enumerate() {
            let key = vec![b'a' + *key as u8; [1, 2, 40, 76, 77, 200, 5_000, 0][*key]];
            let salt = if at % 3 == 0 { b'7' } else { b'x' };
            pair.run(&key, step, salt);
        }
    }
}
