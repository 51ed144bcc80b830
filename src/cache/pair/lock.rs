//! Advisory locks in two copies: they outlive either server. The rules are those of `cache::single::lock`.
//!
//! Whoever holds a lock gives it back by emptying the record that was read, so that nobody else's is ever taken away.

use super::Call;
use super::count::Counted;
use crate::cache::farm::{RACED, ROUNDS};
use crate::cache::goods::Goods;
use crate::cache::single::FENCE_TTL;
use crate::cache::token::Token;
use crate::cache::{Answer, Fault, Step, Way};
use crate::clock;
use crate::cluster::copies::{Commit, When};
use crate::cluster::courier::Want;
use crate::cluster::record::number;
use crate::key::Kind;
use crate::value::Digits;
use crate::wire::Reply;

/// Seconds that an empty record is kept.
const EMPTY_TTL: u32 = 60;

/// What a lock's record says.
enum Record {
    /// Who stores under this condition has the lock.
    Free(When),
    Held {
        fence: Option<u64>,
        token: Token,
    },
}

impl Call<'_> {
    /// The fencing number when the lock was free, `None` when somebody holds it.
    pub fn lock(mut self, ttl: u32) -> Result<Option<u64>, Fault> {
        for _ in 0..ROUNDS {
            let Record::Free(when) = self.record()? else { return Ok(None) };
            self.kind = Kind::Fence;
            let step = Step { way: Way::Up, by: 1, created: clock::wall_us() };
            let Counted::Number(fence) = self.step(step, FENCE_TTL)? else { return Err(Fault::Refused) };
            let fence = i64::try_from(fence).map_err(|_| Fault::Refused)?;
            self.kind = Kind::Lock;
            let mut digits = Digits::default();
            let goods = Goods::number(fence, &mut digits);
            if self.decide(|view| Commit::new(view, when, ttl), goods)? {
                return Ok(Some(fence.cast_unsigned()));
            }
        }
        Err(RACED)
    }

    pub fn unlock(mut self, fence: u64) -> Answer {
        match self.record()? {
            Record::Held { fence: Some(held), token } if held == fence => {
                let Token::Two(token) = token else { return Err(Fault::Unsettled) };
                let goods = Goods::bare(b"", 0);
                self.decide(|view| Commit::new(view, When::Same(token), EMPTY_TTL), goods)
            }
            _ => Ok(false),
        }
    }

    fn record(&mut self) -> Result<Record, Fault> {
        self.kind = Kind::Lock;
        if !self.read(Want::All)? {
            return Ok(Record::Free(When::Missing));
        }
        let token = self.desk.token().unwrap_or_default();
        match (self.farm.held(), token) {
            (Some(Reply::Value { data: b"", .. }), Token::Two(token)) => Ok(Record::Free(When::Same(token))),
            (Some(Reply::Value { data: b"", .. }), _) => Err(Fault::Unsettled),
            (Some(reply), token) => Ok(Record::Held { fence: number(&reply), token }),
            (None, _) => Err(Fault::Refused),
        }
    }
}
