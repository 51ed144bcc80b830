//! The client outside Kamailio: one call of ours against the bare round trip, libmemcached and the crate `memcache`.
//!
//! Client and servers share one core, so a number is the work of both sides for one operation and no idle core's
//! waking up. Run with `cargo bench --bench wire`; what it finds goes to `bench-out`.

mod client;
mod measure;
mod plot;
mod raw;
mod report;

#[path = "../tests/support/libmemcached.rs"]
mod libmemcached;
#[path = "../tests/support/mod.rs"]
mod support;

use client::{Client, TEXT, VALUE, many};
use measure::{Case, Kind, interleave, timed};
use raw::{Raw, polled};
use report::{Section, find};
use std::net::SocketAddr;
use std::path::Path;
use support::Memcached;

const ROUNDS: usize = 400;
const CALLS: u32 = 100;
const CALLS_OF_MANY: u32 = 8;

fn main() {
    measure::pin_to_one_core();
    let tcp = Memcached::tcp();
    let unix = Memcached::unix();
    let three = Memcached::many(3);
    let address: SocketAddr = tcp.addr().parse().expect("an address");
    let path = unix.addr().trim_start_matches("unix:").to_owned();

    tcp.set("l:k", TEXT);
    unix.set("l:k", TEXT);
    let mut cases = floor(address, Path::new(&path), &three);
    cases.extend(ours(Client::new("b", &[tcp.addr()]), &OURS_TCP));
    cases.extend(ours(Client::new("b", &[unix.addr()]), &OURS_UNIX));
    cases.push(ours_many(Client::new("b", &three.iter().map(Memcached::addr).collect::<Vec<_>>())));
    cases.extend(library(&tcp, Path::new(&path), &three));
    cases.extend(crates(address));

    let series = interleave(&mut cases, ROUNDS);
    let mut section =
        Section::new("wire", "Outside Kamailio, client and servers on one core", "mn_polled_tcp", &series);
    let ratio = |own: &str, base: &str| find(&series, own).over(find(&series, base));
    section.goal("a get over TCP against the bare mn with ppoll", ratio("get_tcp", "mn_polled_tcp"), 1.10);
    if series.iter().any(|one| one.id == "library_get_tcp") {
        section.goal("a get over TCP against libmemcached's", ratio("get_tcp", "library_get_tcp"), 1.00);
    }
    section.goal("100 keys over three servers against one get", ratio("mget_100", "get_tcp"), 8.00);
    section.publish();
}

fn floor<'a>(address: SocketAddr, path: &Path, three: &[Memcached]) -> Vec<Case<'a>> {
    let mut one = [Raw::tcp(address)];
    let mut get = [Raw::tcp(address).asking(b"mg l:k v f t c\r\n".to_vec(), b"f\r\n")];
    let mut near = [Raw::unix(path)];
    let mut farm: [Raw; 3] = std::array::from_fn(|at| a_third(&three[at], at));
    let (mut a, mut b) = (Raw::tcp(address), Raw::unix(path));
    vec![
        floored("mn_polled_tcp", "bare mn, send+ppoll+recv, TCP", CALLS, move || polled(&mut one)),
        floored("mn_blocking_tcp", "bare mn, write+read, TCP", CALLS, move || a.blocking()),
        floored("mg_polled_tcp", "bare mg, send+ppoll+recv, TCP", CALLS, move || polled(&mut get)),
        floored("mn_polled_unix", "bare mn, send+ppoll+recv, unix", CALLS, move || polled(&mut near)),
        floored("mn_blocking_unix", "bare mn, write+read, unix", CALLS, move || b.blocking()),
        floored("get_100", "bare get, 100 keys on 3 servers, TCP", CALLS_OF_MANY, move || polled(&mut farm)),
    ]
}

fn floored<'a>(id: &'static str, label: &'static str, count: u32, mut call: impl FnMut() + 'a) -> Case<'a> {
    Case::new(id, label, Kind::Floor, move || timed(count, &mut call))
}

/// Every third key of the many, in one classic `get`.
fn a_third(server: &Memcached, at: usize) -> Raw {
    let mut ask = b"get".to_vec();
    for key in many().iter().skip(at).step_by(3) {
        let key = format!("l:{}", String::from_utf8_lossy(key));
        server.set(&key, TEXT);
        ask.extend_from_slice(format!(" {key}").as_bytes());
    }
    ask.extend_from_slice(b"\r\n");
    Raw::tcp(server.addr().parse().expect("an address")).asking(ask, b"END\r\n")
}

type Names = [(&'static str, &'static str); 3];
const OURS_TCP: Names = [("get_tcp", "our get, TCP"), ("set_tcp", "our set, TCP"), ("inc_tcp", "our inc, TCP")];
const OURS_UNIX: Names = [("get_unix", "our get, unix"), ("set_unix", "our set, unix"), ("inc_unix", "our inc, unix")];

fn ours<'a>(client: Client, names: &Names) -> Vec<Case<'a>> {
    let client = std::rc::Rc::new(std::cell::RefCell::new(client));
    let calls: [fn(&mut Client); 3] = [Client::get, Client::set, Client::inc];
    let case = |(&(id, label), call): (&(&'static str, &'static str), fn(&mut Client))| {
        let client = client.clone();
        let round = move || {
            client.borrow_mut().watch();
            timed(CALLS, || call(&mut client.borrow_mut()))
        };
        Case::new(id, label, Kind::Ours, round)
    };
    names.iter().zip(calls).map(case).collect()
}

fn ours_many<'a>(mut client: Client) -> Case<'a> {
    let keys = many();
    let round = move || {
        client.watch();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        timed(CALLS_OF_MANY, || {
            client.mget(&keys);
        })
    };
    Case::new("mget_100", "our mget, 100 keys on 3 servers, TCP", Kind::Ours, round)
}

fn library<'a>(tcp: &Memcached, path: &Path, three: &[Memcached]) -> Vec<Case<'a>> {
    let Some(client) = libmemcached::Client::load() else {
        eprintln!("libmemcached is not installed (Debian: libmemcached11): its rows are left out");
        return Vec::new();
    };
    let load = || libmemcached::Client::load().expect("it was there before");
    let host = c"127.0.0.1";
    let mut get = client.tcp(host, tcp.port(), 1);
    let mut set = load().tcp(host, tcp.port(), 1);
    let mut near = load().unix(path);
    let mut binary = load().binary().tcp(host, tcp.port(), 1);
    let mut farm = three.iter().fold(load().ketama_weighted(), |farm, server| farm.tcp(host, server.port(), 1));
    let keys: Vec<Vec<u8>> = many().into_iter().map(|key| [b"b:", key.as_slice()].concat()).collect();
    let found = |value: Option<(Vec<u8>, u32)>| assert_eq!(value.map(|(value, _)| value.len()), Some(32));
    vec![
        Case::new("library_get_tcp", "libmemcached get, ASCII, TCP", Kind::Peer, move || {
            timed(CALLS, || found(get.get(b"l:k")))
        }),
        Case::new("library_set_tcp", "libmemcached set, ASCII, TCP", Kind::Peer, move || {
            timed(CALLS, || set.set(b"l:s", VALUE))
        }),
        Case::new("library_get_unix", "libmemcached get, ASCII, unix", Kind::Peer, move || {
            timed(CALLS, || found(near.get(b"l:k")))
        }),
        Case::new("library_binary_tcp", "libmemcached get, binary, TCP", Kind::Peer, move || {
            timed(CALLS, || found(binary.get(b"l:k")))
        }),
        Case::new("library_mget", "libmemcached mget, 100 keys on 3 servers", Kind::Peer, move || {
            timed(CALLS_OF_MANY, || assert_eq!(farm.mget(&keys), keys.len()))
        }),
    ]
}

fn crates<'a>(address: SocketAddr) -> Vec<Case<'a>> {
    let classic = |protocol: &str| {
        let client =
            memcache::connect(format!("memcache://{address}?protocol={protocol}")).expect("the crate connects");
        move || assert_eq!(client.get::<Vec<u8>>("l:k").expect("an answer").map(|value| value.len()), Some(32))
    };
    let [mut ascii, mut binary] = [classic("ascii"), classic("binary")];
    let meta = memcache::exp::MetaClient::connect(address.to_string()).expect("the crate connects");
    let ask = move || {
        let answer = meta.get("l:k").send().expect("an answer");
        assert_eq!(answer.value.map(|value| value.len()), Some(32));
    };
    vec![
        Case::new("crate_meta", "crate memcache, meta client, TCP", Kind::Peer, move || timed(CALLS, &ask)),
        Case::new("crate_ascii", "crate memcache, classic ASCII, TCP", Kind::Peer, move || timed(CALLS, &mut ascii)),
        Case::new("crate_binary", "crate memcache, classic binary, TCP", Kind::Peer, move || {
            timed(CALLS / 4, &mut binary)
        }),
    ]
}
