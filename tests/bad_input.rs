//! Bad input is told once, clearly, by name: at the start where it can be known then, else by the call's code or a fault.
//! Nothing else changes.

mod support;

use serde_json::{Value, json};
use support::{Fake, Memcached, Script};

/// `(parameter, text, what the error must also name)`: the start must stop, and the error must hold the text itself.
const TEXTS: &[(&str, &str, &str)] = &[
    ("server", "", "name"),
    ("server", "10.0.0.1:11211", "name=<name>"),
    ("server", "name=mc1", "addr"),
    ("server", "addr=10.0.0.1:11211", "name"),
    ("server", "name=mc-1;addr=10.0.0.1:11211", "letters, digits and underscores"),
    ("server", "name=mc1;adr=10.0.0.1:11211", "adr"),
    ("server", "name=mc1;addr=10.0.0.1:99999", "port"),
    ("server", "name=mc1;addr=10.0.0.1:0", "port"),
    ("server", "name=mc1;addr=10.0.0.1:eleven", "port"),
    ("server", "name=mc1;addr=10.0.0.256:11211", "address"),
    ("server", "name=mc1;addr=10.0.0.1:11211,10.0.0.2:11211", "one server per parameter"),
    ("server", "name=mc1;addr=/run/memcached.sock", "unix:/path"),
    ("server", "name=mc1;addr=unix:memcached.sock", "unix:/path"),
    ("server", "name=mc1;addr=10.0.0.1:11211;addr=10.0.0.2:11211", "addr"),
    ("server", "name=mc1;addr=10.0.0.1:11211;weight=0", "weight"),
    ("server", "name=mc1;addr=10.0.0.1:11211;weight=1001", "weight"),
    ("server", "name=mc1;addr=10.0.0.1:11211;weight=heavy", "weight"),
    ("server", "name=mc1;addr=10.0.0.1:11211;user=me", "pass"),
    ("server", "name=mc1;addr=10.0.0.1:11211;tls=2", "tls"),
    ("server", "name=mc1;addr=10.0.0.1:11211;tls_verify=0", "tls=1"),
    ("server", "name=mc1;addr=10.0.0.1:11211;tls=1;tls_cert=/c.pem", "tls_key"),
    ("server", "name=mc1;addr=10.0.0.1:11211;copies=2", "copies"),
    ("server", "name=mc1;addr=10.0.0.1:11211;pair=mc1", "another server"),
    ("table", "=>autoexpire=1", "1 to 32"),
    ("table", "ip auth=>autoexpire=1", "1 to 32"),
    ("table", "a234567890123456789012345678901234=>", "1 to 32"),
    ("table", "ipauth=>autoexpire=-1", "autoexpire"),
    ("table", "ipauth=>autoexpire=soon", "autoexpire"),
    ("table", "ipauth=>autoexpires=60", "autoexpires"),
    ("table", "ipauth=>autoexpire", "autoexpire"),
    ("table", "ipauth=>copies=3", "expected 1 or 2"),
    ("table", "ipauth=>near=2", "expected 0 or 1"),
    ("table", "ipauth=>near_ttl=5", "needs near=1"),
    ("source", "table=g;key=k;column=v", "table=>url="),
    ("source", "t=>table=g;key=k;column=v", "url"),
    ("outbox", "table=shc_outbox", "url"),
    ("outbox", "lease=1", "lease"),
    ("table", "ipauth=>negexpire=soon", "negexpire=soon"),
    ("table", "ipauth=>stale=600", "needs an autoexpire"),
    ("table", "ipauth=>source=sql", "unknown attribute"),
    ("event_callback", "two words", "name of a function"),
];

/// `(parameter, number)`: out of range.
const NUMBERS: &[(&str, i64)] = &[
    ("cmd_timeout", 4),
    ("cmd_timeout", 10_001),
    ("cmd_timeout", -50),
    ("probe_interval", 19),
    ("probe_interval", 60_001),
    ("soft_failures", 0),
    ("soft_failures", 101),
    ("load_timeout", 0),
    ("load_timeout", 31),
    ("load_wait", -1),
    ("load_wait", 60_001),
    ("source_retry", 99),
    ("source_retry", 60_001),
    ("local_size", 0),
    ("local_size", 65_537),
    ("near_size", 0),
    ("near_size", 65_537),
];

/// The start must stop; the module says one error, with all of `named` in it.
fn refused(script: &Script, named: &[&str]) -> Result<(), String> {
    let (good, log) = script.kamailio().check();
    let errors: Vec<&str> = log.lines().filter(|l| l.contains("ERROR: shardcache")).collect();
    let told = errors.len() == 1 && named.iter().all(|n| errors[0].contains(n));
    if good || !told { Err(format!("{named:?}: started: {good}, told {errors:#?}\n{log}")) } else { Ok(()) }
}

fn all(results: impl Iterator<Item = Result<(), String>>) {
    let wrong: Vec<String> = results.filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_bad_text_stops_the_start() {
    all(TEXTS
        .iter()
        .map(|(parameter, text, named)| refused(&Script::new().text(parameter, text), &[parameter, text, named])));
}

#[test]
fn a_number_out_of_range_stops_the_start() {
    let number = |(name, number): &(&str, i64)| {
        refused(&Script::new().number(name, *number), &[name, &number.to_string(), "expected"])
    };
    all(NUMBERS.iter().map(number));
}

#[test]
fn what_is_there_twice_stops_the_start() {
    let one = "name=mc1;addr=10.0.0.1:11211";
    let twice = [
        ("server", one, "name=mc1;addr=10.0.0.2:11211", "name"),
        ("server", one, "name=mc2;addr=10.0.0.1:11211", "address"),
        ("server", one, "name=mc2;addr=10.0.0.1", "address"),
        ("table", "t=>autoexpire=1", "t=>autoexpire=2", "there already"),
    ];
    all(twice.iter().map(|(kind, a, b, named)| refused(&Script::new().text(kind, a).text(kind, b), &[kind, b, named])));
}

/// What only the whole configuration tells is told when the host starts, not yet by `kamailio -c`.
#[test]
fn servers_that_are_not_there_stop_the_start() {
    let one = "name=mc1;addr=10.0.0.1:11211;weight=1";
    let far = format!("{one};pair=mc2");
    let cases = [
        (Script::new().server(one).table("t=>copies=2"), ["table \"t=>", "copies=2: expected two servers or more"]),
        (Script::new().server(&far), [far.as_str(), "pair=mc2: expected the name of another server in the list"]),
    ];
    for (script, named) in cases {
        let log = script.kamailio().refused();
        let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR: shardcache")).collect();
        assert!(errors.len() == 1 && named.iter().all(|text| errors[0].contains(text)), "{named:?}\n{log}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let script = Script::new().server("name=mc1;addr=10.0.0.1:11211;user=me;pass=hunter2;weight=0");
    let (good, log) = script.kamailio().check();
    assert!(!good && log.contains("weight") && !log.contains("hunter2"), "{log}");
}

#[test]
fn an_unknown_parameter_stops_the_start() {
    let (good, log) = Script::new().number("nosuch", 1).kamailio().check();
    assert!(!good && log.contains("nosuch"), "{log}");
}

/// What the script says wrongly, told before the first call.
#[test]
fn a_wrong_script_stops_the_start() {
    let wrong = [
        ("shc_get(\"nosuch\", \"k\", \"$var(v)\")", "nosuch"),
        ("shc_set(\"nosuch\", \"k\", \"v\")", "nosuch"),
        ("shc_inc(\"nosuch\", \"k\")", "nosuch"),
        ("shc_bump(\"nosuch\")", "nosuch"),
        ("$var(v) = $shc(nosuch=>k)", "nosuch"),
        ("$shc(nosuch=>k) = 1", "nosuch"),
        ("$var(v) = $shcex(nosuch=>k)", "nosuch"),
        ("$var(v) = $shcinc(nosuch=>k)", "nosuch"),
        ("$var(v) = $shc(t)", "t"),
        ("$var(v) = $shc(=>k)", "=>k"),
        ("$var(v) = $shc(t=>)", "t=>"),
        ("$var(v) = $shcst(nosuch)", "nosuch"),
        ("$shcst(rc) = 1", "read only"),
        ("shc_get(\"t\", \"k\", \"no variable\")", "variable that can be assigned"),
        ("shc_get(\"t\", \"k\", \"$var(v)$var(w)\")", "$var(v)$var(w)"),
        ("shc_get(\"t\", \"k\")", "shc_get"),
        ("shc_get(\"t\", \"\", \"$var(v)\")", "the key"),
        ("shc_mget(\"t\", \"\")", "the key"),
        ("shc_set(\"t\", \"k\", \"v\", \"soon\")", "soon"),
        ("shc_touch(\"t\", \"k\", \"-1\")", "-1"),
        ("shc_inc(\"t\", \"k\", \"many\")", "many"),
        ("shc_lock(\"t\", \"k\", \"0\")", "at least one second"),
        ("shc_mget(\"t\", \"a,b\", \"two words\")", "two words"),
        ("shc_mget(\"t\", \"a,b\", \"\", \"\")", "the separator"),
        ("shc_row(\"t\", \"k\", \"two words\")", "two words"),
        ("shc_row(\"t\", \"k\", \"\")", "the name of an xavp"),
    ];
    let told = wrong.iter().map(|(call, named)| {
        let script = Script::new().table("t=>").route("r", &format!("{call};"));
        let log = script.kamailio().refused();
        let errors = log.lines().filter(|l| l.contains("ERROR") || l.contains("CRITICAL"));
        let named = errors.clone().any(|l| l.contains(named));
        if named { Ok(()) } else { Err(format!("{call}: {:#?}", errors.collect::<Vec<_>>())) }
    });
    all(told);
}

#[test]
fn what_callers_send_does_not_fill_the_log() {
    let host = Script::new()
        .table("t=>")
        .route("flood", "$var(i) = 0;\nwhile ($var(i) < 500) {\n  shc_get(\"t\", \"$avp(none)\", \"$var(v)\");\n  $var(i) = $var(i) + 1;\n}\n$var(rc) = $shcst(rc);")
        .start();
    assert_eq!(host.rc("flood"), -3);
    let lines = host.log().lines().filter(|line| line.contains("shc_get: the key is")).count();
    assert!((1..=60).contains(&lines), "{lines} lines for 500 bad calls");
}

#[test]
fn a_bad_argument_at_run_time_is_minus_three_and_changes_nothing() {
    let server = Memcached::tcp();
    let host = Script::new().server(&server.spec("mc1")).table("t=>").walk(&[
        ("a good entry", "shc_set(\"t\", \"k\", \"v\")", 1, "", ""),
        ("an empty key", "$var(e) = \"\"; shc_get(\"t\", \"$var(e)\", \"$var(v)\")", -3, "", ""),
        ("an empty key, stored", "shc_set(\"t\", \"$hdr(X-None)\", \"v\")", -3, "", ""),
        ("an empty key, read", "$var(v) = $shc(t=>$hdr(X-None))", -3, "", ""),
        ("an empty key, counted", "shc_inc(\"t\", \"$hdr(X-None)\")", -3, "", ""),
        ("a table that is not there", "$var(t) = \"nosuch\"; shc_get(\"$var(t)\", \"k\", \"$var(v)\")", -3, "", ""),
        ("which the reason names", "", 0, "$shcst(err)", "unknown table"),
        ("a lifetime that is no number", "$var(n) = \"soon\"; shc_set(\"t\", \"k\", \"w\", \"$var(n)\")", -3, "", ""),
        ("a negative lifetime", "$var(n) = \"-1\"; shc_set(\"t\", \"k\", \"w\", \"$var(n)\")", -3, "", ""),
        ("an amount that is no number", "$var(n) = \"x\"; shc_inc(\"t\", \"k2\", \"$var(n)\")", -3, "", ""),
        ("a negative amount", "$var(n) = \"-1\"; shc_inc(\"t\", \"k2\", \"$var(n)\")", -3, "", ""),
        ("text that is counted", "shc_inc(\"t\", \"k\")", -3, "", ""),
        ("a cas without a get", "shc_cas(\"t\", \"k\", \"w\")", -3, "", ""),
        ("nothing has changed", "", 0, "$shc(t=>k)", "v"),
        ("nothing was made", "", 0, "$shc(t=>k2)", "<null>"),
    ]);
    assert_eq!(server.entries(), ["t:k"]);
    drop(host);
}

#[test]
fn a_value_too_large_is_refused_and_the_old_one_stays() {
    let server = Memcached::tcp();
    let grow = "$var(big) = \"0123456789\"; $var(i) = 0;\nwhile ($var(i) < 17) { $var(big) = $var(big) + $var(big); $var(i) = $var(i) + 1; }";
    Script::new().server(&server.spec("mc1")).table("t=>").walk(&[
        ("a good entry", "shc_set(\"t\", \"k\", \"old\")", 1, "", ""),
        ("1,310,720 bytes", &format!("{grow}\nshc_set(\"t\", \"k\", \"$var(big)\")"), -3, "", ""),
        ("the old one stays", "", 0, "$shc(t=>k)", "old"),
    ]);
}

#[test]
fn rpc_tells_what_is_wrong() {
    let server = Memcached::tcp();
    let host = Script::new().server(&server.spec("mc1")).table("t=>").start();
    let wrong: &[(&str, &[Value])] = &[
        ("shc.get", &[]),
        ("shc.get", &[json!("t")]),
        ("shc.get", &[json!("nosuch"), json!("k")]),
        ("shc.get", &[json!("t"), json!("")]),
        ("shc.set", &[json!("t"), json!("k")]),
        ("shc.set", &[json!("nosuch"), json!("k"), json!("v")]),
        ("shc.set", &[json!("t"), json!("k"), json!("v"), json!("soon")]),
        ("shc.set", &[json!("t"), json!("k"), json!("v"), json!(-1)]),
        ("shc.seti", &[json!("t"), json!("k"), json!("many")]),
        ("shc.delete", &[json!("t")]),
        ("shc.delete", &[json!("nosuch"), json!("k")]),
        ("shc.dump", &[]),
        ("shc.dump", &[json!("nosuch")]),
        ("shc.dump", &[json!("t"), json!("no cursor")]),
        ("shc.hash", &[json!("t")]),
        ("shc.hash", &[json!("nosuch"), json!("k")]),
        ("shc.bump", &[]),
        ("shc.bump", &[json!("nosuch")]),
        ("shc.source", &[json!("t")]),
        ("shc.set_state", &[json!("mc1")]),
        ("shc.set_state", &[json!("nosuch"), json!("drain")]),
        ("shc.set_state", &[json!("mc1"), json!("sleep")]),
        ("shc.get", &[json!("t"), json!("k"), json!("more")]),
        ("shc.set", &[json!("t"), json!("k"), json!("v"), json!(5), json!("more")]),
        ("shc.delete", &[json!("t"), json!("k"), json!("more")]),
        ("shc.list", &[json!("more")]),
        ("shc.stats", &[json!("more")]),
    ];
    let answered: Vec<String> = wrong
        .iter()
        .filter_map(|(method, params)| host.rpc(method, params).ok().map(|v| format!("{method} {params:?}: {v}")))
        .collect();
    assert!(answered.is_empty(), "answered without a fault:\n{}", answered.join("\n"));
    for (method, params) in wrong {
        let fault = host.rpc(method, params).expect_err("a fault");
        let wanted = if params.contains(&json!("nosuch")) { 404 } else { 400 };
        assert_eq!(fault.code, wanted, "{method} {params:?}: {fault}");
    }
    let named = [("nosuch", "shc.get", json!(["nosuch", "k"])), ("sleep", "shc.set_state", json!(["mc1", "sleep"]))];
    for (name, method, params) in named {
        let fault = host.rpc(method, params.as_array().expect("params")).expect_err("a fault");
        assert!(fault.message.contains(name), "{method}: {fault}");
    }
    assert!(host.kamcmd(&["shc.get", "nosuch", "k"]).expect_err("a fault").contains("nosuch"));
    assert!(server.entries().is_empty(), "{:?}", server.entries());
}

#[test]
fn a_server_that_speaks_another_protocol_is_closed_and_told() {
    for fake in
        [Fake::redis(), Fake::answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Fake::answering(b"\0\0\0\0\xff\xff")]
    {
        let host = Script::new()
            .server(&fake.spec("mc1"))
            .table("t=>")
            .route("get", "shc_get(\"t\", \"k\", \"$var(v)\");\n$var(rc) = $rc;\n$var(out) = $shcst(err);")
            .start();
        let outcome = host.run("get");
        assert!(matches!(outcome.rc, -2 | -3), "{outcome:?}");
        assert!(!outcome.out.is_empty(), "no reason");
        assert!(host.rpc("shc.get", &[json!("t"), json!("k")]).is_err());
        host.wait_log("mc1");
    }
}
