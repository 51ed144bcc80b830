//! Event routes: a server goes, comes back, all are gone; the script is told once each, by name and with the reason.

mod support;

use std::time::Duration;
use support::{Host, Memcached, Script, until};

const ROUTES: &str = r#"
event_route[shardcache:server-down] { xlog("L_NOTICE", "told: down $shcst(server) because <$shcst(err)>\n"); }
event_route[shardcache:server-up] { xlog("L_NOTICE", "told: up $shcst(server)\n"); }
event_route[shardcache:all-down] { xlog("L_NOTICE", "told: all down\n"); }
"#;

const LUA: &str = r#"
function ksr_request_route() KSR.sl.sl_send_reply(200, "OK") end
function ksr_xhttp_event(name) KSR.jsonrpcs.dispatch() return 1 end
function shc_event(name)
    KSR.notice("told: " .. name .. " " .. tostring(KSR.shc.st("server")) .. "\n")
    return 1
end
"#;

fn told(host: &Host, text: &str) -> usize {
    host.log().lines().filter(|l| l.contains("told:") && l.contains(text)).count()
}

fn wait(host: &Host, text: &str, count: usize) {
    let seen = || if told(host, text) >= count { Ok(()) } else { Err(host.log()) };
    until(&format!("'{text}' {count} times"), Duration::from_secs(15), seen);
}

#[test]
fn each_change_is_told_once() {
    let mut servers = Memcached::many(2);
    let script = Script::new().server(&servers[0].spec("mc1")).server(&servers[1].spec("mc2")).table("t");
    let script = script.route("get", "shc_mget(\"t\", \"a,b,c,d,e,f,g,h\", \"m\");\n$var(rc) = $rc;");
    let host = script.raw(ROUTES).workers(4).start();
    host.run("get");
    servers[0].kill();
    (0..20).for_each(|_| drop(host.run("get")));
    wait(&host, "down mc1 because <", 1);
    assert!(!host.log().contains("because <>"), "no reason");
    assert_eq!(told(&host, "all down"), 0);
    servers[1].kill();
    (0..20).for_each(|_| drop(host.run("get")));
    wait(&host, "down mc2", 1);
    wait(&host, "all down", 1);
    servers.iter_mut().for_each(Memcached::restart);
    wait(&host, "up mc1", 1);
    wait(&host, "up mc2", 1);
    let counts = ["down mc1", "down mc2", "all down", "up mc1", "up mc2"].map(|text| told(&host, text));
    assert_eq!(counts, [1; 5], "{}", host.log());
}

#[test]
fn a_drained_server_is_told_with_its_reason() {
    let servers = Memcached::many(2);
    let script = Script::new().server(&servers[0].spec("mc1")).server(&servers[1].spec("mc2")).table("t");
    let host = script.raw(ROUTES).start();
    let set = |state: &str| host.ask("shc.set_state", &["mc1".into(), state.into()]);
    set("drain");
    wait(&host, "down mc1 because <drained>", 1);
    host.wait_log("is drained by the operator");
    set("undrain");
    wait(&host, "up mc1", 1);
}

#[test]
fn an_embedded_language_is_told_too() {
    use support::script::{MODULES, SETTINGS};
    let mut server = Memcached::tcp();
    let own = format!(
        "loadmodule \"app_lua.so\"\nloadmodule \"shardcache.so\"\nmodparam(\"app_lua\", \"load\", \"%%DIR%%/e.lua\")\n\
         modparam(\"xhttp\", \"event_callback\", \"ksr_xhttp_event\")\nmodparam(\"shardcache\", \"server\", \"{}\")\n\
         modparam(\"shardcache\", \"table\", \"t\")\nmodparam(\"shardcache\", \"event_callback\", \"shc_event\")\ncfgengine \"lua\"\n",
        server.spec("mc1")
    );
    let plan = support::Kamailio::cfg(format!("{SETTINGS}{MODULES}{own}")).set("WORKERS", 1).file("e.lua", LUA);
    let host = plan.start();
    server.kill();
    wait(&host, "shardcache:server-down mc1", 1);
    wait(&host, "shardcache:all-down", 1);
    server.restart();
    wait(&host, "shardcache:server-up mc1", 1);
}
