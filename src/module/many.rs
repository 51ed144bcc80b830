//! `$shcm(i)`: the value of the i-th key of this worker's last `shc_mget`, counted from 0.
//!
//! It reads what the worker's cache holds, so it costs the host no memory; the next `shc_mget` replaces it.

use super::variables::give_value;
use super::worker;
use crate::host::entry::{Refused, entry};
use crate::host::ffi::{kstr, pv_param, pv_spec, pv_value, sip_msg};
use crate::host::pv::{self, Format, Getter};
use crate::host::{log, text};
use std::ffi::c_int;

/// Parses the index, which may hold variables.
///
/// # Safety
/// To be called by the host, with a variable being parsed and its text.
pub unsafe extern "C" fn parse(spec: *mut pv_spec, inner: *mut kstr) -> c_int {
    entry("$shcm name", || {
        // SAFETY: the caller's promise.
        let (spec, inner) = unsafe { (spec.as_mut().ok_or(Refused)?, text::bytes(inner.as_ref().ok_or(Refused)?)) };
        let refused = || {
            let given = String::from_utf8_lossy(inner);
            log::error(format_args!("$shcm({given}): expected the number of a key, counted from 0"));
            Refused
        };
        let constant = !inner.contains(&b'$');
        if inner.is_empty() || (constant && index(inner).is_none()) {
            return Err(refused());
        }
        let format = Format::parse(inner).ok_or_else(refused)?;
        pv::give_name(spec, format);
        Ok(())
    })
}

/// Gives the value; `$null` where nothing was found, and beyond the last key.
///
/// # Safety
/// To be called by the host, with a variable that [`parse`] made.
pub unsafe extern "C" fn get(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int {
    entry("$shcm", || {
        let getter = Getter { msg, param, value };
        // SAFETY: the caller's promise.
        let at = unsafe { pv::name_of::<Format>(param).and_then(|format| format.evaluate(msg)).and_then(index) };
        let given =
            at.and_then(|at| worker::with(|worker| give_value(getter, &mut worker.ring, worker.cache.found(at).1)));
        given.unwrap_or_else(|| getter.null())
    })
}

fn index(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}
