//! Without any server: the tables live in this host's shared memory, the same calls give the same answers, every worker
//! sees them, and a NOTICE says what is going on.

mod support;

use serde_json::json;
use std::time::Duration;
use support::{Script, until};

#[test]
fn every_call_works_without_a_server() {
    let host = Script::new().table("t").table("s=>autoexpire=1800").walk(&[
        ("nothing there", "shc_get(\"t\", \"k\", \"$var(v)\")", -1, "$shc(t=>k)", "<null>"),
        ("set", "shc_set(\"t\", \"k\", \"one\")", 1, "$shc(t=>k)", "one"),
        ("add", "shc_add(\"t\", \"k\", \"two\")", -1, "$shc(t=>k)", "one"),
        ("replace", "shc_replace(\"t\", \"k\", \"two\")", 1, "$shc(t=>k)", "two"),
        ("another table", "", 0, "$shc(s=>k)", "<null>"),
        ("a number", "$shc(t=>n) = 5", 1, "$shc(t=>n)", "5"),
        ("a negative one", "$shc(t=>m) = -5", 1, "$shc(t=>m)", "-5"),
        ("counted up", "shc_inc(\"t\", \"n\", \"10\")", 1, "$shc(t=>n)", "15"),
        ("counted down", "shc_dec(\"t\", \"n\", \"99\")", 1, "$shc(t=>n)", "0"),
        ("counted from nothing", "", 0, "$shcinc(t=>x)", "1"),
        ("text is not counted", "shc_inc(\"t\", \"k\")", -3, "$shc(t=>k)", "two"),
        ("a lifetime", "shc_set(\"t\", \"l\", \"v\", \"60\")", 1, "$shcex(t=>l)", "~60"),
        ("of the table", "shc_set(\"s\", \"l\", \"v\")", 1, "$shcex(s=>l)", "~1800"),
        ("touched", "shc_touch(\"t\", \"l\", \"90\")", 1, "$shcex(t=>l)", "~90"),
        (
            "compared and set",
            "shc_get(\"t\", \"k\", \"$var(v)\"); shc_cas(\"t\", \"k\", \"three\")",
            1,
            "$shc(t=>k)",
            "three",
        ),
        (
            "changed since",
            "shc_get(\"t\", \"k\", \"$var(v)\"); shc_set(\"t\", \"k\", \"x\"); shc_cas(\"t\", \"k\", \"four\")",
            -1,
            "$shc(t=>k)",
            "x",
        ),
        (
            "many keys",
            "shc_mget(\"t\", \"k,none,n\", \"m\")",
            1,
            "$xavp(m=>v[0])|$xavp(m=>v[1])|$xavp(m=>v[2])",
            "x|<null>|0",
        ),
        ("a lock", "shc_lock(\"t\", \"k\", \"30\")", 1, "", ""),
        ("taken already", "shc_lock(\"t\", \"k\", \"30\")", -1, "", ""),
        ("given back", "shc_unlock(\"t\", \"k\")", 1, "", ""),
        ("removed", "shc_rm(\"t\", \"k\")", 1, "$shc(t=>k)", "<null>"),
        ("a bump", "shc_bump(\"t\")", 1, "$shc(t=>n)", "<null>"),
        ("only of its table", "", 0, "$shc(s=>l)", "v"),
    ]);
    let told: Vec<String> = host.log().lines().filter(|l| l.contains("NOTICE: shardcache")).map(String::from).collect();
    assert!(told.iter().any(|l| l.contains("memory")), "no NOTICE tells of local memory: {told:#?}");
}

#[test]
fn all_workers_share_it() {
    let script = Script::new().table("t").workers(4);
    let script = script.route("inc", "$var(out) = $shcinc(t=>n);").route("who", "$var(out) = $pp;");
    let host = script.start();
    let mut workers = std::collections::HashSet::new();
    until("another worker to answer", Duration::from_secs(10), || {
        workers.insert(host.out("who"));
        if workers.len() > 1 { Ok(()) } else { Err("one worker") }
    });
    let counted: Vec<String> = (1..=40).map(|_| host.out("inc")).collect();
    let expected: Vec<String> = (1..=40).map(|n| n.to_string()).collect();
    assert_eq!(counted, expected);
    assert_eq!(host.ask("shc.get", &[json!("t"), json!("n")])["value"], json!(40));
    let held = host.ask("shc.stats", &[])["local"].clone();
    assert_eq!(["entries", "evictions", "expired", "resets"].map(|name| held[name].as_u64()), [1, 0, 0, 0].map(Some));
    let [bytes, used, capacity] = ["bytes", "used", "capacity"].map(|name| held[name].as_u64().expect(name));
    assert!((1..=used).contains(&bytes) && used < capacity && capacity > 30 << 20, "{held}");
}
