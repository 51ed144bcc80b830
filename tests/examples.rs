//! Every file in cfg-examples/ boots as it stands, with its names set from outside, and answers a SIP request.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::kamailio::Ready;
use support::{Kamailio, Memcached, ports, process};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cfg-examples")
}

fn database(dir: &Path) -> PathBuf {
    let file = dir.join("test.sqlite");
    for script in ["ipauth.sql", "shards.sql"] {
        let sql = std::fs::File::open(examples().join(script)).expect(script);
        let made = Command::new(process::need("sqlite3")).arg(&file).stdin(sql).status().expect("sqlite3");
        assert!(made.success());
    }
    file
}

#[test]
fn every_example_boots_and_answers() {
    let servers = Memcached::many(3);
    let dir = tempfile::tempdir().expect("temporary directory");
    let url = format!("sqlite:///{}", database(dir.path()).display());
    let source = |table: &str, rest: &str| format!("\"{table}=>url={url};{rest}\"");
    let mut tried = 0;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(examples()).expect("cfg-examples").map(|f| f.expect("file").path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "cfg")) {
        println!("{}", file.display());
        let text = std::fs::read_to_string(file).expect("example");
        let forms = ["ONE_LINE", "PER_HOST", "WITHOUT_CACHE"];
        let forms: Vec<&str> = forms.into_iter().filter(|form| text.contains(&format!("#!ifdef {form}"))).collect();
        let script = |name: &str| format!("\"{}\"", examples().join(name).display());
        let mut host = Kamailio::cfg(text).ready(Ready::Sip).define("SIP_PORT", "%%SIP_PORT%%");
        host = host.define("HTTP_PORT", &ports::free().to_string()).define("DBURL", &format!("\"{url}\""));
        host = host.define("SOURCE_IPAUTH", &source("ipauth", "table=grp;key=username;where=grp:ipauth;column=grp"));
        host = host.define("SOURCE_PROFILE", &source("profile", "table=subscriber;key=username;columns=id,domain"));
        host = host.define("SOURCE_SHARD", &source("shard", "table=users;key=username;column=shard"));
        host = host.define("LUA_FILE", &script("lua/ipauth.lua")).define("PY_FILE", &script("python/ipauth.py"));
        for (server, name) in servers.iter().zip(["mc1", "mc2", "mc3"]) {
            host = host.define(&name.to_uppercase(), &format!("\"{}\"", server.spec(name)));
        }
        for form in forms {
            assert!(host.clone().arg("-A").arg(form).start().runs(), "{} {form}", file.display());
        }
        let mut host = host.start();
        assert!(host.runs(), "{}", file.display());
        tried += 1;
    }
    assert!(tried >= 5, "only {tried} examples");
}
