//! Strings between the host and us: bytes with a length, never trusted to end with NUL.

use super::ffi::kstr;
use std::ffi::{CStr, c_char, c_int};

/// The bytes of a host string; none for a null or negative one.
///
/// # Safety
/// Its pointer, unless null, must be readable for its length as long as the result is used.
#[must_use]
pub unsafe fn bytes<'a>(text: &kstr) -> &'a [u8] {
    match usize::try_from(text.len) {
        // SAFETY: the caller's promise.
        Ok(len) if !text.s.is_null() => unsafe { std::slice::from_raw_parts(text.s.cast::<u8>(), len) },
        _ => &[],
    }
}

/// A host string over `bytes`, which the host must not write to and must not keep longer than they live.
#[must_use]
pub fn view(bytes: &[u8]) -> kstr {
    span(bytes.as_ptr(), bytes.len())
}

/// The same over `len` bytes from `start` on, which need not be written yet.
#[must_use]
pub fn span(start: *const u8, len: usize) -> kstr {
    kstr { s: start.cast_mut().cast::<c_char>(), len: c_int::try_from(len).unwrap_or(c_int::MAX) }
}

/// A host string in a static table.
#[must_use]
pub const fn constant(text: &'static CStr) -> kstr {
    kstr { s: text.as_ptr().cast_mut(), len: text.count_bytes() as c_int }
}

/// The text of a C string as the operator wrote it, for log lines; empty for null.
///
/// # Safety
/// `text` must be null or NUL-terminated and live as long as the result is used.
#[must_use]
pub unsafe fn c_text<'a>(text: *const c_char) -> std::borrow::Cow<'a, str> {
    if text.is_null() {
        return "".into();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_string_is_its_bytes() {
        let with_nul = view(b"a\0b");
        let empty = kstr { s: std::ptr::null_mut(), len: 5 };
        let negative = kstr { s: with_nul.s, len: -1 };
        // SAFETY: views of constants.
        unsafe {
            assert_eq!(bytes(&with_nul), b"a\0b");
            assert_eq!(bytes(&empty), b"");
            assert_eq!(bytes(&negative), b"");
            assert_eq!(bytes(&constant(c"shc")), b"shc");
            assert_eq!(c_text(std::ptr::null()), "");
            assert_eq!(c_text(c"x".as_ptr()), "x");
        }
    }
}
