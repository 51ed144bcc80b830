//! Layouts made, and followed from one list of servers to the next.

use super::*;
use crate::config::Config;

fn specs(texts: &[&str]) -> Vec<Option<ServerSpec>> {
    let mut config = Config::default();
    texts.iter().filter(|text| !text.is_empty()).for_each(|text| config.add_server(text).unwrap());
    let mut servers = config.servers.into_iter();
    texts.iter().map(|text| if text.is_empty() { None } else { servers.next() }).collect()
}

fn layout(texts: &[&str]) -> Layout {
    Layout::new(7, specs(texts)).unwrap()
}

fn homes(layout: &Layout) -> Vec<String> {
    let home = |n: u32| layout.ring().home(&[b"t:", n.to_string().as_bytes()]);
    (0..500).map(|n| layout.name(home(n)).to_owned()).collect()
}

#[test]
fn keys_and_copies_follow_the_servers_whatever_their_slots() {
    let (a, b, c) = ("name=a;addr=10.0.0.1", "name=b;addr=10.0.0.2;weight=3", "name=c;addr=10.0.0.3");
    let first = layout(&[a, b, c]);
    let other = layout(&["", c, "", "", b, a]);
    assert_eq!(homes(&first), homes(&other));
    assert_eq!((first.len(), other.len(), other.slots()), (3, 3, 6));
    for name in ["a", "b", "c"] {
        let partner = |layout: &Layout| {
            let slot = layout.find(name.as_bytes()).unwrap();
            let pair = layout.pair(slot).unwrap();
            assert_eq!(pair.servers, [slot, layout.pairs().partner(slot).unwrap()]);
            (layout.name(pair.servers[1]).to_owned(), pair.name.clone())
        };
        assert_eq!(partner(&first), partner(&other), "{name}");
    }
    assert_eq!((other.server(0), other.name(0), other.find(b"d")), (None, "", None));
    assert_eq!(
        other.servers().map(|(slot, server)| (slot, server.name.as_str())).collect::<Vec<_>>(),
        [(1, "c"), (4, "b"), (5, "a")]
    );
}

#[test]
fn a_name_given_as_pair_becomes_its_slot() {
    let layout = layout(&["", "name=a;addr=h1;pair=c", "name=b;addr=h2", "name=c;addr=h3"]);
    assert_eq!(layout.pairs().partner(1), Some(3));
    let error = Layout::new(0, specs(&["name=a;addr=h1;pair=x", "name=b;addr=h2"])).unwrap_err().to_string();
    assert_eq!(error, "server \"a\": pair=x: expected the name of another server in the list");
}

#[test]
fn a_later_list_tells_which_slots_are_reached_anew() {
    let (a, b, c) = ("name=a;addr=h1", "name=b;addr=h2;user=u;pass=p", "name=c;addr=h3");
    let first = layout(&[a, b, c]);
    for (texts, want) in [
        (&[a, b, c][..], &[][..]),
        (&["name=x;addr=h1;weight=5;zone=z", b, c], &[]),
        (&["name=a;addr=h1:1", b, c], &[0]),
        (&[a, "name=b;addr=h2;user=u;pass=q", "", c], &[1, 2, 3]),
        (&[a], &[]),
    ] {
        let next = first.follow(8, specs(texts)).unwrap();
        assert_eq!(next.renewed(&first).collect::<Vec<_>>(), want, "{texts:?}");
        assert_eq!(next.version(), 8);
    }
}

#[test]
fn a_server_whose_files_cannot_be_used_keeps_its_place_and_there_is_no_way_to_it() {
    let texts = ["name=a;addr=10.0.0.1", "name=b;addr=10.0.0.2;tls=1;tls_ca=/nowhere/ca.pem"];
    let next = layout(&[texts[0]]).follow(2, specs(&texts)).unwrap();
    assert_eq!(homes(&next), homes(&layout(&[texts[0], "name=b;addr=10.0.0.2"])));
    let address = "10.0.0.2:11211".parse().ok();
    assert!(matches!(next.endpoint(1, address).address, Address::Unresolved));
    let error = next.check().unwrap_err().to_string();
    assert!(error.starts_with("server \"b\": cannot read /nowhere/ca.pem"), "{error}");
    assert_eq!(Layout::new(2, specs(&texts)).unwrap_err(), next.check().unwrap_err());
}

#[test]
fn an_empty_slot_leads_nowhere() {
    let layout = layout(&["", "name=a;addr=unix:/run/a"]);
    assert!(matches!(layout.endpoint(0, None).address, Address::Unresolved));
    assert!(matches!(layout.endpoint(1, None).address, Address::Unix(_)));
    assert_eq!(layout.ring().home(&[b"t:k"]), 1);
    assert_eq!((layout.pair(0), layout.pair(1), layout.pair(2)), (None, None, None));
}
