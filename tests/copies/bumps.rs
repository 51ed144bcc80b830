//! A table is bumped while a call on it goes on.

use super::start_at;
use super::support::proxy::Mode;
use super::support::wait::until_true;
use super::support::{Memcached, Proxy, Stepped, Worker as _};
use shardcache::cache::{Cache, Verdict};
use shardcache::cluster::Shared;
use shardcache::config::Config;
use shardcache::value::Value;
use std::time::Duration;

/// A host without a watcher, which reads the generation with each packet.
fn unwatched(specs: &[String]) -> Cache {
    let mut config = Config { cmd_timeout_ms: 5_000, ..Config::default() };
    specs.iter().for_each(|spec| config.add_server(spec).unwrap());
    config.add_table("t=>copies=2;autoexpire=1000").unwrap();
    Cache::new(Shared::create(config).unwrap())
}

#[test]
fn what_was_stored_before_a_bump_is_not_said_to_be_refused_after_it() {
    let servers = Memcached::many(2);
    let slow = Proxy::to(servers[0].port());
    let specs = [format!("name=mc1;addr={}", slow.addr()), servers[1].spec("mc2")];
    let mut near: Stepped = start_at(&specs, 2);
    let key = near.key(0);
    let item = near.cache.locate(0, key.as_bytes()).unwrap().wire_key;
    assert_eq!(near.cache.bump(0), Verdict::Done);
    assert_eq!(near.cache.add(0, key.as_bytes(), Value::Bytes(b"near"), None), Verdict::Done);
    // The other host comes to know of the bump in the middle of its call.
    let record = servers[1].get("!gen:t").unwrap();
    servers.iter().for_each(|server| server.delete("!gen:t"));
    let mut far = unwatched(&specs);
    assert_eq!(far.get(0, key.as_bytes(), 1), Verdict::Missing, "{:?}", far.last());
    slow.set(Mode::Delay(Duration::from_millis(500)));
    let added = std::thread::scope(|scope| {
        let added = scope.spawn(|| far.add(0, key.as_bytes(), Value::Bytes(b"far"), None));
        // The home has decided, and its answer is on its way.
        until_true("the value to be at home", Duration::from_secs(5), || servers[0].get(&item).is_some());
        servers[1].set("!gen:t", std::str::from_utf8(&record).unwrap());
        added.join().unwrap()
    });
    assert_eq!((added, far.last().err), (Verdict::Failed, "ambiguous"), "not `exists`: it was stored");
}
