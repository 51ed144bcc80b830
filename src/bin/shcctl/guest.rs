//! Commands that must hold for the whole farm: it is joined, and what a host does is done.

use crate::Trouble;
use crate::args::Args;
use crate::show;
use shardcache::cache::{Cache, Verdict};
use shardcache::clock::{Deadline, monotonic_ns};
use shardcache::cluster::Shared;
use shardcache::cluster::map::guest::{self, GuestError};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::thread;
use std::time::Duration;

/// A key may change its server just now: then the command is tried again after so long.
const PAUSE: Duration = Duration::from_millis(50);

/// Deletes entries; those that cannot be are named at the end.
pub fn invalidate(args: &Args, table: &str, keys: &[OsString]) -> Result<(), Trouble> {
    if keys.iter().any(|key| key.is_empty()) {
        return Err(Trouble::Argument(format!("{table}: a key is empty")));
    }
    let mut cache = Cache::new(join(args, &[table])?);
    let mut failed = Vec::new();
    for key in keys.iter().map(|key| key.as_bytes()) {
        match patiently(args, &mut cache, |cache| cache.invalidate(0, key)) {
            Ok(()) => show::farm_done("invalidated", table, Some(key), args.json),
            Err(why) => failed.push(format!("{table}=>{}: {why}", String::from_utf8_lossy(key))),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Trouble::Unavailable(failed.join("\nshcctl: "))) }
}

/// Empties a table.
pub fn bump(args: &Args, table: &str) -> Result<(), Trouble> {
    let mut cache = Cache::new(join(args, &[table])?);
    let done = patiently(args, &mut cache, |cache| cache.bump(0));
    done.map_err(|why| Trouble::Unavailable(format!("{table}: {why}")))?;
    show::farm_done("bumped", table, None, args.json);
    Ok(())
}

fn join(args: &Args, tables: &[&str]) -> Result<&'static Shared, Trouble> {
    guest::join(&args.config()?.servers, tables, args.timeout).map_err(|error| match &error {
        GuestError::NoTable(_) => Trouble::Missing(error.to_string()),
        _ => Trouble::Unavailable(error.to_string()),
    })
}

/// Does what may be done twice until it is done or the time is up; then tells why it was not.
fn patiently(args: &Args, cache: &mut Cache, act: impl Fn(&mut Cache) -> Verdict) -> Result<(), String> {
    let deadline = Deadline::after(args.budget());
    while act(cache) != Verdict::Done {
        if deadline.passed(monotonic_ns()) {
            let last = cache.last();
            let server = last.server.map_or(String::new(), |server| format!(" (server {})", cache.server_name(server)));
            return Err(format!("{}{server}", last.err));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
