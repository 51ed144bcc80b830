//! Structured script variables: lists of results that the script reads by index.
//!
//! A list is one root whose value is a chain of children. The host copies names and texts into its shared memory, one
//! block per child, and puts a new child in front: chains are built from their end.

use super::api::{Api, api};
use super::ffi::*;
use super::guard::series;
use super::pv;
use super::text;
use super::version::Series;
use crate::value::{self, Digits, Value};
use std::ptr;

/// The host ran out of shared memory. Nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Sets `$xavp(name=>v[0])`, `$xavp(name=>v[1])`... to the values in their order, `$null` where there is none, and
/// `$xavp(name=>n)` to their number.
pub fn set_list<'v>(
    name: &[u8],
    values: impl DoubleEndedIterator<Item = Option<Value<'v>>>,
) -> Result<(), OutOfMemory> {
    set(name, |api, chain| build(api, values, chain))
}

/// Sets `$xavp(name=>column)` for each column, `$null` where it has no value. A name that is there twice shows the first.
pub fn set_row<'v>(
    name: &[u8],
    columns: impl DoubleEndedIterator<Item = (&'v [u8], Option<Value<'v>>)>,
) -> Result<(), OutOfMemory> {
    set(name, |api, chain| {
        columns.rev().try_for_each(|(column, value)| {
            let mut room = Digits::default();
            add(api, column, child_value(value, &mut room), chain)
        })
    })
}

/// Sets the variable to the chain that `build` makes.
fn set(name: &[u8], build: impl FnOnce(&Api, &mut *mut xavp) -> Result<(), OutOfMemory>) -> Result<(), OutOfMemory> {
    let api = api();
    let mut chain: *mut xavp = ptr::null_mut();
    let done = build(api, &mut chain).and_then(|()| add(api, name, list_value(chain), ptr::null_mut()));
    if done.is_err() {
        // SAFETY: the chain was built here and nobody else knows it.
        unsafe { (api.xavp_destroy_list)(&raw mut chain) };
    }
    done
}

fn build<'v>(
    api: &Api,
    values: impl DoubleEndedIterator<Item = Option<Value<'v>>>,
    chain: &mut *mut xavp,
) -> Result<(), OutOfMemory> {
    // The number stands last in the chain, but is only known when all values are there: it is put in their place.
    add(api, b"n", number_value(0), chain)?;
    let last = *chain;
    let mut count = 0;
    for value in values.rev() {
        let mut room = Digits::default();
        add(api, b"v", child_value(value, &mut room), chain)?;
        count += 1;
    }
    // SAFETY: added above, and still in the chain.
    unsafe { (*last).value = number_value(count) };
    Ok(())
}

fn add(api: &Api, name: &[u8], mut value: xavp_value, list: *mut *mut xavp) -> Result<(), OutOfMemory> {
    let mut name = text::view(name);
    // SAFETY: the host copies name and text; a null list is the one of the message being handled.
    let made = unsafe { (api.xavp_add_value)(&raw mut name, &raw mut value, list) };
    if made.is_null() { Err(OutOfMemory) } else { Ok(()) }
}

/// Removes every variable of that name.
pub fn remove(name: &[u8]) {
    let mut name = text::view(name);
    // SAFETY: as for `add`.
    unsafe { (api().xavp_rm_by_name)(&raw mut name, 1, ptr::null_mut()) };
}

fn blank(type_: u32) -> xavp_value {
    // SAFETY: numbers and pointers may be zero.
    let mut value: xavp_value = unsafe { std::mem::zeroed() };
    value.type_ = type_ as i32;
    value
}

fn number_value(number: i64) -> xavp_value {
    let mut value = blank(XAVP_INT);
    value.value.number = number;
    value
}

fn child_value(value: Option<Value<'_>>, room: &mut Digits) -> xavp_value {
    let bytes = match value {
        None => return blank(XAVP_NULL),
        Some(Value::Int(number)) if pv::fits(number) => return number_value(number),
        Some(Value::Int(number)) => value::decimal(number, room),
        Some(Value::Bytes(bytes)) => bytes,
    };
    let mut made = blank(XAVP_STR);
    made.value.text = text::view(bytes);
    made
}

fn list_value(chain: *mut xavp) -> xavp_value {
    let mut value = blank(if series() == Series::V5_6 { 6 } else { 5 });
    value.value.list = chain;
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{api, guard};
    use std::cell::RefCell;
    use std::ffi::{c_int, c_void};

    thread_local! {
        static ROOTS: RefCell<Vec<*mut xavp>> = const { RefCell::new(Vec::new()) };
        static LEFT: RefCell<usize> = const { RefCell::new(usize::MAX) };
    }

    unsafe extern "C" fn add_value(name: *mut kstr, value: *mut xavp_value, list: *mut *mut xavp) -> *mut xavp {
        if LEFT.with_borrow(|left| *left == 0) {
            return ptr::null_mut();
        }
        LEFT.with_borrow_mut(|left| *left -= 1);
        // SAFETY: called by the code under test with its own values; everything is leaked.
        unsafe {
            let mut made = xavp { hash: 0, name: *name, value: *value, next: ptr::null_mut() };
            if (*value).type_ == XAVP_STR as i32 {
                made.value.value.text = text::view(Box::leak(text::bytes(&(*value).value.text).to_vec().into()));
            }
            let made = Box::into_raw(Box::new(made));
            if list.is_null() {
                ROOTS.with_borrow_mut(|roots| roots.push(made));
            } else {
                (*made).next = *list;
                *list = made;
            }
            made
        }
    }

    unsafe extern "C" fn rm_by_name(_: *mut kstr, all: c_int, _: *mut *mut xavp) -> c_int {
        assert_eq!(all, 1);
        ROOTS.with_borrow_mut(Vec::clear);
        0
    }

    unsafe extern "C" fn destroy_list(list: *mut *mut xavp) {
        // SAFETY: the code under test gives its own chain.
        unsafe { *list = ptr::null_mut() };
    }

    unsafe extern "C" fn no_engine() -> *mut c_void {
        ptr::null_mut()
    }

    fn host(series: Series) {
        guard::pretend(series);
        let fake = api::Api {
            xavp_add_value: add_value,
            xavp_rm_by_name: rm_by_name,
            xavp_destroy_list: destroy_list,
            sr_kemi_eng_get: no_engine,
            ..api::Api::fake()
        };
        api::pretend(fake);
        ROOTS.with_borrow_mut(Vec::clear);
        LEFT.with_borrow_mut(|left| *left = usize::MAX);
    }

    fn shown() -> Vec<String> {
        let mut lines = Vec::new();
        for root in ROOTS.with_borrow(Clone::clone) {
            // SAFETY: leaked by `add_value`.
            unsafe {
                lines.push(format!("{} {}", String::from_utf8_lossy(text::bytes(&(*root).name)), (*root).value.type_));
                let mut child = (*root).value.value.list;
                while let Some(one) = child.as_ref() {
                    let value = match one.value.type_ as u32 {
                        XAVP_NULL => "null".into(),
                        XAVP_INT => one.value.value.number.to_string(),
                        _ => format!("{:?}", String::from_utf8_lossy(text::bytes(&one.value.value.text))),
                    };
                    lines.push(format!("{}={value}", String::from_utf8_lossy(text::bytes(&one.name))));
                    child = one.next;
                }
            }
        }
        lines
    }

    #[test]
    fn children_stand_in_the_order_of_the_keys_and_end_with_their_number() {
        for (series, root, large) in
            [(Series::V5_6, "res 6", "v=\"4294967296\""), (Series::V5_7, "res 5", "v=4294967296")]
        {
            host(series);
            let values = [Some(Value::Bytes(b"a")), None, Some(Value::Int(7)), Some(Value::Int(1 << 32))];
            for _ in 0..2 {
                remove(b"res");
                assert_eq!(set_list(b"res", values.into_iter()), Ok(()));
            }
            assert_eq!(shown(), [root, "v=\"a\"", "v=null", "v=7", large, "n=4"]);
        }
    }

    #[test]
    fn the_columns_of_a_row_have_their_names() {
        host(Series::V6_1);
        let columns = [(&b"id"[..], Some(Value::Int(7))), (b"grp", None), (b"mail", Some(Value::Bytes(b"a@b")))];
        assert_eq!(set_row(b"p", columns.into_iter()), Ok(()));
        assert_eq!(shown(), ["p 5", "id=7", "grp=null", "mail=\"a@b\""]);
    }

    #[test]
    fn without_memory_nothing_is_kept() {
        host(Series::V6_1);
        for left in 0..4 {
            LEFT.with_borrow_mut(|count| *count = left);
            assert_eq!(set_list(b"res", [None, None].into_iter()), Err(OutOfMemory), "{left}");
            assert!(shown().is_empty());
        }
    }
}
