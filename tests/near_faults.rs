//! Near tables while servers freeze, die, come back or are cut off: nobody reads an old value later than promised.

mod support;

use shardcache::config::Config;
use std::time::Duration;
use support::race::{Outcome, Race};
use support::{Memcached, Proxy, Watched, proxy};

/// The tables, by their copies.
const TABLES: [&str; 2] = ["one=>near=1;autoexpire=1000", "two=>near=1;copies=2;autoexpire=1000"];
const CMD_TIMEOUT_MS: u32 = 300;
/// The promised bound: one probe interval and one command timeout.
const DELTA: Duration = Duration::from_millis(100 + CMD_TIMEOUT_MS as u64);
const PAUSE: Duration = Duration::from_millis(20);

fn host(specs: &[String]) -> Watched {
    let mut config = Config { cmd_timeout_ms: CMD_TIMEOUT_MS, ..Config::default() };
    specs.iter().for_each(|spec| config.add_server(spec).unwrap());
    TABLES.iter().for_each(|table| config.add_table(table).unwrap());
    let host = Watched::with(config);
    host.until_whole();
    host.until("seats", |shared| (0..specs.len()).all(|home| shared.seat_shown(home).as_deref() == Some("home")));
    host
}

fn specs(servers: &[Memcached]) -> Vec<String> {
    servers.iter().enumerate().map(|(at, server)| server.spec(&format!("mc{at}"))).collect()
}

fn seconds(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

/// Reads and changes go on before, while and after `fault`; what is promised holds all the time.
fn races(writer: &Watched, reader: &Watched, mut fault: impl FnMut()) {
    for (table, spec) in TABLES.iter().enumerate() {
        let race = Race { writer: writer.shared, reader: reader.shared, table, pause: PAUSE };
        let outcome = race.run(|| {
            seconds(1.0);
            fault();
            seconds(1.5);
        });
        let Outcome { reads, near, unserved, .. } = outcome;
        let (changes, latest) = (outcome.late.len(), outcome.latest());
        println!("{}: {changes} changes, {reads} reads, {near} near, {unserved} unserved, latest {latest:?}", spec);
        assert!(latest <= DELTA, "an older value {latest:?} after the change");
        assert!(changes > 20 && near > 100, "{changes} changes, {near} near");
    }
}

#[test]
fn while_all_is_well() {
    let servers = Memcached::many(3);
    races(&host(&specs(&servers)), &host(&specs(&servers)), || {});
}

#[test]
fn while_a_server_freezes_dies_and_comes_back() {
    let mut servers = Memcached::many(3);
    let (writer, reader) = (host(&specs(&servers)), host(&specs(&servers)));
    races(&writer, &reader, || {
        servers[0].freeze();
        seconds(1.0);
        servers[0].thaw();
        seconds(1.0);
        servers[1].kill();
        seconds(1.0);
        servers[1].revive();
        seconds(1.0);
        servers[2].restart();
    });
}

#[test]
fn while_one_of_the_hosts_is_cut_off_from_a_server() {
    let servers = Memcached::many(3);
    for cut_off_writer in [false, true] {
        let proxy = Proxy::to(servers[0].port());
        let plain = specs(&servers);
        let mut cut = plain.clone();
        // Its place on the ring stays that of the server.
        cut[0] = format!("{};ring={}", proxy.spec("mc0"), servers[0].addr());
        let (reader, writer) = (host(&cut), host(&plain));
        let (reader, writer) = if cut_off_writer { (writer, reader) } else { (reader, writer) };
        races(&writer, &reader, || {
            proxy.set(proxy::Mode::Hold);
            seconds(1.0);
            proxy.set(proxy::Mode::Forward);
            seconds(1.0);
            proxy.set(proxy::Mode::Deaf);
            seconds(1.0);
            proxy.set(proxy::Mode::Forward);
        });
    }
}
