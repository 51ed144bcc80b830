//! A short way to try a piece of routing script: a host with the usual modules, our module with some parameters, and one
//! route per piece. `run("name")` sends a request whose user part names the route and gives back `$var(out)` and `$var(rc)`.

use super::host::Host;
use super::kamailio::Kamailio;
use super::memcached::Memcached;
use super::sip::Request;
use std::time::Duration;

/// How a test host listens and logs.
pub const SETTINGS: &str = r#"#!KAMAILIO
debug=2
log_stderror=yes
memdbg=5
memlog=5
children=%%WORKERS%%
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
tcp_accept_no_cl=yes
tcp_rd_buf_size=65535
sip_warning=no
listen=udp:127.0.0.1:%%SIP_PORT%%
listen=tcp:127.0.0.1:%%SIP_PORT%%
"#;

/// What every test host has: RPC over HTTP and over the ctl socket, and the usual script functions.
pub const MODULES: &str = r#"loadmodule "ctl.so"
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "textopsx.so"
loadmodule "cfgutils.so"
loadmodule "xhttp.so"
loadmodule "jsonrpcs.so"
modparam("ctl", "binrpc", "unix:%%CTL%%")
modparam("jsonrpcs", "transport", 1)
"#;

/// Answers RPC over HTTP, and runs the route that the request's user part names.
const ROUTES: &str = r#"
event_route[xhttp:request] {
    $var(path) = $hu;
    %%HTTP%%
    jsonrpc_dispatch();
}
request_route {
    $var(out) = "";
    $var(rc) = 0;
    $var(route) = $rU;
    route($var(route));
    append_to_reply("X-Out: $var(out)\r\nX-RC: $var(rc)\r\n");
    sl_send_reply("200", "OK");
    exit;
}
"#;

#[derive(Clone)]
pub struct Script {
    before: String,
    params: String,
    routes: String,
    http: String,
    workers: usize,
    load: Load,
}

#[derive(Clone, Copy, PartialEq)]
enum Load {
    First,
    Last,
    Never,
}

/// What a route left behind.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub rc: i64,
    pub out: String,
    /// `$shcst(err)`, where the route gave it in `X-Err`.
    pub err: String,
}

impl Script {
    /// One worker, and a `cmd_timeout` that a busy machine keeps; where time is the matter, the test sets its own.
    pub fn new() -> Script {
        let (before, params, routes, http) = Default::default();
        Script { before, params, routes, http, workers: 1, load: Load::Last }.number("cmd_timeout", 1000)
    }

    /// `modparam("shardcache", name, "text")`
    pub fn text(mut self, name: &str, text: &str) -> Script {
        self.params += &format!("modparam(\"shardcache\", \"{name}\", \"{text}\")\n");
        self
    }

    /// `modparam("shardcache", name, number)`
    pub fn number(mut self, name: &str, number: i64) -> Script {
        self.params += &format!("modparam(\"shardcache\", \"{name}\", {number})\n");
        self
    }

    /// A server by the text of its parameter.
    pub fn server(self, spec: &str) -> Script {
        self.text("server", spec)
    }

    /// Servers by the names `mc1`, `mc2`, ...
    pub fn servers(self, servers: &[Memcached]) -> Script {
        Memcached::specs(servers).iter().fold(self, |script, spec| script.server(spec))
    }

    pub fn table(self, spec: &str) -> Script {
        self.text("table", spec)
    }

    /// Lines before our module is loaded.
    pub fn before(mut self, text: &str) -> Script {
        self.before += text;
        self.before += "\n";
        self
    }

    /// Lines after our parameters: other modules, further routes.
    pub fn raw(mut self, text: &str) -> Script {
        self.routes += text;
        self.routes += "\n";
        self
    }

    /// `route[name] { body }`, to be run by `Run::run(name)`.
    pub fn route(mut self, name: &str, body: &str) -> Script {
        self.routes += &format!("route[{name}] {{\n{body}\n    return;\n}}\n");
        self
    }

    /// A route that makes one call and tells how long it took: see `Outcome::took`.
    pub fn timed(self, name: &str, call: &str) -> Script {
        let begin = "$var(begin) = $TV(Sn);";
        self.route(name, &format!("{begin}\n{call};\n$var(rc) = $rc;\n$var(out) = $var(begin) + \" \" + $TV(Sn);"))
    }

    /// Lines at the head of the HTTP route.
    pub fn http(mut self, text: &str) -> Script {
        self.http += text;
        self
    }

    pub fn workers(mut self, count: usize) -> Script {
        self.workers = count;
        self
    }

    /// Leaves our module out.
    pub fn without_module(mut self) -> Script {
        self.load = Load::Never;
        self
    }

    /// Loads our module before every other.
    pub fn first(mut self) -> Script {
        self.load = Load::First;
        self
    }

    /// The host to be, for more settings.
    pub fn kamailio(&self) -> Kamailio {
        let load = |place| if self.load == place { "loadmodule \"shardcache.so\"\n" } else { "" };
        let (first, last) = (load(Load::First), load(Load::Last));
        let params = if self.load == Load::Never { "" } else { &self.params };
        let text = format!("{SETTINGS}{first}{MODULES}{}{last}{params}{ROUTES}{}", self.before, self.routes);
        Kamailio::cfg(text).set("WORKERS", self.workers).set("HTTP", &self.http)
    }

    pub fn start(&self) -> Host {
        self.kamailio().start()
    }
}

impl Outcome {
    /// Of a route made by `Script::timed`.
    pub fn took(&self) -> Duration {
        let micros = |text: &str| text.replace('.', "").parse::<u64>().unwrap_or_else(|_| panic!("no times: {self:?}"));
        let (begin, end) = self.out.split_once(' ').unwrap_or_else(|| panic!("no times: {self:?}"));
        Duration::from_micros(micros(end).saturating_sub(micros(begin)))
    }
}

impl Host {
    /// Runs the route of that name.
    pub fn run(&self, route: &str) -> Outcome {
        self.run_with(route, &[])
    }

    /// The same, with headers for the script to read (`$hdr(X-Key)`).
    pub fn run_with(&self, route: &str, headers: &[(&str, &str)]) -> Outcome {
        let reply = self.send(&Request { user: route, headers, limit: Duration::from_secs(15), ..Request::default() });
        assert_eq!((reply.status, reply.reason.as_str()), (200, "OK"), "route {route}");
        let [out, err] = ["X-Out", "X-Err"].map(|name| reply.header(name).to_string());
        Outcome { rc: reply.header("X-RC").parse().expect("X-RC"), out, err }
    }

    /// `$var(out)` of the route.
    pub fn out(&self, route: &str) -> String {
        self.run(route).out
    }

    /// `$var(rc)` of the route.
    pub fn rc(&self, route: &str) -> i64 {
        self.run(route).rc
    }
}
