//! Two hosts with near tables on three servers, and what may befall them while one changes entries and the other reads them.

use super::race::{Outcome, Race};
use super::{Memcached, Proxy, Watched, proxy};
use shardcache::config::Config;
use std::time::Duration;

/// The tables, by their copies.
pub const TABLES: [&str; 2] = ["one=>near=1;autoexpire=1000", "two=>near=1;copies=2;autoexpire=1000"];
const CMD_TIMEOUT_MS: u32 = 300;
/// The promised bound: one probe interval and one command timeout.
pub const DELTA: Duration = Duration::from_millis(100 + CMD_TIMEOUT_MS as u64);

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// One server freezes, one dies and comes back empty, one is restarted.
    Servers,
    /// A server gets and sends nothing for one host, then gets and never answers.
    ReaderCutOff,
    WriterCutOff,
}

/// How long each state lasts, and the pause between two changes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub state: Duration,
    pub pause: Duration,
}

/// One race for each table, while and after `fault` happens; each outcome is given to `judge` with its table.
pub fn run(fault: Fault, pace: Pace, mut judge: impl FnMut(&str, Outcome)) {
    let mut servers = Memcached::many(3);
    let proxy = Proxy::to(servers[0].port());
    let plain: Vec<String> = servers.iter().enumerate().map(|(at, server)| server.spec(&format!("mc{at}"))).collect();
    let mut cut = plain.clone();
    // Its place on the ring stays that of the server.
    cut[0] = format!("{};ring={}", proxy.spec("mc0"), servers[0].addr());
    let reader = host(if fault == Fault::ReaderCutOff { &cut } else { &plain });
    let writer = host(if fault == Fault::WriterCutOff { &cut } else { &plain });
    for (table, spec) in TABLES.iter().enumerate() {
        let race = Race { writer: writer.shared, reader: reader.shared, table, pause: pace.pause };
        judge(spec, race.run(|| befall(fault, pace.state, &mut servers, &proxy)));
    }
}

fn befall(fault: Fault, state: Duration, servers: &mut [Memcached], proxy: &Proxy) {
    let stay = || std::thread::sleep(state);
    stay();
    match fault {
        Fault::None => {}
        Fault::Servers => {
            servers[0].freeze();
            stay();
            servers[0].thaw();
            stay();
            servers[1].kill();
            stay();
            servers[1].revive();
            stay();
            servers[2].restart();
        }
        Fault::ReaderCutOff | Fault::WriterCutOff => {
            for mode in [proxy::Mode::Hold, proxy::Mode::Forward, proxy::Mode::Deaf, proxy::Mode::Forward] {
                proxy.set(mode);
                stay();
            }
        }
    }
    stay();
}

/// A host with the tables, once it knows all about the servers.
pub fn host(specs: &[String]) -> Watched {
    let mut config = Config { cmd_timeout_ms: CMD_TIMEOUT_MS, ..Config::default() };
    specs.iter().for_each(|spec| config.add_server(spec).unwrap());
    TABLES.iter().for_each(|table| config.add_table(table).unwrap());
    let host = Watched::with(config);
    host.until_whole();
    host.until("seats", |shared| (0..specs.len()).all(|home| shared.seat_shown(home).as_deref() == Some("home")));
    host
}
