//! Parameters by example: what is taken, what is refused and in which words.

mod laws;
mod tables;

use super::*;

fn server(text: &str) -> Result<ServerSpec, String> {
    let mut config = Config::default();
    config.add_server(text).map_err(|error| error.to_string())?;
    Ok(config.servers.remove(0))
}

fn table(text: &str) -> Result<Table, String> {
    let mut config = Config::default();
    config.add_table(text).map_err(|error| error.to_string())?;
    Ok(config.tables.remove(0))
}

/// Every refusal repeats the whole text and says what was wrong.
fn refused<T: std::fmt::Debug>(parameter: &str, text: &str, got: Result<T, String>, words: &str) {
    let error = got.expect_err(text);
    assert!(error.starts_with(&format!("{parameter} \"{text}\": ")), "{error}");
    assert!(error.contains(words), "{error}\nshould say: {words}");
}

fn tcp(host: &str, port: u16) -> Addr {
    Addr::Tcp { host: host.to_owned(), port }
}

#[test]
fn a_server_may_be_written_in_many_ways() {
    for (text, addr, ring_name) in [
        ("name=mc1;addr=10.0.0.11:11211;weight=1", tcp("10.0.0.11", 11211), "10.0.0.11"),
        ("name=mc1;addr=10.0.0.11;", tcp("10.0.0.11", 11211), "10.0.0.11"),
        (" name = mc1 ;\taddr = 10.0.0.11:11212 ; ", tcp("10.0.0.11", 11212), "10.0.0.11:11212"),
        ("addr=mc-1.example.com;name=mc1", tcp("mc-1.example.com", 11211), "mc-1.example.com"),
        ("name=mc1;addr=passage:11212", tcp("passage", 11212), "passage:11212"),
        ("name=mc1;addr=localhost:1", tcp("localhost", 1), "localhost:1"),
        ("name=mc1;addr=localhost:65535", tcp("localhost", 65535), "localhost:65535"),
        ("name=mc1;addr=[::1]", tcp("::1", 11211), "::1"),
        ("name=mc1;addr=[2001:db8::1]:4000", tcp("2001:db8::1", 4000), "2001:db8::1:4000"),
        ("name=mc1;addr=unix:/run/mc.sock", Addr::Unix("/run/mc.sock".into()), "/run/mc.sock:0"),
        ("name=mc1;addr=10.0.0.11;ring=10.0.0.1:11212", tcp("10.0.0.11", 11211), "10.0.0.1:11212"),
    ] {
        let server = server(text).unwrap();
        assert_eq!((server.name.as_str(), server.weight), ("mc1", 1), "{text}");
        assert_eq!((&server.addr, server.ring_name().as_str()), (&addr, ring_name), "{text}");
    }
}

#[test]
fn all_attributes_of_a_server_arrive() {
    let text = "name=mc_1;addr=mc1:4433;weight=1000;zone=eu-1.a;pair=mc_2;ring=mc;user=kam;pass=a=b c,d;tls=1;tls_ca=/ca.pem;\
                tls_name=mc.example.com;tls_verify=0;tls_cert=/c.pem;tls_key=/k.pem";
    let want = ServerSpec {
        name: "mc_1".into(),
        addr: tcp("mc1", 4433),
        weight: 1000,
        zone: "eu-1.a".into(),
        pair: Some("mc_2".into()),
        ring: Some("mc".into()),
        auth: Some(Auth { user: "kam".into(), pass: "a=b c,d".into() }),
        tls: Some(TlsSpec {
            ca: Some("/ca.pem".into()),
            name: Some("mc.example.com".into()),
            verify: false,
            cert: Some("/c.pem".into()),
            key: Some("/k.pem".into()),
        }),
    };
    assert_eq!(server(text), Ok(want));
    let plain = server("name=a;addr=b;tls=0").unwrap();
    assert_eq!((plain.zone.as_str(), plain.pair, plain.ring, plain.auth, plain.tls), ("", None, None, None, None));
    assert!(server("name=a;addr=b;tls=1").unwrap().tls.unwrap().verify);
}

#[test]
fn a_faulty_server_is_refused_in_clear_words() {
    for (text, words) in [
        ("", "expected name=<name>;addr=<address>"),
        ("10.0.0.1:11211", "expected name=<name>;addr=<address>"),
        ("10.0.0.1:11211,10.0.0.2:11211", "one server per parameter"),
        ("name=a", "\"addr\" is missing"),
        ("addr=b", "\"name\" is missing"),
        ("name=mc1;adr=10.0.0.1", "unknown attribute \"adr\", expected one of name, addr, weight, "),
        ("Name=a;addr=b", "unknown attribute \"Name\""),
        ("name=a;addr=b;addr=c", "\"addr\" is given twice"),
        ("name=a;;addr=b", "\"\" is no attribute=value"),
        ("name=a;addr=b;;", "\"\" is no attribute=value"),
        ("name=a;addr=b;weight", "\"weight\" is no attribute=value"),
        ("name=a;addr=b;weight=", "\"weight\" has no value"),
        ("name=a;addr=b;weight=0", "weight=0: expected a number from 1 to 1000"),
        ("name=a;addr=b;weight=1001", "expected a number from 1 to 1000"),
        ("name=a;addr=b;weight=+1", "expected a number from 1 to 1000"),
        ("name=a;addr=b;weight=99999999999", "expected a number from 1 to 1000"),
        ("name=a b;addr=b", "name=a b: expected 1 to 32 letters, digits and underscores"),
        ("name=abcdefghijklmnopqrstuvwxyz0123456;addr=b", "expected 1 to 32 letters"),
        ("name=a;addr=b:0", "addr=b:0: expected a port from 1 to 65535"),
        ("name=a;addr=b:65536", "expected a port from 1 to 65535"),
        ("name=a;addr=b:", "expected a port from 1 to 65535"),
        ("name=a;addr=b:+5", "expected a port from 1 to 65535"),
        ("name=a;addr=::1", "expected an IPv6 address in brackets, as in [2001:db8::1]:11211"),
        ("name=a;addr=2001:db8::1:11211", "expected an IPv6 address in brackets"),
        ("name=a;addr=[::1", "expected host, host:port, [ipv6]:port or unix:/path"),
        ("name=a;addr=[::1]11211", "expected host, host:port, [ipv6]:port or unix:/path"),
        ("name=a;addr=[10.0.0.1]", "an IPv6 address in brackets"),
        ("name=a;addr=10.0.0.300", "expected a host name, an IPv4 address"),
        ("name=a;addr=10.0.0", "expected a host name, an IPv4 address"),
        ("name=a;addr=a b", "expected a host name"),
        ("name=a;addr=tcp://b", "expected a"),
        ("name=a;addr=:11211", "expected a host name"),
        ("name=a;addr=b:1,c:1", "one server per parameter"),
        ("name=a;addr=b:1,name=c;weight=1", "one server per parameter"),
        ("name=a;addr=/run/mc.sock", "expected unix:/path for a unix socket"),
        ("name=a;addr=unix", "expected unix:/path for a unix socket"),
        ("name=a;addr=unix:run/mc.sock", "expected unix:/path"),
        ("name=a;addr=unix:/", "expected unix:/path"),
        ("name=a;addr=b;zone=a b", "zone=a b: expected"),
        ("name=a;addr=b;ring=a b", "ring=a b: expected"),
        ("name=a;addr=b;user=u", "\"user\" needs \"pass\""),
        ("name=a;addr=b;tls=2", "tls=2: expected 0 or 1"),
        ("name=a;addr=b;tls=yes", "tls=yes: expected 0 or 1"),
        ("name=a;addr=b;tls_ca=/ca.pem", "\"tls_ca\" needs tls=1"),
        ("name=a;addr=b;tls=0;tls_verify=1", "\"tls_verify\" needs tls=1"),
        ("name=a;addr=b;tls=1;tls_verify=2", "tls_verify=2: expected 0 or 1"),
        ("name=a;addr=b;tls=1;tls_name=a/b", "tls_name=a/b: expected"),
        ("name=a;addr=b;tls=1;tls_cert=/c", "\"tls_cert\" and \"tls_key\" need each other"),
        ("name=a;addr=b;tls=1;tls_key=/k", "\"tls_cert\" and \"tls_key\" need each other"),
        ("name=a;addr=unix:/s;tls=1", "a unix socket has no TLS"),
        ("name=a;addr=b;pair=a", "pair=a: expected the name of another server"),
        ("name=a;addr=b;pair=10.0.0.1", "pair=10.0.0.1: expected the name of another server"),
        ("name=a;addr=b;holdoff=5", "unknown attribute \"holdoff\""),
    ] {
        refused("server", text, server(text), words);
    }
}

#[test]
fn control_characters_are_spelled_out_in_the_log() {
    let error = server("name=a;addr=b;zone=x\r\nERROR: y").unwrap_err();
    assert!(error.starts_with("server \"name=a;addr=b;zone=x\\r\\nERROR: y\": "), "{error}");
    assert!(error.contains("control character") && !error.contains('\n'), "{error}");
}

#[test]
fn servers_share_neither_name_nor_address_nor_place() {
    for (first, second, words) in [
        ("name=a;addr=b", "name=a;addr=c", "its name is already that of server \"a\""),
        ("name=a;addr=b", "name=c;addr=b:11211", "its address is already that of server \"a\" (b:11211)"),
        ("name=a;addr=mc", "name=c;addr=MC", "its address is already"),
        ("name=a;addr=[::1]", "name=c;addr=[0:0::1]", "its address is already"),
        ("name=a;addr=unix:/s", "name=c;addr=unix:/s", "its address is already"),
        ("name=a;addr=b;ring=r", "name=c;addr=d;ring=r", "its place on the ring is already"),
        ("name=a;addr=b", "name=c;addr=d;ring=b", "its place on the ring is already"),
    ] {
        let mut config = Config::default();
        config.add_server(first).unwrap();
        refused("server", second, config.add_server(second).map_err(|error| error.to_string()), words);
        assert_eq!(config.servers.len(), 1);
    }
    let mut config = Config::default();
    for text in ["name=a;addr=b", "name=c;addr=b:11212", "name=d;addr=unix:/b", "name=e;addr=f;ring=b:1"] {
        config.add_server(text).unwrap();
    }
    assert_eq!(config.check(), Ok(()));
    config.servers[2].name = "a".into();
    let error = config.check().unwrap_err().to_string();
    assert!(error.starts_with("server \"name=a;addr=unix:/b;weight=1\": its name is already"), "{error}");
}

fn checked(servers: &[&str], tables: &[&str]) -> Result<(), String> {
    let mut config = Config::default();
    servers.iter().for_each(|text| config.add_server(text).unwrap());
    tables.iter().for_each(|text| config.add_table(text).unwrap());
    config.check().map_err(|error| error.to_string())
}

#[test]
fn a_partner_must_be_in_the_list() {
    let (a, b) = ("name=a;addr=h1;pair=b", "name=b;addr=h2");
    assert_eq!(checked(&[a, b], &[]), Ok(()), "also where it is named later");
    let error = checked(&["name=a;addr=h1;pair=x", b], &[]).unwrap_err();
    assert_eq!(
        error,
        "server \"name=a;addr=h1:11211;weight=1;pair=x\": pair=x: expected the name of another server in the list"
    );
}

#[test]
fn two_copies_need_two_servers() {
    let (a, b) = ("name=a;addr=h1", "name=b;addr=h2");
    assert_eq!(checked(&[a, b], &["t=>copies=2"]), Ok(()));
    assert_eq!(checked(&[a], &["t=>copies=1"]), Ok(()));
    assert_eq!(checked(&[], &["t=>copies=2"]), Ok(()), "the host's own store keeps one copy of all");
    let error = checked(&[a], &["s=>", "t=>copies=2"]).unwrap_err();
    assert_eq!(error, "table \"t=>autoexpire=0;copies=2\": copies=2: expected two servers or more, there is one");
}

#[test]
fn a_password_is_never_shown() {
    for text in [
        "name=a;addr=b;user=u;pass=hunter2;weight=0",
        "name=a;addr=b;user=u; pass = hunter2 ;weight=0",
        "name=a;addr=b;pass=hunter2",
        "name=a;addr=b;user=u;pass=one;hunter2",
        "name=a;addr=b;user=u;pass=one;hunter2=3;zone=?",
        "name=a;addr=b;user=u;pass=one;pass=hunter2",
        "name=a;addr=b;user=u;password=hunter2",
        "name=a;addr=b;user=u;PASS=hunter2",
        "name=a;addr=b;user=u;pass:hunter2",
        "name=a;addr=b;user=u;pass hunter2",
        "name=a;addr=b;user=u pass=hunter2",
        "name=a;addr=b,pass=hunter2",
        "pass hunter2",
        "name=a;addr=b;user=u;pass=hunter2\x07",
    ] {
        let error = server(text).expect_err(text);
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.to_ascii_lowercase().contains("pass=***"), "{error}");
    }
    let server = server("name=a;addr=b;user=u;pass=hunter2").unwrap();
    assert!(!format!("{server:?}{server}").contains("hunter2"));
    assert_eq!(server.to_string(), "name=a;addr=b:11211;weight=1;user=u;pass=***");
    let shown =
        super::error::ConfigError::new("server", "name=a;tls_ca=/etc/pass/ca.pem;x=1", String::new()).to_string();
    assert_eq!(shown, "server \"name=a;tls_ca=/etc/pass/ca.pem;x=1\": ", "nothing else is hidden");
}

#[test]
fn an_event_callback_is_a_function_name() {
    let mut config = Config::default();
    config.set_event_callback(" ksr_shardcache_event ").unwrap();
    assert_eq!(config.event_callback.as_deref(), Some("ksr_shardcache_event"));
    for bad in ["", " ", "a b", "f()", "a\nb"] {
        let error = config.set_event_callback(bad).unwrap_err().to_string();
        assert!(error.starts_with("event_callback \"") && error.contains("expected the name of a function"), "{error}");
    }
    assert_eq!(config.event_callback.as_deref(), Some("ksr_shardcache_event"));
}
