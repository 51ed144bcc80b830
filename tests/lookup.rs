//! `shc_cached_route`: a lookup of the script, answered from the cache or run once and kept.

mod support;

use std::time::{Duration, Instant};
use support::cases::Case;
use support::sip::Request;
use support::{Host, Memcached, Script, until};

/// Routes to be wrapped. Each counts its runs under `runs:<name>`, per host.
const ROUTES: &str = r#"
route[YES] { $sht(runs=>yes) = $sht(runs=>yes) + 1; return 1; }
route[NO] { $sht(runs=>no) = $sht(runs=>no) + 1; return -1; }
route[VALUE] { $sht(runs=>value) = $sht(runs=>value) + 1; $shcval = "gold"; return 1; }
route[NUMBER] { $sht(runs=>number) = $sht(runs=>number) + 1; $shcval = 42; return 1; }
route[WHY] { $sht(runs=>why) = $sht(runs=>why) + 1; $shcval = "barred"; return -1; }
route[OTHER] { $sht(runs=>other) = $sht(runs=>other) + 1; $shcval = "x"; return 5; }
route[LESS] { $sht(runs=>less) = $sht(runs=>less) + 1; return -7; }
route[FAILS] { $sht(runs=>fails) = $sht(runs=>fails) + 1; return -2; }
route[OUTER] {
    shc_cached_route("t", "inner", "VALUE");
    $var(inner) = $shcval;
    if ($var(inner) == "gold") return -1;
    return 1;
}
route[ITSELF] { $var(again) = 0; shc_cached_route("t", "itself", "ITSELF"); $var(again) = $rc; return 1; }
route[LEAVES] { $var(rc) = 77; append_to_reply("X-Out: left\r\nX-RC: 77\r\n"); sl_send_reply("200", "OK"); exit; }
route[DROPS] { append_to_reply("X-Out: dropped\r\nX-RC: 78\r\n"); sl_send_reply("200", "OK"); drop; }
route[ZERO] { append_to_reply("X-Out: zero\r\nX-RC: 79\r\n"); sl_send_reply("200", "OK"); return 0; }
route[leaves] { shc_cached_route("t", "leaves", "LEAVES"); $var(out) = "went on"; return; }
route[drops] { shc_cached_route("t", "drops", "DROPS"); $var(out) = "went on"; return; }
route[zero] { shc_cached_route("t", "zero", "ZERO"); $var(out) = "went on"; return; }
"#;

const CASES: &[Case] = &[
    ("a yes is run", "shc_cached_route(\"t\", \"y\", \"YES\")", 1, "$sht(runs=>yes) $shcval", "1 <null>"),
    ("and kept", "shc_cached_route(\"t\", \"y\", \"YES\")", 1, "$sht(runs=>yes) $shcval", "1 <null>"),
    ("a no is run", "shc_cached_route(\"t\", \"n\", \"NO\")", -1, "$sht(runs=>no)", "1"),
    ("and kept", "shc_cached_route(\"t\", \"n\", \"NO\")", -1, "$sht(runs=>no)<$shcst(err)>", "1<>"),
    ("a value", "shc_cached_route(\"t\", \"v\", \"VALUE\")", 1, "$sht(runs=>value) $shcval", "1 gold"),
    ("is kept too", "shc_cached_route(\"t\", \"v\", \"VALUE\")", 1, "$sht(runs=>value) $shcval", "1 gold"),
    ("and read", "shc_get(\"t\", \"v\", \"$var(v)\")", 1, "$var(v) $shc(t=>v)", "gold gold"),
    ("a number", "shc_cached_route(\"t\", \"i\", \"NUMBER\")", 1, "$shcval", "42"),
    ("is kept too", "shc_cached_route(\"t\", \"i\", \"NUMBER\")", 1, "$sht(runs=>number) $shcval", "1 42"),
    ("a no with a value", "shc_cached_route(\"t\", \"w\", \"WHY\")", -1, "$shcval", "barred"),
    ("is kept too", "shc_cached_route(\"t\", \"w\", \"WHY\")", -1, "$sht(runs=>why) $shcval", "1 barred"),
    ("another outcome passes", "shc_cached_route(\"t\", \"o\", \"OTHER\")", 5, "$sht(runs=>other) $shcval", "1 x"),
    ("and is not kept", "shc_cached_route(\"t\", \"o\", \"OTHER\")", 5, "$sht(runs=>other) $shcst(err)", "2 not kept"),
    ("less than no", "shc_cached_route(\"t\", \"l\", \"LESS\")", -7, "$sht(runs=>less)", "1"),
    ("is not kept", "shc_cached_route(\"t\", \"l\", \"LESS\")", -7, "$sht(runs=>less)", "2"),
    ("a failure", "shc_cached_route(\"t\", \"f\", \"FAILS\")", -2, "$shcst(err)", "lookup failed"),
    ("is tried again", "shc_cached_route(\"t\", \"f\", \"FAILS\")", -2, "$sht(runs=>fails)", "2"),
    ("a plain read of a yes", "shc_get(\"t\", \"y\", \"$var(v)\")", 1, "$shc(t=>y)", "1"),
    ("of a no", "shc_get(\"t\", \"n\", \"$var(v)\")", -1, "$shc(t=>n) $shcst(rc)", "<null> -1"),
    (
        "of many",
        "shc_mget(\"t\", \"n,v,w,y\", \"m\")",
        1,
        "$xavp(m=>v[0]) $xavp(m=>v[1]) $xavp(m=>v[3])",
        "<null> gold 1",
    ),
    ("of none", "shc_mget(\"t\", \"n,w\", \"m\")", -1, "", ""),
    ("an invalidation", "shc_rm(\"t\", \"y\"); shc_cached_route(\"t\", \"y\", \"YES\")", 1, "$sht(runs=>yes)", "2"),
    (
        "a value from elsewhere",
        "shc_set(\"t\", \"s\", \"v\"); shc_cached_route(\"t\", \"s\", \"NO\")",
        1,
        "$shcval",
        "v",
    ),
    ("one within another", "shc_cached_route(\"t\", \"outer\", \"OUTER\")", -1, "$var(inner)", "gold"),
    ("keeps what is its own", "shc_cached_route(\"t\", \"outer\", \"OUTER\")", -1, "<$shcval>", "<<null>>"),
    ("one within itself", "shc_cached_route(\"t\", \"itself\", \"ITSELF\")", 1, "$var(again)", "-3"),
    (
        "no such route",
        "$var(r) = \"NONE\"; shc_cached_route(\"t\", \"r\", \"$var(r)\")",
        -3,
        "$shcst(err)",
        "unknown route",
    ),
    ("one by a variable", "$var(r) = \"VALUE\"; shc_cached_route(\"t\", \"r\", \"$var(r)\")", 1, "$shcval", "gold"),
    ("no key", "shc_cached_route(\"t\", \"$null\", \"YES\")", -3, "$shcst(err)", "empty key"),
];

fn script() -> Script {
    Script::new()
        .before("loadmodule \"htable.so\"\nmodparam(\"htable\", \"htable\", \"runs=>initval=0;size=4\")")
        .raw(ROUTES)
}

fn on_servers(count: usize, copies: usize) -> (Vec<Memcached>, Script) {
    let servers = Memcached::many(count);
    let add = |script: Script, (i, server): (usize, &Memcached)| script.server(&server.spec(&format!("mc{i}")));
    let script = servers.iter().enumerate().fold(script(), add);
    (servers, script.table(&format!("t=>autoexpire=1800;negexpire=60;stale=600;copies={copies}")))
}

/// Waits until the route `ready` can count.
fn ready(host: &Host) {
    until("the cache to be in use", Duration::from_secs(10), || match host.rc("ready") {
        1 => Ok(()),
        rc => Err(rc),
    });
}

#[test]
fn a_route_is_run_once_and_its_yes_or_no_is_kept() {
    script().table("t=>autoexpire=1800").walk(CASES);
    for (count, copies) in [(1, 1), (2, 2)] {
        let (_servers, script) = on_servers(count, copies);
        let host = script.route("ready", "shc_inc(\"t\", \"ready\"); $var(rc) = $rc;").cases(CASES).start();
        ready(&host);
        host.walk(CASES);
    }
}

#[test]
fn a_route_that_ends_the_script_does_so_and_is_not_kept() {
    let (_servers, script) = on_servers(1, 1);
    let host = script.start();
    for _ in 0..2 {
        for (route, rc, out) in [("leaves", 77, "left"), ("drops", 78, "dropped"), ("zero", 79, "zero")] {
            let outcome = host.run(route);
            assert_eq!((outcome.rc, outcome.out.as_str()), (rc, out));
        }
    }
    assert_eq!(host.statistic("table_t_loads"), 6);
}

#[test]
fn an_unknown_route_stops_the_start() {
    let log = script().table("t").route("bad", "shc_cached_route(\"t\", \"k\", \"NOWHERE\");").kamailio().refused();
    assert!(log.contains("\"NOWHERE\"") && log.contains("expected the name of a route"), "{log}");
}

#[test]
fn what_is_stale_answers_for_a_route_that_failed() {
    let (_servers, script) = on_servers(1, 1);
    let host = script.walk(&[
        ("past its time", "shc_set(\"t\", \"k\", \"old\", \"500\")", 1, "$shc(t=>k) $shcst(stale)", "old 1"),
        ("fails", "shc_cached_route(\"t\", \"k\", \"FAILS\")", 1, "$shcval $sht(runs=>fails)", "old 1"),
        ("is told as stale", "shc_cached_route(\"t\", \"k\", \"FAILS\")", 1, "$shcst(stale) $sht(runs=>fails)", "1 1"),
    ]);
    assert_eq!((host.statistic("table_t_load_failures"), host.statistic("table_t_loads")), (1, 1));
    assert!(host.statistic("table_t_stale") >= 3);
}

/// The page's lines, as they stand but for the server's address, in a host that is asked by SIP; the database counts.
#[test]
fn five_lines_cache_is_user_in() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/IS-USER-IN.md")).expect("the page");
    let lines: Vec<&str> = page.split("\n```").nth(3).expect("a code block").lines().skip(1).collect();
    let [load, server, table, call, route] = lines[..] else { panic!("five lines: {lines:#?}") };
    let memcached = Memcached::tcp();
    let server = server.replace("10.0.0.11:11211", &memcached.addr());
    let dir = tempfile::tempdir().expect("temporary directory");
    let database = dir.path().join("test.sqlite");
    let change = |sql: &str| {
        let made = std::process::Command::new(support::process::need("sqlite3")).arg(&database).arg(sql).status();
        assert!(made.expect("sqlite3").success(), "{sql}");
    };
    change(
        "create table grp (username text, domain text, grp text); \
         create table version (table_name text, table_version int); insert into version values ('grp', 2); \
         insert into grp values ('alice', 'x', 'ipauth');",
    );
    let before = format!(
        "loadmodule \"db_sqlite.so\"\nloadmodule \"group.so\"\nmodparam(\"group\", \"db_url\", \"sqlite:///{}\")\n{load}\n{server}\n{table}",
        database.display()
    );
    let replied = call.replace("{ sl_send_reply(\"403\", \"Forbidden\"); exit; }", "$var(out) = \"no\";");
    assert_ne!(replied, call, "what the page does with a no");
    let ask = |user: &str| format!("$fu = \"sip:{user}@x\"; msg_apply_changes();\n$var(out) = \"yes\";\n{replied}");
    let host = Script::new()
        .without_module()
        .before(&before)
        .raw(route)
        .route("alice", &ask("alice"))
        .route("bob", &ask("bob"))
        .route("changed", "shc_invalidate(\"ipauth\", \"alice\");")
        .start();
    let loads = || host.statistic("table_ipauth_loads");
    for _ in 0..3 {
        assert_eq!((host.out("alice"), host.out("bob")), ("yes".into(), "no".into()));
    }
    assert_eq!(loads(), 2);
    change("delete from grp");
    assert_eq!((host.out("alice"), loads()), ("yes".into(), 2));
    host.run("changed");
    assert_eq!((host.out("alice"), loads()), ("no".into(), 3));
    // Without the table there is no answer, and none is kept.
    change("drop table grp");
    host.run("changed");
    assert_eq!((host.out("alice"), host.out("alice"), host.out("bob")), ("no".into(), "no".into(), "no".into()));
    assert_eq!((host.statistic("table_ipauth_load_failures"), host.statistic("table_ipauth_unavailable")), (2, 2));
}

#[test]
fn a_proxy_killed_while_its_route_runs_costs_one_more_run() {
    let (_servers, script) = on_servers(2, 2);
    let script = script
        .table("runs=>")
        .number("load_wait", 10_000)
        .raw("route[SLOW] { shc_inc(\"runs\", \"all\"); sleep(\"30\"); return 1; }")
        .raw("route[QUICK] { shc_inc(\"runs\", \"all\"); $shcval = \"done\"; return 1; }")
        .route("slow", "shc_cached_route(\"t\", \"k\", \"SLOW\");")
        .route("quick", "shc_cached_route(\"t\", \"k\", \"QUICK\"); $var(rc) = $rc; $var(out) = $shcval;")
        .route("runs", "$var(out) = $shc(runs=>all);")
        .workers(4);
    let script = script.route("ready", "shc_inc(\"t\", \"ready\"); $var(rc) = $rc;");
    let (mut doomed, other) = (script.start(), script.start());
    for host in [&doomed, &other] {
        ready(host);
    }
    let slow = Request { user: "slow", limit: Duration::from_millis(50), ..Request::default() };
    assert!(support::sip::send(doomed.port(), &slow).is_none());
    until("the route to run", Duration::from_secs(10), || match other.out("runs").as_str() {
        "1" => Ok(()),
        runs => Err(runs.to_string()),
    });
    doomed.kill();
    let begun = Instant::now();
    let waiting: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| other.run("quick"))).collect();
        asked.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(waiting.iter().all(|outcome| (outcome.rc, outcome.out.as_str()) == (1, "done")), "{waiting:?}");
    assert_eq!(other.out("runs"), "2");
}
