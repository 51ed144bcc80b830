//! What each kind of call finds at home, and at the stand-in.

use super::support::worker::text;
use super::support::{Memcached, Proxy, Worker as _};
use super::{MISS, start, start_at};
use shardcache::cache::{Cache, Verdict};

#[test]
fn a_healthy_get_costs_one_command_and_a_set_nothing_more() {
    let servers = Memcached::many(2);
    let proxies: Vec<Proxy> = servers.iter().map(|server| Proxy::to(server.port())).collect();
    let mut host = start_at(&[proxies[0].spec("mc1"), proxies[1].spec("mc2")]);
    let key = host.key(0);
    host.set(&key, "v");
    let sent = |proxy: &Proxy| proxy.requests().lines().map(String::from).collect::<Vec<_>>();
    let (home, partner) = (sent(&proxies[0]), sent(&proxies[1]));
    assert_eq!(host.cache.peek(0, key.as_bytes()), Verdict::Done);
    host.set(&key, "w");
    assert_eq!(sent(&proxies[1]), partner);
    let told = &sent(&proxies[0])[home.len()..];
    let [get, set, value] = told else { panic!("{told:?}") };
    assert_eq!((get, value), (&format!("mg t:{key} v f"), &"w".to_owned()));
    assert!(
        set.starts_with(&format!("ms t:{key} S1 T1000 F")) || set.starts_with(&format!("ms t:{key} 1 T1000 F")),
        "{set}"
    );
}

#[test]
fn what_is_void_is_replaced_and_never_changed() {
    let servers = Memcached::many(2);
    let mut host = start(&servers);
    let (key, partner) = (host.key(0), host.partner(0));
    let at_home: [String; 9] = host.keys(0);
    let [add, replace, remove, touch, life, cas, number, lock, word] = &at_home;
    for key in &at_home[..6] {
        host.set(key, "old");
    }
    assert_eq!((host.count(number), host.count(number)), (Ok(1), Ok(2)));
    host.set(word, "no number");
    assert_eq!(host.cache.lock(0, lock.as_bytes(), 600), Verdict::Done);
    let fence = host.cache.last().fence.unwrap();
    assert_eq!(host.read(cas), Ok("old".to_owned()));
    servers[0].freeze();
    host.until_served(&key, partner);
    assert_eq!(host.cache.cas(0, cas.as_bytes(), text("late"), None, 1), Verdict::Missing, "read under another seat");
    assert_eq!(host.count(number), Ok(1), "it begins again");
    assert_eq!(host.cache.lock(0, lock.as_bytes(), 600), Verdict::Done);
    assert!(host.cache.last().fence.unwrap() > fence);
    servers[0].thaw();
    host.until_served(&key, 0);
    assert_eq!(host.count(number), Ok(1), "and again");
    assert_eq!(host.count(number), Ok(2));
    assert_eq!(host.count(word), Ok(1));
    assert_eq!(host.cache.add(0, add.as_bytes(), text("new"), None), Verdict::Done);
    assert_eq!(host.read(add), Ok("new".to_owned()));
    assert_eq!(host.cache.replace(0, replace.as_bytes(), text("new"), None), Verdict::Missing);
    assert_eq!(host.cache.remove(0, remove.as_bytes()), Verdict::Missing);
    assert_eq!(host.cache.touch(0, touch.as_bytes(), 500), Verdict::Missing);
    assert_eq!(host.cache.ttl(0, life.as_bytes()).0, Verdict::Missing);
    let asked: Vec<&[u8]> = at_home.iter().map(String::as_bytes).collect();
    assert_eq!(host.cache.mget(0, &asked), Verdict::Done);
    let found: Vec<&String> = (0..9).filter(|i| host.cache.found(*i).0 == Verdict::Done).map(|i| &at_home[i]).collect();
    assert_eq!(found, [add, number, word]);
    assert_eq!(host.cache.unlock(0, lock.as_bytes(), Some(fence)), Verdict::Missing, "it was lost");
    assert_eq!(host.cache.lock(0, lock.as_bytes(), 600), Verdict::Done);
    assert_eq!(Cache::new(host.cache.shared()).lock(0, lock.as_bytes(), 600), Verdict::Missing);
    assert_eq!(host.cache.unlock(0, lock.as_bytes(), None), Verdict::Done);
}

#[test]
fn the_stand_in_does_all_that_the_home_does() {
    let mut servers = Memcached::many(3);
    let mut host = start(&servers);
    let (key, partner, long) = (host.key(0), host.partner(0), "k".repeat(300));
    servers[0].kill();
    host.until_served(&key, partner);
    let name = key.as_bytes();
    assert_eq!(host.cache.replace(0, name, text("r"), None), Verdict::Missing);
    assert_eq!(host.cache.add(0, name, text("a"), None), Verdict::Done);
    assert_eq!(host.cache.add(0, name, text("b"), None), Verdict::Missing);
    assert_eq!(host.cache.replace(0, name, text("r"), None), Verdict::Done);
    assert_eq!(host.read(&key), Ok("r".to_owned()));
    assert_eq!(host.cache.cas(0, name, text("c"), None, 1), Verdict::Done);
    assert_eq!(host.cache.touch(0, name, 500), Verdict::Done);
    assert!(host.cache.ttl(0, name).1 <= 60);
    let names: Vec<String> = [long.clone(), format!("{long}x"), "a b".to_owned(), key.clone()].to_vec();
    for name in &names {
        host.set(name, name);
    }
    let asked: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    assert_eq!(host.cache.mget(0, &asked), Verdict::Done);
    for (i, name) in names.iter().enumerate() {
        assert_eq!(host.cache.found(i), (Verdict::Done, Some(text(name))));
        assert_eq!(host.read(name), Ok(name.clone()));
    }
    assert_eq!(host.cache.remove(0, name), Verdict::Done);
    assert_eq!((host.read(&key), host.count(&key), host.count(&key)), (MISS, Ok(1), Ok(2)));
    assert_eq!(host.cache.lock(0, name, 5), Verdict::Done);
    assert_eq!(Cache::new(host.cache.shared()).lock(0, name, 5), Verdict::Missing);
    assert_eq!(host.cache.unlock(0, name, None), Verdict::Done);
}

#[test]
fn values_of_other_clients_are_good_at_home() {
    let servers = Memcached::many(2);
    let mut host = start(&servers);
    let key = host.key(0);
    servers[0].set(&format!("t:{key}"), "foreign");
    assert_eq!(host.read(&key), Ok("foreign".to_owned()));
    servers[0].set(&format!("t:{key}"), "41");
    assert_eq!(host.count(&key), Ok(42));
    assert_eq!(host.cache.replace(0, key.as_bytes(), text("ours"), None), Verdict::Done);
    assert_eq!(servers[0].get(&format!("t:{key}")), Some(b"ours".to_vec()));
    assert_eq!(host.cache.remove(0, key.as_bytes()), Verdict::Done);
}
