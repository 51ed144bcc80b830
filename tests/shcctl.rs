//! `shcctl` against real memcached servers, seen from outside and by a Python client.
//!
//! The Python parts need pymemcache (Debian: python3-pymemcache) and fail without it.

mod support;

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::certs::Certs;
use support::{Fake, Memcached, Script, until};

const LIMIT: Duration = Duration::from_secs(20);
const PYTHON: &str = "/usr/bin/python3";

/// `shcctl` with its servers already named.
struct Tool(Vec<String>);

impl Tool {
    fn new(servers: &[&Memcached]) -> Self {
        let numbered = servers.iter().enumerate();
        Self(numbered.flat_map(|(at, server)| ["--server".into(), server.spec(&format!("mc{at}"))]).collect())
    }

    fn plain(server: &str) -> Self {
        Self(vec!["--server".into(), server.into()])
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("shcctl runs")
    }

    fn feed(&self, words: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(words);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("shcctl runs");
        child.stdin.take().expect("its input").write_all(input).expect("it reads");
        child.wait_with_output().expect("it ends")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shcctl"));
        command.arg("--plain").args(&self.0).args(words);
        command
    }

    /// Standard output of a command that must work.
    fn out(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(code(&output), 0, "{words:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    fn json(&self, words: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.out(&[&["--json"], words].concat())).expect("JSON")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn python(script: &str, port: u16) -> String {
    let head = format!("from pymemcache.client.base import Client\nc = Client(('127.0.0.1', {port}))\n");
    let output = Command::new(PYTHON).args(["-c", &(head + script)]).output().expect("python runs");
    assert!(output.status.success(), "python: {}", said(&output));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

#[test]
fn an_entry_is_stored_read_and_removed() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    assert_eq!(code(&tool.run(&["get", "t", "alice"])), 1);
    assert_eq!(tool.out(&["set", "t", "alice", "sip:alice@example.org"]), "stored on mc0\n");
    assert_eq!(tool.out(&["get", "t", "alice"]), "sip:alice@example.org\n");
    assert_eq!(tool.out(&["delete", "t", "alice"]), "deleted on mc0\n");
    assert_eq!(code(&tool.run(&["delete", "t", "alice"])), 1);
    assert_eq!(code(&tool.run(&["get", "t", "alice"])), 1);
}

#[test]
fn it_reads_and_writes_as_a_proxy_does() {
    let mut servers = Memcached::many(3);
    let script = Script::new().table("two=>copies=2;autoexpire=90").route("get", "$var(out) = $shc(two=>alice);");
    let host = servers.iter().enumerate().fold(script, |s, (i, server)| s.server(&server.spec(&format!("mc{i}"))));
    let host = host.start();
    let tool = |server: &Memcached, words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shcctl"));
        command.args(["--timeout", "3000", "--server", &server.addr()]).args(words).output().expect("shcctl runs")
    };
    let told = |output: Output| match code(&output) {
        0 => Ok(String::from_utf8(output.stdout).expect("text")),
        other => Err(format!("{other}: {}", said(&output))),
    };
    until("the farm to be known", LIMIT, || told(tool(&servers[0], &["set", "two", "alice", "old"])));
    assert_eq!(host.out("get"), "old");
    host.until_whole();
    let ask = ["--json", "get", "two", "alice"];
    let entry: serde_json::Value = serde_json::from_str(&told(tool(&servers[1], &ask)).unwrap()).expect("JSON");
    assert!((1..=90).contains(&entry["ttl"].as_u64().unwrap()), "the table's lifetime: {entry}");
    let home = entry["server"].as_str().unwrap().trim_start_matches("mc").parse::<usize>().unwrap();
    servers[home].kill();
    let other = &servers[(home + 1) % 3];
    assert_eq!(told(tool(other, &["get", "two", "alice"])), Ok("old\n".into()));
    assert_eq!(told(tool(other, &["set", "two", "alice", "new", "--ttl", "0"])), Ok("stored two=>alice\n".into()));
    until("the host to see it", LIMIT, || match host.out("get") {
        new if new == "new" => Ok(()),
        old => Err(old),
    });
    assert_eq!(told(tool(other, &["delete", "two", "alice"])), Ok("deleted two=>alice\n".into()));
    let gone = tool(other, &["get", "two", "alice"]);
    assert_eq!((code(&gone), said(&gone)), (1, "shcctl: two=>alice: not found\n".into()));
    let unknown = tool(other, &["set", "nobodys", "alice", "v"]);
    assert!(code(&unknown) == 1 && said(&unknown).contains("nobodys"), "{}", said(&unknown));
    let strange = Memcached::tcp();
    let output = tool(&strange, &["get", "two", "alice"]);
    assert!(code(&output) == 2 && said(&output).contains("--plain"), "{}", said(&output));
}

#[test]
fn what_is_changed_is_announced_to_all_hosts() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    let stripe = format!("!z:{:02x}", shardcache::invalidate::stripes::stripe(b"t", b"alice"));
    let number = |key: &str| String::from_utf8(server.get(key).unwrap()).unwrap().parse::<u64>().unwrap();
    let numbers = || [stripe.as_str(), "!z:"].map(number);
    tool.out(&["set", "t", "alice", "v"]);
    let first = numbers();
    tool.out(&["get", "t", "alice"]);
    assert_eq!(numbers(), first);
    tool.out(&["delete", "t", "alice"]);
    assert_eq!(numbers(), first.map(|number| number + 1));
    assert_eq!(code(&tool.run(&["delete", "t", "alice"])), 1);
    assert_eq!(numbers(), first.map(|number| number + 2), "a host may still have what another client took away");
    server.set("!z:", "no number");
    let output = tool.run(&["set", "t", "alice", "v"]);
    assert_eq!(code(&output), 2);
    assert!(said(&output).contains("the change was made"), "{}", said(&output));
}

#[test]
fn every_spelling_of_a_server_reaches_it() {
    let (tcp, unix) = (Memcached::tcp(), Memcached::unix());
    let path = unix.addr().trim_start_matches("unix:").to_owned();
    for spelling in [tcp.addr(), tcp.spec("mc1"), path, unix.spec("mc1")] {
        let tool = Tool::plain(&spelling);
        tool.out(&["set", "t", "k", "v"]);
        assert_eq!(tool.out(&["get", "t", "k"]), "v\n", "{spelling}");
    }
}

#[test]
fn servers_may_come_from_the_modules_file() {
    let servers = Memcached::many(2);
    let folder = tempfile::tempdir().expect("temporary directory");
    let file = folder.path().join("list").display().to_string();
    std::fs::write(&file, format!("# ours\n{}\n{}\n", servers[0].spec("mc0"), servers[1].spec("mc1")))
        .expect("the list");
    let (listed, named) = (Tool(vec!["--server-list".into(), file.clone()]), Tool::new(&[&servers[0], &servers[1]]));
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(listed.out(&["hash", "t", key]), named.out(&["hash", "t", key]));
    }
    std::fs::write(&file, "name=mc0\n").expect("the list");
    let bad = listed.run(&["servers"]);
    assert_eq!(code(&bad), 3);
    assert!(said(&bad).contains("list line 1: server \"name=mc0\""), "{}", said(&bad));
    std::fs::write(&file, "").expect("the list");
    assert_eq!(code(&listed.run(&["servers"])), 3);
}

#[test]
fn a_server_with_a_password_is_asked_with_it() {
    let server = Memcached::auth("proxy", "secret");
    let good = Tool::plain(&format!("{};user=proxy;pass=secret", server.spec("mc1")));
    good.out(&["set", "t", "k", "v"]);
    assert_eq!(good.out(&["get", "t", "k"]), "v\n");
    let bad = Tool::plain(&format!("{};user=proxy;pass=wrong", server.spec("mc1"))).run(&["get", "t", "k"]);
    assert_eq!(code(&bad), 2, "{}", said(&bad));
    assert!(said(&bad).contains("mc1") && !said(&bad).contains("wrong"), "{}", said(&bad));
}

#[test]
fn a_server_with_tls_is_reached_when_its_certificate_is_good() {
    let certs = Certs::new("cache.example.org");
    let server = Memcached::tls(&certs);
    let folder = tempfile::tempdir().expect("temporary directory");
    let trusted = certs.write_ca(folder.path());
    let spec = |rest: &str| format!("{};tls=1;{rest}", server.spec("mc1"));
    let large = vec![b'x'; 1_000_000];
    for rest in
        [format!("tls_ca={trusted}"), format!("tls_ca={trusted};tls_name=cache.example.org"), "tls_verify=0".into()]
    {
        let tool = Tool::plain(&spec(&rest));
        assert_eq!(code(&tool.feed(&["set", "t", "k", "-"], &large)), 0, "{rest}");
        assert_eq!(tool.run(&["get", "t", "k", "--raw"]).stdout, large, "{rest}");
        assert_eq!(tool.json(&["servers"])[0]["state"], "up", "{rest}");
    }
    for rest in ["tls_verify=1".into(), format!("tls_ca={trusted};tls_name=other.example.org")] {
        let output = Tool::plain(&spec(&rest)).run(&["get", "t", "k"]);
        assert_eq!(code(&output), 2, "{rest}: {}", said(&output));
        assert!(said(&output).contains("certificate"), "{rest}: {}", said(&output));
    }
    let plain = Tool::plain(&server.spec("mc1")).run(&["--timeout", "300", "get", "t", "k"]);
    assert_eq!(code(&plain), 2, "{}", said(&plain));
}

#[test]
fn integers_stay_integers_and_strings_strings() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    for (words, want) in [
        (&["set", "t", "k", "42"][..], serde_json::json!(42)),
        (&["set", "t", "k", "-7"], serde_json::json!(-7)),
        (&["set", "t", "k", "42", "--string"], serde_json::json!("42")),
        (&["set", "t", "k", "007"], serde_json::json!("007")),
        (&["set", "t", "k", "42 "], serde_json::json!("42 ")),
        (&["set", "t", "k", ""], serde_json::json!("")),
    ] {
        tool.out(words);
        assert_eq!(tool.json(&["get", "t", "k"])["value"], want, "{words:?}");
    }
}

/// As the module does, so that a server can count with it.
#[test]
fn a_number_under_a_long_key_is_bare() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    let long = "l".repeat(3000);
    tool.out(&["set", "t", &long, "42"]);
    let wire = tool.json(&["hash", "t", &long])["wire_key"].as_str().expect("a key").to_owned();
    assert_eq!(server.get(&wire).as_deref(), Some(&b"42"[..]));
    server.raw(format!("decr {wire} 33\r\n").as_bytes(), "9").expect("it counts");
    assert_eq!(tool.json(&["get", "t", &long])["value"], 9, "a server pads what it counted down");
    tool.out(&["set", "t", &long, "42", "--string"]);
    assert_eq!(tool.json(&["get", "t", &long])["value"], "42");
}

#[test]
fn any_bytes_come_back_from_standard_input() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    let bytes: Vec<u8> = (0..=255).chain(*b"\r\nEND\r\n").collect();
    assert_eq!(code(&tool.feed(&["set", "t", "k", "-"], &bytes)), 0);
    assert_eq!(tool.run(&["get", "t", "k", "--raw"]).stdout, bytes);
    let large = vec![b'x'; 1_000_000];
    assert_eq!(code(&tool.feed(&["set", "t", "k", "-"], &large)), 0);
    assert_eq!(tool.run(&["get", "t", "k", "--raw"]).stdout, large);
    let output = tool.feed(&["set", "t", "k", "-"], &vec![b'x'; 1_000_001]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert_eq!(tool.run(&["get", "t", "k", "--raw"]).stdout, large, "the old value stays");
}

#[test]
fn any_key_is_safe_on_the_wire() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    let long = "l".repeat(3000);
    for (number, key) in ["a b", "x\r\nset evil 0 0 4\r\npwnd", "ä", "-5", &long].into_iter().enumerate() {
        let value = format!("value{number}");
        tool.out(&["set", "t", key, &value]);
        assert_eq!(tool.out(&["get", "t", key]), format!("{value}\n"), "{key:?}");
    }
    assert_eq!(server.get("evil"), None);
    let binary = OsStr::from_bytes(b"\xff\xfe");
    let output = tool.command(&["set", "t"]).arg(binary).arg("v").output().expect("shcctl runs");
    assert_eq!(code(&output), 0, "{}", said(&output));
    let output = tool.command(&["--json", "get", "t"]).arg(binary).output().expect("shcctl runs");
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#""key_base64":"//4=""#));
}

#[test]
fn an_entry_may_expire() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    for (ttl, range) in [("100", 90..=100), ("2592001", 2_591_990..=2_592_003)] {
        tool.out(&["set", "t", "k", "v", "--ttl", ttl]);
        let left = tool.json(&["get", "t", "k"])["ttl"].as_i64().expect("a time to live");
        assert!(range.contains(&left), "{ttl}: {left}");
    }
    tool.out(&["set", "t", "k", "v"]);
    assert!(tool.json(&["get", "t", "k"])["ttl"].is_null());
}

#[test]
fn keys_spread_over_the_servers_as_hash_says() {
    let servers = Memcached::many(3);
    let tool = Tool::new(&servers.iter().collect::<Vec<_>>());
    let mut used = [0; 3];
    for number in 0..30 {
        let key = format!("user{number}");
        tool.out(&["set", "t", &key, "v"]);
        let place = tool.json(&["hash", "t", &key]);
        let name = place["server"].as_str().expect("a server");
        let home: usize = name.trim_start_matches("mc").parse().expect("its number");
        used[home] += 1;
        let wire = place["wire_key"].as_str().expect("a key");
        assert_eq!(wire, format!("t:{key}"));
        for (at, server) in servers.iter().enumerate() {
            assert_eq!(server.get(wire).is_some(), at == home, "{key} on mc{at}");
        }
        let next = place["next"].as_array().expect("the others");
        assert!(next.len() == 2 && next.iter().all(|other| other != name), "{place}");
    }
    assert!(used.iter().all(|count| *count > 0), "{used:?}");
}

#[test]
fn after_a_bump_the_largest_generation_of_all_servers_counts() {
    let servers = Memcached::many(3);
    let tool = Tool::new(&servers.iter().collect::<Vec<_>>());
    tool.out(&["set", "t", "k", "old"]);
    servers[0].set("!gen:t", 1_795_206_978_u64);
    servers[2].set("!gen:t", 1_795_206_977_u64);
    assert_eq!(code(&tool.run(&["get", "t", "k"])), 1);
    tool.out(&["set", "t", "k", "new"]);
    assert_eq!(tool.out(&["get", "t", "k"]), "new\n");
    let place = tool.json(&["hash", "t", "k"]);
    assert_eq!(place["wire_key"], "t@1795206978:k");
    assert_eq!(place["generation"], 1_795_206_978_u64);
    assert_eq!(tool.json(&["hash", "other", "k"])["wire_key"], "other:k", "another table keeps its own");
}

#[test]
fn the_servers_are_listed_with_their_state() {
    let mut servers = Memcached::many(2);
    let tool = Tool::new(&servers.iter().collect::<Vec<_>>());
    let list = tool.json(&["servers"]);
    for (at, server) in servers.iter().enumerate() {
        assert_eq!(list[at]["state"], "up");
        assert_eq!(list[at]["version"].as_str(), server.stats().expect("stats").get("version").map(String::as_str));
        assert_eq!(list[at]["memory_limit"], 64 << 20);
    }
    servers[1].kill();
    let output = tool.run(&["servers"]);
    assert_eq!(code(&output), 2);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("mc0") && text.contains("up") && text.contains("down"), "{text}");
    assert!(said(&output).contains("mc1") && said(&output).contains("expected a connection"), "{}", said(&output));
}

#[test]
fn a_server_that_does_not_answer_is_named_within_the_timeout() {
    let redis = Fake::redis();
    let (mute, drip, closing) = (Fake::mute(), Fake::drip(Duration::from_millis(20)), Fake::closing());
    let (dropped, gone) = (Fake::dropped(), format!("name=mc9;addr=127.0.0.1:{}", support::ports::free()));
    for spec in [mute.spec("mc9"), drip.spec("mc9"), closing.spec("mc9"), redis.spec("mc9"), dropped.spec("mc9"), gone]
    {
        for words in [&["get", "t", "k"][..], &["set", "t", "k", "v"], &["delete", "t", "k"], &["servers"]] {
            let start = Instant::now();
            let output = Tool::plain(&spec).run(&[&["--timeout", "200"], words].concat());
            assert_eq!(code(&output), 2, "{words:?} {spec}: {}", said(&output));
            assert!(said(&output).contains("mc9") && said(&output).contains("expected"), "{}", said(&output));
            assert!(!said(&output).contains("Resource temporarily"), "{}", said(&output));
            assert!(start.elapsed() < Duration::from_secs(2), "{words:?} {spec} took {:?}", start.elapsed());
        }
    }
}

#[test]
fn a_dead_server_does_not_hinder_the_keys_of_the_others() {
    let mut servers = Memcached::many(2);
    let tool = Tool::new(&servers.iter().collect::<Vec<_>>());
    let home = |key: &str| tool.json(&["hash", "t", key])["server"].as_str().expect("a server").to_owned();
    let keys: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
    let lives = keys.iter().find(|key| home(key) == "mc0").expect("a key of mc0");
    let dies = keys.iter().find(|key| home(key) == "mc1").expect("a key of mc1");
    servers[1].kill();
    tool.out(&["set", "t", lives, "v"]);
    assert_eq!(tool.out(&["get", "t", lives]), "v\n");
    for words in [&["get", "t", dies][..], &["set", "t", dies, "v"], &["delete", "t", dies]] {
        let output = tool.run(words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(said(&output).contains("mc1"), "{}", said(&output));
    }
}

#[test]
fn bad_arguments_are_named() {
    let server = "127.0.0.1:11211";
    for (tool, words, named) in [
        (Tool(vec![]), &["get", "t", "k"][..], "--server"),
        (Tool::plain("name=mc1"), &["get", "t", "k"], "name=mc1"),
        (Tool::plain("name=mc1;addr=127.0.0.1:99999"), &["servers"], "99999"),
        (Tool::plain("name=mc1;addr=127.0.0.1:1;colour=red"), &["servers"], "colour"),
        (Tool::plain("127.0.0.1:x"), &["servers"], "127.0.0.1:x"),
        (Tool(["--server", server, "--server", server].map(String::from).to_vec()), &["servers"], server),
        (Tool::plain(server), &["get", "a b", "k"], "a b"),
        (Tool::plain(server), &["get", "t", ""], "empty"),
        (Tool::plain(server), &["get", "t"], "KEY"),
        (Tool::plain(server), &["forget", "t", "k"], "forget"),
        (Tool::plain(server), &["set", "t", "k", "v", "--ttl", "-1"], "-1"),
        (Tool::plain(server), &["set", "t", "k", "v", "--ttl", "soon"], "soon"),
        (Tool::plain(server), &["set", "t", "k", "v", "--ttl", "315360001"], "315360001"),
        (Tool::plain(server), &["--timeout", "0", "servers"], "--timeout"),
    ] {
        let output = tool.run(words);
        assert_eq!(code(&output), 3, "{words:?}: {}", said(&output));
        assert!(said(&output).contains(named), "{words:?}: {}", said(&output));
    }
}

#[test]
fn python_reads_what_shcctl_stored_and_the_reverse() {
    let server = Memcached::tcp();
    let tool = Tool::new(&[&server]);
    tool.out(&["set", "ipauth", "alice", "yes"]);
    tool.out(&["set", "ipauth", "calls", "41"]);
    assert_eq!(python("print(c.get('ipauth:alice').decode(), c.incr('ipauth:calls', 1))", server.port()), "yes 42");
    assert_eq!(tool.json(&["get", "ipauth", "calls"])["value"], 42);
    python(
        "c.set('ipauth:bob', b'no\\x00\\xff'); c.set('ipauth:number', '17'); c.delete('ipauth:alice')",
        server.port(),
    );
    assert_eq!(tool.run(&["get", "ipauth", "bob", "--raw"]).stdout, b"no\0\xff");
    assert_eq!(tool.json(&["get", "ipauth", "number"])["value"], 17);
    assert_eq!(code(&tool.run(&["get", "ipauth", "alice"])), 1);
}
