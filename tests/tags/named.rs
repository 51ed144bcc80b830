//! Tags that entries are given one by one.

use super::support::worker::text;
use super::{ACCT, IPAUTH, PROFILE, everywhere, invalidate, read, set};
use shardcache::cache::Verdict;
use shardcache::value::Value;

#[test]
fn an_entry_is_void_when_any_of_its_tags_is_invalidated() {
    everywhere(|cache, place| {
        for tag in ["site:1", "site:2", "user:alice"] {
            assert_eq!(cache.set(IPAUTH, b"alice", Value::Int(7), Some(500)), Verdict::Done, "{place}");
            set(cache, IPAUTH, "bob", "stays");
            set(cache, ACCT, "alice", "under another tag");
            for other in ["site:1", "site:2", "site:1", "user:alice"] {
                let done = cache.tag(IPAUTH, b"alice", other.as_bytes());
                assert_eq!(done, Verdict::Done, "{place}: {other} {:?}", cache.last());
            }
            assert_eq!(cache.tag(ACCT, b"alice", b"site:2"), Verdict::Done, "{place}: {:?}", cache.last());
            assert_eq!(cache.get(IPAUTH, b"alice", 1), Verdict::Done, "{place}: {:?}", cache.last());
            assert_eq!(cache.value(), Some(Value::Int(7)), "{place}");
            assert!((497..=501).contains(&cache.left()), "{place}: {}", cache.left());
            invalidate(cache, "site:3");
            assert_eq!(read(cache, IPAUTH, "alice").as_deref(), Some("7"), "{place}");
            invalidate(cache, tag);
            assert_eq!(read(cache, IPAUTH, "alice"), None, "{place}: {tag}");
            assert_eq!(read(cache, IPAUTH, "bob").as_deref(), Some("stays"), "{place}: {tag}");
            assert_eq!(read(cache, ACCT, "alice").is_none(), tag == "site:2", "{place}: {tag}");
            let keys: [&[u8]; 2] = [b"alice", b"bob"];
            assert_eq!(cache.mget(IPAUTH, &keys), Verdict::Done, "{place}");
            assert_eq!((cache.found(0).0, cache.found(1).1), (Verdict::Missing, Some(text("stays"))), "{place}");
        }
    });
}

#[test]
fn a_tag_goes_with_the_value_that_it_was_given_to() {
    everywhere(|cache, place| {
        set(cache, IPAUTH, "k", "tagged");
        assert_eq!(cache.tag(IPAUTH, b"k", b"x"), Verdict::Done, "{place}");
        assert_eq!(cache.touch(IPAUTH, b"k", 60), Verdict::Done, "{place}");
        invalidate(cache, "x");
        assert_eq!(read(cache, IPAUTH, "k"), None, "{place}: a new lifetime leaves the tags");
        set(cache, IPAUTH, "k", "tagged");
        assert_eq!(cache.tag(IPAUTH, b"k", b"x"), Verdict::Done, "{place}");
        set(cache, IPAUTH, "k", "anew");
        invalidate(cache, "x");
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("anew"), "{place}: a new value has none");
        assert_eq!(cache.tag(IPAUTH, b"k", b"x"), Verdict::Done, "{place}");
        assert_eq!(read(cache, IPAUTH, "k").as_deref(), Some("anew"), "{place}: invalidated before it was tagged");
        assert_eq!(cache.cas(IPAUTH, b"k", text("other"), None, 1), Verdict::Done, "{place}: {:?}", cache.last());
    });
}

#[test]
fn what_is_not_there_cannot_be_tagged_and_there_is_an_end_to_tags() {
    everywhere(|cache, place| {
        assert_eq!(cache.tag(PROFILE, b"k", b"x"), Verdict::Missing, "{place}");
        assert_eq!(cache.tag(PROFILE, b"k", b"user:k"), Verdict::Missing, "{place}");
        set(cache, PROFILE, "k", "v");
        for n in 0..8 {
            assert_eq!(cache.tag(PROFILE, b"k", format!("tag{n}").as_bytes()), Verdict::Done, "{place}: {n}");
        }
        assert_eq!(cache.tag(PROFILE, b"k", b"one more"), Verdict::Failed, "{place}");
        assert_eq!(cache.last().err, "too many tags", "{place}");
        assert_eq!(cache.tag(PROFILE, b"k", b"tag3"), Verdict::Done, "{place}: it has that one");
        assert_eq!(read(cache, PROFILE, "k").as_deref(), Some("v"), "{place}");
    });
}
