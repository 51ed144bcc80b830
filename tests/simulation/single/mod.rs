//! Tables with one copy in the simulated farm: workers that obey the seats, watchers that move them, and the judge.

pub mod judge;
pub mod watcher;
pub mod worker;

use shardcache::cluster::seats::{Rules, Turn, turn};

use super::world::{DELTA, MS, World};

/// Who serves a key of this pair now, as far as the host knows. `asked`: the record was read in this call.
pub fn who(world: &World, rules: &Rules, host: usize, pair: usize, asked: bool) -> Turn {
    let me = &world.hosts[host];
    let polled = me.polled[pair].is_some_and(|sent| world.now - sent <= DELTA - 2 * MS);
    let up = world.pairs[pair].map(|server| me.uses(server));
    turn(me.seats[pair], polled || asked || !rules.verify, up)
}
