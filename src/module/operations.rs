//! One function per script function, behind both doors: the native script and the embedded languages.
//!
//! Each checks its arguments and asks the cache; what was read stays in the worker's cache until the next call.

use super::arguments::{Args, Bad};
use super::sources;
use super::through::{self, Behind};
use super::worker::{self, Worker};
use crate::cache::Verdict;
use crate::host::xavp;
use crate::lookup::Column;

type Outcome = Result<Verdict, Bad>;

/// An operation with its arguments in the order of the script function.
pub type Operation = fn(&mut Worker, &Args<'_>) -> Outcome;

/// Runs an operation in this process; -3 before the module is initialised.
pub fn run(worker: &mut Worker, operation: Operation, args: &Args<'_>) -> Verdict {
    operation(worker, args).unwrap_or_else(|bad| worker.cache.fail(args.known_table(worker), bad.0))
}

/// `(table, key)`; the value is in the cache. Of a script that asks for no more, only the value is read.
pub fn look(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    read(worker, args, worker::stamps_wanted())
}

/// `(table, key)`; the value is in the cache.
pub fn get(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    read(worker, args, true)
}

fn read(worker: &mut Worker, args: &Args<'_>, stamps: bool) -> Outcome {
    let (table, key) = (args.table(worker)?, args.key()?);
    match sources::of(table) {
        Some(source) => through::look(worker, args, Behind { table, source }, key),
        None if stamps => Ok(worker.cache.get(table, key, args.scope)),
        None => Ok(worker.cache.peek(table, key)),
    }
}

/// `(table, key, xavp)`: `$xavp(name=>column)` becomes each column of a row, or `$xavp(name=>value)` another entry's value.
/// An older variable of that name is removed first, also when the call fails.
pub fn row(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    let name = args.needed_xavp(2)?;
    xavp::remove(name);
    let verdict = get(worker, args)?;
    if verdict != Verdict::Done {
        return Ok(verdict);
    }
    let cache = &mut worker.cache;
    let columns: Vec<Column<'_>> = match cache.row() {
        Some(row) => row.columns().collect(),
        None => vec![Column { name: b"value", value: cache.value() }],
    };
    match xavp::set_row(name, columns.into_iter().map(|column| (column.name, column.value))) {
        Ok(()) => Ok(verdict),
        Err(xavp::OutOfMemory) => Ok(without_memory(worker, args)),
    }
}

fn without_memory(worker: &mut Worker, args: &Args<'_>) -> Verdict {
    worker.cache.fail(args.known_table(worker), "out of the host's shared memory")
}

/// `(table, key, value[, ttl])`
pub fn set(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.set(args.table(worker)?, args.key()?, args.value(2)?, args.ttl(3)?))
}

/// `(table, key, value[, ttl])`: only if nothing is there.
pub fn add(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.add(args.table(worker)?, args.key()?, args.value(2)?, args.ttl(3)?))
}

/// `(table, key, value[, ttl])`: only if something is there.
pub fn replace(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.replace(args.table(worker)?, args.key()?, args.value(2)?, args.ttl(3)?))
}

/// `(table, key, value[, ttl])`: only if nobody changed it since this message read it.
pub fn cas(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    worker::want_stamps();
    Ok(worker.cache.cas(args.table(worker)?, args.key()?, args.value(2)?, args.ttl(3)?, args.scope))
}

/// `(table, key, ttl)`
pub fn touch(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    let ttl = args.ttl(2)?.unwrap_or(0);
    Ok(worker.cache.touch(args.table(worker)?, args.key()?, ttl))
}

/// `(table, key[, n[, init[, ttl]]])`; the new number is in the cache.
pub fn inc(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    let (n, init) = counts(args)?;
    Ok(worker.cache.inc(args.table(worker)?, args.key()?, n, init, args.ttl(4)?))
}

/// `(table, key[, n[, init[, ttl]]])`; stops at 0; the new number is in the cache.
pub fn dec(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    let (n, init) = counts(args)?;
    Ok(worker.cache.dec(args.table(worker)?, args.key()?, n, init, args.ttl(4)?))
}

fn counts(args: &Args<'_>) -> Result<(u64, u64), Bad> {
    Ok((args.count(2, "the step")?.unwrap_or(1), args.count(3, "the first number")?.unwrap_or(0)))
}

/// `(table, key)`
pub fn remove(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.remove(args.table(worker)?, args.key()?))
}

/// `(table, key)`: done also when nothing was there.
pub fn invalidate(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.invalidate(args.table(worker)?, args.key()?))
}

/// `(table, key, tag)`
pub fn tag(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    let tag = args.short_tag(2)?;
    Ok(worker.cache.tag(args.table(worker)?, args.key()?, tag))
}

/// `(tag)`: of all tables.
pub fn invalidate_tag(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.invalidate_tag(args.tag(0)?))
}

/// `(table, key, ttl)`; the fencing number is in the cache's last outcome.
pub fn lock(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    let ttl = args.lock_ttl(2)?;
    Ok(worker.cache.lock(args.table(worker)?, args.key()?, ttl))
}

/// `(table, key[, fence])`
pub fn unlock(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.unlock(args.table(worker)?, args.key()?, args.fence(2)?))
}

/// `(table)`
pub fn bump(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    Ok(worker.cache.bump(args.table(worker)?))
}

/// `(table, keys[, xavp[, separator]])`: reads many entries at once.
///
/// The values stay in the worker's cache for `$shcm(i)`. With the name of an xavp they are copied there too, which costs
/// the host an allocation each: `$xavp(res=>v[i])` is the value of the i-th key or `$null`, `$xavp(res=>n)` the number of
/// keys. An older variable of that name is removed first, also when the call fails.
pub fn mget(worker: &mut Worker, args: &Args<'_>) -> Outcome {
    let name = args.xavp(2)?;
    if let Some(name) = name {
        xavp::remove(name);
    }
    let table = args.table(worker)?;
    let separator = args.separator(3)?;
    let mut keys = Vec::with_capacity(64);
    split(args.key()?, separator, |key| keys.push(key));
    if keys.iter().any(|key: &&[u8]| key.is_empty()) {
        return Err(args.refuse(1, "the list of keys", "at least one byte in each", "empty key"));
    }
    let verdict = match sources::of(table) {
        Some(source) => through::look_many(worker, args, Behind { table, source }, &keys)?,
        None => worker.cache.mget(table, &keys),
    };
    let Some(name) = name else { return Ok(verdict) };
    let values = (0..keys.len()).map(|i| worker.cache.found(i).1);
    match xavp::set_list(name, values) {
        Ok(()) => Ok(verdict),
        Err(xavp::OutOfMemory) => Ok(without_memory(worker, args)),
    }
}

/// Hands out the parts of `text` between separators.
fn split<'a>(text: &'a [u8], separator: &[u8], mut part: impl FnMut(&'a [u8])) {
    let (mut from, mut at) = (0, 0);
    while at + separator.len() <= text.len() {
        if text[at..].starts_with(separator) {
            part(&text[from..at]);
            at += separator.len();
            from = at;
        } else {
            at += 1;
        }
    }
    part(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_split_at_every_separator() {
        for (text, separator, want) in [
            ("a", ",", vec!["a"]),
            ("a,b,c", ",", vec!["a", "b", "c"]),
            (",a,,b,", ",", vec!["", "a", "", "b", ""]),
            ("a--b-c", "--", vec!["a", "b-c"]),
            ("---", "--", vec!["", "-"]),
            ("a", "abc", vec!["a"]),
        ] {
            let mut got = Vec::new();
            split(text.as_bytes(), separator.as_bytes(), |part| got.push(part));
            assert_eq!(got, want.iter().map(|part| part.as_bytes()).collect::<Vec<_>>(), "{text}");
        }
    }
}
