//! The judge of near entries: by what the host could have known, whatever the calls' own judge excuses.

use super::super::check::Violation;
use super::super::history::{Act, Call};
use super::super::world::{DELTA, World};

/// A get that a host answered from its own memory.
#[derive(Clone, Copy)]
pub struct Served {
    pub call: Call,
    /// When the read that brought the entry was over.
    pub read: u64,
}

/// No entry is served that was read before a change began which was acknowledged within the bound: at once on the changer's own
/// host. A write that was told as ambiguous may take effect at any time, but no host may know of it from an earlier read.
pub fn judge(world: &World) -> Vec<Violation> {
    let Some(near) = &world.near else { return Vec::new() };
    let outlived = |served: &Served| {
        let Served { call, read } = *served;
        let over = |change: &&Call| {
            let bound = if change.host == call.host { 0 } else { DELTA };
            let changed = (change.pair, change.key) == (call.pair, call.key) && change.act != Act::Get && change.good();
            changed && change.begun >= read && change.ended + bound <= call.begun
        };
        let other = world.history.iter().find(over).copied()?;
        Some(Violation { what: "P2: a near entry outlived a change", call, other: Some(other) })
    };
    near.served.iter().filter_map(outlived).collect()
}
