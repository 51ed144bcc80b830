//! TLS towards a server: which authorities to trust, which name to expect, which certificate to show.
//!
//! Built once per server before any worker is forked; each connection only starts a session from it. Sessions are never
//! resumed, so forked processes share no secrets.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where distributions keep the authorities that the whole machine trusts.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// What the operator said about TLS to one server.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// The host name or IP address the certificate must be for.
    pub name: String,
    /// False accepts any certificate.
    pub verify: bool,
    /// Authorities to trust, in PEM; `None` = the machine's own.
    pub ca: Option<PathBuf>,
    /// Our certificate chain and key, both in PEM, for a server that asks.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why TLS cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {reason}")]
    File { path: PathBuf, reason: String },
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    #[error("no trusted authorities found on this machine; name a file or switch verification off")]
    NoAuthorities,
    #[error("{0:?} is neither a host name nor an IP address")]
    Name(String),
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
}

/// TLS ready to be started on any number of connections to one server.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads the files and checks that they fit together.
    ///
    /// # Errors
    /// [`TlsError`], naming the file or value that does not fit.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        // A session needs some name even where nobody checks it.
        let wanted = if options.name.is_empty() && !options.verify { "localhost" } else { &options.name };
        let name = ServerName::try_from(wanted.to_owned()).map_err(|_| TlsError::Name(options.name.clone()))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = if options.verify {
            builder.with_root_certificates(authorities(options.ca.as_deref())?)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        };
        let mut config = identified(builder, options.identity.as_ref())?;
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name })
    }

    /// A session to be started on one connection.
    ///
    /// # Errors
    /// What rustls refuses of the configuration.
    pub fn session(&self) -> Result<ClientConnection, rustls::Error> {
        ClientConnection::new(self.config.clone(), self.name.clone())
    }
}

fn identified(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<&(PathBuf, PathBuf)>,
) -> Result<ClientConfig, TlsError> {
    let Some((chain, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::File { path: key.clone(), reason: error.to_string() })?;
    Ok(builder.with_client_auth_cert(certificates(chain)?, secret)?)
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    if let Some(file) = file {
        for certificate in certificates(file)? {
            store.add(certificate)?;
        }
        return Ok(store);
    }
    for file in SYSTEM.map(Path::new).into_iter().filter(|file| file.exists()) {
        store.add_parsable_certificates(certificates(file)?);
        if !store.is_empty() {
            return Ok(store);
        }
    }
    Err(TlsError::NoAuthorities)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable =
        |error: rustls::pki_types::pem::Error| TlsError::File { path: file.to_owned(), reason: error.to_string() };
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect();
    let all = all.map_err(unreadable)?;
    if all.is_empty() { Err(TlsError::Empty(file.to_owned())) } else { Ok(all) }
}

/// Accepts any certificate, as long as the server holds its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
