//! The interface against a driver of our own: what it is told, what is made of its results, and that all of them are freed.

use super::*;
use crate::host::api::{self, Api};
use crate::host::ffi::*;
use crate::host::text;
use crate::value::Value;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;

/// The driver: what it will answer, and what it was told.
#[derive(Default)]
struct Fake {
    /// No connection can be opened.
    closed: bool,
    /// Answers to queries; none = a failure.
    answers: VecDeque<Option<Vec<db_val>>>,
    /// Does it answer `select 1`?
    alive: bool,
    told: Vec<String>,
    results: usize,
    connections: isize,
}

thread_local! {
    static FAKE: RefCell<Fake> = RefCell::default();
}

fn tell(line: String) {
    FAKE.with_borrow_mut(|fake| fake.told.push(line));
}

fn told() -> Vec<String> {
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

fn host() {
    api::pretend(Api { find_mod_export, ..Api::fake() });
    FAKE.set(Fake { alive: true, ..Fake::default() });
}

fn database() -> Database {
    Database::new(Driver::find("fake").unwrap(), "fake://db/kam".into(), 10_000)
}

/// Nothing that the driver gave is left; all connections but `open` are closed.
fn clean(open: isize) {
    FAKE.with_borrow(|fake| assert_eq!((fake.results, fake.connections), (0, open)));
}

fn answers(rows: &[Option<Vec<db_val>>]) {
    FAKE.with_borrow_mut(|fake| fake.answers = rows.to_vec().into());
}

fn val(type_: u32, fill: impl FnOnce(&mut db_val)) -> db_val {
    // SAFETY: numbers and pointers may be zero.
    let mut made: db_val = unsafe { std::mem::zeroed() };
    made.type_ = type_ as c_int;
    fill(&mut made);
    made
}

fn int(number: i32) -> Option<Vec<db_val>> {
    Some(vec![val(DB_INT, |v| v.val.number = number)])
}

const QUERY: Select<'_> = Select { table: "grp", columns: &["a"], conditions: &[], floors: &[], order: None, most: 1 };

#[test]
fn a_driver_is_found_by_the_scheme() {
    host();
    assert_eq!(Driver::find("fake").map(|driver| driver.name()), Ok("db_fake".into()));
    let missing = Driver::find("mysql").map(drop).unwrap_err().to_string();
    assert_eq!(missing, "no driver db_mysql is loaded: expected loadmodule \"db_mysql.so\"");
    assert_eq!(Driver::find("flat").map(drop), Err(Unbound::NoQueries("db_flat".into())));
    assert!(Driver::find("a\0b").is_err());
}

#[test]
fn a_query_is_told_whole_and_its_values_are_bound() {
    host();
    answers(&[int(7)]);
    let conditions: Pairs<'_> =
        &[("username", Some(Value::Bytes(b"a' OR 1=1"))), ("id", Some(Value::Int(-5))), ("x", None)];
    let query = Select { columns: &["a", "b"], conditions, order: Some("id desc"), ..QUERY };
    let (mut database, mut rows) = (database(), Rows::default());
    assert_eq!(database.select(&query, &mut rows), Ok(()));
    assert_eq!((rows.len(), rows.get(0, 0)), (1, Some(Value::Int(7))), "the second row was not asked for");
    let want = "a,b from grp where username='a' OR 1=1' id=-5 x=NULL by id desc";
    assert_eq!(told(), ["init fake://db/kam", want]);
    clean(1);
    drop(database);
    clean(0);
}

#[test]
fn rows_from_a_value_on_are_asked_for_by_operators() {
    host();
    answers(&[int(7)]);
    let conditions: Pairs<'_> = &[("grp", Some(Value::Bytes(b"g")))];
    let floors = [
        Floor { column: "a", value: Value::Bytes(b"x'"), above: true },
        Floor { column: "b", value: Value::Int(-1), above: false },
    ];
    let query = Select { conditions, floors: &floors, order: Some("a, b LIMIT 5"), ..QUERY };
    assert_eq!(database().select(&query, &mut Rows::default()), Ok(()));
    assert_eq!(told()[1], "a from grp where grp='g' a>'x'' b>=-1 by a, b LIMIT 5");
}

#[test]
fn each_type_becomes_a_value_of_ours() {
    host();
    let string = c"text";
    answers(&[Some(vec![
        val(DB_INT, |v| v.val.number = -1),
        val(DB_BIGINT, |v| v.val.wide = i64::MIN),
        val(DB_UINT, |v| v.val.natural = u32::MAX),
        val(DB_UBIGINT, |v| v.val.wide_natural = 5),
        val(DB_UBIGINT, |v| v.val.wide_natural = u64::MAX),
        val(DB_BITMAP, |v| v.val.natural = 3),
        val(DB_DATETIME, |v| v.val.seconds = 1_795_206_978),
        val(DB_DOUBLE, |v| v.val.real = 1.5),
        val(DB_STRING, |v| v.val.string = string.as_ptr()),
        val(DB_STRING, |v| v.val.string = ptr::null()),
        val(DB_STR, |v| v.val.text = text::view(b"a\0b")),
        val(DB_BLOB, |v| v.val.text = text::view(b"\xff")),
        val(DB_INT, |v| (v.nul, v.val.number) = (1, 9)),
    ])]);
    let mut rows = Rows::default();
    assert_eq!(database().select(&QUERY, &mut rows), Ok(()));
    let want = [
        Some(Value::Int(-1)),
        Some(Value::Int(i64::MIN)),
        Some(Value::Int(4_294_967_295)),
        Some(Value::Int(5)),
        Some(Value::Bytes(b"18446744073709551615")),
        Some(Value::Int(3)),
        Some(Value::Int(1_795_206_978)),
        Some(Value::Bytes(b"1.5")),
        Some(Value::Bytes(b"text")),
        None,
        Some(Value::Bytes(b"a\0b")),
        Some(Value::Bytes(b"\xff")),
        None,
    ];
    let got: Vec<_> = (0..want.len()).map(|column| rows.get(0, column)).collect();
    assert_eq!(got, want);
    assert_eq!((rows.get(0, want.len()), rows.get(1, 0)), (None, None));
    clean(0);
}

#[test]
fn a_type_that_nobody_knows_is_refused_and_its_result_freed() {
    host();
    let odd = Some(vec![val(77, |_| ())]);
    answers(&[odd.clone(), odd]);
    let error = database().select(&QUERY, &mut Rows::default()).unwrap_err();
    assert_eq!(error.fault, Fault::Refused);
    clean(0);
}

#[test]
fn a_refused_query_is_told_from_a_database_that_is_down() {
    host();
    let (mut database, mut rows) = (database(), Rows::default());
    let refused = database.select(&QUERY, &mut rows).unwrap_err();
    assert_eq!(refused.to_string(), "db_fake, table grp: the database refuses the statement");
    assert_eq!(told(), ["init fake://db/kam", "a from grp where  by ", "select 1"]);
    FAKE.with_borrow_mut(|fake| (fake.alive, fake.closed) = (false, true));
    let down = database.select(&QUERY, &mut rows).unwrap_err();
    assert_eq!(down.to_string(), "db_fake, table grp: the database does not answer");
    assert_eq!(
        told(),
        ["a from grp where  by ", "select 1", "init fake://db/kam"],
        "an old connection, then a new one"
    );
    clean(0);
    FAKE.with_borrow_mut(|fake| (fake.alive, fake.closed) = (true, false));
    answers(&[int(1)]);
    assert_eq!(database.select(&QUERY, &mut rows), Ok(()));
}

#[test]
fn a_read_is_asked_again_on_a_new_connection_and_a_change_is_not() {
    host();
    let (mut database, mut rows) = (database(), Rows::default());
    answers(&[int(1), None, int(2)]);
    assert_eq!(database.select(&QUERY, &mut rows), Ok(()));
    FAKE.with_borrow_mut(|fake| fake.alive = false);
    assert_eq!(database.select(&QUERY, &mut rows), Ok(()));
    assert_eq!(rows.get(0, 0), Some(Value::Int(2)));
    told();
    assert_eq!(database.execute("t", "delete from t").map_err(|error| error.fault), Err(Fault::Down));
    assert_eq!(told(), ["delete from t", "select 1"]);
}

#[test]
fn after_its_patience_nothing_more_is_tried() {
    host();
    let mut database = Database::new(Driver::find("fake").unwrap(), "fake://db/kam".into(), 0);
    let error = database.select(&QUERY, &mut Rows::default()).unwrap_err();
    assert_eq!(error.fault, Fault::Down);
    assert_eq!(told().len(), 2, "connected and asked once");
    clean(0);
}

#[test]
fn a_text_with_nul_never_reaches_the_driver() {
    host();
    let conditions: Pairs<'_> = &[("username", Some(Value::Bytes(b"alice\0x")))];
    let error = database().select(&Select { conditions, ..QUERY }, &mut Rows::default()).unwrap_err();
    assert_eq!((error.fault, told().len()), (Fault::Refused, 0));
}

#[test]
fn rows_are_changed_by_bound_values_and_a_driver_that_cannot_says_so() {
    host();
    let mut database = database();
    let (id, holder): (Pairs<'_>, Pairs<'_>) =
        (&[("id", Some(Value::Int(1)))], &[("holder", Some(Value::Bytes(b"h")))]);
    assert_eq!(database.update("lease", id, holder), Ok(()));
    assert_eq!(told()[1], "update lease set holder='h' where id=1");
    assert_eq!(database.delete("lease", id).map_err(|error| error.fault), Err(Fault::Refused));
    assert_eq!(database.insert("lease", id).map_err(|error| error.fault), Err(Fault::Refused));
    clean(1);
}

#[test]
fn who_finds_a_connection_broken_gives_it_up_for_all() {
    host();
    let (mut one, mut other, mut rows) = (database(), database(), Rows::default());
    answers(&[int(1), int(2)]);
    assert_eq!((one.select(&QUERY, &mut rows), other.select(&QUERY, &mut rows)), (Ok(()), Ok(())));
    clean(1);
    FAKE.with_borrow_mut(|fake| (fake.alive, fake.closed) = (false, true));
    assert!(one.select(&QUERY, &mut rows).is_err());
    clean(0);
    FAKE.with_borrow_mut(|fake| (fake.alive, fake.closed) = (true, false));
    answers(&[int(3)]);
    assert_eq!((other.select(&QUERY, &mut rows), rows.get(0, 0)), (Ok(()), Some(Value::Int(3))));
    clean(1);
    drop(one);
    clean(1);
    drop(other);
    clean(0);
}
