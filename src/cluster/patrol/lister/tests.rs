use super::*;
use crate::config::Config;

#[test]
fn a_refusal_tells_a_server_that_cannot_now_from_one_that_never_will() {
    let failed = Unlisted::Failed { server: 3, why: "reset".to_owned() };
    for (reply, want) in [
        (Reply::ServerError(b"BUSY currently processing crawler request"), Unlisted::Busy),
        (Reply::ClientError(b"lru crawler disabled"), Unlisted::Disabled { server: 3 }),
        (Reply::ClientError(b"bad command line"), failed.clone()),
        (Reply::Nothing, failed),
    ] {
        assert_eq!(refusal(&reply, 3, "reset"), want, "{reply:?}");
    }
}

#[test]
fn strays_of_the_home_are_kept_with_what_guards_them_and_those_of_the_partner_are_not() {
    let server = |n: usize| Config::server(&format!("name=s{n};addr=10.0.0.{n}")).ok();
    let layout = Layout::new(1, (1..=2).map(server).collect()).unwrap();
    let mut listing = Listing::default();
    for server in 0..2 {
        let sieve = Sieve { layout: &layout, tables: &[], server, home: 0, slice: Slice { at: 0, of: 1 } };
        for key in [&b"t:k"[..], b"t:\r"] {
            listing.take(&sieve, Found::Stray, &listing::Listed { key, cas: 9, size: 60 });
        }
    }
    let stray = |wire: &[u8], base64| Stray { wire: wire.to_vec(), base64, cas: 9 };
    assert_eq!(listing.strays, [stray(b"t:k", false), stray(b"dDoN", true)]);
    assert!(listing.keys.is_empty());
}

#[test]
fn hashed_items_beyond_what_fits_are_counted_and_ask_for_smaller_slices() {
    let (mut listing, mut hidden) = (Listing::default(), Vec::new());
    for count in 1..=MOST + 1 {
        assert_eq!(listing.keys.slices(), 1, "before the {count}th");
        let item = Hidden { wire: Vec::new(), kind: Kind::Entry, table: 0, part: Part::Item, cas: 1, size: 1 };
        listing.hide(item, &mut hidden);
    }
    assert_eq!((hidden.len(), listing.keys.slices()), (MOST, 2));
}

#[test]
fn the_key_of_a_hashed_item_is_read_from_its_full_key() {
    let tables = [Policy { name: "t".to_owned(), mirrored: true, generation: 0 }];
    let hidden = |kind| Hidden { wire: Vec::new(), kind, table: 0, part: Part::Item, cas: 1, size: 1 };
    for (kind, full, want) in [
        (Kind::Entry, &b"t:alice"[..], Some(&b"alice"[..])),
        (Kind::Lock, b"!lock:t:alice", Some(b"alice")),
        (Kind::Lock, b"!", None),
    ] {
        assert_eq!(hidden(kind).key(full, &tables), want, "{kind:?}");
    }
}

#[test]
fn one_listing_at_a_time_and_a_server_that_does_not_answer_ends_it() {
    let mut config = Config::default();
    (1..=2).for_each(|n| config.add_server(&format!("name=s{n};addr=127.0.0.1:{n}")).unwrap());
    let shared = Shared::create(config).unwrap();
    let slice = Slice { at: 0, of: 1 };
    let mut lister = Lister::default();
    assert!(lister.idle() && lister.finished().is_none());
    assert!(lister.start(Order { layout: shared.layout(), shared, servers: [1, 0], slice }));
    let deadline = Deadline::after(LIST);
    let listed = loop {
        assert!(!deadline.passed(crate::clock::monotonic_ns()));
        if let Some(listed) = lister.finished() {
            break listed;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(lister.idle() && (listed.home, listed.slice) == (1, slice));
    assert!(matches!(listed.outcome, Err(Unlisted::Failed { server: 1, .. })), "{listed:?}");
}
