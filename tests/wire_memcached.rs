//! Links against a real memcached: what we write others read, and the reverse.

#[path = "wire_support/memcached.rs"]
mod memcached;

use memcached::Memcached;
use shardcache::clock::Deadline;
use shardcache::wire::{Address, Endpoint, Flags, KeyRef, Kind, Link, Reply, exchange, stream};
use std::time::Duration;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn tcp(server: &Memcached) -> Link {
    Link::new(Endpoint { address: Address::Tcp(server.at), ..Endpoint::default() })
}

fn key(text: &str) -> KeyRef<'_> {
    KeyRef { bytes: text.as_bytes(), base64: false }
}

/// One request on one link, which must succeed.
fn ask(link: &mut Link, build: impl FnOnce(&mut Link)) -> &Link {
    link.begin();
    build(link);
    exchange(std::slice::from_mut(link), &[0], soon());
    assert_eq!(link.status(), Ok(()), "{}", link.detail());
    link
}

fn data<'a>(reply: &Reply<'a>) -> &'a [u8] {
    match reply {
        Reply::Value { data, .. } => data,
        other => panic!("no value but {other:?}"),
    }
}

fn walk_through_all_commands(link: &mut Link) {
    assert_eq!(ask(link, |l| l.mg(key("t:k"), "v")).reply(0), Reply::Miss);
    let flags = Flags::new("c").with('F', 65536).with('T', 60);
    let Reply::Done(meta) = ask(link, |l| l.ms(key("t:k"), &[b"a\r\n", b"\0b"], &flags)).reply(0) else { panic!() };
    let cas = meta.cas;
    assert!(cas > 0);
    let Reply::Value { data: value, meta } = ask(link, |l| l.mg(key("t:k"), "v f c t s")).reply(0) else { panic!() };
    assert_eq!((value, meta.flags, meta.cas, meta.size), (&b"a\r\n\0b"[..], 65536, cas, 5));
    assert!((58..=60).contains(&meta.ttl), "{}", meta.ttl);
    for (flags, want) in
        [("ME", Reply::NotStored), ("MR", Reply::Done(shardcache::wire::Meta::default())), ("C1", Reply::Exists)]
    {
        assert_eq!(ask(link, |l| l.ms(key("t:k"), &[b"x"], flags)).reply(0), want, "{flags}");
    }
    assert_eq!(ask(link, |l| l.ms(key("t:absent"), &[b"x"], "C1")).reply(0), Reply::NotFound);
    assert_eq!(data(&ask(link, |l| l.ma(key("t:n"), "v N0 J5 D3")).reply(0)), b"5");
    assert_eq!(data(&ask(link, |l| l.ma(key("t:n"), "v D3")).reply(0)), b"8");
    assert_eq!(data(&ask(link, |l| l.ma(key("t:n"), "v MD D9")).reply(0)), b"0");
    assert_eq!(ask(link, |l| l.ma(key("t:m"), "v")).reply(0), Reply::NotFound);
    assert!(matches!(ask(link, |l| l.ma(key("t:k"), "v")).reply(0), Reply::ClientError(_)));
    assert!(link.is_open(), "a counter that is not a number leaves the connection in step");
    assert_eq!(ask(link, |l| l.mn()).reply(0), Reply::Noop);
    assert!(matches!(ask(link, |l| l.md(key("t:k"), "")).reply(0), Reply::Done(_)));
    assert_eq!(ask(link, |l| l.md(key("t:k"), "")).reply(0), Reply::NotFound);
    let Reply::Line(version) = ask(link, |l| l.line(b"version")).reply(0) else { panic!() };
    assert!(version.starts_with(b"VERSION 1."));
    let Reply::Lines(lines) = ask(link, |l| l.lines(b"stats settings")).reply(0) else { panic!() };
    assert!(lines.into_iter().any(|line| line.starts_with(b"STAT item_size_max ")));
}

#[test]
fn every_command_works_over_tcp() {
    let server = Memcached::tcp(&[]);
    walk_through_all_commands(&mut tcp(&server));
}

#[test]
fn every_command_works_over_a_unix_socket() {
    let server = Memcached::unix(&[]);
    let address = Address::Unix(server.socket.clone());
    walk_through_all_commands(&mut Link::new(Endpoint { address, ..Endpoint::default() }));
}

#[test]
fn several_commands_share_one_packet_and_keep_their_order() {
    let server = Memcached::tcp(&[]);
    let mut link = tcp(&server);
    let link = ask(&mut link, |l| {
        l.ms(key("t:a"), &[b"1"], "");
        l.mg(key("t:a"), "v");
        l.mg(key("t:b"), "v");
        l.get(b"", [&b"t:b"[..], b"t:a"]);
        l.mn();
    });
    assert!(matches!(link.reply(0), Reply::Done(_)));
    assert_eq!(data(&link.reply(1)), b"1");
    assert_eq!(link.reply(2), Reply::Miss);
    let Reply::Values(values) = link.reply(3) else { panic!() };
    assert_eq!(values.map(|item| item.key.to_vec()).collect::<Vec<_>>(), [b"t:a"]);
    assert_eq!(link.reply(4), Reply::Noop);
    assert_eq!(link.reply(5), Reply::Nothing);
}

#[test]
fn an_independent_client_reads_what_we_write_and_the_reverse() {
    let server = Memcached::tcp(&[]);
    let url = format!("memcache://{}?protocol=ascii", server.at);
    let other = memcache::Client::connect(url).unwrap();
    let mut link = tcp(&server);
    ask(&mut link, |l| l.ms(key("t:ours"), &[b"hello"], "F0 T0"));
    assert_eq!(other.get::<String>("t:ours").unwrap().as_deref(), Some("hello"));
    other.set("t:theirs", "world", 0).unwrap();
    assert_eq!(data(&ask(&mut link, |l| l.mg(key("t:theirs"), "v")).reply(0)), b"world");
    other.set("t:n", 41, 0).unwrap();
    assert_eq!(data(&ask(&mut link, |l| l.ma(key("t:n"), "v")).reply(0)), b"42");
    assert_eq!(other.get::<u64>("t:n").unwrap(), Some(42));
}

#[test]
fn a_key_with_blanks_and_line_ends_travels_as_base64() {
    let server = Memcached::tcp(&[]);
    let mut link = tcp(&server);
    let coded = KeyRef { bytes: b"dDphIGINCmM=", base64: true };
    ask(&mut link, |l| l.ms(coded, &[b"v"], "T0"));
    assert_eq!(data(&ask(&mut link, |l| l.mg(coded, "v")).reply(0)), b"v");
    assert_eq!(ask(&mut link, |l| l.mg(key("dDphIGINCmM="), "v")).reply(0), Reply::Miss);
}

#[test]
fn a_megabyte_goes_and_comes_back() {
    let server = Memcached::tcp(&[]);
    let mut link = tcp(&server);
    let big: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    ask(&mut link, |l| {
        for name in ["t:a", "t:b", "t:c"] {
            l.ms(key(name), &[&big], "");
            l.mg(key(name), "v");
        }
    });
    for reply in [1, 3, 5] {
        assert!(data(&link.reply(reply)) == big);
    }
    let huge = vec![b'x'; 1 << 20];
    assert!(matches!(ask(&mut link, |l| l.ms(key("t:a"), &[&huge], "")).reply(0), Reply::ServerError(_)));
    assert!(link.is_open(), "a value too large leaves the connection in step");
    assert_eq!(ask(&mut link, |l| l.mn()).reply(0), Reply::Noop);
}

#[test]
fn a_hundred_long_keys_are_read_in_one_line() {
    let server = Memcached::tcp(&[]);
    let mut link = tcp(&server);
    let keys: Vec<String> = (0..100).map(|n| format!("t:{n:0>240}")).collect();
    ask(&mut link, |l| keys.iter().step_by(2).for_each(|name| l.ms(key(name), &[name.as_bytes()], "F65536")));
    let link = ask(&mut link, |l| l.get(b"", keys.iter().map(String::as_bytes)));
    let Reply::Values(values) = link.reply(0) else { panic!() };
    let found: Vec<_> = values.collect();
    assert_eq!(found.len(), 50);
    for (item, name) in found.iter().zip(keys.iter().step_by(2)) {
        assert_eq!((item.key, item.data, item.flags), (name.as_bytes(), name.as_bytes(), 65536));
    }
}

#[test]
fn all_items_are_listed_line_by_line_or_until_enough() {
    let server = Memcached::tcp(&[]);
    let mut link = tcp(&server);
    ask(&mut link, |l| (0..3000).for_each(|n| l.ms(key(&format!("t:{n}")), &[b"v"], "")));
    let mut count = 0;
    stream(&mut link, b"lru_crawler metadump all", soon(), &mut |line| {
        assert!(
            line.starts_with(b"key=t%3A") && line.split(|byte| *byte == b' ').count() > 5,
            "{:?}",
            String::from_utf8_lossy(line)
        );
        count += 1;
        true
    })
    .unwrap();
    assert_eq!(count, 3000);
    assert!(link.is_open());
    let mut few = 0;
    stream(&mut link, b"lru_crawler metadump all", soon(), &mut |_| {
        few += 1;
        few < 10
    })
    .unwrap();
    assert_eq!((few, link.is_open()), (10, false));
    assert_eq!(ask(&mut link, |l| l.mn()).reply(0), Reply::Noop);
}

#[test]
fn all_servers_of_one_exchange_are_asked_together_and_a_dead_one_does_not_spoil_the_others() {
    let servers = [Memcached::tcp(&[]), Memcached::tcp(&[]), Memcached::tcp(&[])];
    let mut links: Vec<Link> = servers.iter().map(tcp).collect();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    links[1].redirect(free);
    for link in &mut links {
        link.begin();
        link.mn();
    }
    exchange(&mut links, &[2, 1], soon());
    assert_eq!(links[0].reply(0), Reply::Nothing, "not asked");
    assert_eq!(links[2].reply(0), Reply::Noop);
    let error = links[1].status().unwrap_err();
    assert_eq!((error.kind, error.sent, error.hard()), (Kind::Refused, false, true));
}

#[test]
fn a_restarted_server_is_reached_again_and_the_lost_connection_is_called_reused() {
    let mut server = Memcached::tcp(&[]);
    let mut link = tcp(&server);
    ask(&mut link, |l| l.mn());
    server.kill();
    link.begin();
    link.mn();
    exchange(std::slice::from_mut(&mut link), &[0], soon());
    let error = link.status().unwrap_err();
    assert!(error.reused && !error.hard() && matches!(error.kind, Kind::Closed | Kind::Reset), "{error:?}");
    exchange(std::slice::from_mut(&mut link), &[0], soon());
    assert_eq!(link.status().unwrap_err().kind, Kind::Refused, "the same request is made again");
}

#[test]
fn a_connection_that_the_server_closed_is_found_before_it_is_used() {
    let mut server = Memcached::unix(&[]);
    let address = Address::Unix(server.socket.clone());
    let mut link = Link::new(Endpoint { address, ..Endpoint::default() });
    ask(&mut link, |l| l.mn());
    link.recheck();
    assert!(link.is_open());
    server.kill();
    link.recheck();
    assert!(!link.is_open());
}

#[test]
fn user_and_password_are_shown_before_the_first_command() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users");
    std::fs::write(&file, "sip:secret\n").unwrap();
    let server = Memcached::tcp(&["-Y", file.to_str().unwrap()]);
    let with = |auth: Option<(&str, &str)>| {
        let auth = auth.map(|(user, pass)| (user.to_owned(), pass.to_owned()));
        let mut link = Link::new(Endpoint { address: Address::Tcp(server.at), auth, tls: None });
        link.begin();
        link.mn();
        exchange(std::slice::from_mut(&mut link), &[0], soon());
        link.status().map_err(|error| (error.kind, error.sent))
    };
    assert_eq!(with(Some(("sip", "secret"))), Ok(()));
    assert_eq!(with(Some(("sip", "wrong"))), Err((Kind::Auth, false)));
    assert_eq!(with(None), Err((Kind::Auth, true)));
}

#[test]
fn a_server_without_room_for_another_connection_says_so() {
    let server = Memcached::tcp(&["-c", "64", "-t", "1"]);
    let mut links: Vec<Link> = (0..70).map(|_| tcp(&server)).collect();
    let mut kinds = Vec::new();
    for at in 0..links.len() {
        links[at].begin();
        links[at].mn();
        exchange(&mut links, &[at], soon());
        kinds.extend(links[at].status().err().map(|error| error.kind));
    }
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == Kind::TooMany), "{kinds:?}");
}

#[test]
fn a_forked_child_makes_its_own_connection_and_leaves_the_parents_alone() {
    let server = Memcached::tcp(&[]);
    let mut link = tcp(&server);
    ask(&mut link, |l| l.ms(key("t:k"), &[b"parent"], ""));
    // SAFETY: the child only uses its own copy of the link and leaves with _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let alone = !link.is_open();
        link.begin();
        link.ms(key("t:child"), &[b"child"], "");
        exchange(std::slice::from_mut(&mut link), &[0], soon());
        let fine = alone && link.is_open() && link.status().is_ok();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(i32::from(!fine)) };
    }
    let mut status = 0;
    // SAFETY: `child` is our own child.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    assert!(link.is_open());
    assert_eq!(data(&ask(&mut link, |l| l.mg(key("t:child"), "v")).reply(0)), b"child");
}
