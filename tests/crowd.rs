//! Many servers and many tables in a real Kamailio.

mod support;

use serde_json::json;
use support::{Host, Memcached, Script};

const SERVERS: usize = 600;
const TABLES: usize = 300;

/// One real server under many names.
fn crowd(dir: &std::path::Path, real: &Memcached) -> Script {
    let mut script = Script::new();
    for i in 0..SERVERS {
        let name = dir.join(i.to_string());
        let addr = real.addr();
        std::os::unix::fs::symlink(addr.strip_prefix("unix:").expect("a socket"), &name).expect("a link");
        script = script.server(&format!("name=s{i};addr=unix:{}", name.display()));
    }
    (0..TABLES).fold(script, |script, i| script.table(&format!("t{i}=>autoexpire=60")))
}

fn servers_up(host: &Host) -> u64 {
    host.statistic("servers_up")
}

#[test]
fn hundreds_of_servers_and_tables_serve_sip_and_http_workers() {
    let args = ["-c", "8192"].map(String::from).to_vec();
    let real = Memcached::start(support::memcached::Options { unix: true, args, ..Default::default() });
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("permissions");
    let keys: Vec<String> = (0..400).map(|i| i.to_string()).collect();
    let read = format!("shc_mget(\"t7\", \"{}\")", keys.join(","));
    let script = crowd(dir.path(), &real).route("read", &format!("{read};\n$var(rc) = $rc;"));
    let host = script
        .http(&format!(
            "if ($hu =~ \"crowd\") {{ {read}; xhttp_reply(\"200\", \"OK\", \"text/plain\", \"$shcst(rc)\"); exit; }}"
        ))
        .start();
    for _ in 0..3 {
        assert_eq!(host.rc("read"), -1);
        assert_eq!(support::rpc::http(host.port(), "GET", "/crowd", "").expect("an answer"), "-1");
    }
    for _ in 0..5 {
        assert_eq!(servers_up(&host), SERVERS as u64);
    }
    assert_eq!(host.ask("shc.bump", &[json!("t7")]), json!("bumped"));
    assert_eq!(host.rc("read"), -1);
}
