//! The routing scripts of the benchmarks inside Kamailio: one route for each thing to measure.
#![allow(dead_code, reason = "each benchmark uses its part")]

use crate::measure::Kind;
use crate::redis::Redis;
use crate::support::{Host, Memcached, Script};

/// One measured loop: `body` is done `count` times, then `good` must hold.
pub struct Loop {
    pub id: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    pub count: u32,
    body: &'static str,
    good: &'static str,
}

const VALUE: &str = "sip:alice@192.0.2.17:5060;x=0001";
const IS_VALUE: &str = r#"$var(v) == "sip:alice@192.0.2.17:5060;x=0001""#;
const MANY: usize = 100;

const fn ours(id: &'static str, label: &'static str, count: u32, body: &'static str, good: &'static str) -> Loop {
    Loop { id, label, kind: Kind::Ours, count, body, good }
}

const fn peer(id: &'static str, label: &'static str, count: u32, body: &'static str, good: &'static str) -> Loop {
    Loop { id, label, kind: Kind::Peer, count, body, good }
}

const GET: &str = "$var(v) = $shc(b=>$fU);";
const SET: &str = r#"$shc(b=>set) = "sip:alice@192.0.2.17:5060;x=0001";"#;
const INC: &str = "$var(v) = $shcinc(b=>count);";
const STORED: &str = "$shcst(rc) == 1";

/// On the host whose one server is reached over TCP.
pub const TCP: [Loop; 10] = [
    Loop { id: "empty", label: "empty loop", kind: Kind::Floor, count: 2000, body: "", good: "1 == 1" },
    peer("sht_get", "$sht get (this host's memory)", 1000, "$var(v) = $sht(b=>$fU);", IS_VALUE),
    ours("shc_get_tcp", "$shc get, TCP", 100, GET, IS_VALUE),
    ours("shc_set_tcp", "$shc set, TCP", 100, SET, STORED),
    ours("shc_inc_tcp", "$shcinc, TCP", 100, INC, "$var(v) >= $var(n)"),
    peer("mct_get", "$mct get, TCP", 100, "$var(v) = $mct($fU);", IS_VALUE),
    peer("mct_set", "$mct set, TCP", 100, MCT_SET, MCT_STORED),
    peer("mct_inc", "$mcinc, TCP", 50, "$mcinc(count) = 1;", "$mct(count) >= $var(n)"),
    peer(
        "redis_get",
        "redis_cmd GET, TCP",
        600,
        r#"redis_cmd("srv", "GET $fU", "r"); $var(v) = $redis(r=>value);"#,
        IS_VALUE,
    ),
    peer("sql", "sql_query, SQLite, one row", 50, SQL, IS_VALUE),
];

const MCT_SET: &str = r#"$mct(set) = "sip:alice@192.0.2.17:5060;x=0001";"#;
const MCT_STORED: &str = r#"$mct(set) == "sip:alice@192.0.2.17:5060;x=0001""#;
const SQL: &str = r#"sql_query("ca", "select v from t where k='$fU'", "ra"); $var(v) = $dbr(ra=>[0,0]);"#;

/// On the host whose one server is reached over a unix socket.
pub const UNIX: [Loop; 3] = [
    ours("shc_get_unix", "$shc get, unix", 100, GET, IS_VALUE),
    ours("shc_set_unix", "$shc set, unix", 100, SET, STORED),
    ours("shc_inc_unix", "$shcinc, unix", 100, INC, "$var(v) >= $var(n)"),
];

/// On the host with three servers over TCP.
pub const FARM: [Loop; 3] = [
    ours("mget_10", "shc_mget, 10 keys on 3 servers", 30, "%%TEN%%", "$shcst(rc) == 1"),
    ours("mget_100", "shc_mget, 100 keys on 3 servers", 10, "%%HUNDRED%%", "$shcst(rc) == 1"),
    ours("mget_100_xavp", "the same, copied into an xavp", 10, "%%COPIED%%", "$shcst(rc) == 1"),
];

/// On the host whose table is near.
pub const NEAR: [Loop; 7] = [
    Loop { id: "empty", label: "empty loop", kind: Kind::Floor, count: 4000, body: "", good: "1 == 1" },
    peer("sht_get", "$sht get (this host's memory)", 4000, "$var(v) = $sht(b=>$fU);", IS_VALUE),
    ours("shc_near", "$shc get, near", 4000, GET, IS_VALUE),
    peer("sht_if", "$sht, if it is there", 4000, "if ($sht(b=>$fU) != $null) $var(v) = $sht(b=>$fU);", IS_VALUE),
    ours(
        "cached_near",
        "shc_cached_route and $shcval, near",
        4000,
        r#"if (shc_cached_route("b", "$fU", "NOBODY")) $var(v) = $shcval;"#,
        IS_VALUE,
    ),
    peer("sht_miss", "$sht, no entry", 4000, "$var(v) = $sht(b=>none);", "$sht(b=>none) == $null"),
    ours("shc_near_miss", "$shc, no entry, near", 4000, "$var(v) = $shc(b=>none);", "$shcst(rc) == -1"),
];

/// A host that keeps its table near, with `workers` workers, and the host's own hash table beside it.
pub fn near(server: &Memcached, workers: usize) -> Host {
    let before =
        "max_while_loops=100000000\nloadmodule \"htable.so\"\nmodparam(\"htable\", \"htable\", \"b=>size=8;\")";
    let script = Script::new().workers(workers).server(&server.spec("mc1")).table("b=>near=1");
    let script = script.number("cmd_timeout", 5000).before(before).raw("route[NOBODY] { return -2; }");
    let script = script.route("prepare", &prepare(&format!("$sht(b=>$fU) = \"{VALUE}\";")));
    start(NEAR.iter().fold(script, with))
}

/// A host with our module alone.
pub fn alone(servers: &[&Memcached]) -> Host {
    let script = module(basic(), servers).route("prepare", &prepare("")).before("max_while_loops=100000000");
    let loops = if servers.len() == 1 { &UNIX[..] } else { &FARM[..] };
    start(loops.iter().fold(script, with))
}

/// A host with our module and all the others, for comparisons inside one worker.
pub fn beside_others(server: &Memcached, redis: &Redis) -> Host {
    let before = format!(
        r#"max_while_loops=100000000
loadmodule "htable.so"
loadmodule "memcached.so"
loadmodule "ndb_redis.so"
loadmodule "db_sqlite.so"
loadmodule "sqlops.so"
modparam("htable", "htable", "b=>size=8;")
modparam("memcached", "servers", "{}")
modparam("ndb_redis", "server", "name=srv;addr=127.0.0.1;port={};db=0")
modparam("sqlops", "sqlcon", "ca=>sqlite:///%%DIR%%/bench.sqlite")"#,
        server.addr(),
        redis.port()
    );
    let others = format!(
        r#"$sht(b=>$fU) = "{VALUE}";
    $mct($fU) = "{VALUE}";
    $mct(count) = 0;
    redis_cmd("srv", "SET $fU {VALUE}", "r");
    sql_query("ca", "create table if not exists t (k varchar(64) primary key, v varchar(64))");
    sql_query("ca", "insert into t (k, v) values ('$fU', '{VALUE}')");"#
    );
    let script = module(basic().before(&before), &[server]).route("prepare", &prepare(&others));
    start(TCP.iter().fold(script, with))
}

/// Kamailio's memory manager during the run: `BENCH_MEMORY`, or `fm`. The distributions' default `qm` looks through all
/// its empty lists at most allocations, which hides what the script itself costs.
pub fn memory_manager() -> String {
    std::env::var("BENCH_MEMORY").unwrap_or_else(|_| "fm".into())
}

fn start(script: Script) -> Host {
    let manager = memory_manager();
    script.kamailio().arg("-x").arg(&manager).arg("-X").arg(&manager).start()
}

fn basic() -> Script {
    Script::new().workers(1)
}

fn module(script: Script, servers: &[&Memcached]) -> Script {
    let named = servers.iter().enumerate().map(|(number, server)| server.spec(&format!("mc{number}")));
    named.fold(script, |script, spec| script.server(&spec)).table("b").number("cmd_timeout", 5000)
}

/// Stores what the loops read.
fn prepare(others: &str) -> String {
    let each: String = (0..MANY).map(|number| format!("    $shc(b=>k{number}) = \"{VALUE}\";\n")).collect();
    format!("    {others}\n{each}    $shc(b=>$fU) = \"{VALUE}\";\n    $var(rc) = $shcst(rc);")
}

fn with(script: Script, each: &Loop) -> Script {
    let keys = |count: usize| (0..count).map(|number| format!("k{number}")).collect::<Vec<_>>().join(",");
    let mget = |count, more| format!("shc_mget(\"b\", \"{}\"{more});", keys(count));
    let body = each.body.replace("%%TEN%%", &mget(10, "")).replace("%%HUNDRED%%", &mget(MANY, ""));
    let body = body.replace("%%COPIED%%", &mget(MANY, ", \"got\""));
    let repeat =
        |count: &str| format!("$var(i) = 0;\n    while ($var(i) < {count}) {{ {body} $var(i) = $var(i) + 1; }}");
    let (warm, timed, good) = (repeat("$var(n) / 8 + 1"), repeat("$var(n)"), each.good);
    let text = format!(
        "    $var(n) = $(hdr(X-N){{s.int}});
    {warm}
    $var(s) = $TV(sn);
    $var(u) = $TV(un);
    {timed}
    $var(e) = $TV(sn);
    $var(out) = ($var(e) - $var(s)) * 1000000 + $TV(un) - $var(u);
    if ({good}) {{ $var(rc) = 1; }}"
    );
    script.route(each.id, &text)
}
