//! Our client as the module uses it: placement, health, keys and all.
#![allow(dead_code, reason = "each benchmark uses its part")]

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Shared, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::{Duration, Instant};

/// A busy machine may keep a whole core away from all of us for a while; that is no failure here.
const PATIENCE_MS: i64 = 10_000;
const KEY: &[u8] = b"alice@example.org";
const NUMBER: &[u8] = b"calls";
pub const TEXT: &str = "sip:alice@192.0.2.17:5060;x=000f";
pub const VALUE: &[u8] = TEXT.as_bytes();

/// Between the watcher's first rounds.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long the watcher may take to know all servers.
const READY: Duration = Duration::from_secs(20);
/// How long what it told is good for, and a little less.
const WATCH: Duration = Duration::from_secs(2);

/// Calls on table 0, mostly about one key, and the watcher, which works between the measured rounds.
pub struct Client {
    cache: Cache,
    watcher: Watcher,
    watched: Instant,
}

impl Client {
    /// `table`: the text of its parameter; `servers`: of theirs, from the address on.
    pub fn new(table: &str, servers: &[String]) -> Self {
        let mut config = Config::default();
        for (number, address) in servers.iter().enumerate() {
            config.add_server(&format!("name=mc{number};addr={address}")).expect("a server");
        }
        config.add_table(table).expect("a table");
        config.set_cmd_timeout(PATIENCE_MS).expect("a time");
        let shared = Shared::create(config).expect("shared memory");
        let begun = Instant::now();
        let mut client = Self { cache: Cache::new(shared), watcher: Watcher::new(shared), watched: begun };
        let keys = [many(), vec![KEY.to_vec()]].concat();
        loop {
            client.watcher.tick();
            std::thread::sleep(INTERVAL);
            if keys.iter().all(|key| client.stores(key)) && client.counts() {
                return client;
            }
            assert!(begun.elapsed() < READY, "no call yet: {}", client.cache.last().err);
        }
    }

    /// Before a round.
    pub fn watch(&mut self) {
        if self.watched.elapsed() > WATCH {
            self.watcher.tick();
            self.watched = Instant::now();
        }
    }

    pub fn get(&mut self) {
        self.get_of(KEY);
    }

    pub fn get_of(&mut self, key: &[u8]) {
        assert_eq!(self.cache.get(0, key, 0), Verdict::Done, "{}", self.cache.last().err);
    }

    pub fn set(&mut self) {
        self.set_of(KEY);
    }

    pub fn set_of(&mut self, key: &[u8]) {
        assert!(self.stores(key), "{}", self.cache.last().err);
    }

    fn stores(&mut self, key: &[u8]) -> bool {
        self.cache.set(0, key, Value::Bytes(VALUE), None) == Verdict::Done
    }

    pub fn inc(&mut self) {
        assert!(self.counts(), "{}", self.cache.last().err);
    }

    fn counts(&mut self) -> bool {
        self.cache.inc(0, NUMBER, 1, 0, None) == Verdict::Done
    }

    /// The place of the key's home in the list of servers.
    pub fn home(&mut self, key: &[u8]) -> usize {
        self.cache.locate(0, key).ok().and_then(|location| location.server).expect("a home")
    }

    /// All keys are there.
    pub fn mget(&mut self, keys: &[&[u8]]) {
        assert_eq!(self.cache.mget(0, keys), Verdict::Done, "{}", self.cache.last().err);
        assert_eq!(self.cache.found(keys.len() - 1).0, Verdict::Done);
    }
}

/// A hundred keys.
pub fn many() -> Vec<Vec<u8>> {
    (0..100).map(|number| format!("user{number}@example.org").into_bytes()).collect()
}
