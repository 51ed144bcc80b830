//! Columns with their values, as a driver takes them.

use crate::host::ffi::*;
use crate::host::text;
use crate::value::Value;
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;

/// Columns and their values; no value is NULL.
pub type Pairs<'a> = &'a [(&'a str, Option<Value<'a>>)];

/// A column and the least value that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor<'a> {
    pub column: &'a str,
    pub value: Value<'a>,
    /// The value itself is not meant.
    pub above: bool,
}

/// Names and values side by side. They are borrowed: the driver reads them during one call.
pub struct Bound<'a> {
    names: Vec<kstr>,
    values: Vec<db_val>,
    /// How each is compared; none where all must be equal.
    ops: Vec<*const c_char>,
    borrowed: PhantomData<&'a [u8]>,
}

impl<'a> Bound<'a> {
    /// None where a text holds a NUL: some drivers cut it there, and would ask for another one.
    pub fn new(pairs: Pairs<'a>) -> Option<Self> {
        if !pairs.iter().all(|(_, value)| whole(value)) {
            return None;
        }
        let names = pairs.iter().map(|(name, _)| text::view(name.as_bytes())).collect();
        let values = pairs.iter().map(|(_, value)| bind(*value)).collect();
        Some(Self { names, values, ops: Vec::new(), borrowed: PhantomData })
    }

    /// The same, and what must not be less than something.
    pub fn with_floors(pairs: Pairs<'a>, floors: &[Floor<'a>]) -> Option<Self> {
        let mut bound = Self::new(pairs)?;
        for Floor { column, value, .. } in floors {
            if !whole(&Some(*value)) {
                return None;
            }
            bound.names.push(text::view(column.as_bytes()));
            bound.values.push(bind(Some(*value)));
        }
        if !floors.is_empty() {
            let equal = pairs.iter().map(|_| c"=");
            let ops = equal.chain(floors.iter().map(|floor| if floor.above { c">" } else { c">=" }));
            bound.ops = ops.map(CStr::as_ptr).collect();
        }
        Some(bound)
    }

    /// The operators as the interface lists them.
    pub fn ops(&self) -> Vec<*const c_char> {
        self.ops.clone()
    }

    /// Calls with the keys, the values and their number.
    pub fn give<R>(&self, call: impl FnOnce(*mut *mut kstr, *const db_val, i32) -> R) -> R {
        let mut keys = pointers(&self.names);
        call(keys.as_mut_ptr(), self.values.as_ptr(), count(self.values.len()))
    }
}

fn whole(value: &Option<Value<'_>>) -> bool {
    !matches!(value, Some(Value::Bytes(bytes)) if bytes.contains(&0))
}

/// The names as the interface lists them, which takes pointers to what it only reads.
pub fn pointers(names: &[kstr]) -> Vec<*mut kstr> {
    names.iter().map(|name| std::ptr::from_ref(name).cast_mut()).collect()
}

pub fn count(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

fn bind(value: Option<Value<'_>>) -> db_val {
    // SAFETY: numbers and pointers may be zero.
    let mut bound: db_val = unsafe { std::mem::zeroed() };
    match value {
        None => {
            bound.type_ = DB_STR as i32;
            bound.nul = 1;
        }
        Some(Value::Int(number)) => {
            bound.type_ = DB_BIGINT as i32;
            bound.val.wide = number;
        }
        Some(Value::Bytes(bytes)) => {
            bound.type_ = DB_STR as i32;
            bound.val.text = text::view(bytes);
        }
    }
    bound
}
