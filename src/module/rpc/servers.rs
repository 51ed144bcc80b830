//! RPC commands about tables, servers and counters.

use super::{Fault, Outcome, args};
use crate::cache::Cache;
use crate::clock::Deadline;
use crate::cluster::{ServerStat, Shared, TableStat};
use crate::config::ServerSpec;
use crate::host::rpc::{Call, Full, Object};
use crate::near::Store;
use std::ffi::CString;
use std::time::Duration;

pub fn tables(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    args::end(call)?;
    for table in &shared.config().tables {
        let reply = call.object()?;
        reply.text(c"name", &table.name)?;
        reply.count(c"autoexpire", table.autoexpire.into())?;
        reply.count(c"copies", table.copies.into())?;
        reply.int(c"near", i64::from(table.near))?;
        if table.near {
            reply.count(c"near_ttl", table.near_ttl.into())?;
        }
        if let Some(tag) = &table.tag {
            reply.text(c"tag", tag.to_string())?;
        }
    }
    Ok(())
}

pub fn list(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    args::end(call)?;
    shared.layout().servers().try_for_each(|(index, server)| one(&call.object()?, shared, index, server))?;
    Ok(())
}

fn one(reply: &Object<'_>, shared: &Shared, index: usize, server: &ServerSpec) -> Result<(), Full> {
    let view = shared.server_view(index);
    let count = |stat| shared.server_count(index, stat);
    reply.text(c"name", &server.name)?;
    reply.text(c"addr", server.addr.to_string())?;
    reply.count(c"weight", server.weight.into())?;
    reply.text(c"zone", &server.zone)?;
    reply.text(c"state", view.state)?;
    reply.text(c"reason", view.reason)?;
    reply.count(c"since", view.since_ms / 1000)?;
    reply.text(c"last_error", view.last_error)?;
    reply.count(c"last_error_ago", view.last_error_ms / 1000)?;
    reply.count(c"latency_us", view.latency_us)?;
    reply.text(c"version", &view.version)?;
    reply.count(c"connects", count(ServerStat::Connects))?;
    reply.count(c"errors", count(ServerStat::Errors))?;
    reply.count(c"timeouts", count(ServerStat::Timeouts))?;
    reply.count(c"trips", count(ServerStat::Trips))?;
    reply.int(c"drained", i64::from(view.state == "drained"))?;
    reply.int(c"pool_down", i64::from(shared.mostly_down()))?;
    reply.int(c"lists_differ", i64::from(!shared.lists_agree()))?;
    if let Some(seat) = shared.seat_shown(index) {
        reply.text(c"seat", seat)?;
    }
    let Some(whole) = view.copies.whole else { return Ok(()) };
    let layout = shared.layout();
    reply.text(c"pair", layout.pairs().partner(index).map_or("", |partner| layout.name(partner)))?;
    reply.text(c"whole", if whole { "yes" } else { "no" })?;
    reply.count(c"walked", view.copies.percent)?;
    reply.count(c"repaired", count(ServerStat::Repaired))?;
    reply.count(c"single", view.copies.single)
}

pub fn set_state(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    let server = args::server(call, shared)?;
    let drained = match args::required(call, "state")?.as_slice() {
        b"drain" => true,
        b"undrain" => false,
        other => return Err(Fault::bad(format!("argument 'state' is '{}', not drain or undrain", args::shown(other)))),
    };
    args::end(call)?;
    shared.set_drained(server, drained);
    Ok(call.text(if drained { b"drained" } else { b"undrained" })?)
}

pub fn stats(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    args::end(call)?;
    let reply = call.object()?;
    let layout = shared.layout();
    let tables = shared.config().tables.iter().map(|table| table.name.as_str()).enumerate();
    let servers = layout.servers().map(|(index, server)| (index, server.name.as_str()));
    let table = |index, stat| shared.table_count(index, stat);
    let server = |index, stat| shared.server_count(index, stat);
    let table_sums = counters(&reply, c"tables", tables, &TableStat::ALL, table)?;
    let server_sums = counters(&reply, c"servers", servers, &ServerStat::ALL, server)?;
    let totals = reply.object(c"totals")?;
    sums(&totals.object(c"tables")?, &TableStat::ALL, &table_sums)?;
    sums(&totals.object(c"servers")?, &ServerStat::ALL, &server_sums)?;
    if let Some(store) = shared.local() {
        held(&reply.object(c"local")?, shared, store)?;
    }
    shared.near().map_or(Ok(()), |store| held(&reply.object(c"near")?, shared, store))
}

/// What the host's own memory holds.
pub fn held(reply: &Object<'_>, shared: &Shared, store: &Store) -> Outcome {
    let deadline = Deadline::after(Duration::from_millis(shared.config().cmd_timeout_ms.into()));
    let stats = store.stats(deadline).map_err(|why| Fault(500, why.to_string()))?;
    reply.count(c"entries", stats.items)?;
    reply.count(c"bytes", stats.bytes)?;
    reply.count(c"used", stats.used)?;
    reply.count(c"capacity", stats.capacity)?;
    reply.count(c"evictions", stats.evictions)?;
    reply.count(c"expired", stats.expired)?;
    Ok(reply.count(c"resets", stats.resets)?)
}

/// A list with an object per name: its counters. The sums of each counter.
fn counters<'n, S: Copy>(
    reply: &Object<'_>,
    list: &std::ffi::CStr,
    names: impl Iterator<Item = (usize, &'n str)>,
    stats: &[(S, &str)],
    count: impl Fn(usize, S) -> u64,
) -> Result<Vec<u64>, Full> {
    let list = reply.list(list)?;
    let mut sums = vec![0u64; stats.len()];
    for (index, name) in names {
        let object = list.object()?;
        object.text(c"name", name)?;
        for ((stat, stat_name), sum) in stats.iter().zip(&mut sums) {
            let number = count(index, *stat);
            *sum = sum.saturating_add(number);
            object.count(&CString::new(*stat_name).unwrap_or_default(), number)?;
        }
    }
    Ok(sums)
}

fn sums<S>(reply: &Object<'_>, stats: &[(S, &str)], sums: &[u64]) -> Result<(), Full> {
    stats.iter().zip(sums).try_for_each(|((_, name), sum)| reply.count(&CString::new(*name).unwrap_or_default(), *sum))
}
