//! Tables by example.

use super::*;

/// `ipauth` without any attribute.
fn plain() -> Table {
    let name = "ipauth".into();
    Table { name, autoexpire: 0, copies: 1, near: false, near_ttl: 60, negexpire: 60, stale: 0, holdoff: 0, tag: None }
}

#[test]
fn a_table_may_be_written_in_many_ways() {
    for (text, autoexpire, copies) in [
        ("ipauth=>autoexpire=1800;copies=1", 1800, 1),
        ("ipauth=>autoexpire=1800;copies=1;near=0;", 1800, 1),
        ("ipauth=>copies=2", 0, 2),
        (" ipauth => autoexpire = 5 ; copies = 2 ; ", 5, 2),
        ("ipauth=>autoexpire=0", 0, 1),
        ("ipauth=>near=0", 0, 1),
        ("ipauth=>", 0, 1),
        ("ipauth", 0, 1),
    ] {
        assert_eq!(table(text), Ok(Table { autoexpire, copies, ..plain() }), "{text}");
    }
    for (text, near_ttl) in
        [("ipauth=>near=1", 60), ("ipauth=>near_ttl=1;near=1", 1), ("ipauth=>near=1;near_ttl=86400", 86_400)]
    {
        assert_eq!(table(text), Ok(Table { near: true, near_ttl, ..plain() }), "{text}");
    }
    for (text, autoexpire, negexpire, stale) in [
        ("ipauth=>negexpire=5", 0, 5, 0),
        ("ipauth=>negexpire=0;stale=0", 0, 0, 0),
        ("ipauth=>autoexpire=1800;negexpire=60;stale=600", 1800, 60, 600),
        ("ipauth=>stale=315359940;autoexpire=1", 1, 60, 315_359_940),
    ] {
        assert_eq!(table(text), Ok(Table { autoexpire, negexpire, stale, ..plain() }), "{text}");
    }
}

#[test]
fn a_faulty_table_is_refused_in_clear_words() {
    for (text, words) in [
        ("", "expected name=>attribute=value"),
        ("=>autoexpire=1", "expected name=>attribute=value"),
        ("ip-auth=>", "1 to 32 letters, digits and underscores"),
        ("ipauth=autoexpire=1", "expected name=>attribute=value"),
        ("ipauth;autoexpire=1", "expected name=>attribute=value"),
        ("abcdefghijklmnopqrstuvwxyz0123456=>", "1 to 32 letters"),
        ("ipauth=>size=8", "unknown attribute \"size\", expected one of autoexpire, copies, holdoff, near"),
        ("ipauth=>autoexpire=1;autoexpire=1", "\"autoexpire\" is given twice"),
        ("ipauth=>autoexpire=-1", "autoexpire=-1: expected a number from 0 to 315360000"),
        ("ipauth=>autoexpire=5m", "expected a number"),
        ("ipauth=>autoexpire=", "\"autoexpire\" has no value"),
        ("ipauth=>;autoexpire=1", "is no attribute=value"),
        ("ipauth=>copies=3", "copies=3: expected 1 or 2"),
        ("ipauth=>copies=0", "copies=0: expected 1 or 2"),
        ("ipauth=>near=yes", "near=yes: expected 0 or 1"),
        ("ipauth=>near=2", "near=2: expected 0 or 1"),
        ("ipauth=>near_ttl=5", "\"near_ttl\" needs near=1"),
        ("ipauth=>near=0;near_ttl=5", "\"near_ttl\" needs near=1"),
        ("ipauth=>near=1;near_ttl=0", "near_ttl=0: expected a number from 1 to 86400"),
        ("ipauth=>near_ttl=86401;near=1", "expected a number from 1 to 86400"),
        ("ipauth=>negexpire=-1", "negexpire=-1: expected a number from 0 to 315360000"),
        ("ipauth=>negexpire=315360001", "expected a number from 0 to 315360000"),
        ("ipauth=>stale=soon;autoexpire=1", "stale=soon: expected a number"),
        ("ipauth=>stale=600", "\"stale\" needs an autoexpire"),
        ("ipauth=>stale=600;autoexpire=0", "\"stale\" needs an autoexpire"),
        ("ipauth=>stale=315360000;autoexpire=1", "expected 315360000 at most together with autoexpire"),
        ("ipauth=>stale=315359941;autoexpire=1", "at most together with autoexpire or negexpire"),
        ("ipauth=>source=sql", "unknown attribute \"source\""),
        ("ipauth=>tag=", "attribute \"tag\" has no value"),
        ("ipauth=>tag=x", "tag=x: expected a text that holds $key once, like user:$key"),
        ("ipauth=>tag=a:$key;tag=b:$key", "attribute \"tag\" is given twice"),
        ("ipauth=>holdoff=61", "holdoff=61: expected a number from 0 to 60"),
    ] {
        refused("table", text, table(text), words);
    }
    let mut config = Config::default();
    config.add_table("ipauth=>autoexpire=1").unwrap();
    config.add_table("other").unwrap();
    assert_eq!((config.table("other"), config.table("none")), (Some(1), None));
    let again = config.add_table("ipauth").map_err(|error| error.to_string());
    refused("table", "ipauth", again, "the table \"ipauth\" is there already");
    config.tables[1].name = "ipauth".into();
    assert!(config.check().is_err());
}
