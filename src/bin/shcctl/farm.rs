//! The cluster of one command: all servers dialled at once, the table's generation, the place of a key.

use crate::Trouble;
use crate::args::Args;
use crate::dial::{Meta, Text};
use memcache::exp::{MetaCommand, MetaOp, MetaResponse, ReturnCode};
use shardcache::clock;
use shardcache::config::{Addr, Config, ServerSpec};
use shardcache::invalidate::stripes::{announcement, stripe};
use shardcache::key::WireKey;
use shardcache::ring::Ring;
use std::thread;

pub struct Farm {
    config: Config,
    links: Vec<Result<Meta, String>>,
}

/// Where a key lives.
pub struct Place {
    pub key: WireKey,
    pub generation: u64,
    /// The servers in the order of the ring, home first.
    pub order: Vec<usize>,
}

impl Farm {
    /// Dials every server; one that does not answer is remembered with its reason.
    pub fn open(args: &Args) -> Result<Self, Trouble> {
        let config = args.config()?;
        let budget = args.budget();
        let links = each(&config.servers, |server| Text::dial(server, budget).map(Text::meta));
        Ok(Self { config, links })
    }

    pub fn server(&self, at: usize) -> &ServerSpec {
        &self.config.servers[at]
    }

    /// Places `table=>key`: asks every server for the table's generation, of which the largest counts.
    pub fn place(&mut self, table: &str, key: &[u8]) -> Result<Place, Trouble> {
        let mut wire = WireKey::new();
        let named = |error| Trouble::Argument(format!("{table}=>{}: {error}", String::from_utf8_lossy(key)));
        wire.set(table, 0, key).map_err(named)?;
        let order = order(&self.config, table, key);
        let generation = self.generation(table, order[0])?;
        wire.set(table, generation, key).map_err(named)?;
        Ok(Place { key: wire, generation, order })
    }

    /// Sends one command to a server and takes its answer; a server that failed is not asked again.
    pub fn ask(&mut self, at: usize, command: &MetaCommand) -> Result<MetaResponse, Trouble> {
        let answer = match &mut self.links[at] {
            Ok(link) => link.ask(command),
            Err(reason) => Err(reason.clone()),
        };
        answer.map_err(|reason| {
            self.links[at] = Err(reason);
            Trouble::Unavailable(self.silence(at).unwrap_or_default())
        })
    }

    /// Tells all hosts that a key's entry was changed on a server: which tables have near entries is theirs to know.
    pub fn announce(&mut self, at: usize, table: &str, key: &[u8]) -> Result<(), Trouble> {
        let start = format!("J{}", clock::wall_us());
        for counter in announcement(stripe(table.as_bytes(), key)) {
            let moved = MetaCommand::new(MetaOp::Arithmetic, counter.key()).flag("N0").flag(start.as_str());
            let answer = self.ask(at, &moved);
            if !answer.as_ref().is_ok_and(|answer| answer.rc() == ReturnCode::Hd) {
                let reason =
                    answer.map_or_else(|trouble| trouble.to_string(), |answer| format!("got {:?}", answer.rc()));
                let text = format!("the change was made, but hosts may serve near entries of it for a while: {reason}");
                return Err(Trouble::Unavailable(text));
            }
        }
        Ok(())
    }

    /// Why a server does not answer.
    pub fn silence(&self, at: usize) -> Option<String> {
        let reason = self.links[at].as_ref().err()?;
        Some(format!("server {}: {reason}", called(self.server(at))))
    }

    /// The largest generation that any server knows; the failure of one that is not `home` is only told.
    fn generation(&mut self, table: &str, home: usize) -> Result<u64, Trouble> {
        let mut record = WireKey::new();
        record.record("gen", table, b"").map_err(|error| Trouble::Argument(error.to_string()))?;
        let command = command(MetaOp::Get, &record).flag("v");
        let mut largest = 0;
        for at in 0..self.links.len() {
            match self.ask(at, &command) {
                Ok(answer) => largest = largest.max(number(&answer)),
                Err(trouble) if at != home => eprintln!("shcctl: note: {trouble}"),
                Err(_) => {}
            }
        }
        Ok(largest)
    }
}

/// A command with its key as the key room spells it.
pub fn command(op: MetaOp, key: &WireKey) -> MetaCommand {
    let command = MetaCommand::new(op, key.bytes());
    if key.base64() { command.flag("b") } else { command }
}

/// A server as messages call it.
pub fn called(server: &ServerSpec) -> String {
    format!("{} ({})", server.name, address(server))
}

/// A server's address as it was given.
pub fn address(server: &ServerSpec) -> String {
    match &server.addr {
        Addr::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Addr::Tcp { host, port } => format!("{host}:{port}"),
        Addr::Unix(path) => path.display().to_string(),
    }
}

/// Does `work` for all servers at the same time.
pub fn each<T: Send>(
    servers: &[ServerSpec],
    work: impl Fn(&ServerSpec) -> Result<T, String> + Sync,
) -> Vec<Result<T, String>> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = servers.iter().map(|server| scope.spawn(move || work(server))).collect();
        let failed = |_| Err("the thread that asked it failed".to_owned());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(failed)).collect()
    })
}

fn order(config: &Config, table: &str, key: &[u8]) -> Vec<usize> {
    let names: Vec<String> = config.servers.iter().map(|server| server.ring_name().to_string()).collect();
    let points: Vec<(&str, u32)> =
        names.iter().zip(&config.servers).map(|(name, server)| (name.as_str(), server.weight)).collect();
    Ring::new(&points).order(&[table.as_bytes(), b":", key]).collect()
}

fn number(answer: &MetaResponse) -> u64 {
    let text = if answer.rc() == ReturnCode::Va { answer.value() } else { None };
    text.and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.trim_end().parse().ok()).unwrap_or(0)
}
