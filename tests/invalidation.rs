//! The recipes of docs/INVALIDATION.md, run as they stand there: what one proxy or a tool invalidates, the other proxy no longer serves.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use support::kamailio::Ready;
use support::sip::Request;
use support::{Host, Kamailio, Memcached, Script, ports, process, rpc, until};

const LIMIT: Duration = Duration::from_secs(20);

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file)
}

/// The shell commands of a chapter, in order.
fn recipes(heading: &str) -> Vec<String> {
    let page = read("docs/INVALIDATION.md");
    let chapter = page.split("\n### ").find(|part| part.starts_with(heading)).expect(heading);
    let blocks = chapter.split("\n```sh\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().expect("its end").to_owned()).collect()
}

/// A proxy as the example configures it.
struct Proxy {
    host: Host,
    http: u16,
}

impl Proxy {
    fn new(servers: &[Memcached]) -> Self {
        let http = ports::free();
        let mut plan = Kamailio::cfg(read("cfg-examples/rpc-http.cfg")).ready(Ready::Sip);
        plan = plan.define("SIP_PORT", "%%SIP_PORT%%").define("HTTP_PORT", &http.to_string());
        for (server, name) in servers.iter().zip(["mc1", "mc2", "mc3"]) {
            plan = plan.define(&name.to_uppercase(), &format!("\"{}\"", server.spec(name)));
        }
        Self { host: plan.start(), http }
    }

    fn store(&self, key: &str) {
        let params = [json!("ipauth"), json!(key), json!("yes")];
        until("the entry to be stored", LIMIT, || {
            rpc::json(self.http, "shc.set", &params).expect("HTTP").map_err(|fault| fault.to_string())
        });
    }

    /// Does it answer from the cache?
    fn serves(&self, key: &str) -> bool {
        let reply = self.host.send(&Request { user: key, ..Request::default() });
        assert!([200, 404].contains(&reply.status), "{}", reply.status);
        reply.status == 200
    }

    /// Runs a recipe as it stands, with this farm's addresses.
    fn follow(&self, recipe: &str, server: &Memcached) -> Output {
        let tools = tempfile::tempdir().expect("temporary directory");
        let socket = self.host.dir().join("run/kamailio_ctl");
        let kamcmd = format!("{} -s unixs:{}", process::need("kamcmd").display(), socket.display());
        for (name, real) in [("kamcmd", kamcmd.as_str()), ("shcctl", env!("CARGO_BIN_EXE_shcctl"))] {
            let file = tools.path().join(name);
            fs::write(&file, format!("#!/bin/sh\nexec {real} \"$@\"\n")).expect("a tool");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a tool");
        }
        let recipe = recipe.replace("10.0.0.1:8080", &format!("127.0.0.1:{}", self.http));
        let recipe = recipe.replace("10.0.0.11:11211", &server.addr());
        let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").expect("PATH"));
        Command::new("sh").args(["-euc", &recipe]).env("PATH", path).output().expect("sh")
    }
}

/// Each recipe is run on one proxy; the other one served the entry before, and does not soon afterwards. The one that
/// was `asked` does not from then on.
fn follow(heading: &str, count: usize, asked: bool) {
    let servers = Memcached::many(3);
    let (one, other) = (Proxy::new(&servers), Proxy::new(&servers));
    let recipes = recipes(heading);
    assert_eq!(recipes.len(), count, "{recipes:?}");
    for recipe in recipes {
        other.store("alice");
        assert!(other.serves("alice") && one.serves("alice"));
        until("the recipe to work", LIMIT, || {
            let output = one.follow(&recipe, &servers[0]);
            if output.status.success() { Ok(()) } else { Err(format!("{recipe}: {output:?}")) }
        });
        assert!(!asked || !one.serves("alice"), "{recipe}");
        let serves = || one.serves("alice") || other.serves("alice");
        until("both proxies to follow", LIMIT, || if serves() { Err("not yet") } else { Ok(()) });
    }
}

#[test]
fn kamcmd_on_a_proxy() {
    follow("kamcmd", 3, true);
}

#[test]
fn http_from_anywhere() {
    follow("HTTP", 4, true);
}

#[test]
fn shcctl_without_kamailio() {
    follow("shcctl", 3, false);
}

#[test]
fn a_script_invalidates_whether_or_not_something_is_there() {
    let servers = Memcached::many(2);
    let script = Script::new().table("t").server(&servers[0].spec("mc1")).server(&servers[1].spec("mc2"));
    let host = script
        .route("set", "shc_set(\"t\", \"k\", \"v\"); $var(rc) = $rc;")
        .route("get", "$var(out) = $shc(t=>k); $var(rc) = $shcst(rc);")
        .route("invalidate", "shc_invalidate(\"t\", \"k\"); $var(rc) = $rc;")
        .start();
    until("the cache to serve", LIMIT, || if host.rc("set") == 1 { Ok(()) } else { Err("not yet") });
    assert_eq!((host.rc("get"), host.rc("invalidate"), host.rc("get"), host.rc("invalidate")), (1, 1, -1, 1));
    assert_eq!(host.statistic("table_t_invalidations"), 2);
    let gone = |key: &str| host.rpc("shc.invalidate", &[json!("t"), json!(key)]).map_err(|fault| fault.code);
    assert_eq!((gone("k"), gone("")), (Ok(json!("invalidated")), Err(400)));
    assert_eq!(host.rpc("shc.invalidate", &[json!("nobodys"), json!("k")]).expect_err("a fault").code, 404);
}

const TOLD: &str = r#"
event_route[shardcache:invalidated:t] {
    xlog("L_NOTICE", "told: <$shcst(key)> left $shc(t=>$shcst(key)) and $shcst(rc) <$shcst(key)>\n");
}
"#;

fn told(host: &Host) -> Vec<String> {
    let line = |line: &str| line.split_once("told: ").map(|(_, told)| told.to_owned());
    host.log().lines().filter_map(line).collect()
}

#[test]
fn the_script_of_the_proxy_that_is_asked_is_told_before_the_answer() {
    let server = Memcached::tcp();
    let script = Script::new().server(&server.spec("mc1")).table("t").table("quiet").raw(TOLD);
    let script = script.route("own", "shc_invalidate(\"t\", \"own\"); $var(out) = \"<\" + $shcst(key) + \">\";");
    let (host, other) = (script.start(), script.start());
    let ask = |method: &str, params: [&str; 2]| drop(host.rpc(method, &params.map(Value::from)));
    ask("shc.invalidate", ["t", "a b"]);
    host.kamcmd(&["shc.invalidate", "t", "c"]).expect("kamcmd");
    let want = ["<a b> left <null> and -1 <a b>", "<c> left <null> and -1 <c>"];
    assert_eq!(told(&host), want);
    ask("shc.invalidate", ["quiet", "k"]);
    ask("shc.delete", ["t", "k"]);
    assert_eq!(host.out("own"), "<>");
    assert_eq!((told(&host).len(), told(&other).len()), (2, 0));
}

const LUA: &str = r#"
function ksr_request_route() KSR.sl.sl_send_reply(200, "OK") end
function ksr_xhttp_event(name) KSR.jsonrpcs.dispatch() return 1 end
function shc_event(name)
    KSR.notice("told: " .. name .. " <" .. tostring(KSR.shc.st("key")) .. ">\n")
    return 1
end
"#;

#[test]
fn an_embedded_language_is_told_too() {
    let server = Memcached::tcp();
    let own = format!(
        "loadmodule \"app_lua.so\"\nloadmodule \"shardcache.so\"\nmodparam(\"app_lua\", \"load\", \"%%DIR%%/e.lua\")\n\
         modparam(\"xhttp\", \"event_callback\", \"ksr_xhttp_event\")\nmodparam(\"shardcache\", \"server\", \"{}\")\n\
         modparam(\"shardcache\", \"table\", \"t\")\nmodparam(\"shardcache\", \"event_callback\", \"shc_event\")\ncfgengine \"lua\"\n",
        server.spec("mc1")
    );
    let text = format!("{}{}{own}", support::script::SETTINGS, support::script::MODULES);
    let host = Kamailio::cfg(text).set("WORKERS", 1).file("e.lua", LUA).start();
    host.kamcmd(&["shc.invalidate", "t", "a"]).expect("kamcmd");
    host.ask("shc.invalidate", &[json!("t"), json!("b")]);
    host.ask("shc.invalidate", &[json!("t"), json!("c")]);
    assert_eq!(told(&host), ["a", "b", "c"].map(|key| format!("shardcache:invalidated:t <{key}>")));
}

#[test]
fn shcctl_says_what_is_wrong() {
    let mut servers = Memcached::many(2);
    let script = Script::new().table("t").table("two=>copies=2");
    let host =
        servers.iter().enumerate().fold(script, |s, (i, server)| s.server(&server.spec(&format!("mc{i}")))).start();
    let run = |server: &Memcached, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shcctl"));
        command.args(["--timeout", "3000", "--server", &server.addr()]).args(words);
        let output = command.output().expect("shcctl");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
    };
    until("the farm to be known", LIMIT, || match run(&servers[1], &["invalidate", "t", "a", "b c", "-5"]) {
        (0, told, _) if told == "invalidated t=>a\ninvalidated t=>b c\ninvalidated t=>-5" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let (code, told, _) = run(&servers[0], &["--json", "invalidate", "two", "k"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((code, told), (0, json!({"table": "two", "key": "k", "done": "invalidated"})));
    let (code, told, _) = run(&servers[0], &["--json", "bump", "t"]);
    assert_eq!((code, told.as_str()), (0, r#"{"done":"bumped","table":"t"}"#));
    let (code, _, why) = run(&servers[0], &["invalidate", "nobodys", "k"]);
    assert!(code == 1 && why.contains("\"nobodys\""), "{code} {why}");
    for words in [&["invalidate", "t"][..], &["invalidate", "a b", "k"], &["invalidate", "t", ""], &["bump"]] {
        assert_eq!(run(&servers[0], words).0, 3, "{words:?}");
    }
    let fresh = Memcached::tcp();
    let (code, _, why) = run(&fresh, &["invalidate", "t", "k"]);
    assert!(code == 2 && why.contains(&fresh.addr()) && why.contains("holds no list"), "{code} {why}");
    drop(host);
    servers.iter_mut().for_each(Memcached::kill);
    let (code, _, why) = run(&servers[0], &["bump", "t"]);
    assert!(code == 2 && why.contains("connection refused"), "{code} {why}");
}
