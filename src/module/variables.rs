//! `$shc(table=>key)` and its relatives.
//!
//! Reading gives `$null` when there is nothing to give. An assignment has no return code: `$shcst(rc)` tells what became of it.

mod name;

use super::arguments::{Arg, Args};
use super::functions::scope;
use super::operations::{self, Operation};
use super::ring::Ring;
use super::worker::{self, Worker};
use super::{lookups, many, sparing, status};
use crate::cache::Verdict;
use crate::host::entry::{Refused, entry};
use crate::host::ffi::{PVT_OTHER, kstr, pv_export, pv_param, pv_spec, pv_value, sip_msg};
use crate::host::pv::{self, Getter, Given};
use crate::host::text;
use crate::value::{self, Digits, Value};
use name::{Known, name, parse};
use std::ffi::{CStr, c_int};
use std::ptr;

/// The rows Kamailio reads; the last one is empty.
pub const TABLE: [pv_export; 8] = [
    row(c"shc", Some(get), Some(set), parse),
    row(c"shcex", Some(get_ttl), Some(set_ttl), parse),
    row(c"shcinc", Some(inc), None, parse),
    row(c"shcdec", Some(dec), None, parse),
    row(c"shcm", Some(many::get), None, many::parse),
    row(c"shcst", Some(status::get), None, status::parse),
    pv_export { parse_name: None, ..row(c"shcval", Some(lookups::get), Some(lookups::set), parse) },
    END,
];

type Get = unsafe extern "C" fn(*mut sip_msg, *mut pv_param, *mut pv_value) -> c_int;
type Set = unsafe extern "C" fn(*mut sip_msg, *mut pv_param, c_int, *mut pv_value) -> c_int;
type Parse = unsafe extern "C" fn(*mut pv_spec, *mut kstr) -> c_int;

const fn row(name: &'static CStr, get: Option<Get>, set: Option<Set>, parse: Parse) -> pv_export {
    pv_export {
        name: text::constant(name),
        type_: PVT_OTHER as c_int,
        get,
        set,
        parse_name: Some(parse),
        parse_index: None,
        init: None,
        number: 0,
    }
}

const END: pv_export = pv_export {
    name: kstr { s: ptr::null_mut(), len: 0 },
    type_: 0,
    get: None,
    set: None,
    parse_name: None,
    parse_index: None,
    init: None,
    number: 0,
};

unsafe extern "C" fn get(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int {
    let getter = Getter { msg, param, value };
    // SAFETY: called by the host with a variable that `parse` made.
    getter.answer("$shc", || unsafe { peek(getter).unwrap_or_else(|| operate("$shc", operations::look, getter)) })
}

/// What most reads are: the table is known and has no source, the key is sound, and the script asks for the value alone.
/// `None`: nothing was done.
unsafe fn peek(getter: Getter) -> Option<c_int> {
    // SAFETY: the caller's promise.
    let name = unsafe { name(getter.param) }?;
    let Known { table, sourced } = *name.known.get()?;
    if sourced || worker::stamps_wanted() {
        return None;
    }
    // SAFETY: the caller's promise.
    let key = unsafe { name.key.evaluate(getter.msg) }.filter(|key| !key.is_empty())?;
    worker::with(|worker| match (worker.cache.peek(table, key), worker.cache.near_text()) {
        (Verdict::Done, Some(text)) => getter.text(worker.ring.keep(text)),
        (Verdict::Done, None) => give(getter, worker),
        _ => getter.null(),
    })
}

unsafe extern "C" fn inc(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int {
    // SAFETY: as above.
    unsafe { counter("$shcinc", operations::inc, Getter { msg, param, value }) }
}

unsafe extern "C" fn dec(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int {
    // SAFETY: as above.
    unsafe { counter("$shcdec", operations::dec, Getter { msg, param, value }) }
}

unsafe fn counter(function: &'static str, operation: Operation, getter: Getter) -> c_int {
    // SAFETY: the caller's promise.
    getter.answer(function, || unsafe { operate(function, operation, getter) })
}

/// Runs an operation on the table and key of the variable, and answers what it brought.
unsafe fn operate(function: &'static str, operation: Operation, getter: Getter) -> c_int {
    let mut given = None;
    // SAFETY: the caller's promise.
    unsafe {
        with_key(function, getter.msg, getter.param, None, |worker, args| {
            let verdict = operations::run(worker, operation, args);
            given = (verdict == Verdict::Done).then(|| give(getter, worker));
            verdict
        });
    }
    given.unwrap_or_else(|| getter.null())
}

/// The value that the last operation left in the cache.
#[inline]
pub fn give(getter: Getter, worker: &mut Worker) -> c_int {
    give_value(getter, &mut worker.ring, worker.cache.value())
}

/// A value as the host takes it, kept where it stays readable while the script evaluates an expression.
#[inline]
pub fn give_value(getter: Getter, ring: &mut Ring, value: Option<Value<'_>>) -> c_int {
    match value {
        None => getter.null(),
        Some(Value::Bytes(bytes)) => getter.text(ring.keep(bytes)),
        Some(Value::Int(number)) => give_number(getter, ring, number),
    }
}

/// A number, as text where the host's own are too short for it.
pub fn give_number(getter: Getter, ring: &mut Ring, number: i64) -> c_int {
    if pv::fits(number) {
        return getter.number(number);
    }
    let mut room = Digits::default();
    getter.text(ring.keep(value::decimal(number, &mut room)))
}

unsafe extern "C" fn get_ttl(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int {
    let getter = Getter { msg, param, value };
    getter.answer("$shcex", || {
        let mut seconds = 0;
        // SAFETY: as for `get`.
        let done = unsafe {
            with_key("$shcex", msg, param, None, |worker, args| {
                let table = args.table(worker);
                match table.and_then(|table| Ok((table, args.key()?))) {
                    Ok((table, key)) => {
                        let (verdict, ttl) = worker.cache.ttl(table, key);
                        seconds = ttl;
                        verdict
                    }
                    Err(bad) => worker.cache.fail(args.known_table(worker), bad.0),
                }
            })
        };
        if done != Some(Verdict::Done) {
            return getter.null();
        }
        worker::with(|worker| give_number(getter, &mut worker.ring, i64::from(seconds)))
            .unwrap_or_else(|| getter.null())
    })
}

unsafe extern "C" fn set(msg: *mut sip_msg, param: *mut pv_param, _op: c_int, value: *mut pv_value) -> c_int {
    entry("$shc =", || {
        // SAFETY: called by the host with a variable that `parse` made, and a value of its own.
        unsafe {
            let given = pv::read(value);
            let operation = if given == Given::Null { operations::remove } else { operations::set };
            assigned(assign("$shc", operation, msg, param, given))
        }
    })
}

unsafe extern "C" fn set_ttl(msg: *mut sip_msg, param: *mut pv_param, _op: c_int, value: *mut pv_value) -> c_int {
    entry("$shcex =", || {
        // SAFETY: as above.
        unsafe { assigned(assign("$shcex", operations::touch, msg, param, pv::read(value))) }
    })
}

/// The host logs a failed assignment each time, which an outage must not do: only what cannot be is refused.
fn assigned(done: Option<Verdict>) -> Result<(), Refused> {
    match done {
        None | Some(Verdict::Failed) => Err(Refused),
        Some(_) => Ok(()),
    }
}

/// Runs an operation on the table and key of the variable and the value that is assigned.
unsafe fn assign(
    function: &'static str,
    operation: Operation,
    msg: *mut sip_msg,
    param: *mut pv_param,
    given: Given<'_>,
) -> Option<Verdict> {
    // SAFETY: the caller's promise.
    unsafe { with_key(function, msg, param, Some(given), |worker, args| operations::run(worker, operation, args)) }
}

unsafe fn with_key(
    function: &'static str,
    msg: *mut sip_msg,
    param: *mut pv_param,
    given: Option<Given<'_>>,
    act: impl FnOnce(&mut Worker, &Args<'_>) -> Verdict,
) -> Option<Verdict> {
    // SAFETY: the caller's promise.
    let (name, scope) = unsafe { (name(param)?, scope(msg)) };
    // SAFETY: as above.
    let key = unsafe { name.key.evaluate(msg) };
    let Some(key) = key else {
        sparing::error(format_args!("{function}: the key could not be evaluated"));
        return worker::with(|worker| worker.cache.fail(None, "bad key"));
    };
    let mut room = Digits::default();
    let value = given.map(|given| argument(given, &mut room)).unwrap_or_default();
    let items = [Arg::string(&name.table), Arg::string(key), value];
    let items = &items[..if given.is_some() { 3 } else { 2 }];
    worker::with(|worker| act(worker, &Args { function, table: name.number(), items, scope }))
}

fn argument<'a>(given: Given<'a>, room: &'a mut Digits) -> Arg<'a> {
    match given {
        Given::Null => Arg { text: b"", number: false, null: true },
        Given::Text(text) => Arg::string(text),
        Given::Int(number) => Arg { text: value::decimal(number, room), number: true, null: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_is_empty_and_no_counter_can_be_assigned() {
        assert!(TABLE.last().is_some_and(|row| row.name.s.is_null()));
        assert_eq!(TABLE.iter().filter(|row| row.set.is_some()).count(), 3);
    }
}
