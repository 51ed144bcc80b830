//! Advisory locks: a record beside the entry, added by one holder, with a fencing number that only grows.
//!
//! The number comes from a counter that is created from the wall clock in microseconds, so a counter that was lost does
//! not start below what it gave out before. A holder that sleeps past its `ttl` may overlap with the next one; the
//! fencing number tells whoever is asked to act for them which of the two is the newer.

use super::Single;
use crate::cache::farm::{Repeat, plain};
use crate::cache::goods::Goods;
use crate::cache::{Answer, Fault, Step, Way};
use crate::clock;
use crate::cluster::record::{key_ref, number};
use crate::key::Kind;
use crate::value::Digits;
use crate::wire::{Flags, Reply};

/// Seconds a fencing counter is kept after its last use.
pub(crate) const FENCE_TTL: u32 = 24 * 3600;

impl Single<'_> {
    /// The fencing number when the lock was free, `None` when somebody holds it.
    pub fn lock(mut self, ttl: u32) -> Result<Option<u64>, Fault> {
        self.kind = Kind::Lock;
        if self.look()?.is_some_and(|guard| !self.spot.void(guard)) {
            return Ok(None);
        }
        self.kind = Kind::Fence;
        let fence = self.step(Step { way: Way::Up, by: 1, created: clock::wall_us() }, FENCE_TTL)?;
        self.kind = Kind::Lock;
        let mut digits = Digits::default();
        let goods = Goods::number(i64::try_from(fence).map_err(|_| Fault::Refused)?, &mut digits);
        let stored = self.add(&goods, ttl)?;
        Ok(stored.then_some(fence))
    }

    pub fn unlock(mut self, fence: u64) -> Answer {
        self.kind = Kind::Lock;
        let at = self.leg(Repeat::Harmless, |link, key| link.mg(key_ref(key), "v f c"))?;
        let cas = match self.reply(at) {
            Reply::Value { meta, .. } if !self.spot.accepts(meta.flags) => return Ok(false),
            Reply::Value { meta, .. } if number(&self.reply(at)) == Some(fence) => meta.cas,
            Reply::Value { .. } | Reply::Miss => return Ok(false),
            other => return plain(&other),
        };
        let flags = Flags::new("").with('C', cas);
        let at = self.leg(Repeat::Never, |link, key| link.md(key_ref(key), &flags))?;
        plain(&self.reply(at))
    }
}
