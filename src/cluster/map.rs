//! What a program needs to know of the farm that has no configuration of it, written down on every server by the hosts.
//!
//! `!map::<digest>` holds the list of servers whose digest `!list` names, `!table:<name>` a table as it is configured. No
//! password is told, nor any file. The watchers keep both in place ([`chart`]); whoever knows one server learns the
//! rest ([`guest`]).

pub mod chart;
pub mod guest;

use crate::config::{Config, ConfigError, ServerSpec};
use crate::key::WireKey;

/// A server as the map tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    spec: ServerSpec,
    /// It asks for a user and a password.
    auth: bool,
}

/// A list of servers as text: one per line.
fn text<'a>(servers: impl Iterator<Item = &'a ServerSpec>) -> String {
    servers.map(|server| format!("{} {}\n", u8::from(server.auth.is_some()), server.published())).collect()
}

/// Reads what [`text`] wrote.
fn parse(text: &[u8]) -> Result<Vec<Listed>, ConfigError> {
    let text = String::from_utf8_lossy(text);
    let listed = |line: &str| {
        let (auth, spec) = line.split_once(' ').unwrap_or(("", line));
        Ok(Listed { spec: Config::server(spec)?, auth: auth == "1" })
    };
    text.lines().map(listed).collect()
}

/// The key of the list with this digest.
fn map_key(digest: u64) -> WireKey {
    WireKey::of_record("map", "", format!("{digest:016x}").as_bytes())
}

/// The key of one of a table's records.
fn table_key(kind: &str, table: &str) -> WireKey {
    WireKey::of_record(kind, table, b"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Layout;

    #[test]
    fn a_list_reads_back_without_its_secrets() {
        let specs = [
            "name=a;addr=10.0.0.1;weight=3;zone=x;pair=b",
            "name=b;addr=[::1]:7;ring=place;user=u;pass=hidden",
            "name=c;addr=mc.example.org;tls=1;tls_ca=/ca.pem;tls_name=d.example.org;tls_cert=/c.pem;tls_key=/k.pem",
        ];
        let specs: Vec<ServerSpec> = specs.iter().map(|text| Config::server(text).unwrap()).collect();
        let text = text(specs.iter());
        assert!(!text.contains("hidden") && !text.contains(".pem"), "{text}");
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(read.iter().map(|server| server.auth).collect::<Vec<_>>(), [false, true, false]);
        let digest = |specs: Vec<ServerSpec>| {
            let bare = |spec: ServerSpec| ServerSpec { tls: None, ..spec };
            Layout::new(1, specs.into_iter().map(bare).map(Some).collect()).unwrap().digest()
        };
        assert_eq!(digest(specs), digest(read.into_iter().map(|server| server.spec).collect()));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["x", "0 name=a", "1 name=a;addr=h;colour=red", "0"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(parse(b""), Ok(Vec::new()));
    }

    #[test]
    fn keys_are_records() {
        assert_eq!(map_key(0xabc).bytes(), b"!map::0000000000000abc");
        assert_eq!(table_key("table", "ipauth").bytes(), b"!table:ipauth");
    }
}
