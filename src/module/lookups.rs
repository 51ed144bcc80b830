//! `shc_cached_route` and `$shcval`: any lookup of the script, answered from the cache or run and kept.
//!
//! The route runs between two visits to the worker's state, because it may use every function and variable of ours, this
//! one included. What it assigns to `$shcval` is kept beside its return code. An embedded language does not tell what a function
//! of it returned, so such a function says it by `KSR.shc.result`.

use std::ffi::c_int;

use super::arguments::{Args, Bad};
use super::variables::give_value;
use super::worker::{self, Worker};
use crate::cache::Verdict;
use crate::host::entry::{Passed, Refused, entry};
use crate::host::ffi::{pv_param, pv_value, sip_msg};
use crate::host::pv::{self, Getter, Given};
use crate::host::route;
use crate::lookup::{Desk, Failure, Lease, Loaded, Opened};
use crate::value::Value;

/// What `$shcval` holds.
#[derive(Debug, Default)]
struct Held {
    kind: Kind,
    /// Where it is a text; else the room for one.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Nothing,
    Number(i64),
    Text,
}

impl Held {
    fn set(&mut self, value: Option<Value<'_>>) {
        self.kind = match value {
            None => Kind::Nothing,
            Some(Value::Int(number)) => Kind::Number(number),
            Some(Value::Bytes(text)) => {
                self.text.clear();
                self.text.extend_from_slice(text);
                Kind::Text
            }
        };
    }

    fn value(&self) -> Option<Value<'_>> {
        match self.kind {
            Kind::Nothing => None,
            Kind::Number(number) => Some(Value::Int(number)),
            Kind::Text => Some(Value::Bytes(&self.text)),
        }
    }
}

/// One worker's lookups, and what the script says and sees of them.
#[derive(Debug, Default)]
pub struct Lookups {
    pub desk: Desk,
    /// What `$shcval` shows: the last assignment or the last lookup's value.
    shown: Held,
    /// What the running route assigned to it.
    assigned: Held,
    /// What the running function of an embedded language said.
    result: Option<Said>,
}

/// A lookup under way: what the script had said before belongs to the route around it.
struct Run {
    lease: Lease,
    assigned: Held,
    result: Option<Said>,
}

/// What a route may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Yes,
    No,
    /// It could not tell: what is stale is better.
    Failed,
}

impl Said {
    fn of(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Yes),
            -1 => Some(Self::No),
            -2 => Some(Self::Failed),
            _ => None,
        }
    }
}

enum Begun<R> {
    Answered(Verdict),
    Run(Run, R),
}

/// `(table, key, route)` of the native script.
///
/// # Safety
/// `msg` must be the host's, of the running call.
pub unsafe fn cached_route(msg: *mut sip_msg, args: &Args<'_>) -> Passed {
    let (run, route) = match worker::with(|worker| begin(worker, args, |args| args.route(2))) {
        None => return Passed(Verdict::Failed.code()),
        Some(Begun::Answered(verdict)) => return Passed(verdict.code()),
        Some(Begun::Run(run, route)) => (run, route),
    };
    // SAFETY: the caller's promise.
    let ended = unsafe { route.call(msg) };
    let said = if ended.script { None } else { Said::of(ended.code.into()) };
    match (worker::with(|worker| finish(worker, run, said)), said) {
        (Some(verdict), Some(_)) => Passed(verdict.code()),
        _ => Passed(if ended.script { 0 } else { ended.code }),
    }
}

/// `(table, key, function)` of an embedded language.
///
/// # Safety
/// As for [`cached_route`].
pub unsafe fn cached_function(msg: *mut sip_msg, args: &Args<'_>) -> Verdict {
    let run = match worker::with(|worker| begin(worker, args, |_| Ok(()))) {
        None => return Verdict::Failed,
        Some(Begun::Answered(verdict)) => return verdict,
        Some(Begun::Run(run, ())) => run,
    };
    // SAFETY: the caller's promise.
    let ran = unsafe { route::call_function(args.text(2).unwrap_or_default(), msg) };
    let ended = worker::with(|worker| {
        let said = if ran { worker.lookups.result } else { None };
        let verdict = finish(worker, run, said);
        if said.is_some() {
            return verdict;
        }
        let expected = "a function of the embedded language that calls KSR.shc.result";
        let Bad(err) = args.refuse(2, "the function", expected, "no result");
        worker.cache.fail(args.known_table(worker), err)
    });
    ended.unwrap_or(Verdict::Failed)
}

/// `(code)`: what a function run by [`cached_function`] says.
pub fn result(worker: &mut Worker, args: &Args<'_>) -> Result<Verdict, Bad> {
    let said = args.text(0).and_then(crate::value::integer).and_then(Said::of);
    let refused = || args.refuse(0, "the result", "1, -1 or -2", "bad result");
    worker.lookups.result = Some(said.ok_or_else(refused)?);
    Ok(Verdict::Done)
}

/// Answers from the cache, or prepares for the run of what `find` gives.
fn begin<R>(worker: &mut Worker, args: &Args<'_>, find: impl FnOnce(&Args<'_>) -> Result<R, Bad>) -> Begun<R> {
    let (table, key) = match args.table(worker).and_then(|table| Ok((table, args.key()?))) {
        Ok(checked) => checked,
        Err(bad) => return Begun::Answered(worker.cache.fail(args.known_table(worker), bad.0)),
    };
    let Worker { cache, lookups, .. } = worker;
    let lease = match lookups.desk.open(cache, table, key) {
        Opened::Answered(verdict) => {
            lookups.shown.set(cache.told());
            return Begun::Answered(verdict);
        }
        Opened::Load(lease) => lease,
    };
    lookups.shown.set(None);
    match find(args) {
        Ok(found) => {
            let (assigned, result) = (std::mem::take(&mut lookups.assigned), lookups.result.take());
            Begun::Run(Run { lease, assigned, result }, found)
        }
        Err(bad) => {
            lookups.desk.close(cache, &lease, Loaded::Uncached);
            Begun::Answered(cache.fail(Some(table), bad.0))
        }
    }
}

/// Keeps what a route said, where it said something.
fn finish(worker: &mut Worker, run: Run, said: Option<Said>) -> Verdict {
    let Worker { cache, lookups, .. } = worker;
    let value = std::mem::replace(&mut lookups.assigned, run.assigned);
    lookups.result = run.result;
    let loaded = match said {
        None => Loaded::Uncached,
        Some(Said::Failed) => Loaded::Failed(Failure::Lookup),
        Some(said) => Loaded::Result { yes: said == Said::Yes, value: value.value() },
    };
    let verdict = lookups.desk.close(cache, &run.lease, loaded);
    match said {
        Some(Said::Failed) => lookups.shown.set(cache.told()),
        _ => lookups.shown = value,
    }
    verdict
}

/// Gives `$shcval`.
///
/// # Safety
/// To be called by the host.
pub unsafe extern "C" fn get(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int {
    let getter = Getter { msg, param, value };
    getter.answer("$shcval", || {
        let given = worker::with(|Worker { ring, lookups, .. }| give_value(getter, ring, lookups.shown.value()));
        given.unwrap_or_else(|| getter.null())
    })
}

/// Assigns `$shcval`.
///
/// # Safety
/// To be called by the host, with a value of its own.
pub unsafe extern "C" fn set(_: *mut sip_msg, _: *mut pv_param, _op: c_int, value: *mut pv_value) -> c_int {
    entry("$shcval =", || {
        // SAFETY: the caller's promise.
        let given = match unsafe { pv::read(value) } {
            Given::Null => None,
            Given::Int(number) => Some(Value::Int(number)),
            Given::Text(text) => Some(Value::Bytes(text)),
        };
        worker::with(|Worker { lookups, .. }| {
            lookups.shown.set(given);
            lookups.assigned.set(given);
        })
        .ok_or(Refused)
    })
}
