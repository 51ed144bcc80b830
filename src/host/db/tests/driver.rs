//! A driver of our own: it writes down what it is told and answers as it was told before.

use super::*;
use crate::host::api::{self, Api};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

/// The driver: what it will answer, and what it was told.
#[derive(Default)]
pub(super) struct Fake {
    /// No connection can be opened.
    pub(super) closed: bool,
    /// Answers to queries; none = a failure.
    pub(super) answers: VecDeque<Option<Vec<db_val>>>,
    /// Does it answer `select 1`?
    pub(super) alive: bool,
    told: Vec<String>,
    results: usize,
    connections: isize,
}

thread_local! {
    pub(super) static FAKE: RefCell<Fake> = RefCell::default();
}

fn tell(line: String) {
    FAKE.with_borrow_mut(|fake| fake.told.push(line));
}

pub(super) fn told() -> Vec<String> {
    FAKE.with_borrow_mut(|fake| std::mem::take(&mut fake.told))
}

unsafe extern "C" fn init(url: *const kstr) -> *mut db_con {
    // SAFETY: the code under test gives its own text.
    tell(format!("init {}", String::from_utf8_lossy(unsafe { text::bytes(&*url) })));
    FAKE.with_borrow_mut(|fake| {
        if fake.closed {
            return ptr::null_mut();
        }
        fake.connections += 1;
        Box::into_raw(Box::new(db_con { table: ptr::null() }))
    })
}

unsafe extern "C" fn close(con: *mut db_con) {
    FAKE.with_borrow_mut(|fake| fake.connections -= 1);
    // SAFETY: made by `init`, closed once.
    drop(unsafe { Box::from_raw(con) });
}

unsafe extern "C" fn use_table(con: *mut db_con, table: *const kstr) -> c_int {
    // SAFETY: a connection of `init`.
    unsafe { (*con).table = table };
    0
}

/// `a=1 b='x' c=NULL`
unsafe fn pairs(keys: *mut *mut kstr, values: *const db_val, n: c_int) -> String {
    // SAFETY: the caller's promise; no operators.
    unsafe { compared(keys, ptr::null(), values, n) }
}

/// The same with `=` or what stands in `ops`.
unsafe fn compared(keys: *mut *mut kstr, ops: *const *const c_char, values: *const db_val, n: c_int) -> String {
    let one = |at: usize| {
        // SAFETY: so many keys and values are given.
        let (key, value) = unsafe { (text::bytes(&**keys.add(at)), &*values.add(at)) };
        // SAFETY: the type says which.
        let value = unsafe {
            match (value.nul, value.type_ as u32) {
                (1, _) => "NULL".to_owned(),
                (_, DB_BIGINT) => value.val.wide.to_string(),
                (_, DB_STR) => format!("'{}'", String::from_utf8_lossy(text::bytes(&value.val.text))),
                other => format!("{other:?}?"),
            }
        };
        let op = match ops.is_null() {
            true => c"=",
            // SAFETY: so many operators are given, each a constant.
            false => unsafe { CStr::from_ptr(*ops.add(at)) },
        };
        format!("{}{}{value}", String::from_utf8_lossy(key), op.to_string_lossy())
    };
    (0..n as usize).map(one).collect::<Vec<_>>().join(" ")
}

unsafe fn table(con: *const db_con) -> String {
    // SAFETY: set by `use_table` before each call.
    String::from_utf8_lossy(unsafe { text::bytes(&*(*con).table) }).into_owned()
}

unsafe extern "C" fn query(
    con: *mut db_con,
    keys: *mut *mut kstr,
    ops: *mut *const c_char,
    values: *const db_val,
    columns: *mut *mut kstr,
    n: c_int,
    columns_n: c_int,
    order: *mut kstr,
    res: *mut *mut db_res,
) -> c_int {
    // SAFETY: as the driver of a database would read them.
    unsafe {
        let columns = (0..columns_n as usize).map(|at| String::from_utf8_lossy(text::bytes(&**columns.add(at))));
        let columns = columns.collect::<Vec<_>>().join(",");
        let order = order.as_ref().map_or("".into(), |order| String::from_utf8_lossy(text::bytes(order)));
        tell(format!("{columns} from {} where {} by {order}", table(con), compared(keys, ops, values, n)));
        let Some(row) = FAKE.with_borrow_mut(|fake| fake.answers.pop_front()).flatten() else { return -1 };
        *res = result(row);
    }
    0
}

/// Two rows of the same values, or none.
fn result(row: Vec<db_val>) -> *mut db_res {
    FAKE.with_borrow_mut(|fake| fake.results += 1);
    let values = |row: &[db_val]| db_row { values: row.to_vec().leak().as_mut_ptr(), n: row.len() as c_int };
    let rows: Vec<db_row> = if row.is_empty() { Vec::new() } else { vec![values(&row), values(&row)] };
    let n = rows.len() as c_int;
    // SAFETY: numbers and pointers may be zero.
    let mut made: db_res = unsafe { std::mem::zeroed() };
    (made.rows, made.n, made.all) = (rows.leak().as_mut_ptr(), n, n);
    Box::into_raw(Box::new(made))
}

unsafe extern "C" fn free_result(_: *mut db_con, res: *mut db_res) -> c_int {
    FAKE.with_borrow_mut(|fake| fake.results -= 1);
    // SAFETY: made by `result`, freed once.
    drop(unsafe { Box::from_raw(res) });
    0
}

unsafe extern "C" fn raw_query(_: *const db_con, sql: *const kstr, res: *mut *mut db_res) -> c_int {
    // SAFETY: the code under test gives its own text and place.
    unsafe {
        tell(String::from_utf8_lossy(text::bytes(&*sql)).into_owned());
        if !FAKE.with_borrow(|fake| fake.alive) {
            return -1;
        }
        *res = result(Vec::new());
    }
    0
}

unsafe extern "C" fn update(
    con: *const db_con,
    keys: *mut *mut kstr,
    _: *mut *const c_char,
    values: *const db_val,
    set_keys: *mut *mut kstr,
    set_values: *const db_val,
    n: c_int,
    set_n: c_int,
) -> c_int {
    // SAFETY: as for `query`.
    unsafe {
        let set = pairs(set_keys, set_values, set_n);
        tell(format!("update {} set {set} where {}", table(con), pairs(keys, values, n)));
    }
    0
}

unsafe extern "C" fn bind(calls: *mut db_func) -> c_int {
    // SAFETY: the code under test gives a table of its own.
    let calls = unsafe { &mut *calls };
    calls.init = Some(init);
    calls.close = Some(close);
    calls.use_table = Some(use_table);
    calls.query = Some(query);
    calls.free_result = Some(free_result);
    calls.raw_query = Some(raw_query);
    calls.update = Some(update);
    0
}

unsafe extern "C" fn bind_without_queries(_: *mut db_func) -> c_int {
    0
}

unsafe extern "C" fn find_mod_export(module: *mut c_char, name: *mut c_char, n: c_int, flags: c_int) -> *mut c_void {
    // SAFETY: NUL-terminated, as the host wants them.
    let (module, name) = unsafe { (CStr::from_ptr(module), CStr::from_ptr(name)) };
    assert_eq!((name, n, flags), (c"db_bind_api", 0, 0));
    match module.to_bytes() {
        b"db_fake" => bind as *mut c_void,
        b"db_flat" => bind_without_queries as *mut c_void,
        _ => ptr::null_mut(),
    }
}

pub(super) fn host() {
    api::pretend(Api { find_mod_export, ..Api::fake() });
    FAKE.set(Fake { alive: true, ..Fake::default() });
}

pub(super) fn database() -> Database {
    Database::new(Driver::find("fake").unwrap(), "fake://db/kam".into(), 10_000)
}

/// Nothing that the driver gave is left; all connections but `open` are closed.
pub(super) fn clean(open: isize) {
    FAKE.with_borrow(|fake| assert_eq!((fake.results, fake.connections), (0, open)));
}

pub(super) fn answers(rows: &[Option<Vec<db_val>>]) {
    FAKE.with_borrow_mut(|fake| fake.answers = rows.to_vec().into());
}

pub(super) fn val(type_: u32, fill: impl FnOnce(&mut db_val)) -> db_val {
    // SAFETY: numbers and pointers may be zero.
    let mut made: db_val = unsafe { std::mem::zeroed() };
    made.type_ = type_ as c_int;
    fill(&mut made);
    made
}

pub(super) fn int(number: i32) -> Option<Vec<db_val>> {
    Some(vec![val(DB_INT, |v| v.val.number = number)])
}
