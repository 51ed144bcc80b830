//! One host in this program: its shared memory, a worker, and a watcher that goes on only when it is told to.

use super::rounds::Rounds;
use super::wait::{until, until_true};
use super::worker::Worker;
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Event, Shared};
use shardcache::config::Config;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Stepped {
    pub cache: Cache,
    rounds: Rounds,
}

impl Worker for Stepped {
    fn cache(&mut self) -> &mut Cache {
        &mut self.cache
    }
}

impl Stepped {
    pub fn with(config: Config) -> Self {
        config.check().unwrap();
        let shared = Shared::create(config).unwrap();
        Self { cache: Cache::new(shared), rounds: Rounds::new(shared) }
    }

    /// A round of the watcher, due or not.
    pub fn round(&mut self) -> Vec<Event> {
        self.rounds.round()
    }

    /// A round in which every server is due.
    pub fn poll(&mut self) {
        self.rounds.full();
    }

    /// The watcher's round when it is due, else a step of its work.
    pub fn step(&mut self) -> Vec<Event> {
        self.rounds.step()
    }

    /// Lets the watcher run as it does in its process, until `happened`.
    pub fn until(&mut self, what: &str, happened: impl Fn(&Shared) -> bool) {
        until_true(what, PATIENCE, || {
            self.step();
            happened(self.cache.shared())
        });
    }

    /// Until the server is used, or not used, any more.
    pub fn until_up(&mut self, server: usize, up: bool) {
        self.until("the server's health to change", |shared| shared.server_up(server) == up);
    }

    /// Until both copies of all keys are known to be equal.
    pub fn until_whole(&mut self) {
        self.until("whole copies", |shared| shared.whole() == Some(true));
    }

    /// Until the key is served by that server.
    pub fn until_served(&mut self, key: &str, by: usize) {
        until("another server to serve the key", PATIENCE, || {
            self.step();
            match (self.read(key), self.last().0) {
                (Err(why @ Verdict::Failed), _) => self.refused(key, why),
                (Ok(_) | Err(Verdict::Missing), Some(server)) if server == by => Ok(()),
                seen => Err(format!("{seen:?} {:?}", self.last())),
            }
        });
    }

    pub fn partner(&self, home: usize) -> usize {
        self.cache.shared().layout().pairs().partner(home).unwrap()
    }
}
