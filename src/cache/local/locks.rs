//! Locks in the host's own store: a record for the lock, and one for its fencing numbers.

use super::{Held, Local, seconds};
use crate::cache::single::FENCE_TTL;
use crate::cache::{Answer, Fault, Step, Way};
use crate::clock;
use crate::near::{self, Removed};

impl Local {
    pub fn lock(&mut self, table: usize, key: &[u8], ttl: u32) -> Result<Option<u64>, Fault> {
        let taken = self.take_lock(table, key, ttl);
        self.held = Held::Nothing;
        taken
    }

    fn take_lock(&mut self, table: usize, key: &[u8], ttl: u32) -> Result<Option<u64>, Fault> {
        self.set_record("lock", table, key)?;
        if self.store.look(&self.name, seconds(), self.deadline())?.is_some() {
            return Ok(None);
        }
        self.set_record("fence", table, key)?;
        self.step(Step { way: Way::Up, by: 1, created: clock::wall_us() }, FENCE_TTL)?;
        let Held::Number(fence) = self.held else { return Err(Fault::Refused) };
        self.set_record("lock", table, key)?;
        Ok(self.store_under(near::Mode::Add, fence.to_string().as_bytes(), 0, ttl)?.then_some(fence))
    }

    pub fn unlock(&mut self, table: usize, key: &[u8], fence: u64) -> Answer {
        self.set_record("lock", table, key)?;
        self.read()?;
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Data { cas, .. } if self.data == fence.to_string().as_bytes() => {
                Ok(self.store.remove(&self.name, Some(cas), seconds(), self.deadline())? == Removed::Done)
            }
            _ => Ok(false),
        }
    }
}
