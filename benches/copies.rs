//! What two copies of each key cost, and what many servers cost: a call on a table with `copies=2` against the same call
//! with one copy on the same servers, at once and behind a network's delay; and with 1,000 servers against three.
//!
//! Client and servers share one core, as in the benchmark `wire`. Run with `cargo bench --bench copies`.

mod client;
mod measure;
mod plot;
mod raw;
mod report;

#[path = "../tests/support/mod.rs"]
mod support;

use client::{Client, VALUE};
use measure::{Case, Kind, interleave, timed, worked};
use raw::{Raw, polled};
use report::{Section, find};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use support::memcached::Options;
use support::{Memcached, Proxy, proxy};

const ROUNDS: usize = 400;
const CALLS: u32 = 100;
/// Behind a delay.
const FAR_CALLS: u32 = 8;
const DELAY: Duration = Duration::from_micros(100);
/// Each under an address of its own, answered by three processes.
const MANY_SERVERS: usize = 1_000;

fn main() {
    measure::pin_to_one_core();
    let three = Memcached::many(3);
    let near: Vec<String> = three.iter().map(Memcached::addr).collect();
    // Each client has a table of its own: what another wrote under other marks would be doubtful.
    let proxies: Vec<Proxy> = three.iter().map(|server| Proxy::to(server.port())).collect();
    let far: Vec<String> = proxies.iter().map(Proxy::addr).collect();
    let open: Vec<Memcached> = (0..3).map(|_| everywhere()).collect();
    let few: Vec<String> = addresses(&open, 3);
    let farm: Vec<String> = addresses(&open, MANY_SERVERS);

    let pids: Vec<i32> = three.iter().map(Memcached::pid).collect();
    let near_by = |call: &mut dyn FnMut()| worked(CALLS, &pids, call);
    let far_away = |call: &mut dyn FnMut()| timed(FAR_CALLS, call);
    let mut cases = floor(&three, &pids);
    cases.extend(calls(Client::new("a", &near), &NEAR_ONCE, &near_by));
    cases.extend(calls(Client::new("b=>copies=2", &near), &NEAR_TWICE, &near_by));
    cases.extend(calls(Client::new("c", &far), &FAR_ONCE, &far_away));
    cases.extend(calls(Client::new("d=>copies=2", &far), &FAR_TWICE, &far_away));
    cases.extend(among(Client::new("a", &few), &AMONG_3));
    cases.extend(among(Client::new("b", &farm), &AMONG_1000));
    cases.extend(among(Client::new("c=>copies=2", &few), &AMONG_3_TWICE));
    cases.extend(among(Client::new("d=>copies=2", &farm), &AMONG_1000_TWICE));
    proxies.iter().for_each(|proxy| proxy.set(proxy::Mode::Delay(DELAY)));

    let series = interleave(&mut cases, ROUNDS);
    let mut section = Section::new("copies", "Two copies, and many servers, on one core", "get_once", &series);
    let ratio = |own: &str, base: &str| find(&series, own).over(find(&series, base));
    for (text, own, base, limit) in [
        ("processor time of a get of two copies against one of one", "get_twice", "get_once", 1.05),
        ("processor time of a set of two copies against one of one", "set_twice", "set_once", 2.30),
        (
            "latency of a set of two copies against one of one, behind 100 us of delay",
            "far_set_twice",
            "far_set_once",
            1.35,
        ),
        ("a get among 1,000 servers against one among 3", "get_1000", "get_3", 1.10),
        ("a set among 1,000 servers against one among 3", "set_1000", "set_3", 1.10),
        ("a get of two copies among 1,000 against among 3", "get_1000_twice", "get_3_twice", 1.10),
        ("a set of two copies among 1,000 against among 3", "set_1000_twice", "set_3_twice", 1.10),
    ] {
        section.goal(text, ratio(own, base), limit);
    }
    section.publish();
}

/// A server that answers on every address of the machine.
fn everywhere() -> Memcached {
    Memcached::start(Options {
        everywhere: true,
        args: ["-c", "4096"].map(String::from).to_vec(),
        ..Options::default()
    })
}

/// So many addresses, answered by these servers in turn; a zone is one process, so that no two copies share one.
fn addresses(servers: &[Memcached], count: usize) -> Vec<String> {
    let address = |(number, server): (usize, &Memcached)| {
        format!("127.1.{}.{}:{port};zone=of{port}", number / 250, 1 + number % 250, port = server.port())
    };
    (0..count).zip(servers.iter().cycle()).map(address).collect()
}

/// The bytes of a set to one server, and those of both copies to two.
fn floor<'a>(servers: &[Memcached], pids: &'a [i32]) -> Vec<Case<'a>> {
    let asking = |server: &Memcached, text: String, end| {
        Raw::tcp(server.addr().parse().expect("an address")).asking(text.into_bytes(), end)
    };
    let value = String::from_utf8_lossy(VALUE);
    let store = format!("ms l:k {} T0 F1\r\n{value}\r\n", VALUE.len());
    let mark = "mg !mark:home:mc1/mc2 v c\r\nmd l%17:k\r\n";
    let mut once = [asking(&servers[0], store.clone(), b"HD\r\n")];
    let mut plain: [Raw; 2] = std::array::from_fn(|at| asking(&servers[at], store.clone(), b"HD\r\n"));
    let mut twice: [Raw; 2] = std::array::from_fn(|at| asking(&servers[at], format!("{store}{mark}"), b"NF\r\n"));
    let floored = |id, label, mut call: Box<dyn FnMut()>| {
        Case::new(id, label, Kind::Floor, move || worked(CALLS, pids, &mut call))
    };
    vec![
        floored("ms", "bare ms", Box::new(move || polled(&mut once))),
        floored("two_ms", "bare ms to two servers", Box::new(move || polled(&mut plain))),
        floored("marked_ms", "bare ms, mg, md to two servers", Box::new(move || polled(&mut twice))),
    ]
}

type Name = (&'static str, &'static str);
type Names<const N: usize> = [Name; N];
const NEAR_ONCE: Names<3> =
    [("get_once", "get, one copy"), ("set_once", "set, one copy"), ("inc_once", "inc, one copy")];
const NEAR_TWICE: Names<3> =
    [("get_twice", "get, two copies"), ("set_twice", "set, two copies"), ("inc_twice", "inc, two copies")];
const FAR_ONCE: Names<3> = [
    ("far_get_once", "get, one copy, 100 us away"),
    ("far_set_once", "set, one copy, 100 us away"),
    ("far_inc_once", "inc, one copy, 100 us away"),
];
const FAR_TWICE: Names<3> = [
    ("far_get_twice", "get, two copies, 100 us away"),
    ("far_set_twice", "set, two copies, 100 us away"),
    ("far_inc_twice", "inc, two copies, 100 us away"),
];
const AMONG_3: Names<2> = [("get_3", "gets of 100 keys, 3 servers"), ("set_3", "sets of 100 keys, 3 servers")];
const AMONG_1000: Names<2> =
    [("get_1000", "gets of 100 keys, 1,000 servers"), ("set_1000", "sets of 100 keys, 1,000 servers")];

const AMONG_3_TWICE: Names<2> =
    [("get_3_twice", "gets, two copies, 3 servers"), ("set_3_twice", "sets, two copies, 3 servers")];
const AMONG_1000_TWICE: Names<2> =
    [("get_1000_twice", "gets, two copies, 1,000 servers"), ("set_1000_twice", "sets, two copies, 1,000 servers")];

/// Get, set and count of one key, as `measure` does it.
fn calls<'a>(client: Client, names: &Names<3>, measure: &'a dyn Fn(&mut dyn FnMut()) -> f64) -> Vec<Case<'a>> {
    let client = Rc::new(RefCell::new(client));
    let calls: [fn(&mut Client); 3] = [Client::get, Client::set, Client::inc];
    let case = |(&(id, label), call): (&Name, fn(&mut Client))| {
        let client = client.clone();
        let round = move || {
            client.borrow_mut().watch();
            measure(&mut || call(&mut client.borrow_mut()))
        };
        Case::new(id, label, Kind::Ours, round)
    };
    names.iter().zip(calls).map(case).collect()
}

/// Get and set of a hundred keys one after the other, all at home on the first three servers: with more of them only the
/// list grows, not the number of connections in use.
fn among<'a>(mut client: Client, names: &Names<2>) -> Vec<Case<'a>> {
    let all = (0..).map(|number| format!("user{number}@example.net").into_bytes());
    let keys: Vec<Vec<u8>> = all.filter(|key| client.home(key) < 3).take(100).collect();
    keys.iter().for_each(|key| client.set_of(key));
    let client = Rc::new(RefCell::new(client));
    let calls: [fn(&mut Client, &[u8]); 2] = [Client::get_of, Client::set_of];
    let case = |(&(id, label), call): (&Name, fn(&mut Client, &[u8]))| {
        let (client, keys, mut at) = (client.clone(), keys.clone(), 0);
        let round = move || {
            client.borrow_mut().watch();
            timed(CALLS, || {
                at = (at + 1) % keys.len();
                call(&mut client.borrow_mut(), &keys[at]);
            })
        };
        Case::new(id, label, Kind::Ours, round)
    };
    names.iter().zip(calls).map(case).collect()
}
