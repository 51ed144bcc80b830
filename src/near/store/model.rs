//! Random operations against a plain map with a clock, and a sweep of every shard after each.

use super::chunk::Rank;
use super::rules::{how, soon};
use super::view::Queue;
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

/// Every chunk is either in exactly one entry or on the free list, every entry in its bucket and in one queue, no group is
/// in the middle of a change, and the numbers agree.
pub(super) fn sweep(store: &Store) {
    for at in 0..store.raw.shards() {
        let locked = store.lock(at, soon()).unwrap();
        whole(Shard::held(locked.view()));
    }
}

fn whole(shard: Shard<'_>) {
    let meta = shard.meta;
    let mut owners = vec![0; meta.fresh.load(Relaxed) as usize + 1];
    let (mut items, mut bytes, mut used, mut queued) = (0, 0, 0, [0; 2]);
    for (bucket, (at, chunk)) in
        (0..shard.chunks.len()).flat_map(|bucket| shard.entries(bucket).map(move |e| (bucket, e)))
    {
        assert_eq!(shard.bucket(chunk.hash()), bucket);
        let chain = chain(shard, at);
        assert_eq!(chain.len(), chunk.chunks());
        queued[usize::from(chunk.rank() == Rank::Main)] += chain.len() as u64;
        chain.iter().for_each(|at| owners[*at as usize] += 1);
        (items, bytes, used) = (items + 1, bytes + chunk.head().bytes(), used + chain.len() as u64);
    }
    let free = chain(shard, meta.free.load(Relaxed));
    free.iter().for_each(|at| owners[*at as usize] += 1);
    assert!(owners[1..].iter().all(|owners| *owners == 1), "each used chunk has one owner: {owners:?}");
    assert_eq!((items, bytes, used), (meta.items.get(), meta.bytes.get(), meta.used.get()));
    assert_eq!(queued, [meta.small.used.get(), meta.main.used.get()]);
    assert_eq!(items, in_queue(shard, &meta.small, Rank::Small) + in_queue(shard, &meta.main, Rank::Main));
    assert!(shard.groups.iter().all(|group| group.sequence.read(1, |_| Ok(())).is_ok()), "a change without end");
}

fn chain(shard: Shard<'_>, first: At) -> Vec<At> {
    let there = |at: At| (at != 0).then_some(at);
    std::iter::successors(there(first), |at| there(shard.at(*at).link())).collect()
}

fn in_queue(shard: Shard<'_>, queue: &Queue, rank: Rank) -> u64 {
    let (mut count, mut newer, mut at) = (0, 0, queue.newest.load(Relaxed));
    while at != 0 {
        let chunk = shard.at(at);
        assert_eq!((chunk.newer(), chunk.rank()), (newer, rank));
        (count, newer, at) = (count + 1, at, chunk.older());
    }
    assert_eq!(queue.oldest.load(Relaxed), newer);
    count
}

#[derive(Clone, Debug)]
struct Item {
    value: Vec<u8>,
    flags: u32,
    cas: u64,
    expires: Option<u64>,
    stamp: u64,
    note: [u64; 3],
}

#[derive(Clone, Debug)]
enum Step {
    Get,
    Put(u8, usize, u64),
    Delta(bool, u64, Option<u64>, u64),
    Touch(u64),
    Remove(bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = || prop_oneof![Just(0u64), 1u64..20];
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
        assert_eq!(out, old.as_ref().map(|item| item.value.clone()).unwrap_or_default());
        let fresh = |hit: &Hit| hit.stamp.is_multiple_of(2);
        let want = match &old {
            None => Found::Missing,
            Some(item) if item.stamp % 2 == 1 => Found::Stale,
            _ => Found::Hit,
        };
        let mut copied = Copied::default();
        assert_eq!(self.store.find(key, self.now, fresh, &mut copied), want);
        assert!(want != Found::Hit || Some(copied.hit) == hit);
        assert_eq!(copied.value, old.filter(|item| item.stamp % 2 == 0).map(|item| item.value).unwrap_or_default());
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

    fn put(&mut self, key: &[u8], old: Option<Item>, mode: u8, value: &[u8], ttl: u64) {
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
        let (flags, stamp) = (ttl as u32 * 3, self.cas ^ ttl);
        let got = self
            .store
            .put(mode, key, value, Terms { flags, stamp, note: [stamp, ttl, 7], ..how(ttl, self.now) }, soon())
            .unwrap();
        match (refused, got) {
            (None, Put::Stored { cas }) => {
                assert!(cas > self.cas, "cas numbers grow");
                self.cas = cas;
                let (expires, note) = (expires(ttl, self.now), [stamp, ttl, 7]);
                let item = Item { value: value.to_vec(), flags, cas, expires, stamp, note };
                self.model.insert(key.to_vec(), item);
            }
            (want, got) => assert_eq!(Some(got), want),
        }
    }

    fn delta(&mut self, key: &[u8], old: Option<Item>, (up, n, initial): (bool, u64, Option<u64>), ttl: u64) {
        let how = Terms { flags: 5, ..how(ttl, self.now) };
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
            let (expires, stamp, note) = (expires(ttl, self.now), 0, [0; 3]);
            let first = Item { value: vec![], flags: 5, cas: 0, expires, stamp, note };
            self.cas = self.store.look(key, self.now, soon()).unwrap().unwrap().cas;
            let item =
                Item { value: number.to_string().into_bytes(), cas: self.cas, stamp, note, ..old.unwrap_or(first) };
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
            assert_eq!((item.stamp, item.note), (hit.stamp, hit.note));
            assert_eq!(item.expires.unwrap_or(0), hit.expires);
        }
        let before = self.model.len();
        self.model.retain(|key, _| there.contains_key(key));
        let evictions = self.store.stats(soon()).unwrap().evictions;
        assert!((before - self.model.len()) as u64 <= evictions - self.evictions, "lost without eviction");
        self.evictions = evictions;
    }
}

fn expires(ttl: u64, now: u64) -> Option<u64> {
    (ttl > 0).then(|| now + ttl)
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
