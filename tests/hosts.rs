//! One module, any host: the same file works in each series of Kamailio, whatever was loaded before it and however the
//! host runs. This machine's Kamailio always; those in the root directories of `KAMAILIO_ROOTS` too (`make test-hosts`).

mod support;

use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::cases::Case;
use support::kamailio::Ready;
use support::kemi::{self, Language};
use support::{Memcached, Script, process, until};

const STEPS: &[Case] = &[
    ("a miss", "shc_get(\"t\", \"k\", \"$var(v)\")", -1, "$shc(t=>k)", "<null>"),
    ("set", "shc_set(\"t\", \"k\", \"v\")", 1, "$shc(t=>k)", "v"),
    ("get", "shc_get(\"t\", \"k\", \"$var(v)\")", 1, "$var(v)", "v"),
    ("a number", "$shc(t=>n) = -5", 1, "$shc(t=>n)", "-5"),
    ("a large one", "shc_set(\"t\", \"b\", \"9223372036854775807\")", 1, "$shc(t=>b)", "9223372036854775807"),
    ("compared", "$var(x) = 0; if ($shc(t=>n) == -5) $var(x) = 1", 1, "$var(x)", "1"),
    ("inc", "shc_inc(\"t\", \"c\", \"5\", \"100\")", 1, "$shcinc(t=>c)", "106"),
    ("dec", "shc_dec(\"t\", \"c\")", 1, "$shcdec(t=>c)", "104"),
    ("many", "shc_mget(\"t\", \"k,none,c\", \"m\")", 1, "$xavp(m=>v[0])|$xavp(m=>v[1])|$xavp(m=>v[2])", "v|<null>|104"),
    ("a lifetime", "$shcex(t=>k) = 60", 1, "$shcex(t=>k)", "~60"),
    ("a token", "shc_get(\"t\", \"k\", \"$var(v)\"); shc_cas(\"t\", \"k\", \"w\")", 1, "$shc(t=>k)", "w"),
    ("a lock", "shc_lock(\"t\", \"l\", \"30\"); shc_unlock(\"t\", \"l\")", 1, "", ""),
    ("deleted", "$shc(t=>k) = $null", 1, "$shc(t=>k)", "<null>"),
    ("a bump", "shc_bump(\"t\")", 1, "$shc(t=>c)", "<null>"),
    ("what was said", "shc_get(\"t\", \"none\", \"$var(v)\")", -1, "$shcst(rc) $shcst(server)", "-1 mc1"),
];

/// For hosts whose numbers have 64 bits. Their literals have 32 all the same.
const WIDE: &[Case] = &[
    ("assigned", "$shc(t=>w) = 50000 * 100000", 1, "$shc(t=>w)", "5000000000"),
    ("from a variable", "$var(n) = 50000 * 100000; shc_set(\"t\", \"v\", \"$var(n)\")", 1, "$shc(t=>v)", "5000000000"),
    (
        "from an expression",
        "$var(n) = 50000 * 100000; shc_set(\"t\", \"v\", $var(n) + 7)",
        1,
        "$shc(t=>v)",
        "5000000007",
    ),
    ("a sum", "$shc(t=>w) = $shc(t=>w) + 1", 1, "$shc(t=>w)", "5000000001"),
    ("negative", "$shc(t=>m) = 0 - $shc(t=>w)", 1, "$shc(t=>m)", "-5000000001"),
    ("compared", "$var(x) = 0; if ($shc(t=>w) > 50000 * 100000) $var(x) = 1", 1, "$var(x)", "1"),
    ("counted", "$var(x) = $shcinc(t=>w) + 1", 1, "$var(x)", "5000000003"),
    ("fetched", "shc_get(\"t\", \"w\", \"$var(v)\"); $var(v) = $var(v) + 1", 1, "$var(v)", "5000000003"),
    ("many", "shc_mget(\"t\", \"w\", \"m\"); $var(x) = $xavp(m=>v[0]) + $shcm(0)", 1, "$var(x)", "10000000004"),
    ("the largest", "shc_set(\"t\", \"b\", \"9223372036854775807\")", 1, "$shc(t=>b)", "9223372036854775807"),
    ("the largest less one", "$shc(t=>b) = $shc(t=>b) - 1", 1, "$shc(t=>b)", "9223372036854775806"),
    ("a lifetime is not cut", "$shcex(t=>w) = 65536 * 65536 + 60", -3, "$shcst(err)", "bad ttl"),
];

fn roots() -> Vec<Option<PathBuf>> {
    let given = std::env::var("KAMAILIO_ROOTS").unwrap_or_default();
    std::iter::once(None).chain(given.split_whitespace().map(|root| Some(PathBuf::from(root)))).collect()
}

/// Runs `test` on each host; what fails says on which.
fn on_each(test: impl Fn(Option<&Path>)) {
    for root in roots() {
        println!("host: {}", root.as_ref().map_or("this machine".into(), |r| r.display().to_string()));
        test(root.as_deref());
    }
}

fn script(server: &Memcached) -> Script {
    Script::new().server(&server.spec("mc1")).table("t=>autoexpire=0").cases(STEPS)
}

#[test]
fn it_loads_and_works() {
    on_each(|root| {
        let server = Memcached::tcp();
        let host = script(&server).kamailio().root(root).start();
        println!("{}", host.ask("core.version", &[]));
        host.walk(STEPS);
        host.wait_log("shardcache");
    });
}

#[test]
fn numbers_beyond_32_bits_are_numbers_where_the_host_has_them() {
    on_each(|root| {
        let server = Memcached::tcp();
        let script = Script::new().server(&server.spec("mc1")).table("t=>autoexpire=0").cases(WIDE);
        let host = script.kamailio().root(root).start();
        let version = host.ask("core.version", &[]).to_string();
        if !version.contains("kamailio 5.6") {
            host.walk(WIDE);
        }
    });
}

#[test]
fn after_modules_that_share_their_symbols() {
    on_each(|root| {
        let server = Memcached::tcp();
        let python = "modparam(\"app_python3\", \"load\", \"%%DIR%%/idle.py\")";
        let before = format!("loadmodule \"app_lua.so\"\nloadmodule \"app_python3.so\"\n{python}");
        let plan = script(&server).before(&before).kamailio().file("idle.py", kemi::IDLE);
        plan.root(root).start().walk(STEPS);
    });
}

#[test]
fn as_the_very_first_module() {
    on_each(|root| {
        let server = Memcached::tcp();
        script(&server).first().kamailio().root(root).start().walk(STEPS);
    });
}

#[test]
fn in_a_single_process() {
    on_each(|root| {
        let server = Memcached::tcp();
        let single = script(&server).before("fork=no");
        single.kamailio().ready(Ready::Sip).root(root).start().walk(STEPS);
    });
}

#[test]
fn in_the_background() {
    on_each(|root| {
        let server = Memcached::tcp();
        let mut host = script(&server).kamailio().daemon().root(root).start();
        host.walk(STEPS);
        assert!(host.runs());
    });
}

#[test]
fn as_an_unprivileged_user() {
    on_each(|root| {
        let server = Memcached::tcp();
        let plan = script(&server).kamailio().root(root);
        let plan = if process::is_root() { plan.arg("-u").arg("nobody").arg("-g").arg("nogroup") } else { plan };
        let host = plan.start();
        host.walk(STEPS);
        let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).expect("status");
        let root_user = status.lines().any(|l| l.starts_with("Uid:\t0\t"));
        assert!(!root_user, "runs as root");
    });
}

#[test]
fn over_a_unix_socket_and_in_the_hosts_own_memory() {
    on_each(|root| {
        let local = Script::new().table("t").route("inc", "$var(out) = $shcinc(t=>n);");
        let host = local.kamailio().root(root).start();
        assert_eq!((host.out("inc"), host.out("inc")), ("1".into(), "2".into()));
        if root.is_none() {
            script(&Memcached::unix()).start().walk(STEPS);
        }
    });
}

#[test]
fn rpc_and_statistics() {
    on_each(|root| {
        let server = Memcached::tcp();
        let metrics = "if ($hu =~ \"^/metrics\") { prom_dispatch(); return; }";
        let modules = "loadmodule \"xhttp_prom.so\"\nmodparam(\"xhttp_prom\", \"xhttp_prom_stats\", \"all\")";
        let host = script(&server).before(modules).http(metrics).kamailio().root(root).start();
        host.ask("shc.set", &[json!("t"), json!("k"), json!("v")]);
        host.ask("shc.seti", &[json!("t"), json!("n"), json!(-5)]);
        assert_eq!(host.ask("shc.get", &[json!("t"), json!("k")])["value"], json!("v"));
        assert_eq!(host.ask("shc.get", &[json!("t"), json!("n")])["value"], json!(-5));
        assert!(host.kamcmd(&["shc.get", "t", "k"]).expect("kamcmd").contains("value: v"));
        assert!(host.kamcmd(&["shc.list"]).expect("kamcmd").contains("mc1"));
        assert_eq!(host.rpc("shc.get", &[json!("t"), json!("none")]).expect_err("a fault").code, 404);
        let hits = || if host.statistic("table_t_hits") >= 3 { Ok(()) } else { Err(host.statistic("table_t_hits")) };
        until("the statistics to count", Duration::from_secs(2), hits);
        let text = support::rpc::http(host.port(), "GET", "/metrics", "").expect("metrics");
        assert!(text.contains("kamailio_shardcache_table_t_hits"), "{text}");
    });
}

#[test]
fn embedded_languages() {
    on_each(|root| {
        for language in [Language::Lua, Language::Python] {
            for (table, servers) in [("t", 1), ("t=>copies=2", 2)] {
                println!("{language:?} {table}");
                let servers = Memcached::many(servers);
                let host = kemi::host(language, table, &servers).root(root).start();
                if servers.len() > 1 {
                    host.until_whole();
                }
                kemi::walk(&host);
            }
        }
    });
}
