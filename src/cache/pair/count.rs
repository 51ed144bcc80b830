//! Counters in two copies. A key that holds a plain value is counted by get and cas.

use super::Call;
use crate::cache::farm::{Held, RACED, ROUNDS};
use crate::cache::goods::Goods;
use crate::cache::token::Token;
use crate::cache::{Answer, COUNTER_MAX, Fault, Step, Way};
use crate::cluster::copies::{Commit, Count, Outcome, When};
use crate::cluster::courier::Want;
use crate::cluster::record::decimal;
use crate::value::{self, Digits};
use crate::wire::Reply;

/// What became of one step of a counter.
pub(super) enum Counted {
    Number(u64),
    /// The key holds a plain value; `counted`: a server counted beside it, for nothing.
    Plain {
        counted: bool,
    },
}

impl Call<'_> {
    pub fn count(mut self, step: Step, ttl: u32) -> Answer {
        let mut doubt = false;
        for _ in 0..ROUNDS {
            let number = match self.step(step, ttl)? {
                Counted::Number(number @ 0..=COUNTER_MAX) => Some(number),
                Counted::Number(_) => {
                    let way = if step.way == Way::Up { Way::Down } else { Way::Up };
                    self.step(Step { way, ..step }, ttl)?;
                    return Err(Fault::Overflow);
                }
                Counted::Plain { counted } => {
                    doubt |= counted;
                    let plain = self.count_plain(step);
                    if doubt && !matches!(plain, Ok(Some(_))) {
                        return Err(Fault::Ambiguous);
                    }
                    plain?
                }
            };
            if let Some(number) = number {
                self.farm.hold(Held::Number(number));
                return Ok(true);
            }
        }
        Err(RACED)
    }

    /// Moves the counter, if the key does not hold a plain value.
    pub(super) fn step(&mut self, step: Step, ttl: u32) -> Result<Counted, Fault> {
        let count = |view| Count::new(view, step.by, step.way == Way::Down, step.created, ttl);
        match self.run(count, Goods::default(), Want::Bare)? {
            Outcome::Number(number) => Ok(Counted::Number(number)),
            Outcome::Plain { counted } => Ok(Counted::Plain { counted }),
            _ => Err(Fault::Refused),
        }
    }

    /// Counts as a server does, with the plain value that is there; `None` when it is gone or was changed meanwhile.
    fn count_plain(&mut self, step: Step) -> Result<Option<u64>, Fault> {
        if !self.read(Want::All)? || self.desk.notes.counter.is_some() {
            return Ok(None);
        }
        let Some(Token::Two(token)) = self.desk.token() else { return Err(Fault::Unsettled) };
        let Some(Reply::Value { data, meta }) = self.farm.held() else { return Err(Fault::Refused) };
        let old = decimal(data).ok_or(Fault::NotANumber)?;
        let new = if step.way == Way::Up { old.checked_add(step.by) } else { Some(old.saturating_sub(step.by)) };
        let new = new.and_then(|new| i64::try_from(new).ok()).ok_or(Fault::Overflow)?;
        let (flags, ttl, mut digits) = (meta.flags, remaining(meta.ttl), Digits::default());
        let goods = Goods::bare(value::decimal(new, &mut digits), flags);
        let stored = self.decide(|view| Commit::new(view, When::Same(token), ttl), goods)?;
        Ok(stored.then_some(new.cast_unsigned()))
    }
}

/// The lifetime of what replaces an item that has so many seconds left.
fn remaining(left: i64) -> u32 {
    if left < 0 { 0 } else { u32::try_from(left).unwrap_or(u32::MAX).max(1) }
}
