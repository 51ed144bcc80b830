//! One host in this program: its shared memory, a worker, and a watcher that runs beside it as it does in its process.

use super::Memcached;
use super::wait::until;
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::{Event, ServerStat, Shared, Watcher};
use shardcache::config::Config;
use shardcache::value::Value;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(10);

pub struct Watched {
    pub shared: &'static Shared,
    pub cache: Cache,
    told: Arc<Mutex<Vec<Event>>>,
    ends: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Watched {
    /// A host with the table `t=>copies=2` on servers `mc0`, `mc1`, ... Its time limits are those that a busy machine keeps.
    pub fn new(servers: &[Memcached]) -> Self {
        let mut config = Config { cmd_timeout_ms: 300, ..Config::default() };
        for (at, server) in servers.iter().enumerate() {
            config.add_server(&server.spec(&format!("mc{at}"))).unwrap();
        }
        config.add_table("t=>copies=2;autoexpire=1000").unwrap();
        Self::with(config)
    }

    pub fn with(config: Config) -> Self {
        config.check().unwrap();
        let shared = Shared::create(config).unwrap();
        let (told, ends) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let watcher = std::thread::spawn({
            let (told, ends) = (Arc::clone(&told), Arc::clone(&ends));
            move || watch(shared, &told, &ends)
        });
        Self { shared, cache: Cache::new(shared), told, ends, watcher: Some(watcher) }
    }

    /// Waits until `is` holds.
    pub fn until(&self, what: &str, is: impl Fn(&Shared) -> bool) {
        until(what, PATIENCE, || if is(self.shared) { Ok(()) } else { Err(self.standing()) });
    }

    pub fn until_whole(&self) {
        self.until("whole copies", |shared| shared.whole() == Some(true));
    }

    /// Waits until the host has noticed that copies are not whole.
    pub fn until_trouble(&self) {
        self.until("trouble", |shared| shared.whole() == Some(false));
    }

    /// What is known of each server and its pair.
    pub fn standing(&self) -> String {
        let views = (0..self.shared.layout().slots()).map(|server| self.shared.server_view(server));
        views.map(|view| format!("{} {:?}", view.state, view.copies)).collect::<Vec<_>>().join(", ")
    }

    /// One counter, over all servers.
    pub fn count(&self, stat: ServerStat) -> u64 {
        (0..self.shared.layout().slots()).map(|server| self.shared.server_count(server, stat)).sum()
    }

    /// The events that the watcher told since the last call.
    pub fn told(&self) -> Vec<Event> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    pub fn set(&mut self, key: &str, value: &str) {
        let done = self.cache.set(0, key.as_bytes(), Value::Bytes(value.as_bytes()), None);
        assert_eq!(done, Verdict::Done, "{key}: {:?} {}", self.cache.last(), self.standing());
    }

    pub fn get(&mut self, key: &str) -> Option<String> {
        match self.cache.get(0, key.as_bytes(), 1) {
            Verdict::Missing => None,
            Verdict::Done => Some(match self.cache.value() {
                Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                Some(Value::Int(number)) => number.to_string(),
                None => panic!("{key}: no value"),
            }),
            other => panic!("{key}: {other:?} {:?} {}", self.cache.last(), self.standing()),
        }
    }

    pub fn inc(&mut self, key: &str) {
        let done = self.cache.inc(0, key.as_bytes(), 1, 0, None);
        assert_eq!(done, Verdict::Done, "{key}: {:?} {}", self.cache.last(), self.standing());
    }

    pub fn remove(&mut self, key: &str) {
        let done = self.cache.remove(0, key.as_bytes());
        assert_eq!(done, Verdict::Done, "{key}: {:?} {}", self.cache.last(), self.standing());
    }
}

fn watch(shared: &'static Shared, told: &Mutex<Vec<Event>>, ends: &AtomicBool) {
    let mut watcher = Watcher::new(shared);
    let interval = Duration::from_millis(shared.config().probe_interval_ms.into());
    let mut next = Instant::now();
    while !ends.load(Relaxed) {
        if Instant::now() >= next {
            next = (next + interval).max(Instant::now());
            let news = watcher.tick();
            told.lock().unwrap().extend(news);
        } else {
            watcher.work();
        }
        std::thread::sleep(STEP);
    }
}

impl Drop for Watched {
    /// The host dies: nobody says goodbye to the servers.
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
        let _ = self.watcher.take().map(JoinHandle::join);
    }
}
