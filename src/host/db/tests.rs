//! The interface against a driver of our own: what it is told, what is made of its results, and that all of them are freed.

use super::*;
use crate::host::ffi::*;
use crate::host::text;
use crate::value::Value;
use std::ptr;

mod driver;

use driver::{FAKE, answers, clean, database, host, int, told, val};

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
