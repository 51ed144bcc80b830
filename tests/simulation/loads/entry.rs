//! What lies in a table that lookups fill, and for how long: what `lookup::policy` says of it.

use shardcache::cluster::copies::Hit;

use super::super::rng::Rng;

/// What a stored value means.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// What the database said.
    Number(u64),
    /// A loader's place, taken for `life` seconds; `old` lay there before.
    Place { life: u32, old: Option<u64> },
    /// A place that was given back; `failed`: the database did not answer.
    GivenUp { failed: bool },
}

/// Times in the servers' seconds, 0 = for ever.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    fresh: u32,
    stale: u32,
    lease: u32,
}

/// For what a place is taken: the old number goes on to be served from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bid {
    pub old: Option<u64>,
    left: u32,
}

/// What an entry means for who looks it up.
pub enum Sight {
    Serve(u64),
    Take(Bid),
    Taken,
    GivenUp { failed: bool },
}

#[derive(PartialEq, Eq)]
enum Age {
    Fresh,
    Due,
    Stale,
}

/// The last tenth of the fresh time.
const EARLY: u32 = 10;

impl Policy {
    pub fn pick(rng: &mut Rng) -> Self {
        let (fresh, stale) = [(0, 0), (12, 0), (10, 6), (30, 10)][rng.below(4)];
        Self { fresh, stale, lease: [2, 4][rng.below(2)] }
    }

    /// The lifetime of what was loaded just now.
    pub fn life(&self, random: u64) -> u32 {
        if self.fresh == 0 { 0 } else { self.fresh - 1 + (random % 3) as u32 + self.stale }
    }

    /// The lifetime of a place.
    pub fn lease(&self, bid: &Bid) -> u32 {
        if bid.old.is_some() { bid.left.max(1) } else { self.lease }
    }

    fn age(&self, left: u32, random: u64) -> Age {
        if left == 0 || self.fresh == 0 {
            return Age::Fresh;
        }
        let (rest, early) = (left.saturating_sub(self.stale), self.fresh / EARLY);
        match rest {
            0 => Age::Stale,
            rest if rest < early && random % u64::from(early) >= u64::from(rest) => Age::Due,
            _ => Age::Fresh,
        }
    }

    /// Without `random` nothing that can be served is loaded anew.
    pub fn sight(&self, entry: Entry, hit: &Hit, random: Option<u64>) -> Sight {
        let left = hit.ttl.unwrap_or(0);
        let bid = |number| Sight::Take(Bid { old: Some(number), left });
        match entry {
            Entry::GivenUp { failed } => Sight::GivenUp { failed },
            Entry::Place { life, old } => {
                let over = life.saturating_sub(left) >= self.lease;
                match old {
                    None if over => Sight::Take(Bid::default()),
                    None => Sight::Taken,
                    Some(number) if over && random.is_some() => bid(number),
                    Some(number) => Sight::Serve(number),
                }
            }
            Entry::Number(number) => match random.map(|random| self.age(left, random)) {
                None | Some(Age::Fresh) => Sight::Serve(number),
                Some(Age::Due | Age::Stale) => bid(number),
            },
        }
    }
}
