//! The judge of lookups: what was read before an invalidation is not kept after it.

use super::super::check::Violation;
use super::super::history::Call;
use super::super::world::{DELTA, World};

/// A call, and the database's number that it brought from the cache, or that the database had when it began.
#[derive(Clone, Copy)]
pub struct Brought {
    pub call: Call,
    pub number: u64,
}

/// No get that begins after an acknowledged invalidation (at once on the same host, after the bound elsewhere) brings a number that is
/// older than the database's when the invalidation began.
pub fn judge(world: &World) -> Vec<Violation> {
    let Some(loads) = &world.loads else { return Vec::new() };
    let outlived = |served: &Brought| {
        let Brought { call, number } = *served;
        let over = |void: &&Brought| {
            let bound = if void.call.host == call.host { 0 } else { DELTA };
            let same = (void.call.pair, void.call.key) == (call.pair, call.key);
            same && number < void.number && void.call.ended + bound <= call.begun
        };
        let void = loads.voided.iter().find(over)?;
        Some(Violation { what: "P2: an invalidated value is served", call, other: Some(void.call) })
    };
    loads.served.iter().filter_map(outlived).collect()
}
