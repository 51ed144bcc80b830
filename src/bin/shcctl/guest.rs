//! Commands that must hold for the whole farm: it is joined, and what a host does is done.

use crate::Trouble;
use crate::args::{Args, Verb};
use crate::show::{self, Shown};
use shardcache::cache::{Cache, Verdict};
use shardcache::clock::{Deadline, monotonic_ns};
use shardcache::cluster::Shared;
use shardcache::cluster::map::guest::{self, GuestError};
use shardcache::value::Value;
use std::thread;
use std::time::Duration;

/// A key may change its server just now: then the command is tried again after so long.
const PAUSE: Duration = Duration::from_millis(50);

/// Prints the value of an entry.
pub fn get(args: &Args, table: &str, key: &[u8], raw: bool) -> Result<(), Trouble> {
    let mut cache = Cache::new(join(args, &[table])?);
    if !patiently(args, &mut cache, |cache| cache.fetch(0, key)).map_err(|why| unavailable(table, key, &why))? {
        return Err(missing(table, key));
    }
    let left = cache.left();
    let value = cache.value().ok_or_else(|| missing(table, key))?;
    let server = cache.last().server.map_or("", |server| cache.server_name(server));
    let ttl = (left > 0).then_some(left.into());
    show::value(&Shown { table, key, value, ttl, server }, args.json, raw);
    Ok(())
}

/// Stores an entry. `ttl` in seconds; unless given, the table's own.
pub fn set(args: &Args, table: &str, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Result<(), Trouble> {
    let mut cache = Cache::new(join(args, &[table])?);
    let done = patiently(args, &mut cache, |cache| cache.set(0, key, value, ttl));
    done.map_err(|why| unavailable(table, key, &why))?;
    show::farm_done("stored", table, Some(key), args.json);
    Ok(())
}

/// Deletes an entry that is there.
pub fn delete(args: &Args, table: &str, key: &[u8]) -> Result<(), Trouble> {
    let mut cache = Cache::new(join(args, &[table])?);
    if !patiently(args, &mut cache, |cache| cache.remove(0, key)).map_err(|why| unavailable(table, key, &why))? {
        return Err(missing(table, key));
    }
    show::farm_done("deleted", table, Some(key), args.json);
    Ok(())
}

/// Deletes entries; those that cannot be are named at the end.
pub fn invalidate(args: &Args, table: &str, keys: &[&[u8]]) -> Result<(), Trouble> {
    let done = |key: &[u8]| show::farm_done("invalidated", table, Some(key), args.json);
    let failed = |key: &[u8], why: &str| unavailable(table, key, why);
    each(args, &[table], keys, |cache, key| cache.invalidate(0, key), done, failed)
}

/// Makes the entries under some tags void; the tags of which that could not be done are named at the end.
pub fn tag(args: &Args, tags: &[&[u8]]) -> Result<(), Trouble> {
    let done = |tag: &[u8]| show::tag_done(tag, args.json);
    let failed = |tag: &[u8], why: &str| Trouble::Unavailable(format!("{}: {why}", String::from_utf8_lossy(tag)));
    each(args, &[], tags, |cache, tag| cache.invalidate_tag(tag), done, failed)
}

/// Does the same to each of several things, and tells of each.
fn each(
    args: &Args,
    tables: &[&str],
    things: &[&[u8]],
    act: impl Fn(&mut Cache, &[u8]) -> Verdict,
    done: impl Fn(&[u8]),
    failed: impl Fn(&[u8], &str) -> Trouble,
) -> Result<(), Trouble> {
    let mut cache = Cache::new(join(args, tables)?);
    let mut failures = Vec::new();
    for thing in things {
        match patiently(args, &mut cache, |cache| act(cache, thing)) {
            Ok(_) => done(thing),
            Err(why) => failures.push(failed(thing, &why).to_string()),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Trouble::Unavailable(failures.join("\nshcctl: "))) }
}

/// Empties a table.
pub fn bump(args: &Args, table: &str) -> Result<(), Trouble> {
    let mut cache = Cache::new(join(args, &[table])?);
    let done = patiently(args, &mut cache, |cache| cache.bump(0));
    done.map_err(|why| Trouble::Unavailable(format!("{table}: {why}")))?;
    show::farm_done("bumped", table, None, args.json);
    Ok(())
}

pub fn join(args: &Args, tables: &[&str]) -> Result<&'static Shared, Trouble> {
    guest::join(&args.config()?.servers, tables, args.timeout).map_err(|error| match &error {
        GuestError::NoTable(_) => Trouble::Missing(error.to_string()),
        GuestError::NoMap(_) if matches!(args.verb, Verb::Get { .. } | Verb::Set { .. } | Verb::Delete { .. }) => {
            Trouble::Unavailable(format!("{error}, or --plain"))
        }
        _ => Trouble::Unavailable(error.to_string()),
    })
}

fn missing(table: &str, key: &[u8]) -> Trouble {
    Trouble::Missing(format!("{table}=>{}: not found", String::from_utf8_lossy(key)))
}

pub fn unavailable(table: &str, key: &[u8], why: &str) -> Trouble {
    Trouble::Unavailable(format!("{table}=>{}: {why}", String::from_utf8_lossy(key)))
}

/// Does what may be done twice until it is done (true), there is nothing to do it with (false), or the time is up; then
/// tells why it was not.
pub fn patiently(args: &Args, cache: &mut Cache, act: impl Fn(&mut Cache) -> Verdict) -> Result<bool, String> {
    let deadline = Deadline::after(args.budget());
    loop {
        match act(cache) {
            Verdict::Done => return Ok(true),
            Verdict::Missing => return Ok(false),
            Verdict::Unavailable | Verdict::Failed => {}
        }
        if deadline.passed(monotonic_ns()) {
            let last = cache.last();
            let server = last.server.map_or(String::new(), |server| format!(" (server {})", cache.server_name(server)));
            return Err(format!("{}{server}", last.err));
        }
        thread::sleep(PAUSE);
    }
}
