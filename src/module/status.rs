//! `$shcst(...)`: what this worker's last operation came to.

use super::variables::{give, give_number};
use super::worker::{self, Worker};
use crate::host::entry::{Refused, entry};
use crate::host::ffi::{PV_NAME_OTHER, kstr, pv_param, pv_spec, pv_value, sip_msg};
use crate::host::pv::Getter;
use crate::host::{log, text};
use std::ffi::{c_int, c_void};

/// How one fact is given to the script.
pub(super) type Give = fn(Getter, &mut Worker) -> c_int;

pub(super) const FACTS: [(&[u8], Give); 8] = [
    (b"rc", rc),
    (b"server", server),
    (b"value", give),
    (b"age", age),
    (b"stale", stale),
    (b"err", err),
    (b"fence", fence),
    (b"key", key),
];

/// Parses the name of a fact; its place in the table stands for it.
///
/// # Safety
/// To be called by the host, with a variable that it is parsing.
pub unsafe extern "C" fn parse(spec: *mut pv_spec, inner: *mut kstr) -> c_int {
    entry("$shcst name", || {
        // SAFETY: the host's variable being parsed, and its text.
        let (spec, inner) = unsafe { (spec.as_mut().ok_or(Refused)?, text::bytes(inner.as_ref().ok_or(Refused)?)) };
        let Some(at) = FACTS.iter().position(|fact| fact.0 == inner.trim_ascii()) else {
            let given = String::from_utf8_lossy(inner);
            log::error(format_args!("$shcst({given}): expected rc, server, value, age, stale, err, fence or key"));
            return Err(Refused);
        };
        if FACTS[at].0 == b"age" {
            worker::want_stamps();
        }
        spec.param.name.type_ = PV_NAME_OTHER as c_int;
        spec.param.name.name.own = std::ptr::without_provenance_mut::<c_void>(at);
        Ok(())
    })
}

/// Gives the fact that [`parse`] found.
///
/// # Safety
/// To be called by the host, with a variable that [`parse`] made.
pub unsafe extern "C" fn get(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int {
    let getter = Getter { msg, param, value };
    getter.answer("$shcst", || {
        // SAFETY: called by the host with a variable that `parse` made.
        let at = unsafe { param.as_ref().map_or(usize::MAX, |param| param.name.name.own.addr()) };
        let give = FACTS.get(at).map(|fact| fact.1);
        give.and_then(|give| worker::with(|worker| give(getter, worker))).unwrap_or_else(|| getter.null())
    })
}

fn rc(getter: Getter, worker: &mut Worker) -> c_int {
    getter.number(i64::from(worker.cache.last().rc.code()))
}

fn server(getter: Getter, worker: &mut Worker) -> c_int {
    match worker.cache.last().server {
        Some(server) => getter.text(worker.ring.keep(worker.cache.server_name(server).as_bytes())),
        None => getter.null(),
    }
}

fn age(getter: Getter, worker: &mut Worker) -> c_int {
    match worker.cache.last().age {
        Some(age) => give_number(getter, &mut worker.ring, i64::from(age)),
        None => getter.null(),
    }
}

fn stale(getter: Getter, worker: &mut Worker) -> c_int {
    getter.number(i64::from(worker.cache.last().stale))
}

fn err(getter: Getter, worker: &mut Worker) -> c_int {
    let err = worker.cache.last().err;
    getter.text(worker.ring.keep(err.as_bytes()))
}

fn fence(getter: Getter, worker: &mut Worker) -> c_int {
    match worker.cache.last().fence.map(i64::try_from) {
        None => getter.null(),
        Some(Ok(number)) => give_number(getter, &mut worker.ring, number),
        Some(Err(_)) => {
            let digits = worker.cache.last().fence.unwrap_or_default().to_string();
            getter.text(worker.ring.keep(digits.as_bytes()))
        }
    }
}

/// Of the invalidation that is being told.
fn key(getter: Getter, worker: &mut Worker) -> c_int {
    match &worker.told_key {
        Some(key) => getter.text(worker.ring.keep(key)),
        None => getter.null(),
    }
}
