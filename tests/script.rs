//! Every function and variable of the script, its codes, and what it leaves behind, in a real Kamailio on a real memcached.

mod support;

use std::time::Duration;
use support::cases::Case;
use support::{Host, Memcached, PATIENT_MS, Script, until};

/// Walks on two servers with two copies of each key, then on one server.
fn walk(cases: &[Case]) -> (Memcached, Host) {
    walk_mirrored(cases);
    walk_single(cases)
}

fn walk_mirrored(cases: &[Case]) {
    let servers = Memcached::many(2);
    let script = Script::new().servers(&servers).table("t=>autoexpire=0;copies=2").table("s=>autoexpire=1800;copies=2");
    let script = script.number("cmd_timeout", PATIENT_MS.into());
    let host = script.route("ready", "    shc_inc(\"t\", \"ready\");\n$var(rc) = $rc;").cases(cases).start();
    until("the copies to be in use", Duration::from_secs(10), || match host.rc("ready") {
        1 => Ok(()),
        rc => Err(rc),
    });
    host.walk(cases);
}

fn walk_single(cases: &[Case]) -> (Memcached, Host) {
    let server = Memcached::tcp();
    let script = Script::new().server(&server.spec("mc1")).table("t=>autoexpire=0").table("s=>autoexpire=1800");
    let host = script.walk(cases);
    (server, host)
}

#[test]
fn variables_read_assign_and_delete() {
    let (server, _host) = walk(&[
        ("nothing there", "$var(v) = $shc(t=>k)", -1, "$shc(t=>k)", "<null>"),
        ("a string", "$shc(t=>k) = \"text\"", 1, "$shc(t=>k)", "text"),
        ("another table is another space", "", 0, "$shc(s=>k)", "<null>"),
        ("a number", "$shc(t=>k) = 7", 1, "$shc(t=>k)", "7"),
        ("the empty string", "$shc(t=>e) = \"\"", 1, "<$shc(t=>e)>", "<>"),
        ("is found", "$var(v) = $shc(t=>e)", 1, "", ""),
        ("a key with variables", "$var(u) = \"bob\"; $shc(t=>$var(u)::x) = 1", 1, "$shc(t=>bob::x)", "1"),
        ("a key with an arrow", "$shc(t=>a=>b) = 2", 1, "$shc(t=>a=>b)", "2"),
        ("deleted", "$shc(t=>k) = $null", 1, "$shc(t=>k)", "<null>"),
        (
            "compared with null",
            "if ($shc(t=>k) == $null) $var(x) = \"null\"; else $var(x) = \"not\"",
            -1,
            "$var(x)",
            "null",
        ),
        (
            "a string compared",
            "if ($shc(t=>bob::x) == 1) $var(x) = \"one\"; else $var(x) = \"not\"",
            1,
            "$var(x)",
            "one",
        ),
    ]);
    assert_eq!(server.get("t:bob::x").as_deref(), Some(&b"1"[..]));
    assert_eq!(server.get("t:a=>b").as_deref(), Some(&b"2"[..]));
}

#[test]
fn get_set_add_replace_remove() {
    walk(&[
        ("get of nothing", "shc_get(\"t\", \"k\", \"$var(v)\")", -1, "", ""),
        ("replace of nothing", "shc_replace(\"t\", \"k\", \"x\")", -1, "$shc(t=>k)", "<null>"),
        ("add", "shc_add(\"t\", \"k\", \"one\")", 1, "$shc(t=>k)", "one"),
        ("add again", "shc_add(\"t\", \"k\", \"two\")", -1, "$shc(t=>k)", "one"),
        ("replace", "shc_replace(\"t\", \"k\", \"two\")", 1, "$shc(t=>k)", "two"),
        ("set", "shc_set(\"t\", \"k\", \"three\")", 1, "", ""),
        ("get", "shc_get(\"t\", \"k\", \"$var(v)\")", 1, "$var(v)", "three"),
        ("get into an avp", "shc_get(\"t\", \"k\", \"$avp(v)\")", 1, "$avp(v)", "three"),
        ("remove", "shc_rm(\"t\", \"k\")", 1, "$shc(t=>k)", "<null>"),
        ("remove again", "shc_rm(\"t\", \"k\")", -1, "", ""),
        (
            "a table and a key from variables",
            "$var(t) = \"t\"; $var(k) = \"vk\"; shc_set(\"$var(t)\", \"$var(k)\", \"$rU\")",
            1,
            "$shc(t=>vk)",
            "c10",
        ),
    ]);
}

#[test]
fn lifetimes() {
    let (_server, host) = walk(&[
        ("for ever", "shc_set(\"t\", \"k\", \"v\")", 1, "$shcex(t=>k)", "0"),
        ("of the call", "shc_set(\"t\", \"k\", \"v\", \"600\")", 1, "$shcex(t=>k)", "~600"),
        ("of the table", "shc_set(\"s\", \"k\", \"v\")", 1, "$shcex(s=>k)", "~1800"),
        ("the call wins over the table", "shc_set(\"s\", \"k\", \"v\", \"0\")", 1, "$shcex(s=>k)", "0"),
        ("assigned", "$shcex(t=>k) = 60", 1, "$shcex(t=>k)", "~60"),
        ("touched", "shc_touch(\"t\", \"k\", \"90\")", 1, "$shcex(t=>k)", "~90"),
        ("touched to stay", "shc_touch(\"t\", \"k\", \"0\")", 1, "$shcex(t=>k)", "0"),
        ("touch keeps the value", "", 0, "$shc(t=>k)", "v"),
        ("touch of nothing", "shc_touch(\"t\", \"none\", \"90\")", -1, "", ""),
        ("lifetime of nothing", "$var(v) = $shcex(t=>none)", -1, "$shcex(t=>none)", "<null>"),
        ("of more than 30 days", "shc_set(\"t\", \"k\", \"v\", \"5000000\")", 1, "$shcex(t=>k)", "~5000000"),
        ("add takes one", "shc_add(\"t\", \"a\", \"v\", \"70\")", 1, "$shcex(t=>a)", "~70"),
        ("replace takes one", "shc_replace(\"t\", \"a\", \"v\", \"80\")", 1, "$shcex(t=>a)", "~80"),
        ("a short one", "shc_set(\"t\", \"short\", \"v\", \"2\")", 1, "$shc(t=>short)", "v"),
    ]);
    let expired = || host.rpc("shc.get", &["t".into(), "short".into()]).map_or(Ok(()), |v| Err(v.to_string()));
    until("the end of a lifetime of two seconds", Duration::from_secs(6), expired);
}

#[test]
fn counters() {
    let (server, _host) = walk(&[
        ("from nothing", "shc_inc(\"t\", \"n\")", 1, "$shc(t=>n)", "1"),
        ("by an amount", "shc_inc(\"t\", \"n\", \"10\")", 1, "$shc(t=>n)", "11"),
        ("the start does not count twice", "shc_inc(\"t\", \"n\", \"1\", \"500\")", 1, "$shc(t=>n)", "12"),
        ("down", "shc_dec(\"t\", \"n\", \"2\")", 1, "$shc(t=>n)", "10"),
        ("down to nothing, not below", "shc_dec(\"t\", \"n\", \"99\")", 1, "$shc(t=>n)", "0"),
        ("by the variable", "", 0, "$shcinc(t=>n)", "1"),
        ("and down", "", 0, "$shcdec(t=>n)", "0"),
        ("a shrunk number has no blanks", "shc_set(\"t\", \"w\", \"1000\")", 1, "", ""),
        ("a shrunk number has no blanks", "shc_dec(\"t\", \"w\", \"995\")", 1, "<$shc(t=>w)>", "<5>"),
        ("a start", "shc_inc(\"t\", \"i\", \"1\", \"100\")", 1, "$shc(t=>i)", "101"),
        ("a start, down", "shc_dec(\"t\", \"d\", \"1\", \"100\")", 1, "$shc(t=>d)", "99"),
        ("a lifetime at the start", "shc_inc(\"t\", \"l\", \"1\", \"0\", \"60\")", 1, "$shcex(t=>l)", "~60"),
        ("beyond 32 bits", "shc_inc(\"t\", \"b\", \"5000000000\")", 1, "$shc(t=>b)", "5000000000"),
        ("a negative number is not counted", "$shc(t=>m) = -5", 1, "", ""),
        ("a negative number is not counted", "shc_inc(\"t\", \"m\")", -3, "$shc(t=>m)", "-5"),
        ("a text is not counted", "$shc(t=>x) = \"text\"", 1, "", ""),
        ("a text is not counted", "shc_inc(\"t\", \"x\")", -3, "$shc(t=>x)", "text"),
        ("the stream is in step", "", 0, "$shc(t=>b)", "5000000000"),
    ]);
    assert_eq!(server.get("t:i").as_deref(), Some(&b"101"[..]));
}

#[test]
fn compare_and_set() {
    let (server, _host) = walk(&[
        ("an entry", "shc_set(\"t\", \"k\", \"1\")", 1, "", ""),
        ("unchanged since", "shc_get(\"t\", \"k\", \"$var(v)\"); shc_cas(\"t\", \"k\", \"2\")", 1, "$shc(t=>k)", "2"),
        (
            "changed since",
            "shc_get(\"t\", \"k\", \"$var(v)\"); shc_set(\"t\", \"k\", \"3\"); shc_cas(\"t\", \"k\", \"4\")",
            -1,
            "$shc(t=>k)",
            "3",
        ),
        ("another message's token", "shc_cas(\"t\", \"k\", \"5\")", -3, "$shc(t=>k)", "3"),
        (
            "another key's token",
            "shc_get(\"t\", \"k\", \"$var(v)\"); shc_cas(\"t\", \"other\", \"5\")",
            -3,
            "$shc(t=>other)",
            "<null>",
        ),
        (
            "with a lifetime",
            "shc_get(\"t\", \"k\", \"$var(v)\"); shc_cas(\"t\", \"k\", \"6\", \"60\")",
            1,
            "$shcex(t=>k)",
            "~60",
        ),
    ]);
    assert_eq!(server.get("t:k").as_deref(), Some(&b"6"[..]));
}

#[test]
fn many_keys_in_one_call() {
    let all = "$xavp(m=>n): $xavp(m=>v[0])|$xavp(m=>v[1])|$xavp(m=>v[2])";
    let (_server, _host) = walk(&[
        ("some entries", "shc_set(\"t\", \"a\", \"1\"); shc_set(\"t\", \"c\", \"three\")", 1, "", ""),
        ("two of three", "shc_mget(\"t\", \"a,b,c\", \"m\")", 1, all, "3: 1|<null>|three"),
        ("none", "shc_mget(\"t\", \"x,y,z\", \"m\")", -1, all, "3: <null>|<null>|<null>"),
        ("another separator", "shc_mget(\"t\", \"c;a\", \"m\", \";\")", 1, all, "2: three|1|<null>"),
        (
            "one key, and a place from a variable",
            "shc_mget(\"t\", \"c\", \"m\"); $var(i) = 0",
            1,
            "$xavp(m=>v[$var(i)])",
            "three",
        ),
        ("the same key twice", "shc_mget(\"t\", \"c,c\", \"m\")", 1, all, "2: three|three|<null>"),
        ("an empty key", "shc_mget(\"t\", \"a,,c\", \"m\")", -3, "$xavp(m=>n)", "<null>"),
        (
            "without an xavp",
            "shc_mget(\"t\", \"a,b,c\")",
            1,
            "$shcm(0)|$shcm(1)|$shcm(2)|$shcm(3)",
            "1|<null>|three|<null>",
        ),
        ("without one, another separator", "shc_mget(\"t\", \"c;a\", \"\", \";\")", 1, "$shcm(0)|$shcm(1)", "three|1"),
        ("a place from a variable", "shc_mget(\"t\", \"a,c\"); $var(i) = 1", 1, "$shcm($var(i))|$shcst(rc)", "three|1"),
        ("a place that is none", "shc_mget(\"t\", \"a,c\"); $var(i) = \"x\"", 1, "$shcm($var(i))", "<null>"),
    ]);
}

#[test]
fn locks() {
    walk(&[
        ("taken", "shc_lock(\"t\", \"l\", \"30\")", 1, "", ""),
        ("taken already", "shc_lock(\"t\", \"l\", \"30\")", -1, "", ""),
        ("another one", "shc_lock(\"t\", \"l2\", \"30\"); $var(fence) = $shcst(fence)", 1, "", ""),
        ("given back", "shc_unlock(\"t\", \"l\")", 1, "", ""),
        ("given back already", "shc_unlock(\"t\", \"l\")", -3, "$shcst(err)", "not locked by this worker"),
        ("taken again", "shc_lock(\"t\", \"l\", \"30\")", 1, "", ""),
        ("a lock is no entry", "", 0, "$shc(t=>l)", "<null>"),
        ("not with an old number", "shc_unlock(\"t\", \"l\", \"1\")", -1, "", ""),
        (
            "with its own",
            "shc_lock(\"t\", \"f\", \"30\"); $var(f) = $shcst(fence); shc_unlock(\"t\", \"f\", \"$var(f)\")",
            1,
            "",
            "",
        ),
        (
            "numbers grow",
            "shc_lock(\"t\", \"g\", \"30\"); $var(a) = $shcst(fence); shc_unlock(\"t\", \"g\"); shc_lock(\"t\", \"g\", \"30\"); $var(b) = $shcst(fence); if ($(var(b){s.len}) >= $(var(a){s.len}) && $var(b) != $var(a)) $var(x) = \"grow\"",
            1,
            "$var(x)",
            "grow",
        ),
    ]);
}

#[test]
fn what_the_last_operation_said() {
    walk_single(&[
        ("a miss", "shc_get(\"t\", \"none\", \"$var(v)\")", -1, "$shcst(rc) $shcst(server)", "-1 mc1"),
        ("a success", "shc_set(\"t\", \"k\", \"v\")", 1, "$shcst(rc) $shcst(server) <$shcst(err)>", "1 mc1 <>"),
        ("never stale in this table", "shc_get(\"t\", \"k\", \"$var(v)\")", 1, "$shcst(stale)", "0"),
        (
            "age in a table with a lifetime",
            "shc_set(\"s\", \"k\", \"v\"); shc_get(\"s\", \"k\", \"$var(v)\")",
            1,
            "$shcst(age)",
            "0",
        ),
        ("a bad argument", "$var(e) = \"\"; shc_get(\"t\", \"$var(e)\", \"$var(v)\")", -3, "$shcst(rc)", "-3"),
    ]);
}

#[test]
fn a_bump_empties_a_table_for_every_host() {
    let server = Memcached::tcp();
    let script = Script::new().server(&server.spec("mc1")).table("t").table("u");
    let script =
        script.route("set", "shc_set(\"t\", \"k\", \"v\");\nshc_set(\"u\", \"k\", \"stays\");\n$var(rc) = $rc;");
    let script = script
        .route("get", "$var(rc) = 1;\nshc_get(\"t\", \"k\", \"$var(v)\");\n$var(rc) = $rc;\n$var(out) = $shc(u=>k);");
    let script = script.route("bump", "shc_bump(\"t\");\n$var(rc) = $rc;");
    let (one, two) = (script.start(), script.start());
    assert_eq!(one.rc("set"), 1);
    assert_eq!((one.rc("get"), two.rc("get")), (1, 1));
    assert_eq!(one.rc("bump"), 1);
    assert_eq!(one.rc("get"), -1, "the host that bumped reads old entries");
    let seen = || if two.rc("get") == -1 { Ok(()) } else { Err("the old entry") };
    until("the other host to see the bump", Duration::from_secs(2), seen);
    assert_eq!(two.out("get"), "stays");
    assert_eq!(two.rc("set"), 1);
    assert_eq!(one.rc("get"), 1, "hosts do not agree on the new generation");
    let late = script.start();
    until("a host that starts later to agree", Duration::from_secs(2), || {
        if late.rc("get") == 1 { Ok(()) } else { Err("a miss") }
    });
}

#[test]
fn bytes_of_any_kind() {
    let (server, _host) = walk(&[
        (
            "zero, line ends, all bits",
            "$var(b) = $(var(h){s.decode.hexa}); $var(h) = \"0d0a00ff454e440d0a\"; $var(b) = $(var(h){s.decode.hexa}); shc_set(\"t\", \"b\", \"$var(b)\")",
            1,
            "$(shc(t=>b){s.encode.hexa})",
            "0d0a00ff454e440d0a",
        ),
        ("blanks at the end", "shc_set(\"t\", \"s\", \"7  \")", 1, "<$shc(t=>s)>", "<7  >"),
        ("a leading zero", "shc_set(\"t\", \"z\", \"007\")", 1, "$shc(t=>z)", "007"),
        ("a plus", "shc_set(\"t\", \"p\", \"+7\")", 1, "$shc(t=>p)", "+7"),
    ]);
    assert_eq!(server.get("t:b").as_deref(), Some(&b"\r\n\0\xffEND\r\n"[..]));
}

#[test]
fn a_million_bytes() {
    let grow = "$var(i) = 0;\n$var(big) = \"0123456789\";\nwhile ($var(i) < 5) {\n$var(ten) = $var(big);\n$var(j) = 0;\nwhile ($var(j) < 9) {\n$var(big) = $var(big) + $var(ten);\n$var(j) = $var(j) + 1;\n}\n$var(i) = $var(i) + 1;\n}";
    let set = format!("{grow}\n$shc(t=>big) = $var(big)");
    let (server, _host) = walk(&[
        ("stored", set.as_str(), 1, "", ""),
        ("read", "$var(got) = $shc(t=>big)", 1, "$(var(got){s.len})", "1000000"),
        (
            "one byte more",
            "$var(got) = $shc(t=>big);\n$var(more) = $var(got) + \"x\";\n$shc(t=>big) = $var(more)",
            -3,
            "",
            "",
        ),
        ("the old one stays", "$var(got) = $shc(t=>big)", 1, "$(var(got){s.len})", "1000000"),
    ]);
    assert_eq!(server.get("t:big").map(|v| v.len()), Some(1_000_000));
}

#[test]
fn keys_of_any_length_and_kind() {
    let lengths = [1, 200, 247, 248, 249, 250, 251, 1_000, 8_000];
    let server = Memcached::tcp();
    let host = Script::new()
        .server(&server.spec("mc1"))
        .table("t")
        .route("set", "$shc(t=>$hdr(X-Key)) = $hdr(X-Value);\n$var(rc) = $shcst(rc);")
        .route("get", "$var(out) = $shc(t=>$hdr(X-Key));\n$var(rc) = $shcst(rc);")
        .start();
    let keys: Vec<String> = lengths
        .iter()
        .map(|n| "k".repeat(*n))
        .chain(["a b", "ü", "a\u{1}b", "x@y", "#", "!gen:t"].map(String::from))
        .collect();
    for (i, key) in keys.iter().enumerate() {
        let value = format!("value{i}");
        let headers = [("X-Key", key.as_str()), ("X-Value", value.as_str())];
        assert_eq!(host.run_with("set", &headers).rc, 1, "{} bytes: {key:.20}", key.len());
    }
    for (i, key) in keys.iter().enumerate() {
        let outcome = host.run_with("get", &[("X-Key", key)]);
        assert_eq!((outcome.rc, outcome.out), (1, format!("value{i}")), "{} bytes: {key:.20}", key.len());
    }
    assert_eq!(server.get(&format!("t:{}", "k".repeat(248))).as_deref(), Some(&b"value3"[..]));
    assert!(server.keys().iter().all(|k| k.len() <= 250));
}
