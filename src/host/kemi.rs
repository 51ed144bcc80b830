//! Functions for the embedded script languages: the export table and the values it answers with.
//!
//! The host keeps the table by pointer and tells the types of values by numbers that moved in series 5.7, so the table
//! is made once at load time and never freed. An interpreter copies an answer before it makes the next call, so one
//! answer per process is enough.

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use super::ffi::{KEMI_INT, KEMI_STR, kemi_export, kemi_value, kstr};
use super::text::{constant, view};

/// Parameter patterns that every interpreter of every supported series can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    Int,
    Str,
}

/// What a function answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A return code.
    Code,
    /// A value: text, number or null.
    Value,
}

/// One function of the table.
pub struct Row {
    /// Interpreters read it up to its NUL.
    pub name: &'static CStr,
    pub answer: Answer,
    pub function: *const c_void,
    pub params: &'static [Param],
}

/// The most parameters a function of that kind may have where interpreters match patterns one by one (up to 5.6).
#[must_use]
pub fn most_params(answer: Answer) -> usize {
    match answer {
        Answer::Code => 5,
        Answer::Value => 3,
    }
}

/// The table as the host wants it, ended by an empty row; `wide` from series 5.7 on.
#[must_use]
pub fn table(module: &'static CStr, rows: &[Row], wide: bool) -> &'static mut [kemi_export] {
    let end = kemi_export { module: none(), name: none(), returns: 0, function: ptr::null_mut(), params: [0; 6] };
    let exports = rows.iter().map(|row| export(module, row, wide)).chain([end]);
    Box::leak(exports.collect())
}

fn export(module: &'static CStr, row: &Row, wide: bool) -> kemi_export {
    let mut params = [0; 6];
    for (slot, param) in params.iter_mut().zip(row.params) {
        *slot = match param {
            Param::Int => KEMI_INT as c_int,
            Param::Str => KEMI_STR as c_int,
        };
    }
    let returns = match row.answer {
        Answer::Code => KEMI_INT as c_int,
        Answer::Value => value_code(wide),
    };
    kemi_export {
        module: constant(module),
        name: constant(row.name),
        returns,
        function: row.function.cast_mut(),
        params,
    }
}

/// The code of "any value" as a return type.
fn value_code(wide: bool) -> c_int {
    if wide { 16 } else { 8 }
}

/// The code of a null value.
fn null_code(wide: bool) -> c_int {
    if wide { 32 } else { 16 }
}

fn none() -> kstr {
    kstr { s: ptr::null_mut(), len: 0 }
}

/// A value for the script. Numbers have 32 bits in every interpreter that must be served; larger ones go as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    Null,
    Int(i64),
    Text(&'a [u8]),
}

struct Slot {
    bytes: Vec<u8>,
    value: kemi_value,
}

thread_local! {
    static SLOT: RefCell<Option<Box<Slot>>> = const { RefCell::new(None) };
}

/// Keeps `reply` until the next one and gives the pointer that the host wants; `wide` from series 5.7 on.
pub fn answer(reply: Reply<'_>, wide: bool) -> *mut kemi_value {
    SLOT.with_borrow_mut(|slot| {
        let slot = slot.get_or_insert_with(Slot::new);
        slot.bytes.clear();
        slot.value.type_ = match reply {
            Reply::Null => null_code(wide),
            Reply::Int(number) => match c_int::try_from(number) {
                Ok(number) => {
                    slot.value.value.number = number;
                    KEMI_INT as c_int
                }
                Err(_) => slot.keep(number.to_string().as_bytes()),
            },
            Reply::Text(bytes) => slot.keep(bytes),
        };
        &raw mut slot.value
    })
}

impl Slot {
    fn new() -> Box<Self> {
        // SAFETY: a kemi_value is plain numbers and pointers; all zero is its empty form.
        Box::new(Self { bytes: Vec::new(), value: unsafe { std::mem::zeroed() } })
    }

    fn keep(&mut self, bytes: &[u8]) -> c_int {
        // A NUL follows, for interpreters that trust C strings.
        self.bytes.reserve(bytes.len() + 1);
        self.bytes.extend_from_slice(bytes);
        self.value.value.text = view(&self.bytes);
        self.bytes.push(0);
        KEMI_STR as c_int
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::bytes;
    use super::*;

    const ROWS: &[Row] = &[
        Row { name: c"get", answer: Answer::Value, function: ptr::dangling(), params: &[Param::Str, Param::Str] },
        Row { name: c"touch", answer: Answer::Code, function: ptr::dangling(), params: &[Param::Str, Param::Int] },
    ];

    #[test]
    fn the_table_speaks_the_numbers_of_its_series() {
        for (wide, value) in [(false, 8), (true, 16)] {
            let table = table(c"shc", ROWS, wide);
            assert_eq!(table.len(), 3);
            assert_eq!((table[0].returns, table[1].returns), (value, 1));
            assert_eq!((table[0].params, table[1].params), ([2, 2, 0, 0, 0, 0], [2, 1, 0, 0, 0, 0]));
            assert!(table[2].name.s.is_null());
            // SAFETY: static names, ended by NUL because interpreters read them as C strings.
            let names = unsafe { (CStr::from_ptr(table[1].name.s), CStr::from_ptr(table[1].module.s)) };
            assert_eq!(names, (c"touch", c"shc"));
        }
    }

    fn told(reply: Reply<'_>, wide: bool) -> (c_int, String) {
        // SAFETY: the answer stays valid until the next one; its type says which member is set.
        unsafe {
            let value = &*answer(reply, wide);
            let text = match value.type_ {
                1 => value.value.number.to_string(),
                2 => String::from_utf8_lossy(bytes(&value.value.text)).into_owned(),
                _ => String::new(),
            };
            (value.type_, text)
        }
    }

    #[test]
    fn a_number_beyond_32_bits_is_told_as_text() {
        assert_eq!(told(Reply::Int(-5), true), (1, "-5".into()));
        assert_eq!(told(Reply::Int(1 << 31), true), (2, "2147483648".into()));
        assert_eq!(told(Reply::Text(b"a"), false), (2, "a".into()));
        assert_eq!(told(Reply::Null, false), (16, String::new()));
        assert_eq!(told(Reply::Null, true), (32, String::new()));
    }
}
