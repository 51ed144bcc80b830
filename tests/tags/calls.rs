//! Calls on entries under the tags of their keys.

use super::support::Memcached;
use super::support::worker::text;
use super::{ACCT, IPAUTH, PLAIN, PROFILE, config, everywhere, invalidate, read, set};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{ServerStat, Shared, TableStat, Watcher};
use shardcache::value::Value;

#[test]
fn one_call_voids_the_entries_of_all_tables_under_a_tag_and_no_others() {
    everywhere(|cache, place| {
        for round in ["first", "second"] {
            for table in [IPAUTH, PROFILE, ACCT, PLAIN] {
                set(cache, table, "alice", round);
                set(cache, table, "bob", round);
            }
            invalidate(cache, "user:alice");
            for table in [IPAUTH, PROFILE, ACCT, PLAIN] {
                let gone = [IPAUTH, PROFILE].contains(&table);
                assert_eq!(read(cache, table, "alice").is_none(), gone, "{place}, {round}: table {table}");
                assert_eq!(read(cache, table, "bob").as_deref(), Some(round), "{place}: table {table}");
                let keys: [&[u8]; 3] = [b"bob", b"alice", b"nobody"];
                assert_eq!(cache.mget(table, &keys), Verdict::Done, "{place}: table {table}");
                let found = |at| cache.found(at).0;
                let alice = if gone { Verdict::Missing } else { Verdict::Done };
                assert_eq!([found(0), found(1), found(2)], [Verdict::Done, alice, Verdict::Missing], "{place}");
                assert_eq!(read(cache, table, "nobody"), None, "{place}");
                assert_eq!(cache.found(0).1, Some(text(round)), "{place}: also when something else was read since");
            }
        }
        assert!(cache.shared().table_count(IPAUTH, TableStat::TagVoids) > 0, "{place}");
        invalidate(cache, "nobody's");
    });
}

#[test]
fn a_value_comes_back_as_it_was_stored() {
    let long = "k".repeat(1_000);
    everywhere(|cache, place| {
        for key in ["alice", "a b\r\n", "\0", &long] {
            for value in
                [text("yes"), text(""), text("42"), text("42 "), Value::Int(42), Value::Int(-5), text("a\r\n\0")]
            {
                assert_eq!(cache.set(PROFILE, key.as_bytes(), value, Some(500)), Verdict::Done, "{place}: {key:?}");
                assert_eq!(cache.get(PROFILE, key.as_bytes(), 1), Verdict::Done, "{place}: {key:?} {:?}", cache.last());
                assert_eq!(cache.value(), Some(value), "{place}: {key:?}");
                assert!((498..=501).contains(&cache.left()), "{place}: {}", cache.left());
                assert_eq!(cache.peek(PROFILE, key.as_bytes()), Verdict::Done, "{place}");
                assert_eq!(cache.value(), Some(value), "{place}: {key:?}");
                cache.mget(PROFILE, &[key.as_bytes()]);
                assert_eq!(cache.found(0).1, Some(value), "{place}: {key:?}");
            }
            invalidate(cache, &format!("user:{key}"));
            assert_eq!(read(cache, PROFILE, key), None, "{place}: {key:?}");
        }
        let page = cache.dump(PROFILE, "", 10).unwrap();
        assert!(page.entries.iter().all(|entry| entry.value == b"a\r\n\0"), "{place}: {page:?}");
    });
}

#[test]
fn what_is_void_counts_as_missing_in_every_call() {
    everywhere(|cache, place| {
        let void = |cache: &mut Cache| {
            set(cache, IPAUTH, "k", "old");
            invalidate(cache, "user:k");
        };
        void(cache);
        assert_eq!(cache.replace(IPAUTH, b"k", text("r"), None), Verdict::Missing, "{place}");
        assert_eq!(cache.touch(IPAUTH, b"k", 60), Verdict::Missing, "{place}");
        assert_eq!(cache.ttl(IPAUTH, b"k"), (Verdict::Missing, 0), "{place}");
        assert_eq!(cache.tag(IPAUTH, b"k", b"other"), Verdict::Missing, "{place}");
        assert_eq!(cache.add(IPAUTH, b"k", text("a"), None), Verdict::Done, "{place}: {:?}", cache.last());
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("a"), "{place}");
        assert_eq!(cache.add(IPAUTH, b"k", text("b"), None), Verdict::Missing, "{place}");
        assert_eq!(cache.replace(IPAUTH, b"k", text("r"), None), Verdict::Done, "{place}: {:?}", cache.last());
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("r"), "{place}");
        assert_eq!(cache.touch(IPAUTH, b"k", 60), Verdict::Done, "{place}: {:?}", cache.last());
        let (rc, left) = cache.ttl(IPAUTH, b"k");
        assert!(rc == Verdict::Done && (58..=61).contains(&left), "{place}: {rc:?} {left}");
        assert_eq!(cache.remove(IPAUTH, b"k"), Verdict::Done, "{place}");
        assert_eq!(cache.remove(IPAUTH, b"k"), Verdict::Missing, "{place}");
        void(cache);
        assert_eq!(cache.invalidate(IPAUTH, b"k"), Verdict::Done, "{place}");
        assert_eq!(read(cache, IPAUTH, "k"), None, "{place}");
    });
}

#[test]
fn a_cas_fails_when_the_tag_was_invalidated_since_the_entry_was_read() {
    everywhere(|cache, place| {
        set(cache, IPAUTH, "k", "old");
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("old"));
        assert_eq!(cache.cas(IPAUTH, b"k", text("new"), None, 1), Verdict::Done, "{place}: {:?}", cache.last());
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("new"), "{place}");
        invalidate(cache, "user:k");
        assert_eq!(cache.cas(IPAUTH, b"k", text("late"), None, 1), Verdict::Missing, "{place}");
        // Another table's entry gives the tag a number again.
        set(cache, PROFILE, "k", "theirs");
        set(cache, IPAUTH, "k", "old");
        read(cache, IPAUTH, "k");
        invalidate(cache, "user:k");
        set(cache, PROFILE, "k", "theirs");
        assert_eq!(cache.cas(IPAUTH, b"k", text("late"), None, 1), Verdict::Missing, "{place}");
        assert_eq!(read(cache, IPAUTH, "k"), None, "{place}");
    });
}

#[test]
fn there_are_no_counters_under_tags_and_no_tags_in_other_tables() {
    everywhere(|cache, place| {
        assert_eq!(cache.inc(IPAUTH, b"k", 1, 0, None), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "no counters under tags", "{place}");
        set(cache, PLAIN, "k", "v");
        assert_eq!(cache.tag(PLAIN, b"k", b"x"), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "table without tags", "{place}");
        assert_eq!(cache.inc(PLAIN, b"n", 1, 0, None), Verdict::Done, "{place}");
    });
}

#[test]
fn what_was_stored_without_its_tag_is_void() {
    let servers = Memcached::many(1);
    let shared = Shared::create(config(&servers, 1)).unwrap();
    Watcher::new(shared).tick();
    let mut cache = Cache::new(shared);
    servers[0].set("ipauth:k", "foreign");
    servers[0].set("plain:k", "foreign");
    assert_eq!(read(&mut cache, IPAUTH, "k"), None);
    assert_eq!(read(&mut cache, PLAIN, "k").as_deref(), Some("foreign"));
    assert_eq!(cache.add(IPAUTH, b"k", text("v"), None), Verdict::Done);
    // The other way round: a host that knows nothing of the tag.
    let mut config = config(&servers, 1);
    config.tables.iter_mut().for_each(|table| table.tag = None);
    let mut other = Cache::new(Shared::create(config).unwrap());
    assert_eq!(read(&mut other, IPAUTH, "k"), None);
    invalidate(&mut other, "user:k");
    assert_eq!(read(&mut cache, IPAUTH, "k"), None);
}

#[test]
fn a_record_that_was_lost_costs_a_miss_and_brings_nothing_back() {
    let servers = Memcached::many(1);
    let shared = Shared::create(config(&servers, 1)).unwrap();
    Watcher::new(shared).tick();
    let mut cache = Cache::new(shared);
    set(&mut cache, IPAUTH, "k", "old");
    let record = servers[0].get("~tag:user:k").expect("a record");
    servers[0].delete("~tag:user:k");
    assert_eq!(read(&mut cache, IPAUTH, "k"), None);
    set(&mut cache, PROFILE, "k", "new");
    assert_ne!(servers[0].get("~tag:user:k"), Some(record), "its number is another one");
    assert_eq!(read(&mut cache, IPAUTH, "k"), None);
    servers[0].set("~tag:user:k", "nonsense");
    assert_eq!(read(&mut cache, PROFILE, "k"), None);
    assert_eq!(cache.set(IPAUTH, b"k", text("v"), None), Verdict::Unavailable);
    invalidate(&mut cache, "user:k");
    set(&mut cache, IPAUTH, "k", "v");
}

#[test]
fn a_bump_empties_a_table_under_tags() {
    everywhere(|cache, place| {
        set(cache, IPAUTH, "k", "old");
        set(cache, PROFILE, "k", "stays");
        assert_eq!(cache.bump(IPAUTH), Verdict::Done, "{place}");
        assert_eq!(read(cache, IPAUTH, "k"), None, "{place}");
        assert_eq!(read(cache, PROFILE, "k").as_deref(), Some("stays"), "{place}");
        set(cache, IPAUTH, "k", "new");
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("new"), "{place}");
    });
}

#[test]
fn an_entry_and_its_tag_are_asked_for_in_one_packet() {
    let servers = Memcached::many(1);
    let shared = Shared::create(config(&servers, 1)).unwrap();
    Watcher::new(shared).tick();
    let mut cache = Cache::new(shared);
    let keys: Vec<String> = (0..20).map(|n| format!("key{n}")).collect();
    keys.iter().for_each(|key| set(&mut cache, IPAUTH, key, key));
    let asked = |cache: &Cache| cache.shared().server_count(0, ServerStat::Requests);
    let before = asked(&cache);
    keys.iter().for_each(|key| assert_eq!(read(&mut cache, IPAUTH, key).as_ref(), Some(key)));
    assert_eq!(asked(&cache) - before, 20);
    let all: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    assert_eq!(cache.mget(IPAUTH, &all), Verdict::Done);
    assert_eq!(asked(&cache) - before, 21);
    assert!((0..20).all(|at| cache.found(at).1 == Some(text(&keys[at]))));
}
