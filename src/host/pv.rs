//! Script variables: values given to and taken from the script, names with variables in them.
//!
//! The host's value has two layouts. Both are met here and nowhere else: getters only use the host's own helpers.

mod format;
mod name;

pub use format::{Format, single};
pub use name::{give_name, name_of};

use super::api::api;
use super::entry::entry;
use super::ffi::*;
use super::guard::narrow;
use super::route;
use super::text;
use crate::value::{self, Digits, Value};
use std::ffi::c_int;
use std::mem::MaybeUninit;

/// A value as the script hands it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    Null,
    Int(i64),
    Text(&'a [u8]),
}

/// Reads a value of the host.
///
/// # Safety
/// `value` must be null or a value of this host's layout; its text must stay readable while the result is used.
#[must_use]
pub unsafe fn read<'a>(value: *const pv_value) -> Given<'a> {
    // SAFETY: the caller's promise.
    let Some(value) = (unsafe { value.as_ref() }) else { return Given::Null };
    let (text, number, flags) = if narrow() {
        // SAFETY: the host's series says which member is in use.
        let value = unsafe { value.narrow };
        (value.text, i64::from(value.number), value.flags)
    } else {
        // SAFETY: as above.
        let value = unsafe { value.wide };
        (value.text, value.number, value.flags)
    };
    let has = |flag: u32| flags & flag as c_int != 0;
    if has(PV_VAL_NULL) {
        Given::Null
    } else if has(PV_TYPE_INT) || !has(PV_VAL_STR) && has(PV_VAL_INT) {
        Given::Int(number)
    } else {
        // SAFETY: the caller's promise.
        Given::Text(unsafe { text::bytes(&text) })
    }
}

/// A value of the host, made by us; `room` keeps the digits of an integer.
#[must_use]
pub fn write(given: Given<'_>, room: &mut Digits) -> pv_value {
    // SAFETY: numbers and pointers may be zero.
    let mut value: pv_value = unsafe { std::mem::zeroed() };
    let (text, number, flags) = match given {
        Given::Null => (text::view(b""), 0, PV_VAL_NULL),
        Given::Text(bytes) => (text::view(bytes), 0, PV_VAL_STR),
        Given::Int(number) if fits(number) => {
            (text::view(value::decimal(number, room)), number, PV_VAL_STR | PV_VAL_INT | PV_TYPE_INT)
        }
        Given::Int(number) => (text::view(value::decimal(number, room)), 0, PV_VAL_STR),
    };
    if narrow() {
        value.narrow = pv_value_narrow { text, number: number as i32, flags: flags as c_int };
    } else {
        value.wide = pv_value_wide { text, number, flags: flags as c_int };
    }
    value
}

/// May the host's variables hold this number as a number?
///
/// A host of wide numbers still cuts them to 32 bits on their way into an embedded language (`KSR.pv.get`).
#[must_use]
pub fn fits(number: i64) -> bool {
    i32::try_from(number).is_ok() || !narrow() && !route::has_language()
}

/// Assigns to the variable `spec`. False when it refused.
///
/// # Safety
/// `msg` and `spec` must be the host's, of the running call.
#[must_use]
pub unsafe fn assign(msg: *mut sip_msg, spec: *mut pv_spec, given: Given<'_>) -> bool {
    let mut room = Digits::default();
    let mut value = write(given, &mut room);
    // SAFETY: the caller's promise; the variable copies what it keeps.
    unsafe { (api().pv_set_spec_value)(msg, spec, 0, &raw mut value) >= 0 }
}

/// The variable's value now.
///
/// # Safety
/// As for [`assign`]; the result is valid until the host evaluates the next variable.
#[must_use]
pub unsafe fn value_of<'a>(msg: *mut sip_msg, spec: *mut pv_spec) -> Given<'a> {
    // SAFETY: the caller's promise; `value` is large enough for either layout, and the host fills its own before it says 0.
    unsafe {
        let mut value = MaybeUninit::<pv_value>::uninit();
        if (api().pv_get_spec_value)(msg, spec, value.as_mut_ptr()) != 0 {
            return Given::Null;
        }
        read(value.as_ptr())
    }
}

/// What a getter was called with, to be answered exactly once.
#[derive(Clone, Copy)]
pub struct Getter {
    pub msg: *mut sip_msg,
    pub param: *mut pv_param,
    pub value: *mut pv_value,
}

impl Getter {
    /// Runs the body of a getter; when it fails or panics, the script sees `$null`.
    pub fn answer(self, name: &'static str, body: impl FnOnce() -> c_int) -> c_int {
        let code = entry(name, body);
        if code < 0 { self.null() } else { code }
    }

    /// Answers `$null`.
    #[must_use]
    pub fn null(self) -> c_int {
        // SAFETY: the host's own pointers, handed back to it within the call.
        unsafe { (api().pv_get_null)(self.msg, self.param, self.value) }
    }

    /// Answers bytes, which must stay where they are until the script has used them.
    #[must_use]
    pub fn text(self, bytes: &mut kstr) -> c_int {
        // SAFETY: as above; the host copies the two members of `bytes`.
        unsafe { (api().pv_get_strval)(self.msg, self.param, self.value, bytes) }
    }

    /// Answers a number that [`fits`].
    #[must_use]
    pub fn number(self, number: i64) -> c_int {
        // SAFETY: as above; a 32-bit host reads the low half of the register.
        unsafe { (api().pv_get_sintval)(self.msg, self.param, self.value, number) }
    }
}

/// What the script may store.
impl<'a> From<Value<'a>> for Given<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Int(number) => Self::Int(number),
            Value::Bytes(bytes) => Self::Text(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::api::{self, Api};
    use crate::host::guard::pretend;
    use crate::host::version::Series;
    use std::ffi::c_void;
    use std::ptr;

    #[test]
    fn a_value_reads_as_it_was_written_in_either_layout() {
        for series in [Series::V5_6, Series::V5_7, Series::V6_1] {
            pretend(series);
            for given in
                [Given::Null, Given::Int(-7), Given::Int(i64::from(i32::MAX)), Given::Text(b"a\0b"), Given::Text(b"")]
            {
                let mut room = Digits::default();
                let value = write(given, &mut room);
                // SAFETY: written just now.
                assert_eq!(unsafe { read(&raw const value) }, given, "{series:?}");
            }
        }
    }

    #[test]
    fn a_number_beyond_32_bits_is_text_in_a_narrow_host_and_where_a_language_runs_the_script() {
        unsafe extern "C" fn none() -> *mut c_void {
            ptr::null_mut()
        }
        unsafe extern "C" fn engine() -> *mut c_void {
            ptr::dangling_mut()
        }
        type Engine = unsafe extern "C" fn() -> *mut c_void;
        let text = Given::Text(b"4294967296");
        for (series, sr_kemi_eng_get, want) in [
            (Series::V5_6, none as Engine, text),
            (Series::V5_7, none, Given::Int(1 << 32)),
            (Series::V5_7, engine, text),
            (Series::V6_1, engine, text),
        ] {
            pretend(series);
            api::pretend(Api { sr_kemi_eng_get, ..Api::fake() });
            let mut room = Digits::default();
            let value = write(Given::Int(1 << 32), &mut room);
            // SAFETY: written just now.
            assert_eq!(unsafe { read(&raw const value) }, want);
        }
    }

    #[test]
    fn no_value_and_a_null_value_are_null() {
        pretend(Series::V6_1);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { read(ptr::null()) }, Given::Null);
    }
}
