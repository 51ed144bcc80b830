//! Advisory locks: a record beside the entry, added by one holder, with a fencing number that only grows.
//!
//! The number comes from a counter that is created from the wall clock in microseconds, so a counter that was lost does
//! not start below what it gave out before. A holder that sleeps past its `ttl` may overlap with the next one; the
//! fencing number tells whoever is asked to act for them which of the two is the newer.

use super::farm::{Farm, Repeat, plain};
use super::{Answer, Fault};
use crate::clock;
use crate::cluster::lifetime::wire_ttl;
use crate::cluster::record::number;
use crate::wire::Reply;

/// Seconds a fencing counter is kept after its last use.
pub(super) const FENCE_TTL: u32 = 24 * 3600;

impl Farm {
    /// The fencing number when the lock was free, `None` when somebody holds it.
    pub fn lock(&mut self, table: usize, key: &[u8], ttl: u32) -> Result<Option<u64>, Fault> {
        let deadline = self.begin();
        let (server, name) = (self.home(table, key), &self.shared.config().tables[table].name);
        self.send_record(server, deadline, Repeat::Harmless, ("lock", name, key), |link, record| link.mg(record, ""))?;
        if plain(&self.links[server].reply(0))? {
            return Ok(None);
        }
        let start = format!("N{FENCE_TTL} T{FENCE_TTL} J{} D1 v", clock::wall_us());
        self.send_record(server, deadline, Repeat::Never, ("fence", name, key), |link, record| {
            link.ma(record, &start)
        })?;
        let fence = number(&self.links[server].reply(0)).ok_or(Fault::Refused)?;
        let (text, flags) = (fence.to_string(), format!("T{} ME", wire_ttl(ttl)));
        self.send_record(server, deadline, Repeat::Never, ("lock", name, key), |link, record| {
            link.ms(record, &[text.as_bytes()], &flags);
        })?;
        Ok(plain(&self.links[server].reply(0))?.then_some(fence))
    }

    pub fn unlock(&mut self, table: usize, key: &[u8], fence: u64) -> Answer {
        let deadline = self.begin();
        let (server, name) = (self.home(table, key), &self.shared.config().tables[table].name);
        self.send_record(server, deadline, Repeat::Harmless, ("lock", name, key), |link, record| {
            link.mg(record, "v c")
        })?;
        let cas = match self.links[server].reply(0) {
            Reply::Value { meta, .. } if number(&self.links[server].reply(0)) == Some(fence) => meta.cas,
            Reply::Value { .. } | Reply::Miss => return Ok(false),
            other => return plain(&other),
        };
        let flags = format!("C{cas}");
        self.send_record(server, deadline, Repeat::Never, ("lock", name, key), |link, record| link.md(record, &flags))?;
        plain(&self.links[server].reply(0))
    }
}
