//! `shc.reload`: what is read again. Without a table that is the list of servers.

use super::{Fault, Outcome, args, lists};
use crate::cache::Cache;
use crate::cluster::Shared;
use crate::config::RELOAD_RATE_MAX;
use crate::host::rpc::{Call, Full, Object};
use crate::module::clerk::reload::{self, Progress};
use crate::module::sources;

pub fn reload(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    match call.argument() {
        None => lists::reload(call, shared),
        Some(name) => fill(call, shared, &name),
    }
}

/// Lets the clerk fill the table, or end that, and tells how far it is.
fn fill(call: &mut Call<'_>, shared: &'static Shared, name: &[u8]) -> Outcome {
    let table = args::table_named(shared, name)?;
    let wish = call.argument().map(|text| wish(&text)).transpose()?.unwrap_or(Wish::Begin(None));
    args::end(call)?;
    let name = &shared.config().tables[table].name;
    let source = sources::of(table).ok_or_else(|| Fault::absent(format!("table '{name}' has no source")))?;
    let usual = sources::all().map_or(1, |all| all.spec(source).reload_rate);
    let (what, done) = match wish {
        Wish::Begin(rate) => (c"begun", reload::request(source, rate.unwrap_or(usual))),
        Wish::Stop => (c"stopped", reload::stop(source)),
    };
    let reply = call.object()?;
    reply.text(c"table", name)?;
    reply.text(what, if done { "yes" } else { "no" })?;
    Ok(reload::progress(source).map_or(Ok(()), |now| progress(&reply, &now))?)
}

/// What the clerk shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// With so many rows per second.
    Begin(Option<u32>),
    Stop,
}

fn wish(text: &[u8]) -> Result<Wish, Fault> {
    if text == b"stop" { Ok(Wish::Stop) } else { rate(text).map(|rate| Wish::Begin(Some(rate))) }
}

fn rate(text: &[u8]) -> Result<u32, Fault> {
    let rate = args::integer(text, "rate")?;
    let fits = u32::try_from(rate).ok().filter(|rate| (1..=RELOAD_RATE_MAX).contains(rate));
    fits.ok_or_else(|| {
        Fault::bad(format!("argument 'rate' is {rate}, not within 1..{RELOAD_RATE_MAX} rows per second"))
    })
}

/// How far a table is filled.
pub fn progress(reply: &Object<'_>, now: &Progress) -> Result<(), Full> {
    reply.text(c"reload", now.state.as_str())?;
    reply.count(c"reload_rate", now.rate)?;
    reply.count(c"reload_speed", now.speed())?;
    match now.total {
        Some(total) => reply.count(c"reload_total", total)?,
        None => reply.text(c"reload_total", "unknown")?,
    }
    reply.count(c"reload_rows", now.rows)?;
    reply.count(c"reload_stored", now.stored)?;
    reply.count(c"reload_left", now.left)?;
    reply.count(c"reload_ms", now.ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_bounded_and_named() {
        assert_eq!((rate(b"1"), wish(b"100000")), (Ok(1), Ok(Wish::Begin(Some(100_000)))));
        assert_eq!(wish(b"stop"), Ok(Wish::Stop));
        for bad in ["0", "100001", "-1", "fast", ""] {
            assert!(rate(bad.as_bytes()).is_err_and(|fault| fault.0 == 400 && fault.1.contains("'rate'")), "{bad}");
        }
    }
}
