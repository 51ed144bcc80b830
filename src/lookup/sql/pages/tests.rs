//! A pager over a model of a database: every key once, in order, whatever the page's size.

use super::*;
use crate::config::Config;

fn spec(key: &str) -> SourceSpec {
    let mut config = Config::default();
    let text = format!("t=>url=mysql://db/kam;table=grp;key={key};where=grp:x;column=grp;order=id desc");
    config.add_source(&text).expect("a source");
    config.sources.remove(0)
}

type Row = Vec<Option<&'static str>>;

/// What a database answers: rows of text that meet all conditions, in order, no more than the limit.
fn answer(table: &[Row], spec: &SourceSpec, page: &Page<'_>) -> Rows {
    let text = |value: Value<'_>| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
    };
    let at = |name: &str| spec.key.iter().position(|column| column.name == name);
    let meets = |row: &&Row| {
        let equal = page.conditions.iter().filter_map(|(name, value)| at(name).map(|at| (at, text(value.unwrap()))));
        let floor = |floor: &Floor<'_>| {
            let (value, least) = (row[at(floor.column).unwrap()], text(floor.value));
            value.is_some_and(|value| value > least.as_str() || (!floor.above && value == least))
        };
        equal.into_iter().all(|(at, want)| row[at] == Some(want.as_str())) && page.floors.iter().all(floor)
    };
    let (_, limit) = page.order.rsplit_once(" LIMIT ").expect("a limit");
    let mut rows: Vec<&Row> = table.iter().filter(meets).collect();
    rows.sort();
    Rows::of_text(&rows.into_iter().take(limit.parse().unwrap()).cloned().collect::<Vec<_>>())
}

/// All keys by pages of `most`, and how many pages it took.
fn keys(table: &[Row], spec: &SourceSpec, most: usize) -> (Vec<String>, usize) {
    let (mut pager, mut keys, mut pages) = (Pager::default(), Vec::new(), 0);
    while !pager.ended() {
        let rows = answer(table, spec, &pager.next(spec, most));
        keys.extend((0..rows.len()).filter_map(|row| key(spec, &rows, row)).map(|key| String::from_utf8(key).unwrap()));
        pager.heed(spec, &rows, most).expect("it goes on");
        pages += 1;
        assert!(pages < 100, "no end: {keys:?}");
    }
    (keys, pages)
}

#[test]
fn the_first_page_has_bounds_that_leave_out_null_and_the_next_begins_behind_it() {
    let spec = spec("username,realm");
    let mut pager = Pager::default();
    let first = pager.next(&spec, 2);
    assert_eq!(first.order, "username, realm, id desc LIMIT 2");
    assert_eq!(first.conditions, [("grp", Some(Value::Bytes(b"x")))]);
    assert!(first.floors.iter().all(|floor| !floor.above && floor.value == Value::Bytes(b"")));
    pager.heed(&spec, &Rows::of_text(&[vec![Some("a"), Some("1")], vec![Some("b"), Some("2")]]), 2).expect("on");
    let next = pager.next(&spec, 2);
    assert_eq!(next.order, "realm, id desc LIMIT 2");
    assert_eq!(next.conditions[0], ("username", Some(Value::Bytes(b"b"))));
    assert_eq!(next.floors, [Floor { column: "realm", value: Value::Bytes(b"2"), above: true }]);
}

#[test]
fn every_key_comes_once_and_in_order_whatever_the_size_of_a_page() {
    let names = ["a", "b", "c", "d", "e"];
    let mut table: Vec<Row> =
        names.iter().flat_map(|name| names[..3].iter().map(|realm| vec![Some(*name), Some(*realm)])).collect();
    let whole: Vec<String> = table.iter().map(|row| format!("{}@{}", row[0].unwrap(), row[1].unwrap())).collect();
    table.extend([vec![None, Some("a")], vec![Some("b"), None], vec![Some("f@g"), Some("a")]]);
    for most in 1..=20 {
        assert_eq!(keys(&table, &spec("username,realm"), most).0, whole, "pages of {most}");
    }
    let one: Vec<Row> = names.iter().flat_map(|name| [vec![Some(*name)], vec![Some(*name)]]).collect();
    for most in 2..=20 {
        let mut got = keys(&one, &spec("username"), most).0;
        got.dedup();
        assert_eq!(got, names, "a key in two rows, pages of {most}");
    }
    assert_eq!(keys(&[], &spec("username"), 5), (Vec::new(), 1));
}

#[test]
fn a_column_of_integers_begins_at_the_least_one() {
    let spec = spec("id:int");
    let page = Pager::default();
    assert_eq!(page.next(&spec, 1).floors[0].value, Value::Int(i64::MIN));
}

#[test]
fn rows_that_come_again_end_it() {
    let spec = spec("username");
    let rows = Rows::of_text(&[vec![Some("a")]]);
    let mut pager = Pager::default();
    assert_eq!(pager.heed(&spec, &rows, 1), Ok(()));
    assert_eq!(pager.heed(&spec, &rows, 1), Err(Stuck));
}
