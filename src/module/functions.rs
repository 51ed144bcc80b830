//! The script functions: one row per name and number of parameters, one short door behind each.
//!
//! Every parameter may hold variables. The first one is the table; where it is a constant it is checked before the
//! first message. Answers are 1, -1, -2 and -3, never 0, which would drop the SIP message.

use super::arguments::{Arg, Args};
use super::operations::{self, Operation};
use super::{fixups, lookups, sparing, worker};
use crate::cache::Verdict;
use crate::host::entry::{Passed, entry};
use crate::host::ffi::{ANY_ROUTE, cmd_export, pv_spec, sip_msg};
use crate::host::log;
use crate::host::params::Argument;
use crate::host::pv::{self, Given};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

type Param = *mut c_void;

/// Rows of the table and their doors. After `;` stand parameters that the host passes but nobody reads.
macro_rules! functions {
    ($rows:literal: $($name:literal $count:literal $door:ident($($p:ident),*; $($unused:ident)?) $operation:path, $fix:path;)*) => {
        /// The rows Kamailio reads; the last one is empty.
        pub const TABLE: [cmd_export; $rows + 3] = [
            $(row(concat!($name, "\0"), $door as unsafe extern "C" fn(*mut sip_msg $(, door!($p))* $(, door!($unused))?) -> c_int as Param,
                $count, $fix, fixups::free_texts),)*
            row("shc_get\0", get_3 as unsafe extern "C" fn(*mut sip_msg, Param, Param, Param) -> c_int as Param,
                3, fixups::get, fixups::free_get),
            row("shc_cached_route\0", cached_route_3 as unsafe extern "C" fn(*mut sip_msg, Param, Param, Param) -> c_int as Param,
                3, fixups::cached_route, fixups::free_texts),
            END,
        ];
        $(unsafe extern "C" fn $door(msg: *mut sip_msg $(, $p: Param)* $(, $unused: Param)?) -> c_int {
            $(let _ = $unused;)?
            entry($name, || {
                // SAFETY: the host's message and the parameters that its fixups made.
                unsafe { call(msg, $name, $operation, &[$($p),*]) }
            })
        })*
    };
}

macro_rules! door {
    ($p:ident) => {
        Param
    };
}

functions! {
    29:
    "shc_set" 3 set_3(t, k, v;) operations::set, fixups::store;
    "shc_set" 4 set_4(t, k, v, ttl;) operations::set, fixups::store;
    "shc_add" 3 add_3(t, k, v;) operations::add, fixups::store;
    "shc_add" 4 add_4(t, k, v, ttl;) operations::add, fixups::store;
    "shc_replace" 3 replace_3(t, k, v;) operations::replace, fixups::store;
    "shc_replace" 4 replace_4(t, k, v, ttl;) operations::replace, fixups::store;
    "shc_cas" 3 cas_3(t, k, v;) operations::cas, fixups::cas;
    "shc_cas" 4 cas_4(t, k, v, ttl;) operations::cas, fixups::cas;
    "shc_touch" 3 touch_3(t, k, ttl;) operations::touch, fixups::touch;
    "shc_inc" 2 inc_2(t, k;) operations::inc, fixups::count;
    "shc_inc" 3 inc_3(t, k, n;) operations::inc, fixups::count;
    "shc_inc" 4 inc_4(t, k, n, init;) operations::inc, fixups::count;
    "shc_inc" 5 inc_5(t, k, n, init, ttl;) operations::inc, fixups::count;
    "shc_dec" 2 dec_2(t, k;) operations::dec, fixups::count;
    "shc_dec" 3 dec_3(t, k, n;) operations::dec, fixups::count;
    "shc_dec" 4 dec_4(t, k, n, init;) operations::dec, fixups::count;
    "shc_dec" 5 dec_5(t, k, n, init, ttl;) operations::dec, fixups::count;
    "shc_rm" 2 rm_2(t, k;) operations::remove, fixups::texts;
    "shc_invalidate" 2 invalidate_2(t, k;) operations::invalidate, fixups::texts;
    "shc_row" 3 row_3(t, k, name;) operations::row, fixups::row;
    "shc_mget" 2 mget_2(t, keys;) operations::mget, fixups::mget;
    "shc_mget" 3 mget_3(t, keys, name;) operations::mget, fixups::mget;
    "shc_mget" 4 mget_4(t, keys, name, separator;) operations::mget, fixups::mget;
    "shc_lock" 3 lock_3(t, k, ttl;) operations::lock, fixups::lock;
    "shc_unlock" 2 unlock_2(t, k;) operations::unlock, fixups::unlock;
    "shc_unlock" 3 unlock_3(t, k, fence;) operations::unlock, fixups::unlock;
    "shc_bump" 1 bump_1(t; unused) operations::bump, fixups::texts;
    "shc_tag" 3 tag_3(t, k, tag;) operations::tag, fixups::tag;
    "shc_invalidate_tag" 1 invalidate_tag_1(tag; unused) operations::invalidate_tag, fixups::invalidate_tag;
}

const END: cmd_export =
    cmd_export { name: ptr::null(), function: ptr::null_mut(), param_no: 0, fixup: None, free_fixup: None, flags: 0 };

type Fixup = unsafe extern "C" fn(*mut Param, c_int) -> c_int;

const fn row(name: &'static str, function: Param, count: c_int, fix: Fixup, free: Fixup) -> cmd_export {
    cmd_export {
        name: name.as_ptr().cast::<c_char>(),
        function,
        param_no: count,
        fixup: Some(fix),
        free_fixup: Some(free),
        flags: ANY_ROUTE,
    }
}

/// `shc_cached_route(table, key, route)`: what the route said, or what it would say.
unsafe extern "C" fn cached_route_3(msg: *mut sip_msg, t: Param, k: Param, route: Param) -> c_int {
    entry("shc_cached_route", || {
        // SAFETY: the host's message and the parameters that `fixups::cached_route` made.
        unsafe {
            let texts = [Argument::evaluate(msg, t), Argument::evaluate(msg, k), Argument::evaluate(msg, route)];
            let [Some(t), Some(k), Some(route)] = &texts else { return Passed(unreadable("shc_cached_route").code()) };
            let items = [Arg::from(t), Arg::from(k), Arg::from(route)];
            let args = Args { function: "shc_cached_route", table: None, items: &items, scope: scope(msg) };
            lookups::cached_route(msg, &args)
        }
    })
}

/// Evaluates the parameters, then runs the operation.
unsafe fn call(msg: *mut sip_msg, function: &'static str, operation: Operation, given: &[Param]) -> Verdict {
    let mut texts: [Argument<'_>; 5] = Default::default();
    for (text, param) in texts.iter_mut().zip(given) {
        // SAFETY: the caller's promise.
        match unsafe { Argument::evaluate(msg, *param) } {
            Some(argument) => *text = argument,
            None => return unreadable(function),
        }
    }
    let mut items = [Arg::default(); 5];
    for (item, text) in items.iter_mut().zip(&texts) {
        *item = Arg::from(text);
    }
    // SAFETY: the caller's promise.
    let args = Args { function, table: None, items: &items[..given.len()], scope: unsafe { scope(msg) } };
    worker::with(|worker| operations::run(worker, operation, &args)).unwrap_or(Verdict::Failed)
}

fn unreadable(function: &str) -> Verdict {
    sparing::error(format_args!("{function}: a parameter could not be evaluated"));
    worker::with(|worker| worker.cache.fail(None, "bad parameter")).unwrap_or(Verdict::Failed)
}

/// What is remembered of reads for `shc_cas` belongs to one message.
///
/// # Safety
/// `msg` must be null or the host's, of the running call.
#[must_use]
pub unsafe fn scope(msg: *const sip_msg) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { msg.as_ref() }.map_or(0, |msg| u64::from(msg.id))
}

/// `shc_get(table, key, variable)`: the variable gets the value, or `$null` when there is none.
unsafe extern "C" fn get_3(msg: *mut sip_msg, t: Param, k: Param, variable: Param) -> c_int {
    entry("shc_get", || {
        // SAFETY: the host's message and the parameters that `fixups::get` made.
        unsafe {
            let verdict = call(msg, "shc_get", operations::look, &[t, k]);
            if assign_value(msg, variable.cast(), verdict) { verdict } else { unassigned() }
        }
    })
}

/// The value is still in the cache of this worker; the variable copies it.
unsafe fn assign_value(msg: *mut sip_msg, variable: *mut pv_spec, verdict: Verdict) -> bool {
    worker::with(|worker| {
        let value = if verdict == Verdict::Done { worker.cache.value() } else { None };
        // SAFETY: the caller's promise.
        unsafe { pv::assign(msg, variable, value.map_or(Given::Null, Given::from)) }
    })
    .unwrap_or(false)
}

fn unassigned() -> Verdict {
    log::error("shc_get: the variable refused the value");
    worker::with(|worker| worker.cache.fail(None, "variable not assigned")).unwrap_or(Verdict::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn every_name_has_one_row_per_number_of_parameters_and_the_last_row_is_empty() {
        let mut rows = Vec::new();
        for row in &TABLE[..TABLE.len() - 1] {
            // SAFETY: names of the table.
            let name = unsafe { CStr::from_ptr(row.name) }.to_string_lossy().into_owned();
            assert!(!row.function.is_null() && row.fixup.is_some() && row.free_fixup.is_some(), "{name}");
            assert_eq!(row.flags, ANY_ROUTE);
            rows.push((name, row.param_no));
        }
        let all = rows.len();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), all);
        assert!(TABLE[all].name.is_null());
    }

    #[test]
    fn before_the_module_is_initialised_a_call_fails() {
        // SAFETY: no parameters, no message.
        assert_eq!(unsafe { call(ptr::null_mut(), "shc_bump", operations::bump, &[]) }, Verdict::Failed);
    }
}
