//! Text with variables in it, as the host's parser reads it.

use super::{Given, value_of};
use crate::host::api::api;
use crate::host::ffi::*;
use crate::host::text;
use std::ptr;

/// Text with variables in it, such as a key.
#[derive(Debug)]
pub enum Format {
    Constant(Box<[u8]>),
    /// The host's parsed list, and the text its parts point into.
    Variables(*mut pv_elem, Box<[u8]>),
}

impl Format {
    /// Parses a text; `None` when the host finds it wrong.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if !text.contains(&b'$') {
            return Some(Self::Constant(text.into()));
        }
        // The host's parser looks at the byte behind the text.
        let own: Box<[u8]> = [text, b"\0"].concat().into();
        let mut list: *mut pv_elem = ptr::null_mut();
        let mut view = text::view(&own[..text.len()]);
        // SAFETY: the host's parser keeps pointers into `own`, which lives as long as the list and ends with NUL.
        let parsed = unsafe { (api().pv_parse_format)(&raw mut view, &raw mut list) };
        (parsed >= 0 && !list.is_null()).then_some(Self::Variables(list, own))
    }

    /// Does it consist of a single variable?
    #[must_use]
    pub fn is_single(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            // SAFETY: a list that the host parsed.
            Self::Variables(list, _) => unsafe { single(*list) }.is_some(),
        }
    }

    /// The text for this message, valid until the host evaluates the next variable.
    ///
    /// # Safety
    /// `msg` must be the host's, of the running call.
    #[must_use]
    #[inline]
    pub unsafe fn evaluate(&self, msg: *mut sip_msg) -> Option<&[u8]> {
        match self {
            Self::Constant(text) => Some(text),
            // SAFETY: the caller's promise, and a list that the host parsed.
            Self::Variables(list, _) => unsafe { evaluate(msg, *list) },
        }
    }
}

impl Drop for Format {
    fn drop(&mut self) {
        if let Self::Variables(list, _) = self {
            // SAFETY: the list is ours, from the host's parser.
            unsafe { (api().pv_elem_free_all)(*list) };
        }
    }
}

/// The single variable that a parsed text consists of, if it does.
///
/// # Safety
/// `list` must be null or a list from the host's parser.
#[must_use]
pub unsafe fn single(list: *const pv_elem) -> Option<*mut pv_spec> {
    // SAFETY: the caller's promise.
    let first = unsafe { list.as_ref() }?;
    (first.text.len <= 0 && !first.spec.is_null() && first.next.is_null()).then_some(first.spec)
}

/// A variable that is `$null` gives no bytes, where the host's own printing would give `<null>`.
#[inline]
unsafe fn evaluate<'a>(msg: *mut sip_msg, list: *mut pv_elem) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(spec) = single(list)
            && let given @ (Given::Null | Given::Text(_)) = value_of(msg, spec)
        {
            return Some(if let Given::Text(text) = given { text } else { b"" });
        }
        let mut out = text::view(b"");
        ((api().pv_printf_s)(msg, list, &raw mut out) >= 0).then(|| text::bytes(&out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::api::{self, Api};
    use std::ffi::c_int;

    #[test]
    fn a_text_without_variables_needs_no_host() {
        let key = Format::parse(b"alice@x");
        // SAFETY: a constant reads no message.
        let text = key.as_ref().and_then(|key| unsafe { key.evaluate(ptr::null_mut()) });
        assert_eq!(text, Some(&b"alice@x"[..]));
    }

    #[test]
    fn a_text_with_variables_is_parsed_from_a_copy_that_ends_with_nul() {
        unsafe extern "C" fn parse(text: *mut kstr, list: *mut *mut pv_elem) -> c_int {
            // SAFETY: the code under test gives both, and a byte behind the text.
            unsafe {
                assert_eq!(text::bytes(&*text), b"$rU:x");
                assert_eq!(*(*text).s.add(5), 0);
                *list = ptr::dangling_mut();
            }
            0
        }
        unsafe extern "C" fn free(_: *mut pv_elem) -> c_int {
            0
        }
        api::pretend(Api { pv_parse_format: parse, pv_elem_free_all: free, ..Api::fake() });
        assert!(Format::parse(&b"$rU:x and more"[..5]).is_some());
    }
}
