//! A stampede: 64 workers of eight real hosts ask for a cold key in the same moment, and for many cold keys; then the proxy
//! that loads is killed. How often the source is asked for each key, and when everybody has the answer: with
//! `shc_cached_route`, with `shc_get` and `shc_set` around the same route, and with `$sht` in each host.
//!
//! On all cores. Run with `cargo bench --bench stampede`; what it finds goes to `bench-out`.

mod measure;
mod plot;
mod report;

#[path = "../tests/support/mod.rs"]
mod support;

use measure::{Case, Kind, Series, interleave};
use report::{Section, find};
use std::cell::{Cell, RefCell};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use support::sip::{self, Request};
use support::wait::until_true;
use support::{Host, Memcached, Script};

const HOSTS: usize = 8;
const WORKERS: usize = 8;
const ROUNDS: usize = 15;
/// Rounds in which the loader's proxy is killed.
const KILLS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);

/// A way to look keys up, so many in each round.
struct Way {
    id: &'static str,
    label: &'static str,
    kind: Kind,
    route: &'static str,
    keys: usize,
}

const fn way(id: &'static str, label: &'static str, kind: Kind, route: &'static str, keys: usize) -> Way {
    Way { id, label, kind, route, keys }
}

const WAYS: [Way; 6] = [
    way("one_cached", "one key: shc_cached_route", Kind::Ours, "cached", 1),
    way("one_plain", "one key: shc_get, route, shc_set", Kind::Ours, "plain", 1),
    way("one_local", "one key: $sht in each host", Kind::Peer, "local", 1),
    way("many_cached", "16 keys: shc_cached_route", Kind::Ours, "cached", 16),
    way("many_plain", "16 keys: shc_get, route, shc_set", Kind::Ours, "plain", 16),
    way("many_local", "16 keys: $sht in each host", Kind::Peer, "local", 16),
];
const KILLED: Way = way("killed", "one key, its loader killed: shc_cached_route", Kind::Ours, "cached", 1);

/// The source: it takes 50 ms, and counts.
const SOURCE: &str = r#"
route[LOAD] { $var(loads) = $shtinc(loads=>$hdr(X-Round)); usleep("50000"); $var(v) = "answer"; }
route[KEEP] { route(LOAD); $shcval = $var(v); return 1; }
route[HANG] { $var(loads) = $shtinc(loads=>$hdr(X-Round)); sleep("30"); return 1; }
"#;
const CACHED: &str = r#"shc_cached_route("cached", "$var(k)", "KEEP"); $var(v) = $shcval;"#;
const PLAIN: &str =
    r#"if (!shc_get("plain", "$var(k)", "$var(v)")) { route(LOAD); shc_set("plain", "$var(k)", "$var(v)"); }"#;
const LOCAL: &str = r#"if ($sht(local=>$var(k)) == $null) { route(LOAD); $sht(local=>$var(k)) = $var(v); }
        $var(v) = $sht(local=>$var(k));"#;

fn main() {
    let servers = Memcached::many(3);
    let mut farm = Farm::start(&servers);
    let (mut loads, mut times) = farm.measure();
    let killed: Vec<Asked> = (0..KILLS).map(|_| farm.without_its_loader()).collect();
    loads.push(series(&KILLED, killed.iter().map(|asked| asked.loads).collect()));
    times.push(series(&KILLED, killed.iter().map(|asked| asked.nanos).collect()));
    publish(&loads, &times);
}

fn publish(loads: &[Series], times: &[Series]) {
    let base = WAYS[0].id;
    let title = format!("{} workers of {HOSTS} hosts ask at once: loads of each cold key", HOSTS * WORKERS);
    let mut section = Section::of("stampede_loads", &title, base, loads, "loads", |loads| loads);
    let most = |id: &str| find(loads, id).rounds.iter().copied().fold(0.0, f64::max);
    section.goal("loads of one cold key, the worst round", most("one_cached"), 1.00);
    section.goal("loads of each of 16 cold keys, the worst round", most("many_cached"), 1.00);
    section.goal("loads of one cold key whose loader is killed, the worst round", most(KILLED.id), 2.00);
    section.publish();
    let title = "The same: until every worker has its answers (a load takes 50 ms)";
    Section::of("stampede", title, base, times, "ms", |ns| ns / 1e6).publish();
}

fn series(way: &Way, rounds: Vec<f64>) -> Series {
    Series { id: way.id, label: way.label, kind: way.kind, rounds }
}

/// What came of one round.
struct Asked {
    /// For each key.
    loads: f64,
    /// Until the last worker had all its answers.
    nanos: f64,
}

struct Farm {
    hosts: Vec<Host>,
    rounds: Cell<usize>,
}

impl Farm {
    fn start(servers: &[Memcached]) -> Self {
        let hosts: Vec<Host> = (0..HOSTS).map(|_| script(servers).start()).collect();
        hosts.iter().for_each(ready);
        Self { hosts, rounds: Cell::new(0) }
    }

    /// Loads and times of all ways.
    fn measure(&self) -> (Vec<Series>, Vec<Series>) {
        let loads = WAYS.map(|_| RefCell::new(Vec::new()));
        let mut cases: Vec<Case<'_>> = WAYS.iter().zip(&loads).map(|(way, loads)| self.case(way, loads)).collect();
        let times = interleave(&mut cases, ROUNDS);
        drop(cases);
        // The first round of each is the one that `interleave` warms up with.
        let counted = |(way, loads): (&Way, RefCell<Vec<f64>>)| series(way, loads.into_inner().split_off(1));
        (WAYS.iter().zip(loads).map(counted).collect(), times)
    }

    fn case<'a>(&'a self, way: &'static Way, loads: &'a RefCell<Vec<f64>>) -> Case<'a> {
        Case::new(way.id, way.label, way.kind, move || {
            let asked = self.ask(&self.hosts, way, &self.name());
            loads.borrow_mut().push(asked.loads);
            asked.nanos
        })
    }

    /// The first host begins to load a key and is killed; then all workers of the others ask for it.
    fn without_its_loader(&mut self) -> Asked {
        let name = self.name();
        let first = &self.hosts[0];
        let headers = [("X-Round", name.as_str())];
        let slow = Request { user: "hang", headers: &headers, limit: Duration::from_millis(50), ..Request::default() };
        assert!(sip::send(first.port(), &slow).is_none(), "the route hangs");
        until_true("the route to run", PATIENCE, || loads(first, &name) == 1.0);
        self.hosts[0].kill();
        let asked = self.ask(&self.hosts[1..], &KILLED, &name);
        self.hosts[0].revive();
        ready(&self.hosts[0]);
        Asked { loads: asked.loads + 1.0, ..asked }
    }

    /// A name for keys that nobody has asked for yet.
    fn name(&self) -> String {
        self.rounds.set(self.rounds.get() + 1);
        format!("round{}", self.rounds.get())
    }

    /// All workers of `hosts` ask for all keys of the round, each beginning with another one.
    fn ask(&self, hosts: &[Host], way: &Way, name: &str) -> Asked {
        let workers = hosts.len() * WORKERS;
        let start = Barrier::new(workers);
        let one = |number: usize| {
            let (first, keys) = ((number % way.keys).to_string(), way.keys.to_string());
            let headers = [("X-Round", name), ("X-First", &first), ("X-Keys", &keys)];
            start.wait();
            let begun = Instant::now();
            let outcome = hosts[number % hosts.len()].run_with(way.route, &headers);
            assert_eq!(outcome.rc, 1, "{}: every answer is the right one", way.id);
            begun.elapsed()
        };
        let longest = thread::scope(|scope| {
            let one = &one;
            let asked: Vec<_> = (0..workers).map(|number| scope.spawn(move || one(number))).collect();
            asked.into_iter().map(|asked| asked.join().expect("an answer")).max()
        });
        let loads: f64 = hosts.iter().map(|host| loads(host, name)).sum();
        Asked { loads: loads / way.keys as f64, nanos: longest.expect("workers").as_nanos() as f64 }
    }
}

/// How often a host has asked the source in a round.
fn loads(host: &Host, name: &str) -> f64 {
    host.run_with("loads", &[("X-Round", name)]).out.parse().expect("a number")
}

fn ready(host: &Host) {
    until_true("the host to be ready", PATIENCE, || host.rc("ready") == 1);
}

fn script(servers: &[Memcached]) -> Script {
    let tables = r#"loadmodule "htable.so"
modparam("htable", "htable", "loads=>size=8;initval=0")
modparam("htable", "htable", "local=>size=8;autoexpire=1800")"#;
    Script::new()
        .workers(WORKERS)
        .before(tables)
        .servers(servers)
        .table("cached=>autoexpire=1800")
        .table("plain=>autoexpire=1800")
        .number("load_wait", 10_000)
        .raw(SOURCE)
        .route("cached", &all_keys(CACHED))
        .route("plain", &all_keys(PLAIN))
        .route("local", &all_keys(LOCAL))
        .route("hang", r#"shc_cached_route("cached", "$hdr(X-Round)-0", "HANG");"#)
        .route("loads", "$var(out) = $sht(loads=>$hdr(X-Round));")
        .route("ready", r#"shc_inc("plain", "ready"); $var(rc) = $rc;"#)
}

/// Looks up all keys of the round, which `look` does for one; 1 when each answer is right.
fn all_keys(look: &str) -> String {
    format!(
        r#"    $var(n) = $(hdr(X-Keys){{s.int}});
    $var(i) = 0;
    $var(rc) = 1;
    while ($var(i) < $var(n)) {{
        $var(at) = ($var(i) + $(hdr(X-First){{s.int}})) mod $var(n);
        $var(k) = $hdr(X-Round) + "-" + $var(at);
        $var(v) = "";
        {look}
        if ($var(v) != "answer") {{ $var(rc) = 0; }}
        $var(i) = $var(i) + 1;
    }}"#
    )
}
