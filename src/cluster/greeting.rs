//! What a server says of itself on a new connection: version, process, limits.

use crate::health::Reason;
use crate::wire::{Link, Reply};

/// Older servers answer the meta commands otherwise, or not at all.
const OLDEST: &str = "1.6.18";

/// Who answers behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// See `ServerCell::version`.
    pub version: u64,
    /// The process that answers; another one than before means a restart.
    pub process: u64,
    /// The largest item it takes, bytes; 0 = it did not say.
    pub item_max: u64,
}

impl Greeting {
    /// Appends the three questions to a packet.
    pub fn ask(link: &mut Link) {
        link.line(b"version");
        link.lines(b"stats");
        link.lines(b"stats settings");
    }

    /// Reads the three answers. Too old a server is as good as none.
    pub fn parse(version: &Reply<'_>, stats: &Reply<'_>, settings: &Reply<'_>) -> Result<Self, Reason> {
        let Reply::Line(line) = version else { return Err(Reason::Protocol) };
        let text = line.strip_prefix(b"VERSION ").and_then(|text| std::str::from_utf8(text).ok());
        let version = text.and_then(version_number).ok_or(Reason::Protocol)?;
        if Some(version) < version_number(OLDEST) {
            return Err(Reason::TooOld);
        }
        let process = stat(stats, b"pid").unwrap_or(0);
        let item_max = stat(settings, b"item_size_max").unwrap_or(0);
        Ok(Self { version, process, item_max })
    }
}

/// The number behind `STAT <name> `.
fn stat(reply: &Reply<'_>, name: &[u8]) -> Option<u64> {
    let Reply::Lines(mut lines) = *reply else { return None };
    lines.find_map(|line| {
        let rest = line.strip_prefix(b"STAT ")?.strip_prefix(name)?.strip_prefix(b" ")?;
        std::str::from_utf8(rest).ok()?.parse().ok()
    })
}

/// Packs `1.6.18` so that versions compare as numbers; what follows the digits is ignored.
#[must_use]
pub fn version_number(text: &str) -> Option<u64> {
    let mut parts = text.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse::<u16>().ok()
    });
    let mut next = || parts.next().flatten().map(u64::from);
    Some(next()? << 32 | next()? << 16 | next().unwrap_or(0))
}

/// The same as text.
#[must_use]
pub fn version_text(number: u64) -> String {
    format!("{}.{}.{}", number >> 32, number >> 16 & 0xffff, number & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Lines;

    const STATS: Reply<'static> = Reply::Lines(Lines(b"STAT pid 4711\r\nSTAT uptime 5\r\nEND\r\n"));
    const SETTINGS: Reply<'static> = Reply::Lines(Lines(b"STAT maxbytes 1\r\nSTAT item_size_max 1048576\r\nEND\r\n"));

    #[test]
    fn a_server_says_who_it_is() {
        let greeting = Greeting::parse(&Reply::Line(b"VERSION 1.6.18"), &STATS, &SETTINGS).unwrap();
        assert_eq!((greeting.process, greeting.item_max), (4711, 1_048_576));
        assert_eq!(Some(greeting.version), version_number("1.6.18"));
    }

    #[test]
    fn a_stranger_and_a_server_too_old_are_refused() {
        let refused = |line| Greeting::parse(&Reply::Line(line), &STATS, &SETTINGS).unwrap_err();
        assert_eq!(refused(b"VERSION 1.6.9"), Reason::TooOld);
        assert_eq!(refused(b"VERSION 1.5.22"), Reason::TooOld);
        assert_eq!(refused(b"-ERR unknown command"), Reason::Protocol);
        assert_eq!(refused(b"VERSION x"), Reason::Protocol);
    }

    #[test]
    fn versions_compare_as_numbers_and_read_back_as_text() {
        for (text, back) in [("1.6.18", "1.6.18"), ("1.6.40_beta", "1.6.40"), ("1.6", "1.6.0"), ("2.0.1-rc1", "2.0.1")]
        {
            assert_eq!(version_number(text).map(version_text).as_deref(), Some(back), "{text}");
        }
        assert_eq!(version_number("redis"), None);
        assert!(version_number("1.6.9") < version_number("1.6.18"));
    }
}
