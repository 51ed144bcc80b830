//! Counters in one copy.

use super::{GUARD, How, Single};
use crate::cache::farm::{Held, RACED, ROUNDS, Repeat, plain};
use crate::cache::goods::Goods;
use crate::cache::{Answer, COUNTER_MAX, Fault, Step, Way};
use crate::cluster::lifetime::wire_ttl;
use crate::cluster::record::{decimal, key_ref};
use crate::cluster::seats::{Counted, Rules, counted};
use crate::key::Kind;
use crate::value::Digits;
use crate::wire::{Flags, Reply};

/// The number that a counter has now, and its cas.
type Moved = (u64, u64);

impl Single<'_> {
    pub fn count(mut self, step: Step, ttl: u32) -> Answer {
        let number = self.step(step, ttl)?;
        if number <= COUNTER_MAX {
            self.farm.hold(Held::Number(number));
            return Ok(true);
        }
        // Taken back within the same call's time.
        let back = Flags::new(if step.way == Way::Up { "MD" } else { "MI" }).with('D', step.by);
        self.change(Repeat::Never, |link, key| link.ma(key_ref(key), &back))?;
        Err(Fault::Overflow)
    }

    /// Moves the counter; a missing one is created.
    pub(super) fn step(&mut self, step: Step, ttl: u32) -> Result<u64, Fault> {
        let flags = Flags::new(if step.way == Way::Up { "MI v c" } else { "MD v c" }).with('D', step.by);
        let life = wire_ttl(self.spot.life(ttl));
        // A fence lives on with each use, a counter does not.
        let flags = if self.kind == Kind::Fence { flags.with('T', life) } else { flags };
        if self.spot.guarded() {
            return self.guarded(&flags, step.created, ttl);
        }
        let flags = flags.with('N', life).with('J', step.created);
        let at = self.change(Repeat::Never, |link, key| link.ma(key_ref(key), &flags))?;
        self.moved(at)?.map(|(number, _)| number).ok_or(Fault::Refused)
    }

    /// A server would make a missing counter without a stamp: it is added by us.
    fn guarded(&mut self, flags: &str, created: u64, ttl: u32) -> Result<u64, Fault> {
        let mut digits = Digits::default();
        let first = i64::try_from(created).map_err(|_| Fault::Overflow)?;
        let goods = Goods::number(first, &mut digits);
        for _ in 0..ROUNDS {
            let at = self.change(Repeat::Never, |link, key| {
                link.mg(key_ref(key), GUARD);
                link.ma(key_ref(key), flags);
                link.mg(key_ref(key), GUARD);
            })?;
            let (before, after) = (self.guard(at)?, self.guard(at + 2)?);
            let how = match (self.moved(at + 1), before) {
                (Err(Fault::NotANumber), Some(guard)) if self.spot.void(guard) => How::Over(guard.cas),
                (Err(fault), _) => return Err(fault),
                (Ok(moved), _) => {
                    match counted(self.spot.seat, &Rules::ALL, before, moved.map(|(_, cas)| cas), after) {
                        Counted::Done => return moved.map(|(number, _)| number).ok_or(Fault::Refused),
                        Counted::Absent => How::Add,
                        Counted::Void(cas) => How::Over(cas),
                        Counted::Unsure => return Err(Fault::Ambiguous),
                    }
                }
            };
            if self.store(&goods, ttl, how)? {
                return Ok(created);
            }
        }
        Err(RACED)
    }

    /// What a count came to; `None` = there was nothing to count.
    fn moved(&self, at: usize) -> Result<Option<Moved>, Fault> {
        match self.reply(at) {
            Reply::Value { data, meta } => Ok(Some((decimal(data).ok_or(Fault::NotANumber)?, meta.cas))),
            Reply::ClientError(text) if text.ends_with(b"non-numeric value") => Err(Fault::NotANumber),
            other => {
                if plain(&other)? {
                    Err(Fault::Refused)
                } else {
                    Ok(None)
                }
            }
        }
    }
}
