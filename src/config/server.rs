//! One memcached server: `name=mc1;addr=10.0.0.11:11211;weight=1;zone=a`.

use std::fmt;
use std::path::PathBuf;

use super::addr::{Addr, is_host};
use super::attrs::{Attrs, SERVER};
use crate::table::is_name;

/// A server as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// `[A-Za-z0-9_]{1,32}`: how logs and statistics call it.
    pub name: String,
    pub addr: Addr,
    /// Its share of the keys against the others': 1 to 1000.
    pub weight: u32,
    /// Where it stands; empty when nobody said.
    pub zone: String,
    /// The name of the server that is to keep the second copies of what is at home here.
    pub pair: Option<String>,
    /// Its name on the ring when that is not its address.
    pub ring: Option<String>,
    pub auth: Option<Auth>,
    pub tls: Option<TlsSpec>,
}

/// User and password of a server that runs with `-Y`.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    pub user: String,
    pub pass: String,
}

/// How to speak TLS with a server. The files are opened later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSpec {
    /// Certificates that vouch for the server.
    pub ca: Option<PathBuf>,
    /// The name to verify when it is not the host's.
    pub name: Option<String>,
    pub verify: bool,
    /// Our own certificate and its key: both or none.
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

pub(super) fn parse(text: &str) -> Result<ServerSpec, String> {
    if !text.contains('=') {
        return Err(format!(
            "expected name=<name>;addr=<address>, one server per parameter; known: {}",
            SERVER.known.join(", ")
        ));
    }
    let attrs = Attrs::read(text, &SERVER)?;
    let name = attrs.need("name")?;
    if !is_name(name.as_bytes()) {
        return Err(format!("name={name}: expected 1 to 32 letters, digits and underscores"));
    }
    let addr = Addr::parse(attrs.need("addr")?)?;
    let tls = tls(&attrs)?;
    if tls.is_some() && matches!(addr, Addr::Unix(_)) {
        return Err("tls=1: expected a TCP address, a unix socket has no TLS".to_owned());
    }
    Ok(ServerSpec {
        name: name.to_owned(),
        addr,
        weight: attrs.number("weight", 1..=1000)?.unwrap_or(1),
        zone: zone(&attrs)?,
        pair: pair(&attrs, name)?,
        ring: ring(&attrs)?,
        auth: auth(&attrs)?,
        tls,
    })
}

fn zone(attrs: &Attrs<'_>) -> Result<String, String> {
    let zone = attrs.get("zone").unwrap_or_default();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if zone.len() > 32 || !zone.bytes().all(good) {
        return Err(format!("zone={zone}: expected 1 to 32 letters, digits, '_', '-' and '.'"));
    }
    Ok(zone.to_owned())
}

fn pair(attrs: &Attrs<'_>, own: &str) -> Result<Option<String>, String> {
    match attrs.get("pair") {
        Some(name) if name == own || !is_name(name.as_bytes()) => {
            Err(format!("pair={name}: expected the name of another server"))
        }
        name => Ok(name.map(str::to_owned)),
    }
}

fn ring(attrs: &Attrs<'_>) -> Result<Option<String>, String> {
    match attrs.get("ring") {
        Some(name) if name.len() > 255 || !name.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(format!("ring={name}: expected 1 to 255 printable characters without blanks"))
        }
        name => Ok(name.map(str::to_owned)),
    }
}

fn auth(attrs: &Attrs<'_>) -> Result<Option<Auth>, String> {
    match (attrs.get("user"), attrs.get("pass")) {
        (None, None) => Ok(None),
        (Some(_), None) => Err("attribute \"user\" needs \"pass\"".to_owned()),
        (None, Some(_)) => Err("attribute \"pass\" needs \"user\"".to_owned()),
        (Some(user), Some(_)) if user.contains([' ', ':']) => {
            Err(format!("user={user}: expected a name without blanks and ':'"))
        }
        (Some(user), Some(pass)) => Ok(Some(Auth { user: user.to_owned(), pass: pass.to_owned() })),
    }
}

fn tls(attrs: &Attrs<'_>) -> Result<Option<TlsSpec>, String> {
    if attrs.switch("tls")? != Some(true) {
        let idle = attrs.starting("tls_");
        return idle.map_or(Ok(None), |idle| Err(format!("attribute \"{idle}\" needs tls=1")));
    }
    let file = |name| attrs.get(name).map(PathBuf::from);
    let name = attrs.get("tls_name");
    if let Some(name) = name.filter(|name| !is_host(name, name.contains(':'))) {
        return Err(format!("tls_name={name}: expected a host name or an address"));
    }
    let (cert, key) = (file("tls_cert"), file("tls_key"));
    if cert.is_some() != key.is_some() {
        return Err("attributes \"tls_cert\" and \"tls_key\" need each other".to_owned());
    }
    let verify = attrs.switch("tls_verify")?.unwrap_or(true);
    Ok(Some(TlsSpec { ca: file("tls_ca"), name: name.map(str::to_owned), verify, cert, key }))
}

impl ServerSpec {
    /// The name that decides its place on the ring: libmemcached's spelling of the address unless `ring` says otherwise.
    #[must_use]
    pub fn ring_name(&self) -> String {
        self.ring.clone().unwrap_or_else(|| self.addr.ring_name())
    }

    /// The server of `all` that `pair` names, and its place there.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn paired<'a>(
        &self,
        mut all: impl Iterator<Item = (usize, &'a Self)>,
    ) -> Result<Option<(usize, &'a Self)>, String> {
        let Some(pair) = &self.pair else { return Ok(None) };
        let found = all.find(|(_, other)| other.name == *pair);
        found.map(Some).ok_or_else(|| format!("pair={pair}: expected the name of another server in the list"))
    }

    /// As it would be configured, password included.
    pub(crate) fn spelled(&self) -> String {
        let mut text = String::new();
        let _ = self.spell(&mut text, |pass| pass);
        text
    }

    /// As it may be told to everybody: without password and files.
    pub(crate) fn published(&self) -> String {
        let tls = self.tls.clone().map(|tls| TlsSpec { ca: None, cert: None, key: None, ..tls });
        Self { auth: None, tls, ..self.clone() }.spelled()
    }

    fn spell(&self, f: &mut impl fmt::Write, shown: impl Fn(&str) -> &str) -> fmt::Result {
        write!(f, "name={};addr={};weight={}", self.name, self.addr, self.weight)?;
        if !self.zone.is_empty() {
            write!(f, ";zone={}", self.zone)?;
        }
        if let Some(pair) = &self.pair {
            write!(f, ";pair={pair}")?;
        }
        if let Some(ring) = &self.ring {
            write!(f, ";ring={ring}")?;
        }
        if let Some(auth) = &self.auth {
            write!(f, ";user={};pass={}", auth.user, shown(&auth.pass))?;
        }
        self.tls.as_ref().map_or(Ok(()), |tls| write!(f, ";tls=1{tls}"))
    }

    /// True when `other` is the same server, whatever else is said of it.
    pub(crate) fn stays(&self, other: &Self) -> bool {
        self.addr == other.addr && self.ring_name() == other.ring_name()
    }

    /// True when `other` is reached in the same way: connections made before still serve.
    pub(crate) fn reached_as(&self, other: &Self) -> bool {
        self.stays(other) && self.auth == other.auth && self.tls == other.tls
    }

    /// Fails when both share what must be each one's own.
    pub(super) fn differs(&self, other: &Self) -> Result<(), String> {
        let what = if self.name == other.name {
            "name"
        } else if self.addr.same(&other.addr) {
            "address"
        } else if self.ring_name() == other.ring_name() {
            "place on the ring"
        } else {
            return Ok(());
        };
        Err(format!("its {what} is already that of server \"{}\" ({}), expected another one", other.name, other.addr))
    }
}

/// As it would be configured, with `***` for the password.
impl fmt::Display for ServerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spell(f, |_| "***")
    }
}

impl fmt::Display for TlsSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = [("ca", &self.ca), ("cert", &self.cert), ("key", &self.key)];
        for (name, file) in files {
            if let Some(file) = file {
                write!(f, ";tls_{name}={}", file.display())?;
            }
        }
        if let Some(name) = &self.name {
            write!(f, ";tls_name={name}")?;
        }
        write!(f, ";tls_verify={}", u8::from(self.verify))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("user", &self.user).field("pass", &format_args!("***")).finish()
    }
}
