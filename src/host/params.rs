//! Parameters of script functions: fixed up once while the script is read, evaluated at each call.
//!
//! The host keeps its own `fparam` in place of each text, so its rules for constants, variables and expressions
//! hold here too. What variables hold is copied out at once: the host prints them into a short ring of buffers.

use super::api::api;
use super::ffi::*;
use super::pv::{self, Given};
use super::text;
use crate::value::{self, Digits};
use std::cell::Cell;
use std::ffi::{c_int, c_void};

/// Buffers larger than this are not kept for the next call.
const KEEP: usize = 64 * 1024;
const POOL: usize = 32;

/// Fixes up a text that may hold variables.
///
/// # Safety
/// To be called from a fixup, with its `param`.
#[must_use]
pub unsafe fn fix_text(param: *mut *mut c_void) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (api().fixup_spve_null)(param, 1) == 0 }
}

/// Undoes [`fix_text`].
///
/// # Safety
/// As for [`fix_text`], with what it made.
pub unsafe fn free_text(param: *mut *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { (api().fixup_free_spve_null)(param, 1) }
}

/// Fixes up the name of a variable that can be assigned.
///
/// # Safety
/// As for [`fix_text`].
#[must_use]
pub unsafe fn fix_variable(param: *mut *mut c_void) -> bool {
    // SAFETY: the caller's promise; afterwards the parameter is a `pv_spec`.
    unsafe {
        (api().fixup_pvar_null)(param, 1) == 0
            && (*param).cast::<pv_spec>().as_ref().is_some_and(|spec| spec.set.is_some())
    }
}

/// Is the text one variable and nothing else? The host's own fixup reads the first one and forgets the rest.
#[must_use]
pub fn is_variable(text: &[u8]) -> bool {
    pv::Format::parse(text).is_some_and(|format| format.is_single())
}

/// Undoes [`fix_variable`].
///
/// # Safety
/// As for [`free_text`].
pub unsafe fn free_variable(param: *mut *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { (api().fixup_free_pvar_null)(param, 1) }
}

/// The text of a fixed-up parameter that holds no variables.
///
/// # Safety
/// `param` must come from [`fix_text`] and outlive the result.
#[must_use]
pub unsafe fn constant<'a>(param: *mut c_void) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise; the type says which member is in use.
    unsafe {
        let param = param.cast::<fparam>().as_ref()?;
        (param.type_ == FPARAM_STR as c_int).then(|| text::bytes(&param.value.text))
    }
}

/// An evaluated parameter.
#[derive(Debug, Default)]
pub struct Argument<'a> {
    text: Text<'a>,
    /// The script gave a number, or a constant that is one.
    pub number: bool,
    /// The script gave `$null`.
    pub null: bool,
}

#[derive(Debug)]
enum Text<'a> {
    /// As it stands in the script.
    Constant(&'a [u8]),
    /// Out of the host's buffers.
    Copied(Buffer),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Constant(b"")
    }
}

impl<'a> Argument<'a> {
    #[must_use]
    pub fn text(&self) -> &[u8] {
        match &self.text {
            Text::Constant(text) => text,
            Text::Copied(buffer) => &buffer.0,
        }
    }

    /// Evaluates a parameter for this message; `None` when the host could not, and said why.
    ///
    /// # Safety
    /// `msg` must be the host's and `param` from [`fix_text`], both of the running call; `param` must outlive the result.
    #[must_use]
    pub unsafe fn evaluate(msg: *mut sip_msg, param: *mut c_void) -> Option<Self> {
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(text) = constant(param) {
                let number = value::integer(text).is_some();
                return Some(Self { text: Text::Constant(text), number, null: false });
            }
            let fixed = param.cast::<fparam>();
            if (*fixed).type_ == FPARAM_PVE as c_int
                && let Some(spec) = pv::single((*fixed).value.format)
            {
                let given = pv::value_of(msg, spec);
                return Some(Self::new(given, matches!(given, Given::Int(_))));
            }
            let mut out = text::view(b"");
            ((api().get_str_fparam)(&raw mut out, msg, fixed) == 0)
                .then(|| Self::new(Given::Text(text::bytes(&out)), false))
        }
    }

    fn new(given: Given<'_>, number: bool) -> Self {
        let mut room = Digits::default();
        let text = Buffer::of(match given {
            Given::Null => b"",
            Given::Text(bytes) => bytes,
            Given::Int(number) => value::decimal(number, &mut room),
        });
        Self { text: Text::Copied(text), number, null: given == Given::Null }
    }
}

/// A copy, in memory that later ones use again.
#[derive(Debug)]
struct Buffer(Vec<u8>);

impl Buffer {
    fn of(bytes: &[u8]) -> Self {
        let mut text = POOLED.with(|pool| {
            let mut free = pool.take();
            let text = free.pop().unwrap_or_default();
            pool.set(free);
            text
        });
        text.extend_from_slice(bytes);
        Self(text)
    }
}

thread_local! {
    static POOLED: Cell<Vec<Vec<u8>>> = const { Cell::new(Vec::new()) };
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut text = std::mem::take(&mut self.0);
        if text.capacity() == 0 || text.capacity() > KEEP {
            return;
        }
        text.clear();
        // A thread that ends has no pool any more, and the buffer is simply freed.
        let _ = POOLED.try_with(|pool| {
            let mut free = pool.take();
            if free.len() < POOL {
                free.push(text);
            }
            pool.set(free);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(type_: u32, text: &[u8]) -> fparam {
        // SAFETY: numbers and pointers may be zero.
        let mut param: fparam = unsafe { std::mem::zeroed() };
        param.type_ = type_ as c_int;
        param.value.text = text::view(text);
        param
    }

    #[test]
    fn a_constant_is_taken_as_it_is_and_a_canonical_number_is_known_as_one() {
        for (text, number) in [(&b"alice"[..], false), (b"5", true), (b"-5", true), (b"007", false), (b"", false)] {
            let mut param = fixed(FPARAM_STR, text);
            // SAFETY: a constant reads no message.
            let argument = unsafe { Argument::evaluate(std::ptr::null_mut(), (&raw mut param).cast()) };
            assert!(argument.is_some_and(|got| got.text() == text && got.number == number && !got.null));
        }
    }

    #[test]
    fn buffers_are_used_again_unless_they_grew_large() {
        let first = Argument::new(Given::Text(&[1; 100]), false);
        let place = first.text().as_ptr();
        drop(first);
        let second = Argument::new(Given::Int(-12), true);
        assert_eq!((second.text().as_ptr(), second.text()), (place, &b"-12"[..]));
        drop(Buffer::of(&vec![0; KEEP + 1]));
        assert!(Buffer::of(b"").0.capacity() <= KEEP);
    }
}
