//! Whatever a server does, a call is back in time and says what happened.

#[path = "wire_support/script.rs"]
mod script;

use script::{Guest, Script};
use shardcache::clock::Deadline;
use shardcache::wire::{Address, Endpoint, KeyRef, Kind, Link, Reply, WireError, exchange};
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const BUDGET: Duration = Duration::from_millis(60);
/// Where something else than time ends a call: a busy machine may halt the server.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a busy machine may add to one call out of five.
const SLACK: Duration = Duration::from_millis(15);
const KEY: KeyRef<'static> = KeyRef { bytes: b"t:k", base64: false };

fn link(at: SocketAddr) -> Link {
    Link::new(Endpoint { address: Address::Tcp(at), ..Endpoint::default() })
}

/// Five tries of the same request on new connections; each must fail as told, and the quickest must be in time.
fn fails(at: SocketAddr, build: impl Fn(&mut Link), want: (Kind, bool)) -> Duration {
    tries(|| link(at), build, want)
}

fn tries(make: impl Fn() -> Link, build: impl Fn(&mut Link), want: (Kind, bool)) -> Duration {
    let (mut quickest, budget) = (Duration::MAX, if want.0 == Kind::Timeout { BUDGET } else { PATIENCE });
    for _ in 0..5 {
        let mut link = make();
        link.begin();
        build(&mut link);
        let start = Instant::now();
        exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(budget));
        quickest = quickest.min(start.elapsed());
        let error = link.status().expect_err("no failure");
        assert_eq!((error.kind, error.sent), want, "{error}: {}", link.detail());
        assert!(!link.is_open());
    }
    assert!(quickest < BUDGET + SLACK, "took {quickest:?}");
    quickest
}

fn get(link: &mut Link) {
    link.mg(KEY, "v");
}

#[test]
fn a_server_that_never_answers_costs_the_budget_and_no_more() {
    let server = Script::new(|mut guest| guest.mute());
    let took = fails(server.at, get, (Kind::Timeout, true));
    assert!(took >= BUDGET, "gave up after {took:?}");
}

#[test]
fn a_deadline_is_kept_to_the_millisecond() {
    let server = Script::new(|mut guest| {
        if guest.hear() && guest.say(b"MN\r\n") {
            guest.mute();
        }
    });
    for budget in [1, 3, 9, 12, 20, 60].map(Duration::from_millis) {
        let mut quickest = Duration::MAX;
        for _ in 0..10 {
            // The first request is answered, so that the second goes out on an open connection.
            let mut link = link(server.at);
            link.begin();
            link.mn();
            exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(Duration::from_secs(5)));
            assert_eq!(link.status(), Ok(()));
            let start = Instant::now();
            exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(budget));
            let took = start.elapsed();
            assert_eq!(link.status().map_err(|error| (error.kind, error.reused)), Err((Kind::Timeout, false)));
            assert!(took >= budget, "gave up after {took:?} of {budget:?}");
            quickest = quickest.min(took);
        }
        assert!(quickest < budget + Duration::from_millis(1), "took {quickest:?} of {budget:?}");
    }
}

#[test]
fn a_server_that_drips_bytes_does_not_stretch_the_budget() {
    let server = Script::new(|mut guest| {
        guest.hear();
        for byte in b"VA 1000 f0 c1 t-1\r\n".iter().cycle() {
            if !guest.say(&[*byte]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    fails(server.at, get, (Kind::Timeout, true));
}

#[test]
fn a_server_that_floods_us_does_not_stretch_the_budget() {
    let server = Script::new(|mut guest| {
        guest.hear();
        guest.say(b"VA 60000000\r\n");
        while guest.say(&[b'x'; 100]) {
            std::thread::sleep(Duration::from_micros(50));
        }
    });
    fails(server.at, get, (Kind::Timeout, true));
}

#[test]
fn a_port_where_nothing_listens_is_refused_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(fails(free, get, (Kind::Refused, false)) < BUDGET / 2);
    let dir = tempfile::tempdir().unwrap();
    let address = Address::Unix(dir.path().join("absent"));
    tries(|| Link::new(Endpoint { address: address.clone(), ..Endpoint::default() }), get, (Kind::Refused, false));
}

#[test]
fn a_name_without_an_address_fails_at_once() {
    tries(|| Link::new(Endpoint::default()), get, (Kind::Unresolved, false));
    let address = Address::Unix("/".repeat(200).into());
    tries(|| Link::new(Endpoint { address: address.clone(), ..Endpoint::default() }), get, (Kind::Unreachable, false));
}

#[test]
fn a_reset_is_told_at_once() {
    let server = Script::new(|mut guest| {
        guest.hear();
        guest.reset();
    });
    assert!(fails(server.at, get, (Kind::Reset, true)) < BUDGET / 2);
}

#[test]
fn an_answer_cut_short_is_a_closed_connection() {
    for part in [&b""[..], b"VA 10 f0\r\nabc", b"E", b"EN\r"] {
        let server = Script::new(move |mut guest: Guest| {
            guest.hear();
            guest.say(part);
        });
        assert!(fails(server.at, get, (Kind::Closed, true)) < BUDGET / 2, "{part:?}");
    }
}

#[test]
fn a_server_that_speaks_something_else_is_called_so() {
    let endless = [b'x'; 5000];
    for (answer, want) in [
        (&b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..], Kind::Protocol),
        (b"-ERR unknown command 'mg', with args beginning with: 't:k' 'v'\r\n", Kind::Protocol),
        (b"EN\r\nEN\r\n", Kind::Protocol),
        (b"NS\r\n", Kind::Protocol),
        (b"VA 99999999999\r\n", Kind::Protocol),
        (&endless, Kind::Protocol),
        (b"ERROR\r\n", Kind::Rejected),
        (b"CLIENT_ERROR invalid flag\r\n", Kind::Rejected),
        (b"CLIENT_ERROR unauthenticated\r\n", Kind::Auth),
        (b"ERROR Too many open connections\r\n", Kind::TooMany),
    ] {
        let answer = answer.to_vec();
        let server = Script::new(move |mut guest: Guest| {
            guest.hear();
            guest.say(&answer);
            guest.mute();
        });
        assert!(fails(server.at, get, (want, true)) < BUDGET / 2);
    }
}

#[test]
fn a_server_that_is_full_is_heard_although_it_hangs_up() {
    let server = Script::new(|mut guest: Guest| {
        guest.say(b"ERROR Too many open connections\r\n");
    });
    let mut link = link(server.at);
    link.begin();
    get(&mut link);
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(PATIENCE));
    assert_eq!(link.status().map_err(|error| error.kind), Err(Kind::TooMany));
}

/// A listener whose queue is full, so that the kernel drops every further attempt to connect.
fn black_hole() -> (TcpListener, Vec<std::net::TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: listen on our own listening socket only changes the length of its queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let at = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&at, Duration::from_millis(100)) {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue never fills");
    }
    (listener, queued)
}

#[test]
fn a_black_hole_costs_the_budget_and_no_more() {
    let (listener, _queued) = black_hole();
    let took = fails(listener.local_addr().unwrap(), get, (Kind::Timeout, false));
    assert!(took >= BUDGET, "gave up after {took:?}");
}

#[test]
fn a_unix_socket_with_a_full_queue_is_tried_until_the_budget_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("full");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    // SAFETY: listen on our own listening socket only changes the length of its queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let make = || Link::new(Endpoint { address: Address::Unix(path.clone()), ..Endpoint::default() });
    let mut queued = make();
    queued.begin();
    queued.mn();
    exchange(std::slice::from_mut(&mut queued), &[0], Deadline::after(BUDGET));
    assert_eq!(queued.status().map_err(|error| (error.kind, error.sent)), Err((Kind::Timeout, true)));
    // The connection given up still fills the queue until somebody accepts it.
    let took = tries(make, get, (Kind::Timeout, false));
    assert!(took >= BUDGET, "gave up after {took:?}");
}

#[test]
fn a_unix_queue_that_empties_in_time_lets_us_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("full");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let server = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        let _first = listener.accept().unwrap();
        let (mut second, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut second, b"MN\r\n").unwrap();
        std::io::Read::read_to_end(&mut second, &mut Vec::new()).unwrap();
    });
    let mut link = Link::new(Endpoint { address: Address::Unix(path), ..Endpoint::default() });
    link.begin();
    link.mn();
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(Duration::from_secs(5)));
    assert_eq!((link.status(), link.reply(0)), (Ok(()), Reply::Noop));
    drop(link);
    server.join().unwrap();
}

#[test]
fn many_mute_servers_cost_one_budget_together() {
    let mute: Vec<Script> = (0..40).map(|_| Script::new(|mut guest| guest.mute())).collect();
    let live = Script::new(|mut guest| while guest.hear() && guest.say(b"EN\r\n") {});
    let mut links: Vec<Link> = mute.iter().chain([&live]).map(|server| link(server.at)).collect();
    let all: Vec<usize> = (0..links.len()).collect();
    let (mut quickest, mut answered) = (Duration::MAX, false);
    for _ in 0..3 {
        for link in &mut links {
            link.begin();
            get(link);
        }
        let start = Instant::now();
        exchange(&mut links, &all, Deadline::after(BUDGET));
        quickest = quickest.min(start.elapsed());
        answered |= links[40].reply(0) == Reply::Miss;
        assert!(links[..40].iter().all(|link| link.status().is_err_and(|error| error.kind == Kind::Timeout)));
    }
    assert!(answered && quickest < BUDGET + SLACK, "answered: {answered}, took {quickest:?}");
}

#[test]
fn what_came_before_the_deadline_is_kept() {
    let server = Script::new(|mut guest| {
        guest.hear();
        guest.say(b"HD c9\r\nVA 2\r\nok\r\nVA 5\r\nha");
        guest.mute();
    });
    let mut link = link(server.at);
    link.begin();
    link.ms(KEY, &[b"v"], "c");
    get(&mut link);
    get(&mut link);
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(Duration::from_secs(1)));
    assert_eq!(link.status().map_err(|error| error.kind), Err(Kind::Timeout));
    assert!(matches!(link.reply(0), Reply::Done(meta) if meta.cas == 9));
    assert!(matches!(link.reply(1), Reply::Value { data: b"ok", .. }));
    assert_eq!(link.reply(2), Reply::Nothing);
}

#[test]
fn an_answer_that_comes_too_late_never_reaches_the_next_question() {
    let server = Script::new(|mut guest| {
        guest.hear();
        std::thread::sleep(BUDGET + Duration::from_secs(1));
        guest.say(b"VA 5\r\nstale\r\n");
        while guest.hear() && guest.say(b"VA 5\r\nfresh\r\n") {}
    });
    let mut link = link(server.at);
    link.begin();
    get(&mut link);
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(BUDGET));
    assert_eq!(link.status().map_err(|error| error.kind), Err(Kind::Timeout));
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(BUDGET / 2));
    assert_eq!(link.reply(0), Reply::Nothing, "the new connection is not answered yet");
}

#[test]
fn a_server_that_answers_while_we_still_write_does_not_lock_us_up() {
    let server = Script::new(|mut guest| {
        // Fills our receive side before it reads anything.
        let big = [&b"VA 2000000\r\n"[..], &vec![b'x'; 2_000_000], b"\r\nHD\r\n"].concat();
        guest.say(&big);
        guest.mute();
    });
    let mut link = link(server.at);
    let value = vec![b'v'; 8_000_000];
    link.begin();
    get(&mut link);
    link.ms(KEY, &[&value], "");
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(Duration::from_secs(5)));
    assert_eq!(link.status(), Ok(()));
    assert!(matches!(link.reply(0), Reply::Value { data, .. } if data.len() == 2_000_000));
    assert!(matches!(link.reply(1), Reply::Done(_)));
}

#[test]
fn a_big_write_to_a_server_that_does_not_read_is_in_time() {
    // Never accepted: the kernel alone takes what fits.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let value = vec![b'v'; 16_000_000];
    fails(listener.local_addr().unwrap(), |link| link.ms(KEY, &[&value], ""), (Kind::Timeout, true));
}

#[test]
fn a_connection_closed_at_rest_is_replaced_without_a_failure() {
    let server = Script::new(|mut guest| {
        guest.hear();
        guest.say(b"MN\r\n");
    });
    let mut link = link(server.at);
    for round in 0..2 {
        link.begin();
        link.mn();
        exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(Duration::from_secs(5)));
        assert_eq!(link.status(), Ok(()), "round {round}");
        // Longer than a connection may rest unseen; it is the passing of time that is tested.
        std::thread::sleep(Duration::from_millis(1100));
    }
}

#[test]
fn something_said_unasked_at_rest_is_thrown_away_with_the_connection() {
    let server = Script::new(|mut guest| {
        guest.hear();
        guest.say(b"MN\r\n");
        std::thread::sleep(Duration::from_millis(30));
        guest.say(b"VA 5\r\nwrong\r\n");
        guest.mute();
    });
    let mut link = link(server.at);
    link.begin();
    link.mn();
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(Duration::from_secs(5)));
    assert!(link.is_open());
    let end = Instant::now() + Duration::from_secs(5);
    while link.is_open() {
        link.recheck();
        assert!(Instant::now() < end, "the stray answer was not seen");
    }
}

#[test]
fn a_failure_reads_well_in_a_log() {
    let text = |kind, sent, reused| WireError { kind, sent, reused }.to_string();
    assert_eq!(text(Kind::Timeout, true, false), "no answer in time");
    assert_eq!(text(Kind::Timeout, false, false), "no connection in time");
    assert_eq!(text(Kind::Closed, true, true), "connection closed by the server while it was idle");
}

#[test]
fn what_was_given_up_is_not_delivered_later() {
    const SIZE: usize = 32 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut link = link(listener.local_addr().unwrap());
    link.begin();
    link.ms(KEY, &[&vec![b'x'; SIZE]], "");
    exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(BUDGET));
    assert_eq!(link.status().map_err(|error| (error.kind, error.sent)), Err((Kind::Timeout, true)));
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut room, mut arrived) = (vec![0; 1 << 20], 0);
    let end = loop {
        match stream.read(&mut room) {
            Ok(0) => panic!("a clean end: the kernel went on sending"),
            Ok(count) => arrived += count,
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(end, std::io::ErrorKind::ConnectionReset);
    assert!(arrived < SIZE, "{arrived} bytes");
}
