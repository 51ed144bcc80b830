//! The harness on its own: real parts start, answer, misbehave as asked and end, without our module.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::proxy::Mode;
use support::{Fake, Memcached, Proxy, Script, certs::Certs, memcached, wait::until_true};

#[test]
fn a_host_answers_sip_and_both_kinds_of_rpc() {
    let host = Script::new().without_module().route("hello", "$var(out) = \"you are \" + $fU;\n$var(rc) = 7;").start();
    let outcome = host.run("hello");
    assert_eq!((outcome.rc, outcome.out.as_str()), (7, "you are alice"));
    assert!(host.ask("core.version", &[]).to_string().contains("kamailio"));
    assert!(host.kamcmd(&["core.version"]).expect("kamcmd").contains("kamailio"));
    assert!(host.rpc("no.such", &[]).is_err());
    assert!(host.kamcmd(&["no.such"]).is_err());
}

#[test]
fn a_host_dies_and_comes_back_at_its_port() {
    let mut host = Script::new().without_module().route("hello", "$var(out) = $pp;").start();
    let port = host.port();
    let first = host.out("hello");
    host.kill();
    assert!(support::rpc::json(port, "core.uptime", &[]).is_err());
    host.revive();
    assert_ne!(host.out("hello"), first);
    assert_eq!(host.port(), port);
}

#[test]
fn a_bad_configuration_is_told() {
    let bad = Script::new().without_module().raw("loadmodule \"nothing.so\"");
    let (good, log) = bad.kamailio().check();
    assert!(!good && log.contains("module <nothing>"), "{log}");
    assert!(bad.kamailio().refused().contains("module <nothing>"));
}

#[test]
fn memcached_lives_dies_and_comes_back() {
    for mut server in [Memcached::tcp(), Memcached::unix()] {
        server.set("k", 5);
        assert_eq!(server.get("k").as_deref(), Some(&b"5"[..]));
        // memcached leaves an entry out of its list while something else holds it.
        until_true("the key to be listed", Duration::from_secs(2), || server.keys() == ["k"]);
        server.kill();
        assert!(server.connect().is_err());
        server.restart();
        assert_eq!(server.get("k"), None);
    }
    let warm = memcached::Options { warm: true, ..Default::default() };
    let mut server = Memcached::start(warm);
    server.set("k", 5);
    server.rest();
    std::thread::sleep(Duration::from_millis(1_100));
    server.revive();
    assert_eq!(server.get("k").as_deref(), Some(&b"5"[..]), "it comes back with what it held");
    server.restart();
    assert_eq!(server.get("k"), None, "it does not after SIGKILL");
    Memcached::tls(&Certs::new("cache.example"));
    Memcached::auth("user", "secret");
}

#[test]
fn fakes_misbehave_as_asked() {
    let ask = |addr: String| {
        let start = Instant::now();
        let mut stream = TcpStream::connect(&addr).expect("connect");
        stream.set_read_timeout(Some(Duration::from_millis(150))).expect("timeout");
        stream.write_all(b"mn\r\n").expect("write");
        let mut bytes = [0; 64];
        let result = stream.read(&mut bytes).map(|n| String::from_utf8_lossy(&bytes[..n]).into_owned());
        (result.map_err(|e| e.kind()), start.elapsed())
    };
    use std::io::ErrorKind::*;
    assert_eq!(ask(Fake::mute().addr()).0, Err(WouldBlock));
    assert_eq!(ask(Fake::drip(Duration::from_millis(20)).addr()).0, Ok("V".into()));
    assert_eq!(ask(Fake::reset().addr()).0, Err(ConnectionReset));
    assert_eq!(ask(Fake::closing().addr()).0, Ok("".into()));
    assert_eq!(ask(Fake::redis().addr()).0, Ok("-ERR unknown command\r\n".into()));
    let full = Fake::dropped();
    let address = full.addr().parse().expect("address");
    assert_eq!(
        TcpStream::connect_timeout(&address, Duration::from_millis(100)).map_err(|e| e.kind()).err(),
        Some(TimedOut)
    );
    let server = Memcached::tcp();
    let proxy = Proxy::to(server.port());
    assert_eq!(ask(proxy.addr()).0, Ok("MN\r\n".into()));
    proxy.set(Mode::Delay(Duration::from_millis(80)));
    assert!(ask(proxy.addr()).1 > Duration::from_millis(80));
    proxy.set(Mode::LoseAnswersAfter(b"mn".to_vec()));
    assert_eq!(ask(proxy.addr()).0, Err(WouldBlock));
    for mode in [Mode::Deaf, Mode::Mute, Mode::Hold] {
        proxy.set(mode);
        assert_eq!(ask(proxy.addr()).0, Err(WouldBlock));
    }
    proxy.set(Mode::Cut);
    assert!(matches!(ask(proxy.addr()).0, Ok(text) if text.is_empty()));
    assert_eq!((proxy.connections(), proxy.count("mn")), (7, 0));
}

#[test]
fn a_proxy_loses_holds_and_resets_what_it_carries() {
    let server = Memcached::tcp();
    let proxy = Proxy::to(server.port());
    let say = |key: &str, mode: Mode| {
        proxy.set(mode);
        let mut stream = TcpStream::connect(proxy.addr()).expect("connect");
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("timeout");
        stream.write_all(format!("set {key} 0 0 1\r\nx\r\n").as_bytes()).expect("write");
        stream
    };
    let hear = |stream: &mut TcpStream| stream.read(&mut [0; 64]).map_err(|e| e.kind());
    let (stored, silence) = (Ok(b"STORED\r\n".len()), Err(std::io::ErrorKind::WouldBlock));

    let mut held = say("held", Mode::Hold);
    assert_eq!((hear(&mut held), server.get("held")), (silence, None));
    proxy.set(Mode::Forward);
    assert_eq!(hear(&mut held), stored);

    let mut deaf = say("deaf", Mode::Deaf);
    assert_eq!((hear(&mut deaf), server.get("deaf")), (silence, Some(b"x".to_vec())));

    let mut mute = say("mute", Mode::Mute);
    assert_eq!((hear(&mut mute), server.get("mute")), (silence, None));
    proxy.set(Mode::Forward);
    assert_eq!(hear(&mut mute), silence);

    proxy.reset();
    assert_eq!(hear(&mut held), Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!(hear(&mut say("again", Mode::Forward)), stored);
}
