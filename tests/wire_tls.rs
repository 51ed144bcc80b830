//! TLS towards a real memcached: who is trusted, what is refused, and all of it within the deadline.

#[path = "wire_support/memcached.rs"]
mod memcached;
#[path = "wire_support/script.rs"]
mod script;

use memcached::Memcached;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use script::Script;
use shardcache::clock::Deadline;
use shardcache::wire::{Address, Endpoint, KeyRef, Kind, Link, Reply, Tls, TlsError, TlsOptions, exchange};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const KEY: KeyRef<'static> = KeyRef { bytes: b"t:k", base64: false };

/// An authority and what it signed, as PEM files.
struct Papers {
    dir: tempfile::TempDir,
}

impl Papers {
    fn new() -> Self {
        let papers = Self { dir: tempfile::tempdir().unwrap() };
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        papers.write("ca", &params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        for (who, name) in [("server", "cache.example"), ("client", "proxy.example")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            papers.write(who, &params.signed_by(&key, &issuer).unwrap().pem());
            papers.write(&format!("{who}.key"), &key.serialize_pem());
        }
        papers
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn server(&self, more: &str) -> Memcached {
        let files = [("ssl_chain_cert", "server"), ("ssl_key", "server.key"), ("ssl_ca_cert", "ca")];
        let files: Vec<String> = files.map(|(option, file)| format!("{option}={}", self.path(file).display())).into();
        Memcached::tcp(&["-Z", "-o", &format!("{}{more}", files.join(","))])
    }

    /// For a server of our own.
    fn acceptor(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_file(self.path("server")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }

    fn options(&self) -> TlsOptions {
        TlsOptions { name: "cache.example".into(), verify: true, ca: Some(self.path("ca")), identity: None }
    }
}

fn link(at: SocketAddr, options: &TlsOptions) -> Link {
    Link::new(Endpoint { address: Address::Tcp(at), auth: None, tls: Some(Tls::new(options).unwrap()) })
}

fn go(link: &mut Link, build: impl FnOnce(&mut Link)) -> Result<(), (Kind, bool)> {
    link.begin();
    build(link);
    exchange(std::slice::from_mut(link), &[0], Deadline::after(Duration::from_secs(5)));
    link.status().map_err(|error| (error.kind, error.sent))
}

#[test]
fn values_small_and_large_travel_inside_tls() {
    let papers = Papers::new();
    let server = papers.server("");
    let mut link = link(server.at, &papers.options());
    let big: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    for value in [&b"small"[..], &big, b""] {
        let both = |link: &mut Link| {
            link.ms(KEY, &[value], "");
            link.mg(KEY, "v");
        };
        assert_eq!(go(&mut link, both), Ok(()), "{}", link.detail());
        assert!(matches!(link.reply(1), Reply::Value { data, .. } if data == value));
        link.recheck();
        assert!(link.is_open(), "a session at rest stays good");
    }
}

#[test]
fn long_requests_are_answered_inside_tls() {
    let papers = Papers::new();
    let server = papers.server("");
    let mut link = link(server.at, &papers.options());
    let names: Vec<String> = (0..200).map(|n| format!("t:{n:0>200}")).collect();
    let all = |link: &mut Link| {
        for (name, size) in names.iter().zip((0..40_000).step_by(200)) {
            link.ms(KeyRef { bytes: name.as_bytes(), base64: false }, &[&vec![b'v'; size]], "");
            link.mg(KeyRef { bytes: name.as_bytes(), base64: false }, "s");
        }
        link.get(b"", names.iter().map(String::as_bytes));
        link.mn();
    };
    assert_eq!(go(&mut link, all), Ok(()), "{}", link.detail());
    let Reply::Values(values) = link.reply(400) else { panic!() };
    assert!(values.map(|item| item.data.len()).eq((0..40_000).step_by(200)));
    assert_eq!(link.reply(401), Reply::Noop);
}

#[test]
fn only_the_right_name_signed_by_a_trusted_authority_is_accepted() {
    let papers = Papers::new();
    let strangers = Papers::new();
    let server = papers.server("");
    let wrong_name = TlsOptions { name: "other.example".into(), ..papers.options() };
    let wrong_authority = TlsOptions { ca: Some(strangers.path("ca")), ..papers.options() };
    for options in [wrong_name, wrong_authority] {
        let mut strict = link(server.at, &options);
        assert_eq!(go(&mut strict, Link::mn), Err((Kind::Tls, false)));
        assert!(strict.detail().contains("certificate"), "{}", strict.detail());
        let mut lax = link(server.at, &TlsOptions { verify: false, ..options });
        assert_eq!(go(&mut lax, Link::mn), Ok(()), "{}", lax.detail());
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_ours() {
    let papers = Papers::new();
    let server = papers.server(",ssl_verify_mode=2");
    let identity = Some((papers.path("client"), papers.path("client.key")));
    let mut known = link(server.at, &TlsOptions { identity, ..papers.options() });
    assert_eq!(go(&mut known, Link::mn), Ok(()), "{}", known.detail());
    let mut unknown = link(server.at, &papers.options());
    assert!(go(&mut unknown, Link::mn).is_err());
}

#[test]
fn a_server_that_stalls_or_does_not_speak_tls_is_found_out_in_time() {
    let papers = Papers::new();
    let budget = Duration::from_millis(60);
    let mute = Script::new(|mut guest| guest.mute());
    let web = Script::new(|mut guest| {
        guest.hear();
        guest.say(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    for (at, want) in [(mute.at, Kind::Timeout), (web.at, Kind::Tls)] {
        let mut quickest = Duration::MAX;
        for _ in 0..3 {
            let mut link = link(at, &papers.options());
            link.begin();
            link.mn();
            let start = Instant::now();
            exchange(std::slice::from_mut(&mut link), &[0], Deadline::after(budget));
            quickest = quickest.min(start.elapsed());
            assert_eq!(link.status().map_err(|error| (error.kind, error.sent)), Err((want, false)));
        }
        assert!(quickest < budget + Duration::from_millis(15), "took {quickest:?}");
    }
}

#[test]
fn a_request_of_which_the_server_read_a_part_was_sent() {
    let papers = Papers::new();
    let config = papers.acceptor();
    let heard = Arc::new(AtomicBool::new(false));
    let seen = heard.clone();
    let server = Script::new(move |mut guest| {
        let mut session = ServerConnection::new(config.clone()).unwrap();
        seen.store(reads_a_record(&mut session, &mut guest.stream), Ordering::Release);
        guest.reset();
    });
    let value = vec![b'v'; 60_000];
    let mut known = 0;
    for round in 0..200 {
        heard.store(false, Ordering::Relaxed);
        let mut link = link(server.at, &papers.options());
        let (_, sent) = go(&mut link, |link| link.ms(KEY, &[&value], "")).unwrap_err();
        if heard.load(Ordering::Acquire) {
            known += 1;
            assert!(sent, "round {round}: {}", link.detail());
        }
    }
    assert!(known > 0, "the server never read anything before its reset was noticed");
}

/// Shakes hands and reads until the first bytes of a request are there; false if they never come.
fn reads_a_record(session: &mut ServerConnection, stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    loop {
        while session.wants_write() {
            session.write_tls(stream).unwrap();
        }
        if !matches!(session.read_tls(stream), Ok(1..)) {
            return false;
        }
        if session.process_new_packets().unwrap().plaintext_bytes_to_read() > 0 {
            return true;
        }
    }
}

#[test]
fn a_connection_lost_inside_tls_is_made_anew() {
    let papers = Papers::new();
    let mut server = papers.server("");
    let mut link = link(server.at, &papers.options());
    assert_eq!(go(&mut link, Link::mn), Ok(()), "{}", link.detail());
    server.kill();
    link.recheck();
    assert!(!link.is_open());
    assert_eq!(go(&mut link, Link::mn), Err((Kind::Refused, false)));
}

#[test]
fn files_that_do_not_fit_are_named() {
    let papers = Papers::new();
    let absent = Path::new("/absent/ca.pem").to_owned();
    let options = TlsOptions { ca: Some(absent.clone()), ..papers.options() };
    assert!(matches!(Tls::new(&options), Err(TlsError::File { path, .. }) if path == absent));
    let options = TlsOptions { ca: Some(papers.path("client.key")), ..papers.options() };
    assert!(matches!(Tls::new(&options), Err(TlsError::Empty(path)) if path == papers.path("client.key")));
    let options = TlsOptions { name: "not a name".into(), ..papers.options() };
    assert!(matches!(Tls::new(&options), Err(TlsError::Name(_))));
    let identity = Some((papers.path("client"), papers.path("server.key")));
    assert!(matches!(Tls::new(&TlsOptions { identity, ..papers.options() }), Err(TlsError::Rustls(_))));
}
