//! Parameters by example: what is taken, what is refused and in which words; and as laws.

use proptest::prelude::*;

use super::*;
use crate::table::TagRule;

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
        ("name=a;addr=b;holdoff=5", "\"holdoff\" is not available in this version"),
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

/// `ipauth` without any attribute.
fn plain() -> Table {
    let name = "ipauth".into();
    Table { name, autoexpire: 0, copies: 1, near: false, near_ttl: 60, negexpire: 60, stale: 0, tag: None }
}

#[test]
fn a_table_may_be_written_in_many_ways() {
    for (text, autoexpire, copies) in [
        ("ipauth=>autoexpire=1800;copies=1", 1800, 1),
        ("ipauth=>autoexpire=1800;copies=1;near=0;", 1800, 1),
        ("ipauth=>copies=2", 0, 2),
        (" ipauth => autoexpire = 5 ; copies = 2 ; ", 5, 2),
        ("ipauth=>autoexpire=0", 0, 1),
        ("ipauth=>near=0", 0, 1),
        ("ipauth=>", 0, 1),
        ("ipauth", 0, 1),
    ] {
        assert_eq!(table(text), Ok(Table { autoexpire, copies, ..plain() }), "{text}");
    }
    for (text, near_ttl) in
        [("ipauth=>near=1", 60), ("ipauth=>near_ttl=1;near=1", 1), ("ipauth=>near=1;near_ttl=86400", 86_400)]
    {
        assert_eq!(table(text), Ok(Table { near: true, near_ttl, ..plain() }), "{text}");
    }
    for (text, autoexpire, negexpire, stale) in [
        ("ipauth=>negexpire=5", 0, 5, 0),
        ("ipauth=>negexpire=0;stale=0", 0, 0, 0),
        ("ipauth=>autoexpire=1800;negexpire=60;stale=600", 1800, 60, 600),
        ("ipauth=>stale=315359940;autoexpire=1", 1, 60, 315_359_940),
    ] {
        assert_eq!(table(text), Ok(Table { autoexpire, negexpire, stale, ..plain() }), "{text}");
    }
}

#[test]
fn a_faulty_table_is_refused_in_clear_words() {
    for (text, words) in [
        ("", "expected name=>attribute=value"),
        ("=>autoexpire=1", "expected name=>attribute=value"),
        ("ip-auth=>", "1 to 32 letters, digits and underscores"),
        ("ipauth=autoexpire=1", "expected name=>attribute=value"),
        ("ipauth;autoexpire=1", "expected name=>attribute=value"),
        ("abcdefghijklmnopqrstuvwxyz0123456=>", "1 to 32 letters"),
        ("ipauth=>size=8", "unknown attribute \"size\", expected one of autoexpire, copies, near"),
        ("ipauth=>autoexpire=1;autoexpire=1", "\"autoexpire\" is given twice"),
        ("ipauth=>autoexpire=-1", "autoexpire=-1: expected a number from 0 to 315360000"),
        ("ipauth=>autoexpire=5m", "expected a number"),
        ("ipauth=>autoexpire=", "\"autoexpire\" has no value"),
        ("ipauth=>;autoexpire=1", "is no attribute=value"),
        ("ipauth=>copies=3", "copies=3: expected 1 or 2"),
        ("ipauth=>copies=0", "copies=0: expected 1 or 2"),
        ("ipauth=>near=yes", "near=yes: expected 0 or 1"),
        ("ipauth=>near=2", "near=2: expected 0 or 1"),
        ("ipauth=>near_ttl=5", "\"near_ttl\" needs near=1"),
        ("ipauth=>near=0;near_ttl=5", "\"near_ttl\" needs near=1"),
        ("ipauth=>near=1;near_ttl=0", "near_ttl=0: expected a number from 1 to 86400"),
        ("ipauth=>near_ttl=86401;near=1", "expected a number from 1 to 86400"),
        ("ipauth=>negexpire=-1", "negexpire=-1: expected a number from 0 to 315360000"),
        ("ipauth=>negexpire=315360001", "expected a number from 0 to 315360000"),
        ("ipauth=>stale=soon;autoexpire=1", "stale=soon: expected a number"),
        ("ipauth=>stale=600", "\"stale\" needs an autoexpire"),
        ("ipauth=>stale=600;autoexpire=0", "\"stale\" needs an autoexpire"),
        ("ipauth=>stale=315360000;autoexpire=1", "expected 315360000 at most together with autoexpire"),
        ("ipauth=>stale=315359941;autoexpire=1", "at most together with autoexpire or negexpire"),
        ("ipauth=>source=sql", "unknown attribute \"source\""),
        ("ipauth=>tag=", "attribute \"tag\" has no value"),
        ("ipauth=>tag=x", "tag=x: expected a text that holds $key once, like user:$key"),
        ("ipauth=>tag=a:$key;tag=b:$key", "attribute \"tag\" is given twice"),
        ("ipauth=>holdoff=1", "\"holdoff\" is not available in this version"),
    ] {
        refused("table", text, table(text), words);
    }
    let mut config = Config::default();
    config.add_table("ipauth=>autoexpire=1").unwrap();
    config.add_table("other").unwrap();
    assert_eq!((config.table("other"), config.table("none")), (Some(1), None));
    let again = config.add_table("ipauth").map_err(|error| error.to_string());
    refused("table", "ipauth", again, "the table \"ipauth\" is there already");
    config.tables[1].name = "ipauth".into();
    assert!(config.check().is_err());
}

type Set = fn(&mut Config, i64) -> Result<(), ConfigError>;

#[test]
fn numbers_stay_within_their_range() {
    let rows: [(&str, Set, i64, i64); 7] = [
        ("load_timeout", Config::set_load_timeout, 1, 30),
        ("load_wait", Config::set_load_wait, 0, 60_000),
        ("cmd_timeout", Config::set_cmd_timeout, 5, 10_000),
        ("probe_interval", Config::set_probe_interval, 20, 60_000),
        ("soft_failures", Config::set_soft_failures, 1, 100),
        ("local_size", Config::set_local_size, 1, 65_536),
        ("near_size", Config::set_near_size, 1, 65_536),
    ];
    let mut config = Config::default();
    for (name, set, low, high) in rows {
        for good in [low, high] {
            assert_eq!(set(&mut config, good), Ok(()), "{name}");
        }
        for bad in [low - 1, high + 1, -1, i64::MIN, i64::MAX, 1 << 32] {
            let error = set(&mut config, bad).unwrap_err();
            assert_eq!(error.parameter(), name);
            let want = format!("{name} \"{bad}\": expected {low} to {high} (");
            assert!(error.to_string().starts_with(&want), "{error}");
        }
    }
    let got = (config.cmd_timeout_ms, config.probe_interval_ms, config.soft_failures, config.local_mb, config.near_mb);
    assert_eq!(got, (10_000, 60_000, 100, 65_536, 65_536));
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

fn attribute(name: &'static str, value: &'static str) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(value.prop_map(move |value| format!("{name}={value}")))
}

/// The text of a sound server in any order of its attributes.
fn sound() -> impl Strategy<Value = String> {
    let addr = prop_oneof![
        "[a-z][a-z0-9-]{0,9}(\\.[a-z]{1,5}){0,2}(:[1-9][0-9]{0,3})?",
        any::<[u8; 4]>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
        (any::<[u8; 16]>(), 1_u16..).prop_map(|(ip, port)| format!("[{}]:{port}", std::net::Ipv6Addr::from(ip))),
    ];
    let plain = (
        "[A-Za-z0-9_]{1,31}".prop_map(|name| Some(format!("name={name}"))),
        addr.prop_map(|addr| Some(format!("addr={addr}"))),
        attribute("weight", "[1-9][0-9]{0,2}"),
        attribute("zone", "[a-zA-Z0-9_.-]{1,32}"),
        // Longer than any name here, so never its own.
        attribute("pair", "other_[a-z]{26}"),
        attribute("ring", "[a-z:/.]{1,20}"),
        proptest::option::of("[a-z]{1,8};pass=[!-:<-~]{1,12}".prop_map(|auth| format!("user={auth}"))),
        proptest::option::of(
            "1(;tls_ca=/[a-z/]{1,9})?(;tls_name=[a-z]{1,9})?(;tls_verify=[01])?(;tls_key=/k;tls_cert=/c)?",
        )
        .prop_map(|tls| tls.map(|tls| format!("tls={tls}"))),
    );
    let all =
        plain.prop_map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h].into_iter().flatten().collect::<Vec<_>>());
    (all.prop_shuffle(), "[ \t]{0,2}", any::<bool>())
        .prop_map(|(parts, blank, end)| parts.join(&format!("{blank};{blank}")) + if end { ";" } else { "" })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,80}", table in ".{0,20}(=>)?[a-z=;0-9 ]{0,30}") {
        let mut config = Config::default();
        prop_assert!(config.add_server(&text).is_ok() == (config.servers.len() == 1));
        prop_assert!(config.add_table(&table).is_ok() == (config.tables.len() == 1));
        prop_assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn nearly_sound_text_does_not_either(text in "((name|addr|weight|tls|pass|user|tls_ca|pair|x)[= ]{1,2}[a-z0-9:./\\[\\],-]{0,9};?){1,6}") {
        let mut config = Config::default();
        if let Err(error) = config.add_server(&text) {
            prop_assert!(error.to_string().starts_with("server \""));
        }
    }

    #[test]
    fn a_sound_server_comes_back_from_its_own_text(text in sound()) {
        let first = server(&text).unwrap();
        let shown = first.to_string();
        let pass = first.auth.as_ref().map_or("***", |auth| &auth.pass);
        let again = server(&shown.replacen("pass=***", &format!("pass={pass}"), 1)).unwrap();
        prop_assert_eq!(&again, &first);
        prop_assert_eq!(again.to_string(), shown);
    }

    #[test]
    fn a_sound_table_comes_back_from_its_own_text(name in "[A-Za-z0-9_]{1,32}", autoexpire in 0_u32..=315_360_000, copies in 1_u8..=2, near in proptest::option::of(1_u32..=86_400), negexpire in 0_u32..=157_680_000, stale in 0_u32..=157_680_000, tag in proptest::option::of("[a-z:@]{0,9}")) {
        let (autoexpire, stale) = if autoexpire > 157_680_000 { (autoexpire, 0) } else { (autoexpire, stale.min(autoexpire)) };
        let tag = tag.map(|text| TagRule::parse(&format!("{text}$key")).unwrap());
        let first = Table { name, autoexpire, copies, near: near.is_some(), near_ttl: near.unwrap_or(60), negexpire, stale, tag };
        prop_assert_eq!(table(&first.to_string()), Ok(first));
    }
}
