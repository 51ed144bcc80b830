//! What the functions that give a value answer: that of an entry, a lifetime, or a fact about the last operation.

use crate::cache::Verdict;
use crate::host::kemi::Reply;
use crate::module::arguments::Args;
use crate::module::operations::{self, Operation};
use crate::module::worker::Worker;
use crate::value::Value;

/// Asks the cache, and says what the script is told.
pub(super) type Read = for<'w> fn(&'w mut Worker, &Args<'_>) -> Reply<'w>;

/// The value that an operation brings, or `none`.
pub(super) fn read<'w>(
    worker: &'w mut Worker,
    operation: Operation,
    args: &Args<'_>,
    none: Reply<'static>,
) -> Reply<'w> {
    if operations::run(worker, operation, args) != Verdict::Done {
        return none;
    }
    told(worker.cache.value(), none)
}

fn told<'w>(value: Option<Value<'w>>, none: Reply<'static>) -> Reply<'w> {
    match value {
        Some(Value::Int(number)) => Reply::Int(number),
        Some(Value::Bytes(bytes)) => Reply::Text(bytes),
        None => none,
    }
}

/// The seconds an entry has left, 0 = for ever.
pub(super) fn remaining<'w>(worker: &'w mut Worker, args: &Args<'_>) -> Reply<'w> {
    let found = args.table(worker).and_then(|table| Ok(worker.cache.ttl(table, args.key()?)));
    match found {
        Ok((Verdict::Done, ttl)) => Reply::Int(ttl.into()),
        Ok(_) => Reply::Null,
        Err(bad) => {
            worker.cache.fail(args.known_table(worker), bad.0);
            Reply::Null
        }
    }
}

/// What `$shcm(i)` shows.
pub(super) fn nth<'w>(worker: &'w mut Worker, args: &Args<'_>) -> Reply<'w> {
    let index = args.text(0).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    told(index.and_then(|index| worker.cache.found(index).1), Reply::Null)
}

/// What `$shcst(field)` shows.
pub(super) fn state<'w>(worker: &'w mut Worker, args: &Args<'_>) -> Reply<'w> {
    let last = worker.cache.last();
    let number = |number: Option<u64>| number.map_or(Reply::Null, |n| Reply::Int(i64::try_from(n).unwrap_or(i64::MAX)));
    match args.text(0).unwrap_or_default() {
        b"rc" => Reply::Int(last.rc.code().into()),
        b"server" => last.server.map_or(Reply::Null, |server| Reply::Text(name(worker, server))),
        b"value" => told(worker.cache.value(), Reply::Null),
        b"age" => number(last.age.map(u64::from)),
        b"stale" => Reply::Int(last.stale.into()),
        b"err" => Reply::Text(last.err.as_bytes()),
        b"fence" => number(last.fence),
        b"key" => worker.told_key.as_deref().map_or(Reply::Null, Reply::Text),
        _ => {
            args.refuse(0, "the field", "rc, server, value, age, stale, err, fence or key", "unknown field");
            Reply::Null
        }
    }
}

fn name(worker: &Worker, server: usize) -> &[u8] {
    worker.cache.server_name(server).as_bytes()
}
