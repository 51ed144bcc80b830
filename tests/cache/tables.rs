//! What is said of a whole table: bumps and dumps.

use super::support::Memcached;
use super::support::worker::text;
use super::{config, eventually, everywhere, singly};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, Watcher};
use shardcache::value::Value;

#[test]
fn a_bump_empties_its_table_and_no_other() {
    everywhere(|cache, place| {
        cache.set(0, b"k", text("old"), None);
        cache.set(1, b"k", text("stays"), None);
        for round in 0..3 {
            assert_eq!(cache.bump(0), Verdict::Done, "{place}: {:?}", cache.last());
            assert_eq!(cache.get(0, b"k", 1), Verdict::Missing, "{place}: round {round}");
            assert_eq!(cache.set(0, b"k", text("new"), None), Verdict::Done, "{place}");
            assert_eq!(cache.get(0, b"k", 1), Verdict::Done, "{place}");
        }
        cache.get(1, b"k", 1);
        assert_eq!(cache.value(), Some(text("stays")), "{place}");
    });
}

#[test]
fn a_bump_is_seen_by_another_host_at_once_without_a_poll_and_after_one_with_it() {
    let servers = Memcached::many(3);
    let (here, there) = (
        Shared::create(config(&Memcached::specs(&servers))).unwrap(),
        Shared::create(config(&Memcached::specs(&servers))).unwrap(),
    );
    let (mut one, mut two) = (Cache::new(here), Cache::new(there));
    one.set(0, b"k", text("old"), None);
    assert_eq!(two.get(0, b"k", 1), Verdict::Done);
    one.bump(0);
    assert_eq!(two.get(0, b"k", 1), Verdict::Missing, "no watcher has polled there, so every call verifies");

    let mut watcher = Watcher::new(there);
    watcher.tick();
    one.set(0, b"k", text("newer"), None);
    assert_eq!(two.get(0, b"k", 1), Verdict::Done);
    one.bump(0);
    eventually("the watcher to learn of the bump", || {
        watcher.tick();
        two.get(0, b"k", 1) == Verdict::Missing
    });
}

#[test]
fn a_lost_generation_is_written_back_and_brings_no_old_entry_back() {
    let mut servers = Memcached::many(2);
    let names = Memcached::specs(&servers);
    let here = Shared::create(config(&names)).unwrap();
    let (mut cache, mut watcher) = (Cache::new(here), Watcher::new(here));
    watcher.tick();
    cache.set(0, b"k", text("old"), None);
    cache.bump(0);
    servers[0].kill();
    servers[0].restart();
    eventually("the record to be written back", || {
        watcher.tick();
        let fresh = Shared::create(config(&names[..1])).unwrap();
        let mut probe = Watcher::new(fresh);
        probe.tick();
        let mut cache = Cache::new(fresh);
        cache.locate(0, b"k").unwrap().wire_key.starts_with("t@")
    });
}

#[test]
fn a_dump_shows_every_entry_once_page_by_page() {
    let long = "k".repeat(300);
    singly(|cache, place| {
        let mut want: Vec<(Vec<u8>, Vec<u8>, bool)> = Vec::new();
        for i in 0..50 {
            let key = format!("key{i}");
            cache.set(0, key.as_bytes(), Value::Int(i), None);
            want.push((key.into_bytes(), i.to_string().into_bytes(), true));
        }
        for key in ["a b", "\r\n\0", &long] {
            cache.set(0, key.as_bytes(), text("text"), None);
            want.push((key.as_bytes().to_vec(), b"text".to_vec(), false));
        }
        cache.set(1, b"other", text("not of this table"), None);
        let (mut got, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = cache.dump(0, &cursor, 7).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(page.entries.iter().all(|entry| (990..=1000).contains(&entry.ttl)), "{place}");
            got.extend(page.entries.into_iter().map(|entry| (entry.key, entry.value, entry.is_int)));
            pages += 1;
            let Some(next) = page.next else { break };
            cursor = next;
        }
        got.sort();
        want.sort();
        assert_eq!(got, want, "{place}");
        assert!(pages >= 7, "{place}: {pages} pages");
        assert!(cache.dump(0, "nonsense", 7).is_err(), "{place}");
    });
}
