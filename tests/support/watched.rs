//! One host in this program: its shared memory, a worker, and a watcher that runs beside it as it does in its process.

use super::rounds::Rounds;
use super::wait::until;
use super::worker::{Worker, standing};
use super::{Memcached, PATIENT_MS};
use shardcache::cache::Cache;
use shardcache::cluster::{Event, ServerStat, Shared};
use shardcache::config::Config;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Watched {
    pub shared: &'static Shared,
    pub cache: Cache,
    told: Arc<Mutex<Vec<Event>>>,
    ends: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Worker for Watched {
    fn cache(&mut self) -> &mut Cache {
        &mut self.cache
    }
}

impl Watched {
    /// A host with the table `t=>copies=2` on servers `mc1`, `mc2`, ...
    pub fn new(servers: &[Memcached]) -> Self {
        let mut config = Config { cmd_timeout_ms: PATIENT_MS, ..Config::default() };
        Memcached::specs(servers).iter().for_each(|spec| config.add_server(spec).unwrap());
        config.add_table("t=>copies=2;autoexpire=1000").unwrap();
        Self::with(config)
    }

    pub fn with(config: Config) -> Self {
        config.check().unwrap();
        let shared = Shared::create(config).unwrap();
        let (told, ends) = (Arc::<Mutex<Vec<Event>>>::default(), Arc::new(AtomicBool::new(false)));
        let watcher = std::thread::spawn({
            let (told, ends) = (Arc::clone(&told), Arc::clone(&ends));
            move || Rounds::new(shared).run(|| ends.load(Relaxed), |news| told.lock().unwrap().extend(news))
        });
        Self { shared, cache: Cache::new(shared), told, ends, watcher: Some(watcher) }
    }

    /// The watcher ends, the worker goes on.
    pub fn stop_watching(&mut self) {
        self.ends.store(true, Relaxed);
        let _ = self.watcher.take().map(JoinHandle::join);
    }

    /// Waits until `is` holds.
    pub fn until(&self, what: &str, is: impl Fn(&Shared) -> bool) {
        until(what, PATIENCE, || if is(self.shared) { Ok(()) } else { Err(standing(self.shared)) });
    }

    pub fn until_whole(&self) {
        self.until("whole copies", |shared| shared.whole() == Some(true));
    }

    /// Waits until the host has noticed that copies are not whole.
    pub fn until_trouble(&self) {
        self.until("trouble", |shared| shared.whole() == Some(false));
    }

    /// One counter, over all servers.
    pub fn count(&self, stat: ServerStat) -> u64 {
        (0..self.shared.layout().slots()).map(|server| self.shared.server_count(server, stat)).sum()
    }

    /// The events that the watcher told since the last call.
    pub fn told(&self) -> Vec<Event> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Drop for Watched {
    /// The host dies: nobody says goodbye to the servers.
    fn drop(&mut self) {
        self.stop_watching();
    }
}
