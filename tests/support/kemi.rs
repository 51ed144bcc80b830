//! The same steps in Lua and in Python, through `KSR.shc`: a route called `steps` that prints what each gave.

use super::Memcached;
use super::host::Host;
use super::kamailio::Kamailio;
use super::script::{MODULES, SETTINGS};

/// What both print.
pub const STEPS: &str = "-1 nil,-1 ,-1 <<null>>,1 1,1 v,1 v,1 v,1 7,1 8,1 8,1 18,1 9,1 60,1 90,1 w,1 1,1 2,1 v,5000000000 5000000001,5000000001 1,-1 mc1,1 <>,1 v,1 <v>,1 <>,-3 empty tag,1 gold,1 gold,-1 2,-1 nil,-1 nil,-3 no result,-3 unknown table";

const LUA: &str = r#"
local out = {}
local function note(rc, value)
    if value == nil then value = "nil" end
    table.insert(out, tostring(rc) .. " " .. tostring(value))
end
local function st() return KSR.shc.st("rc") end
function steps()
    out = {}
    KSR.shc.rm("t", "k"); KSR.shc.rm("t", "n"); KSR.shc.rm("t", "m")
    local v = KSR.shc.get("t", "k"); note(st(), v)
    v = KSR.shc.gete("t", "k"); note(st(), v)
    v = KSR.shc.getw("t", "k"); note(st(), v)
    note(KSR.shc.set("t", "k", "v"), st())
    v = KSR.shc.get("t", "k"); note(st(), v)
    v = KSR.shc.gete("t", "k"); note(st(), v)
    v = KSR.shc.getw("t", "k"); note(st(), v)
    KSR.shc.seti("t", "n", 7); v = KSR.shc.get("t", "n"); note(st(), v)
    v = KSR.shc.incv("t", "n"); note(st(), v)
    note(KSR.shc.touch("t", "n", 60), KSR.shc.get("t", "n"))
    note(KSR.shc.inc_by("t", "n", "10"), KSR.shc.get("t", "n"))
    KSR.shc.dec_by("t", "n", "8"); v = KSR.shc.decv("t", "n"); note(st(), v)
    note(KSR.shc.set_ttl("t", "m", "x", 60), KSR.shc.ex("t", "m"))
    note(KSR.shc.touch("t", "m", 90), KSR.shc.ex("t", "m"))
    KSR.shc.get("t", "m"); note(KSR.shc.cas("t", "m", "w"), KSR.shc.get("t", "m"))
    note(KSR.shc.lock("t", "l", 30), KSR.shc.unlock("t", "l"))
    note(KSR.shc.mget("t", "k,m", "res"), KSR.pv.get("$xavp(res=>n)"))
    note(KSR.shc.row("t", "k", "row"), KSR.pv.get("$xavp(row=>value)"))
    KSR.shc.setn("t", "w", "5000000000"); v = KSR.pv.get("$shc(t=>w)"); note(v, KSR.pv.get("$shcinc(t=>w)"))
    KSR.shc.mget("t", "w", "res"); note(KSR.pv.get("$xavp(res=>v[0])"), st())
    note(KSR.shc.rm("t", "none"), KSR.shc.st("server"))
    note(KSR.shc.bump("t"), "<" .. KSR.shc.gete("t", "k") .. ">")
    KSR.shc.set("g", "k", "v"); KSR.shc.set("g", "other", "v"); note(KSR.shc.tag("g", "k", "site"), KSR.shc.get("g", "k"))
    note(KSR.shc.invalidate_tag("user:k"), "<" .. KSR.shc.gete("g", "k") .. KSR.shc.gete("g", "other") .. ">")
    KSR.shc.tag("g", "other", "site"); note(KSR.shc.invalidate_tag("site"), "<" .. KSR.shc.gete("g", "other") .. ">")
    note(KSR.shc.invalidate_tag(""), KSR.shc.st("err"))
    runs = 0
    note(KSR.shc.cached_route("t", "yes", "LOOKUP_YES"), KSR.pv.get("$shcval"))
    note(KSR.shc.cached_route("t", "yes", "LOOKUP_YES"), KSR.pv.get("$shcval"))
    note(KSR.shc.cached_route("t", "no", "LOOKUP_NO"), runs)
    KSR.pv.sets("$shcval", "mine"); note(KSR.shc.cached_route("t", "no", "LOOKUP_NO"), KSR.pv.get("$shcval"))
    note(KSR.shc.cached_route("t", "no", "LOOKUP_NO"), KSR.pv.get("$shcval"))
    note(KSR.shc.cached_route("t", "silent", "LOOKUP_SILENT"), KSR.shc.st("err"))
    note(KSR.shc.cached_route("none", "k", "LOOKUP_NO"), KSR.shc.st("err"))
    return table.concat(out, ",")
end
function LOOKUP_YES()
    runs = runs + 1
    KSR.pv.sets("$shcval", "gold")
    KSR.shc.result(1)
end
function LOOKUP_NO()
    runs = runs + 1
    KSR.shc.result(-1)
end
function LOOKUP_SILENT()
    KSR.x.exit()
end
function ksr_request_route()
    local ok, text = pcall(steps)
    KSR.hdr.append_to_reply("X-Out: " .. tostring(text) .. "\r\nX-RC: 1\r\n")
    KSR.sl.sl_send_reply(200, "OK")
end
function ksr_xhttp_event(name)
    KSR.jsonrpcs.dispatch()
    return 1
end
"#;

const PYTHON: &str = r#"
import KSR as KSR

def mod_init():
    return kamailio()

class kamailio:
    def __init__(self):
        pass

    def child_init(self, rank):
        return 0

    def note(self, rc, value):
        self.out.append("%s %s" % (rc, "nil" if value is None else value))

    def st(self):
        return KSR.shc.st("rc")

    def steps(self):
        shc, note = KSR.shc, self.note
        self.out = []
        shc.rm("t", "k"); shc.rm("t", "n"); shc.rm("t", "m")
        v = shc.get("t", "k"); note(self.st(), v)
        v = shc.gete("t", "k"); note(self.st(), v)
        v = shc.getw("t", "k"); note(self.st(), v)
        note(shc.set("t", "k", "v"), self.st())
        v = shc.get("t", "k"); note(self.st(), v)
        v = shc.gete("t", "k"); note(self.st(), v)
        v = shc.getw("t", "k"); note(self.st(), v)
        shc.seti("t", "n", 7); v = shc.get("t", "n"); note(self.st(), v)
        v = shc.incv("t", "n"); note(self.st(), v)
        note(shc.touch("t", "n", 60), shc.get("t", "n"))
        note(shc.inc_by("t", "n", "10"), shc.get("t", "n"))
        shc.dec_by("t", "n", "8"); v = shc.decv("t", "n"); note(self.st(), v)
        note(shc.set_ttl("t", "m", "x", 60), shc.ex("t", "m"))
        note(shc.touch("t", "m", 90), shc.ex("t", "m"))
        shc.get("t", "m"); note(shc.cas("t", "m", "w"), shc.get("t", "m"))
        note(shc.lock("t", "l", 30), shc.unlock("t", "l"))
        note(shc.mget("t", "k,m", "res"), KSR.pv.get("$xavp(res=>n)"))
        note(shc.row("t", "k", "row"), KSR.pv.get("$xavp(row=>value)"))
        shc.setn("t", "w", "5000000000"); v = KSR.pv.get("$shc(t=>w)"); note(v, KSR.pv.get("$shcinc(t=>w)"))
        shc.mget("t", "w", "res"); note(KSR.pv.get("$xavp(res=>v[0])"), self.st())
        note(shc.rm("t", "none"), shc.st("server"))
        note(shc.bump("t"), "<" + shc.gete("t", "k") + ">")
        shc.set("g", "k", "v"); shc.set("g", "other", "v"); note(shc.tag("g", "k", "site"), shc.get("g", "k"))
        note(shc.invalidate_tag("user:k"), "<" + shc.gete("g", "k") + shc.gete("g", "other") + ">")
        shc.tag("g", "other", "site"); note(shc.invalidate_tag("site"), "<" + shc.gete("g", "other") + ">")
        note(shc.invalidate_tag(""), shc.st("err"))
        self.runs = 0
        note(shc.cached_route("t", "yes", "lookup_yes"), KSR.pv.get("$shcval"))
        note(shc.cached_route("t", "yes", "lookup_yes"), KSR.pv.get("$shcval"))
        note(shc.cached_route("t", "no", "lookup_no"), self.runs)
        KSR.pv.sets("$shcval", "mine"); note(shc.cached_route("t", "no", "lookup_no"), KSR.pv.get("$shcval"))
        note(shc.cached_route("t", "no", "lookup_no"), KSR.pv.get("$shcval"))
        note(shc.cached_route("t", "silent", "lookup_silent"), shc.st("err"))
        note(shc.cached_route("none", "k", "lookup_no"), shc.st("err"))
        return ",".join(self.out)

    def lookup_yes(self, msg):
        self.runs += 1
        KSR.pv.sets("$shcval", "gold")
        KSR.shc.result(1)
        return 1

    def lookup_no(self, msg):
        self.runs += 1
        KSR.shc.result(-1)
        return 1

    def lookup_silent(self, msg):
        return 1

    def ksr_request_route(self, msg):
        try:
            text = self.steps()
        except Exception as error:
            text = repr(error)
        KSR.hdr.append_to_reply("X-Out: %s\r\nX-RC: 1\r\n" % text)
        KSR.sl.sl_send_reply(200, "OK")
        return 1

    def ksr_xhttp_event(self, msg, name):
        KSR.jsonrpcs.dispatch()
        return 1
"#;

/// A Python program that does nothing.
pub const IDLE: &str =
    "class idle:\n    def child_init(self, rank):\n        return 0\n\ndef mod_init():\n    return idle()\n";

#[derive(Clone, Copy, Debug)]
pub enum Language {
    Lua,
    Python,
}

/// A host whose routing logic is in `language`; `table`: how `t` is kept, on the servers mc1 and so on.
pub fn host(language: Language, table: &str, servers: &[Memcached]) -> Kamailio {
    let servers: String =
        (1..).zip(servers).map(|(n, server)| parameter("server", &server.spec(&format!("mc{n}")))).collect();
    let tables = parameter("table", table) + &parameter("table", "g=>tag=user:$key");
    let (module, engine, file, text) = match language {
        Language::Lua => ("app_lua", "lua", "test.lua", LUA),
        Language::Python => ("app_python3", "python", "test.py", PYTHON),
    };
    let own = format!(
        "loadmodule \"{module}.so\"\nloadmodule \"shardcache.so\"\nmodparam(\"{module}\", \"load\", \"%%DIR%%/{file}\")\n\
         modparam(\"xhttp\", \"event_callback\", \"ksr_xhttp_event\")\n{servers}{tables}\
         modparam(\"shardcache\", \"cmd_timeout\", 2000)\ncfgengine \"{engine}\"\n"
    );
    Kamailio::cfg(format!("{SETTINGS}{MODULES}{own}")).set("WORKERS", 1).file(file, text)
}

fn parameter(name: &str, value: &str) -> String {
    format!("modparam(\"shardcache\", \"{name}\", \"{value}\")\n")
}

/// Runs the steps and compares them, whichever server a key is at home on.
pub fn walk(host: &Host) {
    let said = host.out("steps").replace("mc2", "mc1");
    let (said, expected): (Vec<_>, Vec<_>) = (said.split(',').collect(), STEPS.split(',').collect());
    assert_eq!(said, expected);
}
