//! The calls of a worker in the words of a test.

use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::value::Value;

/// Whoever has a cache. All calls are about its first table.
pub trait Worker {
    fn cache(&mut self) -> &mut Cache;

    /// Which server the last call was about, and why it brought nothing.
    fn last(&mut self) -> (Option<usize>, &'static str) {
        let last = self.cache().last();
        (last.server, last.err)
    }

    /// Keys whose home is that server.
    fn keys<const N: usize>(&mut self, home: usize) -> [String; N] {
        let lives = |key: &String| self.cache().locate(0, key.as_bytes()).unwrap().server == Some(home);
        let keys: Vec<String> = (0..1000).map(|i| format!("key{i}")).filter(lives).take(N).collect();
        keys.try_into().unwrap()
    }

    /// A key whose home is that server.
    fn key(&mut self, home: usize) -> String {
        let [key] = self.keys(home);
        key
    }

    fn read(&mut self, key: &str) -> Result<String, Verdict> {
        match self.cache().get(0, key.as_bytes(), 1) {
            Verdict::Done => Ok(match self.cache().value() {
                Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                Some(Value::Int(number)) => number.to_string(),
                None => panic!("{key}: no value"),
            }),
            other => Err(other),
        }
    }

    fn count(&mut self, key: &str) -> Result<i64, Verdict> {
        match (self.cache().inc(0, key.as_bytes(), 1, 0, None), self.cache().value()) {
            (Verdict::Done, Some(Value::Int(number))) => Ok(number),
            (other, _) => Err(other),
        }
    }

    /// Gives a call up that could not be done.
    #[track_caller]
    fn refused(&mut self, key: &str, why: Verdict) -> ! {
        panic!("{key}: {why:?} {:?} {}", self.cache().last().clone(), standing(self.cache().shared()))
    }

    #[track_caller]
    fn set(&mut self, key: &str, value: &str) {
        let done = self.cache().set(0, key.as_bytes(), text(value), None);
        if done != Verdict::Done {
            self.refused(key, done);
        }
    }

    #[track_caller]
    fn get(&mut self, key: &str) -> Option<String> {
        match self.read(key) {
            Ok(value) => Some(value),
            Err(Verdict::Missing) => None,
            Err(why) => self.refused(key, why),
        }
    }

    #[track_caller]
    fn inc(&mut self, key: &str) -> i64 {
        self.count(key).unwrap_or_else(|why| self.refused(key, why))
    }

    #[track_caller]
    fn remove(&mut self, key: &str) {
        let done = self.cache().remove(0, key.as_bytes());
        if done != Verdict::Done {
            self.refused(key, done);
        }
    }
}

/// What a host knows of each server and its pair.
pub fn standing(shared: &Shared) -> String {
    let views = (0..shared.layout().slots()).map(|server| shared.server_view(server));
    views.map(|view| format!("{} {:?}", view.state, view.copies)).collect::<Vec<_>>().join(", ")
}

pub fn text(value: &str) -> Value<'_> {
    Value::Bytes(value.as_bytes())
}
