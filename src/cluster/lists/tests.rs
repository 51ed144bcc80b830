//! Changes of the list in one process and in several, some of them killed.

use super::*;
use crate::health::{Reason, State};
use crate::near::children::{Child, until};

const A: &str = "name=a;addr=127.0.0.1:1;user=u;pass=secret";
const B: &str = "name=b;addr=127.0.0.1:2";
const C: &str = "name=c;addr=127.0.0.1:3";

fn shared(servers: &[&str], table: &str) -> &'static Shared {
    let mut config = Config { max_servers: Some(4), ..Config::default() };
    servers.iter().for_each(|text| config.add_server(text).unwrap());
    config.add_table(table).unwrap();
    Shared::create(config).unwrap()
}

fn names(shared: &Shared) -> Vec<String> {
    shared.layout().servers().map(|(slot, server)| format!("{slot}{}", server.name)).collect()
}

#[test]
fn servers_come_and_go_and_keep_their_slots() {
    let shared = shared(&[A, B], "t=>");
    let before = shared.layout();
    assert_eq!((names(shared), before.version(), shared.list_version()), (vec!["0a".into(), "1b".into()], 1, 1));
    let added = shared.add_server(C).unwrap();
    assert_eq!((added.added, added.kept), (vec!["c".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(shared.remove_server("a").unwrap().removed, ["a"]);
    assert_eq!((names(shared), shared.list_version()), (vec!["1b".into(), "2c".into()], 3));
    assert_eq!(before.len(), 2, "who holds the older one is not disturbed");
    shared.add_server(A).unwrap();
    assert_eq!(names(shared), ["1b", "2c", "3a"], "a slot rests before it is used again");
    assert_eq!(shared.layout().server(3).unwrap().auth.as_ref().unwrap().pass, "secret");
}

#[test]
fn a_new_server_begins_with_a_fresh_cell_and_its_address() {
    let shared = shared(&[A, B], "t=>");
    let cell = shared.server_cell(2);
    cell.health.drain(5, true);
    cell.counts.add(0, 7);
    cell.polled_ms.store(9, std::sync::atomic::Ordering::Relaxed);
    let life = cell.health.incarnation();
    shared.add_server(C).unwrap();
    assert_eq!((cell.health.state(), cell.health.reason()), (State::Down, Reason::Unasked));
    assert_eq!(cell.counts.get(0), 0);
    assert_eq!(cell.polled_ms.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_ne!(cell.health.incarnation(), life, "connections of the one before are dropped");
    assert_eq!(shared.address(2), "127.0.0.1:3".parse().ok());
    assert!(cell.health.since_ms() > 0);
}

#[test]
fn what_is_not_sound_changes_nothing() {
    let shared = shared(&[A, B], "t=>copies=2");
    let add = |text: &str| shared.add_server(text).map(drop);
    for (outcome, words) in [
        (add("name=c"), "attribute \"addr\" is missing"),
        (add("name=a;addr=h9"), "its name is already that of server \"a\""),
        (add("name=c;addr=127.0.0.1:1"), "its address is already that of server \"a\""),
        (add("name=c;addr=h9;pair=d"), "pair=d: expected the name of another server"),
        (add("name=c;addr=h9;tls=1;tls_ca=/nowhere/ca"), "server \"c\": cannot read /nowhere/ca"),
        (shared.remove_server("x").map(drop), "no server 'x' is on the list"),
        (shared.remove_server("a").map(drop), "copies=2: expected two servers or more, there is one"),
        (shared.reload().map(drop), "no server_list is configured"),
    ] {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(words), "{error}\nshould say: {words}");
    }
    assert_eq!((names(shared), shared.list_version()), (vec!["0a".into(), "1b".into()], 1));
    shared.add_server(C).unwrap();
    shared.add_server("name=d;addr=127.0.0.1:4").unwrap();
    let error = shared.add_server("name=e;addr=127.0.0.1:5").unwrap_err().to_string();
    assert_eq!(error, "there would be 5 servers, expected at most 4 (parameter max_servers)");
}

#[test]
fn the_last_server_stays_and_a_host_without_servers_gets_none() {
    let one = shared(&[A], "t=>");
    assert!(matches!(one.remove_server("a"), Err(ListError::Empty)));
    let none = shared(&[], "t=>");
    assert!(matches!(none.add_server(A), Err(ListError::Local)));
    assert_eq!((none.list_version(), none.layout().version()), (0, 0));
}

#[test]
fn the_file_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("servers");
    let mut config = Config { server_list: Some(path.clone()), ..Config::default() };
    config.add_server(A).unwrap();
    std::fs::write(&path, format!("{B}\n")).unwrap();
    let shared = Shared::create(config).unwrap();
    assert_eq!(names(shared), ["0a", "1b"]);
    assert!(shared.reload().unwrap().is_empty());
    std::fs::write(&path, format!("# b has gone\n{C}\n")).unwrap();
    let changes = shared.reload().unwrap();
    assert_eq!((changes.added, changes.removed, changes.kept), (vec!["c".into()], vec!["b".into()], vec!["a".into()]));
    shared.add_server(B).unwrap();
    std::fs::write(&path, format!("{C};weight=5\nname=x\n")).unwrap();
    let error = shared.reload().unwrap_err().to_string();
    assert!(error.contains("servers line 2: server \"name=x\": attribute \"addr\" is missing"), "{error}");
    assert_eq!(names(shared), ["0a", "2c", "3b"]);
    std::fs::write(&path, format!("{C};weight=5\n")).unwrap();
    let changes = shared.reload().unwrap();
    assert_eq!(
        (changes.changed, changes.removed),
        (vec!["c".to_owned()], vec!["b".to_owned()]),
        "what came by RPC goes"
    );
    assert_eq!(names(shared), ["0a", "2c"]);
}

#[test]
fn the_list_survives_processes_killed_while_they_change_it() {
    let shared = shared(&[A, B], "t=>");
    for _ in 0..30 {
        let before = shared.list_version();
        let children: Vec<Child> = (0..3)
            .map(|_| {
                Child::fork(|| {
                    while shared.list_version() < u64::MAX {
                        weigh(shared)
                    }
                })
            })
            .collect();
        until(|| shared.list_version() > before + 20);
        drop(children);
        let layout = shared.layout();
        assert_eq!(layout.version(), shared.list_version());
        assert_eq!((layout.name(0), layout.name(1)), ("a", "b"));
        weigh(shared);
    }
}

/// A change that every process may make at any time: the server `b` gets another weight.
fn weigh(shared: &Shared) {
    let weight = 1 + shared.list_version() as u32 % 1000;
    let changed = shared.change_list(|list| {
        list.servers.iter_mut().filter(|server| server.name == "b").for_each(|server| server.weight = weight);
        Ok(())
    });
    assert!(changed.is_ok(), "{changed:?}");
}
