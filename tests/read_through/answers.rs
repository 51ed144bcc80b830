//! What comes out: values, rows, nothing, of one key and of many, in the script and in Lua.

use super::support::cases::Case;
use super::support::sip::Request;
use super::support::sql::modules;
use super::support::{Mariadb, Memcached, Postgres, Script, Sql, Sqlite};
use super::{behind, ready};

const SCHEMA: &str = "
CREATE TABLE grp (id INTEGER, username VARCHAR(64), domain VARCHAR(64), grp VARCHAR(64));
INSERT INTO grp VALUES (1, 'alice', 'a.org', 'ipauth');
INSERT INTO grp VALUES (2, 'bob', 'a.org', 'other');
INSERT INTO grp VALUES (3, 'twice', 'b.org', 'ipauth');
INSERT INTO grp VALUES (9, 'nobody', NULL, 'ipauth');
";

/// Table of the cache, and where its entries come from.
const SOURCES: [(&str, &str); 5] = [
    ("ipauth=>autoexpire=1800;negexpire=60;stale=600", "table=grp;key=username;where=grp:ipauth;column=grp"),
    ("id=>autoexpire=60", "table=grp;key=username;column=id"),
    ("domain=>autoexpire=60", "table=grp;key=username;column=domain"),
    ("pair=>autoexpire=60", "table=grp;key=username,domain;column=id"),
    ("profile=>autoexpire=60", "table=grp;key=username;columns=id,domain,grp"),
];

const SELF: &str = "route[SELF] { $var(in) = $shc(ipauth=>self); $var(again) = $shcst(rc); return 1; }";

/// The From header of these calls names alice.
const CASES: &[Case] = &[
    ("one question", "$var(v) = $shc(ipauth=>$fU)", 1, "$var(v)<$shcst(err)>", "ipauth<>"),
    ("is asked once", "shc_get(\"ipauth\", \"$fU\", \"$var(v)\")", 1, "$var(v)", "ipauth"),
    ("a number", "$var(v) = $shc(id=>alice)", 1, "$(var(v){s.int})", "1"),
    ("no such row", "$var(v) = $shc(ipauth=>bob)", -1, "$shc(ipauth=>bob)<$shcst(err)>", "<null><>"),
    ("is kept too", "shc_get(\"ipauth\", \"bob\", \"$var(v)\")", -1, "$shcst(err)", ""),
    ("a NULL", "$var(v) = $shc(domain=>nobody)", -1, "$shc(domain=>nobody)", "<null>"),
    (
        "a row",
        "shc_row(\"profile\", \"alice\", \"p\")",
        1,
        "$xavp(p=>id) $xavp(p=>domain) $xavp(p=>grp)",
        "1 a.org ipauth",
    ),
    ("from the cache", "shc_row(\"profile\", \"alice\", \"p\")", 1, "$xavp(p=>id) $xavp(p[1]=>id)", "1 <null>"),
    ("its first column", "$var(v) = $shc(profile=>alice)", 1, "$shc(profile=>alice)", "1"),
    ("a row with a NULL", "shc_row(\"profile\", \"nobody\", \"p\")", 1, "$xavp(p=>id) $xavp(p=>domain)", "9 <null>"),
    ("a row that is not there", "shc_row(\"profile\", \"carol\", \"p\")", -1, "$xavp(p=>id)", "<null>"),
    ("a value as a row", "shc_row(\"ipauth\", \"alice\", \"p\")", 1, "$xavp(p=>value)", "ipauth"),
    (
        "many",
        "shc_mget(\"ipauth\", \"alice,bob,twice,carol\", \"m\")",
        1,
        "$shcm(0) $shcm(1) $xavp(m=>v[2]) $shcm(3) $xavp(m=>n)<$shcst(err)>",
        "ipauth <null> ipauth <null> 4<>",
    ),
    ("none of many", "shc_mget(\"ipauth\", \"bob,carol\")", -1, "$shcm(0)<$shcst(err)>", "<null><>"),
    ("many rows", "shc_mget(\"profile\", \"twice,alice\")", 1, "$shcm(0) $shcm(1)", "3 1"),
    ("a key of several parts", "$var(v) = $shc(pair=>twice@b.org)", 1, "$shc(pair=>twice@b.org)", "3"),
    ("with too few", "$var(v) = $shc(pair=>alice)", -3, "$shcst(err)", "bad key"),
    ("among many", "shc_mget(\"pair\", \"twice@b.org,alice\")", -3, "$shcst(err)", "bad key"),
    ("a statement", "$var(v) = $shc(ipauth=>x' OR '1'='1)", -1, "$shc(ipauth=>x' OR '1'='1)", "<null>"),
    ("a lifetime is not loaded", "$var(v) = $shcex(id=>twice)", -1, "", ""),
    ("an age", "$var(v) = $shc(ipauth=>twice)", 1, "$shcst(stale)", "0"),
    ("a set", "shc_set(\"ipauth\", \"bob\", \"mine\")", 1, "$shc(ipauth=>bob)", "mine"),
    ("a cas", "$var(v) = $shc(ipauth=>bob); shc_cas(\"ipauth\", \"bob\", \"ours\")", 1, "$shc(ipauth=>bob)", "ours"),
    ("a delete", "shc_rm(\"ipauth\", \"bob\")", 1, "$shc(ipauth=>bob)", "<null>"),
    ("one within itself", "shc_cached_route(\"ipauth\", \"self\", \"SELF\")", 1, "$var(again)", "-3"),
];

/// Questions that the cases cost: of each key one, and bob's once more.
const QUERIES: [(&str, u64); 5] = [("ipauth", 6), ("id", 1), ("domain", 1), ("pair", 1), ("profile", 4)];

fn on(servers: &[Memcached], sql: &dyn Sql, copies: usize) -> Script {
    let script = Script::new().before(&modules(sql)).servers(servers);
    SOURCES
        .iter()
        .fold(script, |script, (table, source)| behind(script, sql, &format!("{table};copies={copies}"), source))
}

fn a_table_answers_by_its_database(sql: &dyn Sql, settings: &[(usize, usize)]) {
    sql.run(SCHEMA);
    for (count, copies) in settings {
        let servers = Memcached::many(*count);
        let host = on(&servers, sql, *copies).raw(SELF).cases(CASES).start();
        ready(&host, "id");
        if *copies == 2 {
            host.until_whole();
        }
        host.walk(CASES);
        for (table, queries) in QUERIES {
            let asked = ["queries", "failures", "refused", "spared"]
                .map(|stat| host.statistic(&format!("source_{table}_{stat}")));
            assert_eq!(asked, [queries, 0, 0, 0], "{table} on {count} servers");
        }
        let counted = ["loads", "load_failures", "errors"].map(|stat| host.statistic(&format!("table_ipauth_{stat}")));
        assert_eq!(counted, [7, 0, 1], "the route too");
    }
    assert_eq!(sql.run("SELECT count(*) FROM grp;").trim(), "4");
}

#[test]
fn a_table_answers_by_sqlite() {
    a_table_answers_by_its_database(&Sqlite::create(), &[(0, 1), (1, 1), (2, 2)]);
}

#[test]
fn a_table_answers_by_mariadb() {
    a_table_answers_by_its_database(&Mariadb::start(), &[(1, 1)]);
}

#[test]
fn a_table_answers_by_postgres() {
    a_table_answers_by_its_database(&Postgres::start(), &[(1, 1)]);
}

const LUA: &str = r#"
function look()
    local all = { KSR.shc.get("ipauth", "alice"), KSR.shc.getw("ipauth", "bob"), KSR.shc.st("rc") }
    table.insert(all, KSR.shc.row("profile", "alice", "p"))
    table.insert(all, KSR.pv.get("$xavp(p=>domain)"))
    table.insert(all, KSR.shc.mget("ipauth", "bob,twice", ""))
    table.insert(all, KSR.shc.found(1))
    KSR.pv.sets("$var(out)", table.concat(all, " "))
end
"#;

#[test]
fn a_table_answers_an_embedded_language() {
    let sql = Sqlite::create();
    sql.run(SCHEMA);
    let lua = "loadmodule \"app_lua.so\"\nmodparam(\"app_lua\", \"load\", \"%%DIR%%/look.lua\")";
    let script = on(&[], &sql, 1).before(lua).route("lua", "lua_run(\"look\");");
    let host = script.kamailio().file("look.lua", LUA).start();
    for _ in 0..2 {
        assert_eq!(host.out("lua"), "ipauth <<null>> -1 1 a.org 1 ipauth");
    }
    let asked = ["ipauth", "profile"].map(|table| host.statistic(&format!("source_{table}_queries")));
    assert_eq!(asked, [3, 1]);
}

/// The page's lines without a route, as they stand but for the addresses.
#[test]
fn five_lines_cache_is_user_in() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/IS-USER-IN.md")).expect("the page");
    let mut blocks = page.split("\n```").skip(1).step_by(2);
    let lines = blocks.find(|block| block.contains("\"source\"")).expect("a code block");
    let lines: Vec<&str> = lines.lines().skip(1).collect();
    let [load, server, table, source, call] = lines[..] else { panic!("five lines: {lines:#?}") };
    let (sql, memcached) = (Mariadb::start(), Memcached::tcp());
    sql.run(SCHEMA);
    let server = server.replace("10.0.0.11:11211", &memcached.addr());
    let source = source.replace("mysql://kamailio:secret@db/kamailio", &sql.url());
    let replied = call.replace("{ sl_send_reply(\"403\", \"Forbidden\"); exit; }", "$var(out) = \"no\";");
    assert!(replied != call && source.contains(&sql.url()), "{lines:#?}");
    let before = format!("{}\n{load}\n{server}\n{table}\n{source}", modules(&sql));
    let ask = format!("$var(out) = \"yes\";\n{replied}");
    let host = Script::new().without_module().before(&before).route("ask", &ask).start();
    let allowed = |from| host.send(&Request { user: "ask", from, ..Request::default() }).header("X-Out") == "yes";
    for _ in 0..3 {
        assert_eq!(["alice", "bob", "carol"].map(allowed), [true, false, false]);
    }
    assert_eq!((host.statistic("source_ipauth_queries"), host.statistic("table_ipauth_neg_hits")), (3, 6));
    sql.run("DELETE FROM grp WHERE username = 'alice';");
    assert!(allowed("alice"), "nobody said it");
    host.kamcmd(&["shc.invalidate", "ipauth", "alice"]).expect("invalidated");
    assert!(!allowed("alice"));
}
