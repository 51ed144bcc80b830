//! RPC commands about the sources of tables.

use super::entries::value;
use super::{Fault, Outcome, args, reload};
use crate::cache::Cache;
use crate::clock::monotonic_ns;
use crate::cluster::Shared;
use crate::host::rpc::{Call, Full, Object};
use crate::lookup::sql::SourceStat;
use crate::lookup::{Column, Loaded, Source};
use crate::module::{clerk, sources};
use std::ffi::CString;

pub fn list(call: &mut Call<'_>, _: &mut Cache, _: &'static Shared) -> Outcome {
    args::end(call)?;
    let Some(all) = sources::all() else { return Ok(()) };
    for source in 0..all.len() {
        let (spec, pause_ms) = (all.spec(source), all.pause_ms(source));
        let reply = call.object()?;
        reply.text(c"name", &spec.name)?;
        reply.text(c"driver", format!("db_{}", spec.url.scheme()))?;
        reply.text(c"table", &spec.table)?;
        reply.text(c"state", if pause_ms == 0 { "up" } else { "down" })?;
        reply.count(c"retry_in_ms", pause_ms)?;
        for (stat, name) in SourceStat::ALL {
            let name = CString::new(name).unwrap_or_default();
            reply.count(&name, all.count(source, stat))?;
        }
        if let Some(now) = clerk::reload::progress(source) {
            reload::progress(&reply, &now)?;
        }
    }
    Ok(())
}

/// Asks the database itself, past the cache.
pub fn ask(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    let key = args::key(call)?;
    args::end(call)?;
    let name = &shared.config().tables[table].name;
    let asked = sources::of(table).and_then(|at| {
        sources::with(at, |source| {
            let begun_ns = monotonic_ns();
            let loaded = source.load(&key);
            let took_us = (monotonic_ns() - begun_ns) / 1_000;
            answer(call, &loaded, took_us, || format!("the source of table '{name}' has no '{}'", args::shown(&key)))
        })
    });
    asked.unwrap_or_else(|| Err(Fault::absent(format!("table '{name}' has no source"))))
}

fn answer(call: &Call<'_>, loaded: &Loaded<'_>, took_us: u64, missing: impl FnOnce() -> String) -> Outcome {
    match loaded {
        Loaded::Nothing | Loaded::Result { .. } | Loaded::Uncached => Err(Fault::absent(missing())),
        Loaded::Failed(why) => Err(Fault(500, format!("failed: {}", why.as_str()))),
        Loaded::Value(found) => {
            let reply = call.object()?;
            value(&reply, *found, usize::MAX)?;
            Ok(reply.count(c"us", took_us)?)
        }
        Loaded::Row(columns) => {
            let reply = call.object()?;
            let list = reply.list(c"columns")?;
            columns.iter().try_for_each(|each| column(&list.object()?, each))?;
            Ok(reply.count(c"us", took_us)?)
        }
    }
}

fn column(reply: &Object<'_>, column: &Column<'_>) -> Result<(), Full> {
    reply.text(c"name", column.name)?;
    match column.value {
        Some(found) => value(reply, found, usize::MAX),
        None => reply.text(c"type", "null"),
    }
}
