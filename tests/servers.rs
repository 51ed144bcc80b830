//! The kinds of servers: unix sockets, a password, TLS; several of them, by weight; and other clients beside us.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use support::certs::Certs;
use support::{Host, Memcached, Script, ports, process};

const SET: (&str, &str) =
    ("set", "shc_set(\"t\", \"$hdr(X-Key)\", \"$hdr(X-Value)\");\n$var(rc) = $rc;\n$var(out) = $shcst(err);");
const GET: (&str, &str) = ("get", "$var(out) = $shc(t=>$hdr(X-Key));\n$var(rc) = $shcst(rc);");

fn host(servers: &[String]) -> Host {
    let script = Script::new().table("t").route(SET.0, SET.1).route(GET.0, GET.1);
    servers.iter().fold(script, |s, server| s.server(server)).start()
}

fn works(server: &str) -> Result<(), String> {
    let host = host(&[server.to_string()]);
    let set = host.run_with("set", &[("X-Key", "k"), ("X-Value", "v")]);
    let get = host.run_with("get", &[("X-Key", "k")]);
    if (set.rc, get.rc, get.out.as_str()) == (1, 1, "v") { Ok(()) } else { Err(format!("{set:?} {get:?}")) }
}

#[test]
fn tcp_and_unix() {
    for server in [Memcached::tcp(), Memcached::unix()] {
        works(&server.spec("mc1")).expect("works");
    }
}

#[test]
fn a_password() {
    let server = Memcached::auth("proxy", "secret");
    works(&format!("{};user=proxy;pass=secret", server.spec("mc1"))).expect("works");
    works(&format!("{};user=proxy;pass=wrong", server.spec("mc1"))).expect_err("a wrong password");
    works(&server.spec("mc1")).expect_err("no password");
}

#[test]
fn tls() {
    let certs = Certs::new("cache.example");
    let server = Memcached::tls(&certs);
    let dir = tempfile::tempdir().expect("temporary directory");
    let ca = certs.write_ca(dir.path());
    let other = tempfile::tempdir().expect("temporary directory");
    let stranger = Certs::new("cache.example").write_ca(other.path());
    for dir in [&dir, &other] {
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("permissions");
    }
    let spec = server.spec("mc1");
    works(&format!("{spec};tls=1;tls_ca={ca};tls_name=cache.example")).expect("a name that fits");
    works(&format!("{spec};tls=1;tls_verify=0")).expect("not verified");
    works(&format!("{spec};tls=1;tls_ca={ca};tls_name=other.example")).expect_err("another name");
    works(&format!("{spec};tls=1;tls_ca={stranger};tls_name=cache.example")).expect_err("another authority");
    works(&spec).expect_err("no TLS");
}

#[test]
fn weights_share_the_keys() {
    let servers = Memcached::many(2);
    let host = host(&[format!("{};weight=1", servers[0].spec("mc1")), format!("{};weight=3", servers[1].spec("mc2"))]);
    for i in 0..200 {
        assert_eq!(host.run_with("set", &[("X-Key", &format!("key{i}")), ("X-Value", "v")]).rc, 1);
    }
    let held: Vec<u64> = servers.iter().map(|s| s.stat("curr_items")).collect();
    assert!(held[0] >= 20 && held[1] > held[0] * 3 / 2, "{held:?}");
}

#[test]
fn a_name_of_its_own_on_the_ring_keeps_the_keys_at_a_new_address() {
    let first = Memcached::many(3);
    let spec = |servers: &[Memcached]| -> Vec<String> {
        servers.iter().enumerate().map(|(i, s)| format!("{};ring=place{i}", s.spec(&format!("mc{i}")))).collect()
    };
    let fill = |servers: &[Memcached]| -> Vec<Vec<String>> {
        let host = host(&spec(servers));
        for i in 0..60 {
            assert_eq!(host.run_with("set", &[("X-Key", &format!("key{i}")), ("X-Value", "v")]).rc, 1);
        }
        let sorted = |s: &Memcached| {
            let mut keys: Vec<String> = s.keys().into_iter().filter(|k| k.starts_with("t:")).collect();
            keys.sort();
            keys
        };
        servers.iter().map(sorted).collect()
    };
    let second = Memcached::many(3);
    assert_eq!(fill(&first), fill(&second));
}

#[test]
fn the_log_tells_what_is_wrong_with_a_certificate() {
    let certs = Certs::new("cache.example");
    let server = Memcached::tls(&certs);
    let folder = tempfile::tempdir().expect("temporary directory");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("permissions");
    let ca = certs.write_ca(folder.path());
    let wrong = host(&[format!("{};tls=1;tls_ca={ca};tls_name=other.example", server.spec("mc1"))]);
    wrong.wait_log("is down: TLS failure (invalid peer certificate");
}

const PYTHON: &str = r#"
import sys
from pymemcache.client.base import Client
client = Client(("127.0.0.1", int(sys.argv[1])))
assert client.get("t:ours") == b"from the script", client.get("t:ours")
client.set("t:theirs", "from python")
client.set("t:count", "41")
"#;

#[test]
fn a_python_client_shares_the_entries() {
    let server = Memcached::tcp();
    let host = host(&[server.spec("mc1")]);
    let set = host.run_with("set", &[("X-Key", "ours"), ("X-Value", "from the script")]);
    assert_eq!(set.rc, 1);
    let python = if std::path::Path::new("/usr/bin/python3").exists() {
        "/usr/bin/python3".into()
    } else {
        process::need("python3")
    };
    let run = Command::new(python).arg("-c").arg(PYTHON).arg(server.port().to_string()).output().expect("python");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(host.run_with("get", &[("X-Key", "theirs")]).out, "from python");
    assert_eq!(host.run_with("get", &[("X-Key", "count")]).out, "41");
}

#[test]
fn a_server_that_comes_later_is_taken_in() {
    let port = ports::free();
    let host = host(&[format!("name=mc1;addr=127.0.0.1:{port}")]);
    let set = || host.run_with("set", &[("X-Key", "k"), ("X-Value", "v")]);
    assert_eq!(set().rc, -2);
    let _server = Memcached::start(support::memcached::Options { port: Some(port), ..Default::default() });
    support::wait::until_true("the new server", std::time::Duration::from_secs(10), || set().rc == 1);
}
