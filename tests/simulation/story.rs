//! What follows when a machine of a call ends: most calls end with it; a count that meets a value goes on by get and cas, a
//! touch begins with a get.

use shardcache::cluster::copies::{Commit, Count, Hit, Outcome, Read, Side, Token, View, When};

use super::history::Act;
use super::server::Content;
use super::worker::{Job, Working};

#[allow(clippy::large_enum_variant, reason = "a machine allocates nothing")]
pub enum Then {
    Next(Job),
    Done(Outcome),
}

/// `hit`: what a get found.
pub fn then(working: &mut Working, outcome: Outcome, hit: Option<Hit>, view: View) -> Then {
    working.seen |= outcome == Outcome::Plain { counted: true };
    let then = match working.act {
        Act::Count { delta, down } => counted(working, outcome, hit, view, delta, down),
        Act::Touch => touched(working, outcome, hit, view),
        _ => Then::Done(outcome),
    };
    match then {
        Then::Done(Outcome::Unavailable) if working.seen => Then::Done(Outcome::Ambiguous),
        then => then,
    }
}

/// The value that the next commit stores.
pub fn load(working: &Working, hit: Option<Hit>) -> Option<Content> {
    let hit = hit?;
    let value = if working.act == Act::Touch { hit.digest } else { working.number };
    Some(Content { value, numeric: hit.number.is_some() })
}

fn counted(working: &mut Working, outcome: Outcome, hit: Option<Hit>, view: View, delta: u64, down: bool) -> Then {
    let again = |job: Job, working: &mut Working| {
        if working.tries == 0 {
            return Then::Done(Outcome::Unavailable);
        }
        working.tries -= 1;
        Then::Next(job)
    };
    let count = Job::Count(Count::new(view, delta, down, working.init, working.ttl));
    match (working.job, outcome) {
        (Job::Count(_), Outcome::Plain { .. }) | (Job::Commit(_), Outcome::Missing) => {
            again(Job::Read(Read::new(view)), working)
        }
        (Job::Read(_), Outcome::Number(_) | Outcome::Missing) if working.seen => Then::Done(Outcome::Ambiguous),
        (Job::Read(_), Outcome::Number(_) | Outcome::Missing) => again(count, working),
        (Job::Read(_), Outcome::Found { side, verified: true }) => {
            let number = hit.and_then(|hit| hit.number).unwrap_or(0);
            working.number = if down { number.saturating_sub(delta) } else { number + delta };
            same(side, hit, view, hit.and_then(|hit| hit.ttl).map_or(0, |ttl| ttl.max(1)))
        }
        (Job::Read(_), _) => Then::Done(Outcome::Unavailable),
        (Job::Commit(_), Outcome::Done) => Then::Done(Outcome::Number(working.number)),
        _ => Then::Done(outcome),
    }
}

fn touched(working: &mut Working, outcome: Outcome, hit: Option<Hit>, view: View) -> Then {
    match (working.job, outcome) {
        (Job::Read(_), Outcome::Found { side, verified: true }) => same(side, hit, view, working.ttl),
        (Job::Read(_), Outcome::Found { .. }) => Then::Done(Outcome::Unavailable),
        (Job::Read(_), Outcome::Number(_)) => Then::Next(Job::Count(Count::touch(view, working.ttl))),
        (Job::Count(_), Outcome::Number(_)) => Then::Done(Outcome::Done),
        (Job::Count(_), Outcome::Plain { .. }) | (Job::Commit(_), Outcome::Missing) if working.tries > 0 => {
            working.tries -= 1;
            Then::Next(Job::Read(Read::new(view)))
        }
        (Job::Count(_), Outcome::Plain { .. }) | (Job::Commit(_), Outcome::Missing) => Then::Done(Outcome::Unavailable),
        _ => Then::Done(outcome),
    }
}

/// Replaces what was just read.
fn same(side: Side, hit: Option<Hit>, view: View, ttl: u32) -> Then {
    let token = Token { side, mark: view.of(side), cas: hit.map_or(0, |hit| hit.cas) };
    Then::Next(Job::Commit(Commit::new(view, When::Same(token), ttl)))
}
