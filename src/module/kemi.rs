//! The functions `KSR.shc.…` of embedded languages: a twin for each script function and variable.
//!
//! There are no overloads, so each number of parameters has a name of its own. Seconds are integers. Numbers that need
//! 63 bits (steps, first numbers, fencing numbers, `setn`) are decimal strings, because integers have 32 bits here.

mod values;

use super::arguments::{Arg, Args, Bad};
use super::lookups;
use super::operations::{self, Operation};
use super::worker::{self, Worker};
use crate::cache::Verdict;
use crate::host::api::api;
use crate::host::entry::{Refused, entry};
use crate::host::ffi::{kemi_value, kstr, sip_msg};
use crate::host::kemi::{self, Answer, Param, Reply, Row};
use crate::host::{guard, log, text};
use crate::value::{self, Digits};
use std::ffi::{CStr, c_int, c_void};
use values::{Read, nth, read, remaining, state};

/// One parameter of a call.
#[derive(Clone, Copy)]
enum Given<'a> {
    Text(&'a [u8]),
    Number(&'a [u8]),
    Int(c_int),
}

/// The most parameters of a call.
const MOST: usize = 5;

/// The C type of a parameter.
macro_rules! c {
    (int) => { c_int };
    ($text:ident) => { *const kstr };
}

/// A parameter as the table declares it.
macro_rules! declared {
    (int) => {
        Param::Int
    };
    ($text:ident) => {
        Param::Str
    };
}

/// A parameter as the operations take it.
macro_rules! given {
    (int, $value:expr) => {
        Given::Int($value)
    };
    (text, $value:expr) => {
        Given::Text(lent!($value))
    };
    (number, $value:expr) => {
        Given::Number(lent!($value))
    };
}

macro_rules! lent {
    ($value:expr) => {{
        // SAFETY: the interpreter keeps its texts while the function runs.
        unsafe { lent($value) }
    }};
}

/// A name as a C string.
macro_rules! c_name {
    ($name:ident) => {
        match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => c"",
        }
    };
}

macro_rules! functions {
    (
        codes { $($code:ident($($p:ident: $kind:ident),*) $run:expr;)* }
        values { $($val:ident($($q:ident: $qkind:ident),*) $read:expr;)* }
    ) => {
        /// The functions by the names that scripts use.
        pub(super) const ROWS: &[Row] = &[
            Row {
                name: c"cached_route",
                answer: Answer::Code,
                function: cached_route as *const c_void,
                params: &[Param::Str, Param::Str, Param::Str],
            },
            $({
                unsafe extern "C" fn $code(msg: *const sip_msg, $($p: c!($kind)),*) -> c_int {
                    // SAFETY: the host passes the message that is handled.
                    let scope = unsafe { scope(msg) };
                    entry("kemi function", || code(concat!("KSR.shc.", stringify!($code)), $run, scope, &[$(given!($kind, $p)),*]))
                }
                Row {
                    name: c_name!($code),
                    answer: Answer::Code,
                    function: $code as *const c_void,
                    params: &[$(declared!($kind)),*],
                }
            },)*
            $({
                unsafe extern "C" fn $val(msg: *const sip_msg, $($q: c!($qkind)),*) -> *mut kemi_value {
                    // SAFETY: the host passes the message that is handled.
                    let scope = unsafe { scope(msg) };
                    entry("kemi function", || value(concat!("KSR.shc.", stringify!($val)), $read, scope, &[$(given!($qkind, $q)),*]))
                }
                Row {
                    name: c_name!($val),
                    answer: Answer::Value,
                    function: $val as *const c_void,
                    params: &[$(declared!($qkind)),*],
                }
            },)*
        ];
    };
}

functions! {
    codes {
        set(t: text, k: text, v: text) operations::set;
        set_ttl(t: text, k: text, v: text, ttl: int) operations::set;
        seti(t: text, k: text, v: int) operations::set;
        seti_ttl(t: text, k: text, v: int, ttl: int) operations::set;
        setn(t: text, k: text, v: number) operations::set;
        setn_ttl(t: text, k: text, v: number, ttl: int) operations::set;
        add(t: text, k: text, v: text) operations::add;
        add_ttl(t: text, k: text, v: text, ttl: int) operations::add;
        addi(t: text, k: text, v: int) operations::add;
        addi_ttl(t: text, k: text, v: int, ttl: int) operations::add;
        addn(t: text, k: text, v: number) operations::add;
        addn_ttl(t: text, k: text, v: number, ttl: int) operations::add;
        replace(t: text, k: text, v: text) operations::replace;
        replace_ttl(t: text, k: text, v: text, ttl: int) operations::replace;
        replacei(t: text, k: text, v: int) operations::replace;
        replacei_ttl(t: text, k: text, v: int, ttl: int) operations::replace;
        replacen(t: text, k: text, v: number) operations::replace;
        replacen_ttl(t: text, k: text, v: number, ttl: int) operations::replace;
        cas(t: text, k: text, v: text) operations::cas;
        cas_ttl(t: text, k: text, v: text, ttl: int) operations::cas;
        casi(t: text, k: text, v: int) operations::cas;
        casi_ttl(t: text, k: text, v: int, ttl: int) operations::cas;
        casn(t: text, k: text, v: number) operations::cas;
        casn_ttl(t: text, k: text, v: number, ttl: int) operations::cas;
        touch(t: text, k: text, ttl: int) operations::touch;
        inc(t: text, k: text) operations::inc;
        inc_by(t: text, k: text, n: text) operations::inc;
        inc_init(t: text, k: text, n: text, init: text) operations::inc;
        inc_ttl(t: text, k: text, n: text, init: text, ttl: int) operations::inc;
        dec(t: text, k: text) operations::dec;
        dec_by(t: text, k: text, n: text) operations::dec;
        dec_init(t: text, k: text, n: text, init: text) operations::dec;
        dec_ttl(t: text, k: text, n: text, init: text, ttl: int) operations::dec;
        rm(t: text, k: text) operations::remove;
        invalidate(t: text, k: text) operations::invalidate;
        row(t: text, k: text, xavp: text) operations::row;
        mget(t: text, keys: text, xavp: text) operations::mget;
        mget_sep(t: text, keys: text, xavp: text, sep: text) operations::mget;
        lock(t: text, k: text, ttl: int) operations::lock;
        unlock(t: text, k: text) operations::unlock;
        unlock_fence(t: text, k: text, fence: text) operations::unlock;
        bump(t: text) operations::bump;
        tag(t: text, k: text, tag: text) operations::tag;
        invalidate_tag(tag: text) operations::invalidate_tag;
        result(code: int) lookups::result;
    }
    values {
        get(t: text, k: text) |worker, args| read(worker, operations::get, args, Reply::Null);
        gete(t: text, k: text) |worker, args| read(worker, operations::get, args, Reply::Text(b""));
        getw(t: text, k: text) |worker, args| read(worker, operations::get, args, Reply::Text(b"<<null>>"));
        incv(t: text, k: text) |worker, args| read(worker, operations::inc, args, Reply::Null);
        decv(t: text, k: text) |worker, args| read(worker, operations::dec, args, Reply::Null);
        ex(t: text, k: text) remaining;
        found(i: int) nth;
        st(field: text) state;
    }
}

/// `KSR.shc.cached_route(table, key, function)`: the function runs while this worker's state is at rest.
unsafe extern "C" fn cached_route(msg: *mut sip_msg, t: *const kstr, k: *const kstr, function: *const kstr) -> c_int {
    // SAFETY: the host passes the message that is handled, and texts that it keeps while the function runs.
    let (scope, items) = unsafe { (scope(msg), [t, k, function].map(|text| Arg::string(lent(text)))) };
    entry("kemi function", || {
        let args = Args { function: "KSR.shc.cached_route", table: None, items: &items, scope };
        // SAFETY: the message that is handled.
        unsafe { lookups::cached_function(msg, &args) }
    })
}

/// Gives the functions to the host, which keeps the table. To be called from mod_register.
pub fn register() -> Result<(), Refused> {
    let table = kemi::table(c"shc", ROWS, !guard::narrow());
    // SAFETY: the table lives as long as the process and ends with an empty row.
    if unsafe { (api().sr_kemi_modules_add)(table.as_mut_ptr()) } == 0 {
        return Ok(());
    }
    log::error("the functions for embedded languages could not be registered");
    Err(Refused)
}

fn code(function: &'static str, operation: Operation, scope: u64, given: &[Given<'_>]) -> Verdict {
    let odd = given.iter().any(|one| matches!(one, Given::Number(text) if value::integer(text).is_none()));
    let operation = if odd { no_integer } else { operation };
    let run = |worker: &mut Worker, args: &Args<'_>| operations::run(worker, operation, args);
    call(function, scope, given, run).unwrap_or(Verdict::Failed)
}

fn no_integer(_: &mut Worker, args: &Args<'_>) -> Result<Verdict, Bad> {
    Err(args.refuse(2, "the value", "an integer in decimal digits", "not a number"))
}

fn value(function: &'static str, read: Read, scope: u64, given: &[Given<'_>]) -> *mut kemi_value {
    let wide = !guard::narrow();
    let told = call(function, scope, given, |worker, args| kemi::answer(read(worker, args), wide));
    told.unwrap_or_else(|| kemi::answer(Reply::Null, wide))
}

/// Runs `act` with the parameters as the operations want them; `None` before the module is initialised.
fn call<R>(
    function: &'static str,
    scope: u64,
    given: &[Given<'_>],
    act: impl FnOnce(&mut Worker, &Args<'_>) -> R,
) -> Option<R> {
    let mut rooms = [Digits::default(); MOST];
    let mut items = [Arg::default(); MOST];
    for ((item, room), given) in items.iter_mut().zip(&mut rooms).zip(given) {
        *item = match *given {
            Given::Text(text) => Arg::string(text),
            Given::Number(text) => Arg { text, number: true, null: false },
            Given::Int(number) => Arg { text: value::decimal(number.into(), room), number: true, null: false },
        };
    }
    let args = Args { function, table: None, items: &items[..given.len().min(MOST)], scope };
    worker::with(|worker| act(worker, &args))
}

/// # Safety
/// `text` is null or valid for as long as the function runs.
unsafe fn lent<'a>(text: *const kstr) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { text.as_ref().map_or(&[], |text| text::bytes(text)) }
}

/// # Safety
/// `msg` is null or valid.
unsafe fn scope(msg: *const sip_msg) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { msg.as_ref() }.map_or(0, |msg| msg.id.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::functions;
    use std::collections::HashSet;

    #[test]
    fn every_script_function_has_a_twin() {
        let names: HashSet<&CStr> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len(), "names are unique");
        for row in functions::TABLE.iter().filter(|row| !row.name.is_null()) {
            // SAFETY: a name of a static table.
            let native = unsafe { CStr::from_ptr(row.name) }.to_str().unwrap();
            let twin = native.strip_prefix("shc_").unwrap();
            assert!(names.iter().any(|name| name.to_str() == Ok(twin)), "{native}");
        }
    }

    #[test]
    fn every_pattern_can_be_called_by_every_interpreter() {
        for row in ROWS {
            assert!((1..=kemi::most_params(row.answer)).contains(&row.params.len()), "{:?}", row.name);
            assert!(row.params.len() <= MOST);
        }
    }

    #[test]
    fn before_the_module_is_initialised_nothing_is_found_and_nothing_done() {
        assert_eq!(code("test", operations::get, 0, &[Given::Text(b"t"), Given::Text(b"k")]), Verdict::Failed);
        // SAFETY: the answer stays valid until the next one.
        let null = unsafe { (*value("test", remaining, 0, &[])).type_ };
        assert_eq!(null, 32);
    }
}
