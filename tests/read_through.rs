//! Tables of real databases read through the cache: what a script gets, who asks the database, and what is never kept.

#[path = "read_through/answers.rs"]
mod answers;
#[path = "read_through/loaders.rs"]
mod loaders;
#[path = "read_through/outages.rs"]
mod outages;
#[path = "read_through/replica.rs"]
mod replica;
#[path = "support/mod.rs"]
mod support;

use serde_json::json;
use std::time::Duration;
use support::sql::modules;
use support::wait::until_true;
use support::{Host, Memcached, Script, Sql};

const LIMIT: Duration = Duration::from_secs(40);

fn behind(script: Script, sql: &dyn Sql, table: &str, source: &str) -> Script {
    let name = table.split("=>").next().unwrap_or_default();
    script.table(table).text("source", &format!("{name}=>url={};{source}", sql.url()))
}

/// Waits until all servers are in use: before that each host asks for itself.
fn ready(host: &Host, table: &str) {
    let stores = |i: i32| host.rpc("shc.set", &[json!(table), json!(format!("ready{i}")), json!("1")]).is_ok();
    until_true("the cache to be in use", LIMIT, || (0..16).all(stores));
}

/// Answers with one value and its code, and with what became of it.
const LOOK: &str = "$var(rc) = 0;
    append_to_reply(\"X-Out: $shc(t=>$hdr(X-Key))|$shcst(stale)\\r\\nX-Err: $shcst(err)\\r\\n\");
    $var(rc) = $shcst(rc);";

/// What `t` answers: code, value and staleness, reason.
fn look(host: &Host, key: &str) -> (i64, String, String) {
    let outcome = host.run_with("look", &[("X-Key", key)]);
    (outcome.rc, outcome.out, outcome.err)
}

fn answer(rc: i64, out: &str, err: &str) -> (i64, String, String) {
    (rc, out.to_owned(), err.to_owned())
}

const SMALL: &str = "CREATE TABLE g (k VARCHAR(9), v VARCHAR(9)); INSERT INTO g VALUES ('a', 'old'), ('b', 'old');";

fn small(sql: &dyn Sql, servers: &[Memcached], attributes: &str) -> Script {
    let script = Script::new().before(&modules(sql)).servers(servers).number("source_retry", 100);
    behind(script, sql, &format!("t=>{attributes}"), "table=g;key=k;column=v").route("look", LOOK)
}
