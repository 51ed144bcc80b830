//! The RPC command about the near cache.

use super::servers::held;
use super::{Fault, Outcome, args};
use crate::cache::Cache;
use crate::clock;
use crate::cluster::{Shared, TableStat};
use crate::host::rpc::Call;

pub fn near(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    args::end(call)?;
    let store = shared.near().ok_or_else(|| Fault::absent("no table has near=1, or there is no server"))?;
    let reply = call.object()?;
    held(&reply, shared, store)?;
    let tables = reply.list(c"tables")?;
    for (index, table) in shared.config().tables.iter().enumerate().filter(|(_, table)| table.near) {
        let count = |stat| shared.table_count(index, stat);
        let row = tables.object()?;
        row.text(c"name", &table.name)?;
        row.count(c"near_ttl", table.near_ttl.into())?;
        row.count(c"hits", count(TableStat::NearHits))?;
        row.count(c"absent", count(TableStat::NearAbsent))?;
        row.count(c"misses", count(TableStat::NearMisses))?;
        row.count(c"voids", count(TableStat::NearVoids))?;
    }
    let servers = reply.list(c"servers")?;
    let (layout, now_ms) = (shared.layout(), clock::monotonic_ms());
    for (slot, server) in layout.servers() {
        let age_ms = shared.versions().age_ms(slot, now_ms);
        let row = servers.object()?;
        row.text(c"name", &server.name)?;
        row.text(c"fresh", if age_ms.is_some_and(|age| age < shared.delta_ms()) { "yes" } else { "no" })?;
        if let Some(age_ms) = age_ms {
            row.count(c"polled_ms", age_ms)?;
        }
    }
    Ok(())
}
