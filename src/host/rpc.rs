//! One RPC command while it runs: its arguments in, its reply out, the same shapes under every transport.
//!
//! The transports differ, and this is where it ends. ctl (kamcmd) types its arguments and cannot convert all of them,
//! so each type is tried; the JSON ones convert a number to text in one static buffer, so each argument is read alone
//! and copied at once. Integers travel as int, as double while every transport keeps them exact, else as decimal text.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_double, c_int, c_longlong, c_void};
use std::ptr;

use super::ffi::{kstr, rpc_api};
use super::text::{bytes, view};

/// ctl keeps a double as thousandths in 64 bits: beyond this, an integer would not come out as it went in.
const EXACT: u64 = (1 << 53) / 1000;

/// ctl cuts the text of a fault here.
const FAULT: usize = 250;

/// The transport has no more room for the reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// A running RPC command.
pub struct Call<'a> {
    api: &'a rpc_api,
    ctx: *mut c_void,
    faulted: Cell<bool>,
}

impl<'a> Call<'a> {
    /// Wraps what the host passes to a command.
    ///
    /// # Safety
    /// Both pointers are the ones the host gave to the running command, and the value does not outlive that command.
    #[must_use]
    pub unsafe fn new(api: *mut rpc_api, ctx: *mut c_void) -> Option<Self> {
        // SAFETY: the caller vouches for `api`; a NULL is refused here.
        unsafe { api.as_ref() }.map(|api| Self { api, ctx, faulted: Cell::new(false) })
    }

    /// The next argument as text, whatever its type was; `None` when there is none left.
    pub fn argument(&mut self) -> Option<Vec<u8>> {
        if !self.api.rest[0].is_null() {
            // Transports that can delay a reply are the untyped ones: JSON, XML, HTTP.
            return self.scan_text(c"*.S");
        }
        self.scan_text(c"*S").or_else(|| self.scan_int()).or_else(|| self.scan_double())
    }

    fn scan_text(&mut self, format: &CStr) -> Option<Vec<u8>> {
        let mut text = kstr { s: ptr::null_mut(), len: 0 };
        let scan = self.api.scan?;
        // SAFETY: `S` wants a pointer to a kstr, and gets it; the bytes are copied before the next call.
        unsafe { (scan(self.ctx, format.as_ptr(), &raw mut text) > 0).then(|| bytes(&text).to_vec()) }
    }

    fn scan_int(&mut self) -> Option<Vec<u8>> {
        let mut number: c_int = 0;
        let scan = self.api.scan?;
        // SAFETY: `d` wants a pointer to an int, and gets it.
        let read = unsafe { scan(self.ctx, c"*d".as_ptr(), &raw mut number) };
        (read > 0).then(|| number.to_string().into_bytes())
    }

    fn scan_double(&mut self) -> Option<Vec<u8>> {
        let mut number: c_double = 0.0;
        let scan = self.api.scan?;
        // SAFETY: `f` wants a pointer to a double, and gets it.
        let read = unsafe { scan(self.ctx, c"*f".as_ptr(), &raw mut number) };
        (read > 0).then(|| number.to_string().into_bytes())
    }

    /// Ends the command with an error; only the first one is sent.
    pub fn fault(&self, code: u16, text: &str) {
        if self.faulted.replace(true) {
            return;
        }
        let line = one_line(text);
        let line = view(line.as_bytes());
        if let Some(fault) = self.api.fault {
            // SAFETY: `%.*s` wants an int and that many bytes, and gets them.
            unsafe { fault(self.ctx, c_int::from(code), c"%.*s".as_ptr(), line.len, line.s) };
        }
    }

    /// Replies with one text.
    pub fn text(&self, text: &[u8]) -> Result<(), Full> {
        let text = view(text);
        // SAFETY: `S` wants a pointer to a kstr, and gets it; the host copies the bytes.
        self.add(|add| unsafe { add(self.ctx, c"S".as_ptr(), &raw const text) })
    }

    /// Opens an object in the reply; a command without the flag for lists replies with one.
    pub fn object(&self) -> Result<Object<'_>, Full> {
        let mut handle: *mut c_void = ptr::null_mut();
        // SAFETY: `{` wants a pointer to a pointer, and gets it.
        self.add(|add| unsafe { add(self.ctx, c"{".as_ptr(), &raw mut handle) })?;
        Object::new(self.api, handle)
    }

    fn add(&self, act: impl FnOnce(AddFn) -> c_int) -> Result<(), Full> {
        self.api.add.map(act).filter(|code| *code >= 0).map(drop).ok_or(Full)
    }
}

type AddFn = unsafe extern "C" fn(*mut c_void, *const c_char, ...) -> c_int;

/// An object of the reply. It lives as long as the command; members keep their order.
pub struct Object<'a> {
    api: &'a rpc_api,
    handle: *mut c_void,
}

impl<'a> Object<'a> {
    fn new(api: &'a rpc_api, handle: *mut c_void) -> Result<Self, Full> {
        if handle.is_null() { Err(Full) } else { Ok(Self { api, handle }) }
    }

    /// Adds a text.
    pub fn text(&self, name: &CStr, text: impl AsRef<[u8]>) -> Result<(), Full> {
        let text = view(text.as_ref());
        // SAFETY: `S` wants a name and a pointer to a kstr, and gets them; the host copies both.
        self.add(|add| unsafe { add(self.handle, c"S".as_ptr(), name.as_ptr(), &raw const text) })
    }

    /// Adds an integer.
    pub fn int(&self, name: &CStr, number: i64) -> Result<(), Full> {
        match wire(number) {
            // SAFETY: `d` wants a name and an int, and gets them.
            Wire::Int(n) => self.add(|add| unsafe { add(self.handle, c"d".as_ptr(), name.as_ptr(), n) }),
            // SAFETY: `L` wants a name and a long long, and gets them.
            Wire::Wide(n) => self.add(|add| unsafe { add(self.handle, c"L".as_ptr(), name.as_ptr(), n) }),
            Wire::Text(text) => self.text(name, text),
        }
    }

    /// Adds a count; one beyond the signed range shows as the largest.
    pub fn count(&self, name: &CStr, number: u64) -> Result<(), Full> {
        self.int(name, i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// Opens an object within this one.
    pub fn object(&self, name: &CStr) -> Result<Object<'a>, Full> {
        Object::new(self.api, self.open(c"{", name)?)
    }

    /// Opens a list within this object.
    pub fn list(&self, name: &CStr) -> Result<List<'a>, Full> {
        Ok(List(Object::new(self.api, self.open(c"[", name)?)?))
    }

    fn open(&self, kind: &CStr, name: &CStr) -> Result<*mut c_void, Full> {
        let mut handle: *mut c_void = ptr::null_mut();
        // SAFETY: `{` and `[` want a name and a pointer to a pointer, and get them.
        self.add(|add| unsafe { add(self.handle, kind.as_ptr(), name.as_ptr(), &raw mut handle) })?;
        Ok(handle)
    }

    fn add(&self, act: impl FnOnce(AddFn) -> c_int) -> Result<(), Full> {
        self.api.struct_add.map(act).filter(|code| *code >= 0).map(drop).ok_or(Full)
    }
}

/// A list of objects in the reply.
pub struct List<'a>(Object<'a>);

impl<'a> List<'a> {
    /// Opens the next object of the list.
    pub fn object(&self) -> Result<Object<'a>, Full> {
        let Object { api, handle: list } = self.0;
        let mut handle: *mut c_void = ptr::null_mut();
        // SAFETY: `{` wants a pointer to a pointer, and gets it; `list` was opened as a list by the same transport.
        let code = api.array_add.map(|add| unsafe { add(list, c"{".as_ptr(), &raw mut handle) });
        code.filter(|code| *code >= 0).ok_or(Full)?;
        Object::new(api, handle)
    }
}

enum Wire {
    Int(c_int),
    Wide(c_longlong),
    Text(String),
}

fn wire(number: i64) -> Wire {
    match c_int::try_from(number) {
        Ok(small) => Wire::Int(small),
        Err(_) if number.unsigned_abs() <= EXACT => Wire::Wide(number),
        Err(_) => Wire::Text(number.to_string()),
    }
}

/// The text of a fault becomes part of an HTTP status line: no control characters, and no cut inside a character.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars().map(|c| if c.is_control() { '?' } else { c }) {
        if line.len() + c.len_utf8() > FAULT {
            break;
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
#[path = "rpc/tests.rs"]
mod tests;
