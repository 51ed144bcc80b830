//! Defects that modules of this kind have had, each by the behaviour that must hold here instead.

mod support;

use std::time::Duration;
use support::proxy::Mode;
use support::{Fake, Host, Memcached, Proxy, Script, ports, until};

const TABLE: &str = "t=>autoexpire=0";
const READ: &str = "shc_get(\"t\", \"k\", \"$var(v)\")";

/// One server, one table, one worker.
fn with(server: &str) -> Script {
    Script::new().server(server).table(TABLE)
}

/// The same where time is the matter.
fn quick(server: &str) -> Script {
    with(server).number("cmd_timeout", 50)
}

/// A route that stores the reason of its call in `$var(out)`.
fn with_reason(script: Script, name: &str, call: &str) -> Script {
    script.route(name, &format!("{call};\n$var(rc) = $rc;\n$var(out) = $shcst(err);"))
}

fn our_lines(host: &Host, level: &str) -> Vec<String> {
    let log = host.log();
    log.lines().filter(|l| l.contains("shardcache") && l.contains(level)).map(String::from).collect()
}

#[test]
fn a_hung_server_blocks_no_worker_beyond_cmd_timeout() {
    let hung = Fake::mute().polite();
    let host = quick(&hung.spec("mc1")).number("soft_failures", 100).timed("get", READ).start();
    hung.turn();
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let outcome = host.run("get");
            assert_eq!(outcome.rc, -2);
            outcome.took()
        })
        .collect();
    times.sort();
    assert!(times[2] < Duration::from_millis(150), "took {times:?}");
}

#[test]
fn a_dead_server_is_not_a_miss() {
    let mut server = Memcached::tcp();
    let script = with(&server.spec("mc1")).route("var", "$var(v) = $shc(t=>k);\n$var(rc) = $shcst(rc);");
    let host = with_reason(script, "get", READ).start();
    let missed = host.run("get");
    assert_eq!((missed.rc, host.rc("var")), (-1, -1));
    server.kill();
    let dead = host.run("get");
    assert_eq!((dead.rc, host.rc("var")), (-2, -2));
    assert!(!dead.out.is_empty() && dead.out != missed.out, "no reason given: '{}'", dead.out);
}

#[test]
fn an_integer_prints_as_an_integer() {
    let server = Memcached::tcp();
    with(&server.spec("mc1")).walk(&[
        ("stored", "$shc(t=>k) = 42", 1, "", ""),
        ("in a format", "", 0, "<$shc(t=>k)>", "<42>"),
        ("joined to a string", "$var(s) = \"n\" + $shc(t=>k)", 1, "$var(s)", "n42"),
        ("as a number", "$var(n) = $shc(t=>k) + 1", 1, "$var(n)", "43"),
        ("twice in one format", "", 0, "$shc(t=>k)-$shc(t=>k)", "42-42"),
    ]);
}

#[test]
fn a_key_with_a_blank_is_one_key() {
    let server = Memcached::tcp();
    with(&server.spec("mc1")).walk(&[
        ("a neighbour", "shc_set(\"t\", \"k1\", \"one\")", 1, "", ""),
        ("not its neighbour", "shc_get(\"t\", \"k1 k2\", \"$var(v)\")", -1, "", ""),
        ("stored", "shc_set(\"t\", \"k1 k2\", \"both\")", 1, "$shc(t=>k1 k2)", "both"),
        ("the neighbour is untouched", "", 0, "$shc(t=>k1)", "one"),
    ]);
}

const INJECTION: &str = "zz\\r\\nflush_all\\r\\nget k1";

#[test]
fn a_key_with_line_ends_injects_nothing() {
    let server = Memcached::tcp();
    let get = format!("shc_get(\"t\", \"{INJECTION}\", \"$var(v)\")");
    let set = format!("shc_set(\"t\", \"{INJECTION}\", \"odd\")");
    let inc = format!("shc_inc(\"t\", \"n{INJECTION}\")");
    let mut cases = vec![
        ("a good entry", "shc_set(\"t\", \"k1\", \"one\")", 1, "", ""),
        ("read", get.as_str(), -1, "", ""),
        ("written", set.as_str(), 1, "", ""),
        ("read back", get.as_str(), 1, "$var(v)", "odd"),
        ("counted", inc.as_str(), 1, "", ""),
    ];
    cases.extend([("the stream is in step", "", 0, "$shc(t=>k1)", "one"); 10]);
    with(&server.spec("mc1")).walk(&cases);
    assert_eq!(server.stat("cmd_flush"), 0);
    assert_eq!(server.get("t:k1").as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_folded_header_as_key_injects_nothing() {
    let server = Memcached::tcp();
    let host = with(&server.spec("mc1"))
        .route("header", "$var(v) = $shc(t=>$hdr(X-Id));\n$var(rc) = $shcst(rc);")
        .route("k1", "$var(out) = $shc(t=>k1);")
        .start();
    server.set("t:k1", "one");
    let folded = [("X-Id", "zz\r\n flush_all\r\n get k1")];
    for _ in 0..3 {
        assert_eq!(host.run_with("header", &folded).rc, -1);
        assert_eq!(host.out("k1"), "one");
    }
    assert_eq!(server.stat("cmd_flush"), 0);
}

#[test]
fn negative_and_64_bit_integers_come_back() {
    let server = Memcached::tcp();
    let numbers = ["-5", "0", "-1", "4294967296", "9223372036854775807", "-9223372036854775808", "2147483648"];
    let calls: Vec<String> = numbers.iter().map(|n| format!("shc_set(\"t\", \"k\", \"{n}\")")).collect();
    let cases: Vec<_> =
        numbers.iter().zip(&calls).map(|(n, c)| ("comes back", c.as_str(), 1, "$shc(t=>k)", *n)).collect();
    with(&server.spec("mc1")).walk(&cases);
    with(&server.spec("mc1")).walk(&[
        ("a negative number stored", "$shc(t=>n) = -5", 1, "$shc(t=>n)", "-5"),
        ("and counted with by the script", "$var(n) = $shc(t=>n) + 1", 1, "$var(n)", "-4"),
    ]);
    assert_eq!(server.get("t:n").as_deref(), Some(&b"-5"[..]));
}

#[test]
fn increment_of_a_missing_key_creates_it_and_gives_the_number() {
    let server = Memcached::tcp();
    with(&server.spec("mc1")).walk(&[
        ("by the variable", "", 0, "$shcinc(t=>a)", "1"),
        ("which goes on", "", 0, "$shcinc(t=>a)", "2"),
        ("by the function", "shc_inc(\"t\", \"b\", \"5\")", 1, "$shc(t=>b)", "5"),
        ("with a start", "shc_inc(\"t\", \"c\", \"5\", \"100\")", 1, "$shc(t=>c)", "105"),
        ("down from nothing", "", 0, "$shcdec(t=>d)", "0"),
    ]);
    assert_eq!(server.get("t:a").as_deref(), Some(&b"2"[..]));
}

#[test]
fn deleting_a_deleted_key_is_quiet() {
    let server = Memcached::tcp();
    let host = with(&server.spec("mc1")).walk(&[
        ("stored", "$shc(t=>k) = \"v\"", 1, "$shc(t=>k)", "v"),
        ("deleted", "$shc(t=>k) = $null", 1, "$shc(t=>k)", "<null>"),
        ("deleted again", "$shc(t=>k) = $null", -1, "", ""),
        ("by the function", "shc_rm(\"t\", \"k\")", -1, "", ""),
    ]);
    let since = |line: &String| !line.contains("host/guard.rs");
    for level in ["ERROR", "WARNING"] {
        assert_eq!(our_lines(&host, level).into_iter().filter(since).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

#[test]
fn a_second_server_is_used() {
    let servers = Memcached::many(2);
    let script =
        servers.iter().zip(["mc1", "mc2"]).fold(Script::new(), |s, (server, name)| s.server(&server.spec(name)));
    let host = script.table(TABLE).route("set", "$shc(t=>$hdr(X-Key)) = $hdr(X-Key);\n$var(rc) = $shcst(rc);").start();
    for i in 0..60 {
        assert_eq!(host.run_with("set", &[("X-Key", &format!("key{i}"))]).rc, 1);
    }
    let held: Vec<u64> = servers.iter().map(|s| s.stat("curr_items")).collect();
    assert!(held.iter().all(|n| *n >= 10) && held.iter().sum::<u64>() >= 60, "{held:?}");
}

#[test]
fn the_documented_default_ttl_is_the_real_one() {
    let server = Memcached::tcp();
    let host = Script::new().server(&server.spec("mc1")).table("t").table("s=>autoexpire=1800").walk(&[
        ("no autoexpire", "$shc(t=>k) = 1", 1, "$shcex(t=>k)", "0"),
        ("an autoexpire", "$shc(s=>k) = 1", 1, "", ""),
    ]);
    let ttl = |key: &str| {
        String::from_utf8_lossy(&server.raw(format!("mg {key} t\r\n").as_bytes(), "HD").expect("mg")).into_owned()
    };
    assert_eq!(ttl("t:k").trim(), "HD t-1");
    let left: u32 = ttl("s:k").trim().trim_start_matches("HD t").parse().expect("seconds");
    assert!((1790..=1800).contains(&left), "{left}");
    drop(host);
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ADMIN.md")).expect("docs");
    assert!(
        docs.contains("| `autoexpire` | seconds an entry lives when the call names no time; 0 = for ever | 0 |"),
        "the docs do not tell the default of autoexpire"
    );
}

#[test]
fn a_hung_server_costs_many_calls_only_a_few_timeouts() {
    let hung = Fake::mute().polite();
    let host = quick(&hung.spec("mc1")).number("soft_failures", 3).timed("get", READ).start();
    hung.turn();
    let times: Vec<Duration> = (0..60)
        .map(|_| host.run("get"))
        .map(|o| {
            assert_eq!(o.rc, -2);
            o.took()
        })
        .collect();
    let slow = times.iter().filter(|t| **t > Duration::from_millis(40)).count();
    // Three, and what a busy machine adds.
    assert!(slow <= 10, "{slow} of 60 calls waited: {times:?}");
}

#[test]
fn an_increment_whose_answer_was_lost_ran_once_and_is_ambiguous() {
    let server = Memcached::tcp();
    let proxy = Proxy::to(server.port());
    let script = with(&proxy.spec("mc1")).number("soft_failures", 100);
    let host = with_reason(script, "inc", "shc_inc(\"t\", \"n\")").start();
    for _ in 0..2 {
        assert_eq!(host.rc("inc"), 1);
    }
    proxy.set(Mode::LoseAnswersAfter(b"ma t:n".to_vec()));
    let lost = host.run("inc");
    assert_eq!(lost.rc, -3);
    assert!(lost.out.contains("ambiguous"), "reason: {}", lost.out);
    assert_eq!(["ambiguous", "errors"].map(|name| host.statistic(&format!("table_t_{name}"))), [1, 1]);
    let value = || match server.get("t:n") {
        Some(value) if value == b"3" => Ok(()),
        other => Err(format!("{other:?}")),
    };
    until("the one increment", Duration::from_secs(2), value);
    proxy.set(Mode::Forward);
    assert_eq!(proxy.requests().matches("ma t:n").count(), 3);
}

#[test]
fn the_breakers_answer_differs_from_other_failures() {
    let server = Memcached::tcp();
    let script = quick(&server.spec("mc1")).number("soft_failures", 2).number("probe_interval", 60_000);
    let script = with_reason(script, "get", READ);
    let host = with_reason(script, "bad", "$var(e) = \"\"; shc_get(\"t\", \"$var(e)\", \"$var(v)\")").start();
    server.freeze();
    let reasons: Vec<String> = (0..6)
        .map(|_| host.run("get"))
        .map(|o| {
            assert_eq!(o.rc, -2);
            o.out
        })
        .collect();
    assert_ne!(reasons[0], reasons[5], "a timeout and an open breaker say the same");
    assert_eq!(reasons[4], reasons[5]);
    let bad = host.run("bad");
    assert_eq!(bad.rc, -3);
    assert!(!reasons.contains(&bad.out), "{}", bad.out);
}

#[test]
fn a_server_that_is_not_there_does_not_stop_the_start() {
    let address = format!("name=mc1;addr=127.0.0.1:{}", ports::free());
    let host = with_reason(with(&address), "get", READ).start();
    assert_eq!(host.rc("get"), -2);
}
