use super::*;
use crate::config::Config;

const URL: &str = "url=mysql://kam:hunter2@db:3306/kam";

fn source(text: &str) -> Result<SourceSpec, String> {
    let mut config = Config::default();
    config.add_source(text).map_err(|error| error.to_string())?;
    Ok(config.sources.remove(0))
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn all_attributes_arrive() {
    let got = source(&format!(
        " ipauth =>{URL}; table = kam.grp ;key=username,realm_id:int;delim=#;where=grp:ipauth,state:a:b;\
         columns=grp, last_modified;order=id desc;reload=3600;reload_rate=50"
    ));
    let want = SourceSpec {
        name: "ipauth".into(),
        url: Url("mysql://kam:hunter2@db:3306/kam".into()),
        table: "kam.grp".into(),
        key: vec![
            KeyColumn { name: "username".into(), integer: false },
            KeyColumn { name: "realm_id".into(), integer: true },
        ],
        delim: "#".into(),
        conditions: vec![("grp".into(), "ipauth".into()), ("state".into(), "a:b".into())],
        columns: names(&["grp", "last_modified"]),
        row: true,
        order: Some("id desc".into()),
        reload_s: Some(3_600),
        reload_rate: 50,
    };
    assert_eq!(got.as_ref().map(|source| source.url.scheme()), Ok("mysql"));
    assert_eq!(got, Ok(want));
}

#[test]
fn a_url_is_shown_without_its_password() {
    for (url, want) in [
        ("mysql://kam:hunter2@db:3306/kam", "mysql://kam@db:3306/kam"),
        ("mysql://kam:hun@ter:2@db/kam", "mysql://kam@db/kam"),
        ("postgres://kam@db/kam", "postgres://kam@db/kam"),
        ("mysql://db:3306/kam", "mysql://db:3306/kam"),
        ("sqlite:////var/lib/kam.sqlite", "sqlite:////var/lib/kam.sqlite"),
    ] {
        assert_eq!(Url(url.into()).to_string(), want);
    }
}

#[test]
fn what_nobody_said_is_simple() {
    let got = source(&format!("t=>{URL};table=grp;key=username;column=grp")).unwrap();
    assert_eq!((got.delim.as_str(), got.conditions.len(), got.row, got.order), ("@", 0, false, None));
    assert_eq!(got.columns, names(&["grp"]));
    assert_eq!((got.reload_s, got.reload_rate), (None, 1_000));
}

#[test]
fn a_faulty_source_is_refused_in_clear_words() {
    let rest = "table=grp;key=username;column=grp";
    for (text, words) in [
        (String::new(), "expected table=>url=...;table=...;key=...;column=..."),
        (format!("{URL};{rest}"), "expected table=>"),
        (format!("a b=>{URL};{rest}"), "expected the name of a table before =>"),
        (format!("t=>{rest}"), "\"url\" is missing"),
        (format!("t=>{URL};{rest};reload=9"), "reload=9: expected a number from 10 to"),
        (format!("t=>{URL};{rest};reload_rate=0"), "reload_rate=0: expected a number from 1 to 100000"),
        (format!("t=>{URL};key=k;column=c"), "\"table\" is missing"),
        (format!("t=>{URL};table=t;column=c"), "\"key\" is missing"),
        (format!("t=>{URL};table=t;key=k"), "expected one of \"column\" (its value) and \"columns\" (a row)"),
        (format!("t=>{URL};{rest};columns=a"), "expected one of \"column\""),
        (format!("t=>{URL};{rest};tabel=x"), "unknown attribute \"tabel\", expected one of url, table, key, "),
        (format!("t=>{URL};{rest};key=x"), "\"key\" is given twice"),
        (format!("t=>url=db;{rest}"), "url: expected driver://user:password@host/database"),
        (format!("t=>url=My SQL://db;{rest}"), "url: expected driver://"),
        (format!("t=>url=mysql://{};{rest}", "h".repeat(1020)), "url: expected at most 1023 bytes"),
        (format!("t=>{URL};table=a b;key=k;column=c"), "table=a b: expected the name of a table"),
        (format!("t=>{URL};table=a..b;key=k;column=c"), "table=a..b: expected the name of a table"),
        (format!("t=>{URL};table=t;key=k`;column=c"), "key=k`: expected the name of a column"),
        (format!("t=>{URL};table=t;key=k:text;column=c"), "expected column or column:int, not \"text\""),
        (format!("t=>{URL};table=t;key=a,,b;column=c"), "key=: expected the name of a column"),
        (format!("t=>{URL};{rest};delim=,"), "\"delim\" needs a key of several columns"),
        (format!("t=>{URL};table=t;key=a,b;column=c;delim=123456789"), "expected 1 to 8 bytes"),
        (format!("t=>{URL};{rest};where=grp"), "where=grp: expected column:value"),
        (format!("t=>{URL};{rest};where=grp:"), "where=grp:: expected column:value"),
        (format!("t=>{URL};{rest};where=1=1:x"), "where=1=1: expected the name of a column"),
        (format!("t=>{URL};table=t;key=k;column=count(*)"), "column=count(*): expected the name of a column"),
        (format!("t=>{URL};table=t;key=k;columns=a,b,a"), "columns: \"a\" is there twice"),
        (format!("t=>{URL};table=t;key=k;columns={}", ["a"; 33].join(",")), "columns: expected at most 32"),
        (format!("t=>{URL};{rest};order=id;"), ""),
        (format!("t=>{URL};{rest};order=id, x"), "order=id, x: expected a column, and asc or desc"),
        (format!("t=>{URL};{rest};order=id desc limit"), "expected a column, and asc or desc"),
    ] {
        match source(&text) {
            Ok(_) => assert_eq!(words, "", "{text}"),
            Err(error) => assert!(!words.is_empty() && error.contains(words), "{error}\nshould say: {words}"),
        }
    }
}

#[test]
fn a_password_in_a_url_is_never_shown() {
    let rest = "table=grp;key=username;column=grp";
    for text in [
        format!("t=>{URL};{rest};x=1"),
        format!("t=>{URL};table=?;key=username;column=grp"),
        format!("t=> url = mysql://kam:hunter2@db/kam ;{rest};x=1"),
        format!("t=>url=mysql:kam:hunter2@db/kam;{rest}"),
        format!("t=>url=mysql://kam:one;hunter2@db/kam;{rest}"),
        format!("t=>url=mysql://kam:one;hunter2=3@db/kam;{rest}"),
        format!("t=>url=mysql://kam:one@db;url=mysql://kam:hunter2@db;{rest}"),
        format!("t=>ulr=mysql://kam:hunter2@db/kam;{rest}"),
        format!("t=>ulr=kam:hunter2@db/kam;{rest}"),
        format!("t=>db_url=mysql://kam:hunter2@db/kam;{rest}"),
        format!("t=>mysql://kam:hunter2@db/kam;{rest}"),
        format!("t=>table=mysql://kam:hunter2@db/kam;{rest}"),
        format!("t=mysql://kam:hunter2@db/kam;{rest}"),
        format!("mysql://kam:hunter2@db/kam;{rest}"),
        format!("t=>{URL}\x07;{rest}"),
    ] {
        let error = source(&text).expect_err(&text);
        assert!(!error.contains("hunter2"), "{error}");
    }
    let source = source(&format!("t=>{URL};{rest}")).unwrap();
    assert!(!format!("{source:?}{source}").contains("hunter2"));
}

#[test]
fn each_source_has_its_table_and_each_table_one_source() {
    let text = format!("t=>{URL};table=grp;key=username;column=grp");
    let mut config = Config::default();
    config.add_source(&text).unwrap();
    let again = config.add_source(&text).map_err(|error| error.to_string());
    assert!(again.is_err_and(|error| error.contains("the table \"t\" has a source already")));
    let error = config.check().expect_err("no table").to_string();
    assert_eq!(error, "source \"t=>url=***;table=grp\": there is no table \"t\"");
    config.add_table("t=>").unwrap();
    assert_eq!(config.check(), Ok(()));
}
