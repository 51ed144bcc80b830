//! A certificate authority of one test run, and a server certificate signed by it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;

#[derive(Clone)]
pub struct Certs {
    pub ca: String,
    pub chain: String,
    pub key: String,
}

impl Certs {
    /// A server certificate for `name` (and 127.0.0.1), signed by a new authority.
    pub fn new(name: &str) -> Certs {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority");
        let key = KeyPair::generate().expect("key");
        let params = CertificateParams::new(vec![name.to_string(), "127.0.0.1".to_string()]).expect("params");
        let server = params.signed_by(&key, &authority).expect("certificate");
        Certs { ca: authority.pem(), chain: server.pem(), key: key.serialize_pem() }
    }

    /// Writes the server's part into `dir`; gives the two paths.
    pub fn write_server(&self, dir: &Path) -> (String, String) {
        (write(dir, "server.pem", &self.chain), write(dir, "server.key", &self.key))
    }

    /// Writes the authority's certificate into `dir`; gives the path.
    pub fn write_ca(&self, dir: &Path) -> String {
        write(dir, "ca.pem", &self.ca)
    }
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("write");
    path.display().to_string()
}
