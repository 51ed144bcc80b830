//! What the host does with the parameters of our functions while it reads the script: parse them, and let us look.
//!
//! Whatever is constant is checked here by the same rules as at run time, so that a misspelt table or a ttl that is no
//! number stops the start and not a call. A fixup also runs for each call whose parameter is an expression; then the
//! call itself refuses what is wrong, with -3.

use super::arguments::{Arg, Args, Bad};
use super::{lifecycle, names, worker};
use crate::host::entry::{Refused, entry};
use crate::host::{log, params, text};
use std::ffi::{c_int, c_void};

type Param = *mut c_void;

/// Checks the constant that stands alone in `args`; the number is its place in the call.
type Check = fn(&Args<'_>, c_int) -> Result<(), Bad>;

macro_rules! fixups {
    ($($(#[$doc:meta])* $name:ident $check:expr;)*) => {
        $($(#[$doc])*
        ///
        /// # Safety
        /// To be called by the host, with a parameter of its own.
        pub unsafe extern "C" fn $name(param: *mut Param, number: c_int) -> c_int {
            // SAFETY: the caller's promise.
            entry("fixup", || unsafe { fix(param, number, $check) })
        })*
    };
}

fixups! {
    /// Texts only.
    texts |_, _| Ok(());
    /// `(table, key, value[, ttl])`
    store |args, number| if number == 4 { args.ttl(0).map(drop) } else { Ok(()) };
    /// `(table, key, ttl)`
    touch |args, number| if number == 3 { args.ttl(0).map(drop) } else { Ok(()) };
    /// `(table, key, ttl)`, where the ttl is not 0
    lock |args, number| if number == 3 { args.lock_ttl(0).map(drop) } else { Ok(()) };
    /// `(table, key[, fence])`
    unlock |args, number| if number == 3 { args.fence(0).map(drop) } else { Ok(()) };
    /// `(table, key[, n[, init[, ttl]]])`
    count |args, number| match number {
        3 => args.count(0, "the step").map(drop),
        4 => args.count(0, "the first number").map(drop),
        5 => args.ttl(0).map(drop),
        _ => Ok(()),
    };
    /// `(table, key, xavp)`
    row |args, number| if number == 3 { args.needed_xavp(0).map(drop) } else { Ok(()) };
    /// `(table, key, tag)`
    tag |args, number| if number == 3 { args.short_tag(0).map(drop) } else { Ok(()) };
    /// `(table, keys[, xavp[, separator]])`
    mget |args, number| match number {
        3 => args.xavp(0).map(drop),
        4 => args.separator(0).map(drop),
        _ => Ok(()),
    };
}

/// `(table, key, route)`
///
/// # Safety
/// To be called by the host, with a parameter of its own.
pub unsafe extern "C" fn cached_route(param: *mut Param, number: c_int) -> c_int {
    // SAFETY: the caller's promise.
    entry("fixup", || unsafe {
        fix(param, number, |args, number| if number == 3 { args.route(0).map(drop) } else { Ok(()) })
    })
}

/// `(tag)`
///
/// # Safety
/// To be called by the host, with a parameter of its own.
pub unsafe extern "C" fn invalidate_tag(param: *mut Param, _number: c_int) -> c_int {
    // SAFETY: the caller's promise.
    entry("fixup", || unsafe {
        if !params::fix_text(param) {
            return Err(Refused);
        }
        let constant = params::constant(*param).filter(|_| !lifecycle::running());
        constant.map_or(Ok(()), |tag| checked(tag, |args| args.tag(0).map(drop)))
    })
}

/// As [`store`]; and reads must bring tokens from now on.
///
/// # Safety
/// To be called by the host, with a parameter of its own.
pub unsafe extern "C" fn cas(param: *mut Param, number: c_int) -> c_int {
    worker::want_stamps();
    // SAFETY: the caller's promise.
    unsafe { store(param, number) }
}

/// `(table, key, variable)`
///
/// # Safety
/// To be called by the host, with a parameter of its own.
pub unsafe extern "C" fn get(param: *mut Param, number: c_int) -> c_int {
    // SAFETY: the caller's promise.
    entry("fixup", || unsafe { if number == 3 { variable(param) } else { fix(param, number, |_, _| Ok(())) } })
}

/// Undoes all but [`get`].
///
/// # Safety
/// To be called by the host, with what the fixup made.
pub unsafe extern "C" fn free_texts(param: *mut Param, _number: c_int) -> c_int {
    // SAFETY: the caller's promise.
    entry("free_fixup", || unsafe { params::free_text(param) })
}

/// Undoes [`get`].
///
/// # Safety
/// As for [`free_texts`].
pub unsafe extern "C" fn free_get(param: *mut Param, number: c_int) -> c_int {
    // SAFETY: the caller's promise.
    entry("free_fixup", || unsafe { if number == 3 { params::free_variable(param) } else { params::free_text(param) } })
}

unsafe fn fix(param: *mut Param, number: c_int, check: Check) -> Result<(), Refused> {
    // SAFETY: the caller's promise.
    unsafe {
        if !params::fix_text(param) {
            return Err(Refused);
        }
        let Some(constant) = params::constant(*param).filter(|_| !lifecycle::running()) else { return Ok(()) };
        if number == 1 {
            return names::used(lifecycle::shared(), constant, constant);
        }
        // The second parameter is the key, or the keys, of every function.
        checked(constant, |args| if number == 2 { args.key_at(0).map(drop) } else { check(args, number) })
    }
}

/// Checks a constant of the script.
fn checked(constant: &[u8], check: impl Fn(&Args<'_>) -> Result<(), Bad>) -> Result<(), Refused> {
    let items = [Arg::string(constant)];
    let args = Args { function: "the script", table: None, items: &items, scope: 0 };
    check(&args).map_err(|_| Refused)
}

unsafe fn variable(param: *mut Param) -> Result<(), Refused> {
    // SAFETY: the caller's promise: before its fixup a parameter is a C string.
    let given = unsafe { text::c_text((*param).cast()) }.into_owned();
    // SAFETY: the caller's promise.
    if params::is_variable(given.as_bytes()) && unsafe { params::fix_variable(param) } {
        return Ok(());
    }
    log::error(format_args!("shc_get: \"{given}\" must be a variable that can be assigned"));
    Err(Refused)
}
