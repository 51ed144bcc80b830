//! What stands between a variable's parentheses, parsed into something of ours that lives as long as the variable.

use crate::host::entry::entry;
use crate::host::ffi::{PV_NAME_OTHER, pv_name, pv_param, pv_spec};
use std::ffi::{c_int, c_void};
use std::ptr;

/// Gives a variable that is being parsed its name; it goes when the host frees the variable.
pub fn give_name<T>(spec: &mut pv_spec, name: T) {
    spec.param.name.type_ = PV_NAME_OTHER as c_int;
    spec.param.name.free = Some(free::<T>);
    spec.param.name.name.own = Box::into_raw(Box::new(name)).cast();
}

unsafe extern "C" fn free<T>(name: *mut c_void) {
    entry("variable free", || {
        // SAFETY: the host passes the name that `give_name` filled, and reads it no more.
        unsafe {
            if let Some(name) = name.cast::<pv_name>().as_mut()
                && !name.name.own.is_null()
            {
                drop(Box::from_raw(name.name.own.cast::<T>()));
                name.name.own = ptr::null_mut();
            }
        }
    });
}

/// The name of a variable.
///
/// # Safety
/// `param` must be null or belong to a variable that [`give_name`] gave a `T`, and that lives as long as the result is used.
#[must_use]
pub unsafe fn name_of<'a, T>(param: *const pv_param) -> Option<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { param.as_ref()?.name.name.own.cast::<T>().as_ref() }
}
