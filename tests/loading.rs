//! What happens when the file is loaded, and that nothing which goes wrong inside it ends the host.

mod support;

use std::collections::BTreeSet;
use std::process::Command;
use support::{Memcached, Script, kamailio};

/// The dynamic symbols that `nm` lists for a file, without their versions.
fn symbols(path: &std::path::Path, which: &str) -> BTreeSet<String> {
    let out = Command::new("nm").args(["-D", which]).arg(path).output().expect("nm");
    let text = String::from_utf8(out.stdout).expect("symbols are text");
    let name =
        |line: &str| line.split_whitespace().last().map(|name| name.split('@').next().unwrap_or(name).to_owned());
    text.lines().filter_map(name).collect()
}

#[test]
fn no_symbol_of_the_host_is_linked() {
    let module = kamailio::built_module();
    let needed = symbols(&module, "--undefined-only");
    assert!(needed.contains("dlsym"), "nm lists {needed:?}");
    let host = symbols(&kamailio::binary(), "--defined-only");
    assert!(host.contains("pv_get_strval"));
    // The C library's names that the host defines anew work without it just as well.
    let libc = ["pthread_mutex_init", "pthread_rwlock_init", "environ", "stderr", "stdout"];
    let linked: Vec<_> = needed.intersection(&host).filter(|name| !libc.contains(&name.as_str())).collect();
    assert!(linked.is_empty(), "{linked:?}");
}

#[test]
fn what_the_loader_looks_for_is_there() {
    let ours = symbols(&kamailio::built_module(), "--defined-only");
    for name in ["module_version", "module_flags", "mod_register", "_shardcache_exports"] {
        assert!(ours.contains(name), "{name}");
    }
}

#[test]
fn a_known_host_is_greeted_once() {
    let host = Script::new().table("t=>").start();
    let log = host.log();
    let greeting: Vec<_> =
        log.lines().filter(|line| line.contains("NOTICE: shardcache") && line.contains("flags:")).collect();
    assert_eq!(greeting.len(), 1, "{log}");
    assert!(greeting[0].contains(" in kamailio "));
    assert!(!log.contains("WARNING: shardcache"), "{log}");
}

/// The real host with another version written over its own, of the same length: what it says when it checks a script.
fn says(version: &str, force: bool) -> (bool, String) {
    let real = std::fs::read(kamailio::binary()).expect("the host's file");
    let own = Command::new(kamailio::binary()).arg("-v").output().expect("kamailio -v").stdout;
    let own = String::from_utf8_lossy(&own).split_whitespace().nth(2).expect("a version").to_owned();
    assert_eq!(own.len(), version.len(), "this host's version cannot be overwritten");
    let mut bytes = real.clone();
    for at in places(&real, own.as_bytes()) {
        bytes[at..at + own.len()].copy_from_slice(version.as_bytes());
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (host, module, cfg) = (dir.path().join("host"), dir.path().join("shardcache.so"), dir.path().join("c.cfg"));
    std::fs::write(&host, bytes).expect("the copy");
    std::fs::set_permissions(&host, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a program");
    std::fs::copy(kamailio::built_module(), &module).expect("the module");
    std::fs::write(&cfg, format!("loadmodule \"{}\"\nrequest_route {{ exit; }}\n", module.display()))
        .expect("a script");
    let mut command = Command::new(&host);
    command.args(["-c", "-E", "-m", "64", "-M", "8", "-f"]).arg(&cfg);
    if force {
        command.env("SHARDCACHE_FORCE_HOST", "1");
    }
    let out = command.output().expect("the host runs");
    (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Where `word` stands in `text`.
fn places<'a>(text: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    text.windows(word.len()).enumerate().filter(move |(_, part)| *part == word).map(|(at, _)| at)
}

#[test]
fn a_host_is_judged_by_its_own_words() {
    for (version, force, good, said) in [
        ("5.6.9", false, true, "newer than 5.6.6"),
        ("6.1.9", false, true, "newer than 6.1.5"),
        ("5.9.0", false, false, "series 5.9 is not known (SHARDCACHE_FORCE_HOST=1 forces it)"),
        ("5.9.0", true, true, "series 5.9 is not known, but SHARDCACHE_FORCE_HOST is set"),
        ("7.0.0", false, false, "refuses kamailio 7.0.0"),
    ] {
        let (started, log) = says(version, force);
        assert!(started == good && log.contains(said), "{version}: {log}");
    }
}

/// An expression is fixed up at each call: what is wrong then is the call's own -3.
#[test]
fn a_wrong_expression_at_run_time_is_minus_three() {
    let server = Memcached::tcp();
    let host = Script::new()
        .server(&server.spec("mc1"))
        .table("t=>")
        .route("ttl", "$var(n) = 3;\nshc_touch(\"t\", \"k\", $var(n) - 5);\n$var(rc) = $rc;\n$var(out) = $shcst(err);")
        .route(
            "table",
            "$var(n) = \"x\";\nshc_set($var(n) + \"y\", \"k\", \"v\");\n$var(rc) = $rc;\n$var(out) = $shcst(err);",
        )
        .route(
            "good",
            "$var(n) = 3;\nshc_set(\"t\", \"k\", $var(n) + 5);\n$var(rc) = $rc;\n$var(out) = $shc(t=>k) + 1;",
        )
        .start();
    for (route, rc, out) in [("ttl", -3, "bad ttl"), ("table", -3, "unknown table"), ("good", 1, "9")] {
        let outcome = host.run(route);
        assert_eq!((outcome.rc, outcome.out.as_str()), (rc, out), "{route}");
    }
}

/// Needs a module built with the feature `inject-panics`: `cargo test --features inject-panics --test loading`.
#[cfg(feature = "inject-panics")]
mod panics {
    use super::*;

    fn script(server: &Memcached) -> Script {
        Script::new()
            .server(&server.spec("mc1"))
            .table("t=>")
            .route("set", "shc_set(\"t\", \"k\", \"v\");\n$var(rc) = $rc;")
            .route("get", "$var(out) = $shc(t=>k);")
            .route("assign", "$shc(t=>k) = \"v\";\n$var(out) = $shcst(rc);")
            .route("hello", "$var(out) = \"hello\";")
    }

    #[test]
    fn a_panic_in_an_entry_is_answered_and_the_host_goes_on() {
        let server = Memcached::tcp();
        for (entry, route, rc, out) in [
            ("shc_set", "set", -3, ""),
            ("$shc", "get", 0, "0"),
            ("$shc =", "assign", 0, "1"),
            ("$shcst", "assign", 0, "0"),
            ("fixup", "hello", 0, ""),
        ] {
            let kamailio =
                script(&server).kamailio().env("SHARDCACHE_INJECT_PANIC", entry).allow("shardcache").allow("");
            if entry == "fixup" {
                assert!(kamailio.refused().contains("injected into fixup"));
                continue;
            }
            let mut host = kamailio.start();
            for _ in 0..3 {
                let outcome = host.run(route);
                assert_eq!((outcome.rc, outcome.out.as_str()), (rc, out), "{entry}");
            }
            assert_eq!(host.run("hello").out, "hello");
            let log = host.log();
            assert!(log.contains("host/entry.rs:") && log.contains(&format!("injected into {entry}")), "{log}");
            assert!(host.runs());
        }
    }
}
