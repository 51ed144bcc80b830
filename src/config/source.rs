//! Where a table's values come from: `ipauth=>url=mysql://user:pass@host/db;table=grp;key=username;where=grp:ipauth;column=grp`.

use std::fmt;
use std::sync::Arc;

use super::attrs::{Attrs, SOURCE};
use super::error::ConfigError;
use crate::table::{TTL_MAX, is_name};

/// Drivers refuse longer ones, bytes.
const URL_MAX: usize = 1023;
/// Most columns that a key or a row may have.
const COLUMNS_MAX: usize = 32;
/// How many rows of a table are read in a second at most, when nobody said, and when anybody did.
const RELOAD_RATE: u32 = 1_000;
pub const RELOAD_RATE_MAX: u32 = 100_000;
/// What separates the parts of a key when nobody said.
const DELIM: &str = "@";

/// A table of a database, read for one key at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// The name of the table in the cache.
    pub name: String,
    pub url: Url,
    /// The name of the table in the database.
    pub table: String,
    /// The columns that the key is compared with: one, or one for each part of the key.
    pub key: Vec<KeyColumn>,
    /// What separates the parts of a key.
    pub delim: String,
    /// Columns and what they must hold besides.
    pub conditions: Vec<(String, String)>,
    /// The columns that are read.
    pub columns: Vec<String>,
    /// The columns make a row, each under its name; else the one column is the value.
    pub row: bool,
    /// What stands behind ORDER BY.
    pub order: Option<String>,
    /// Between two times that the table is filled, seconds; none = it is filled when it is told to.
    pub reload_s: Option<u32>,
    /// How many rows are read for that in a second at most.
    pub reload_rate: u32,
}

/// One column of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    pub name: String,
    /// It holds integers: a key that is none is not there.
    pub integer: bool,
}

/// A database's address, which is never shown whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(Arc<str>);

impl Url {
    /// With its password.
    #[must_use]
    pub fn whole(&self) -> &Arc<str> {
        &self.0
    }

    /// What stands before `://`: the name of the driver without `db_`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

/// Without the password: whatever stands between the first `:` behind the scheme and the last `@`.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        match rest.rsplit_once('@') {
            Some((who, place)) => write!(f, "{scheme}://{}@{place}", who.split(':').next().unwrap_or_default()),
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SourceSpec {
    /// It cannot be used, for a reason that its text alone does not show.
    pub(crate) fn refused(&self, why: &impl fmt::Display) -> ConfigError {
        ConfigError::new("source", &self.to_string(), why.to_string())
    }
}

pub(super) fn parse(text: &str) -> Result<SourceSpec, String> {
    let (name, rest) = text.split_once("=>").ok_or("expected table=>url=...;table=...;key=...;column=...")?;
    let name = name.trim();
    if !is_name(name.as_bytes()) {
        return Err("expected the name of a table before =>: 1 to 32 letters, digits and underscores".to_owned());
    }
    let attrs = Attrs::read(rest, &SOURCE)?;
    let url = url(attrs.need("url")?)?;
    let table = attrs.need("table")?;
    if !is_table(table) {
        return Err(format!("table={table}: expected the name of a table: letters, digits, underscores and dots"));
    }
    let key = list("key", attrs.need("key")?, key_column)?;
    let delim = delim(&attrs, key.len())?;
    let (columns, row) = columns(&attrs)?;
    let conditions = attrs.get("where").map_or(Ok(Vec::new()), |text| list("where", text, condition))?;
    let order = attrs.get("order").map(order).transpose()?;
    let reload_s = attrs.number("reload", 10..=TTL_MAX)?;
    let reload_rate = attrs.number("reload_rate", 1..=RELOAD_RATE_MAX)?.unwrap_or(RELOAD_RATE);
    let (name, table) = (name.to_owned(), table.to_owned());
    Ok(SourceSpec { name, url, table, key, delim, conditions, columns, row, order, reload_s, reload_rate })
}

/// Its text stays out of every error.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if scheme.is_empty() || !scheme.bytes().all(good) {
        return Err("url: expected driver://user:password@host/database, as other modules' db_url".to_owned());
    }
    if text.len() > URL_MAX {
        return Err(format!("url: expected at most {URL_MAX} bytes"));
    }
    Ok(Url(text.into()))
}

/// May it name a table of a database?
pub(super) fn is_table(name: &str) -> bool {
    name.split('.').all(is_column)
}

/// Names go into statements as they are, so they hold nothing that would have to be quoted.
fn is_column(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(good) && !name.as_bytes()[0].is_ascii_digit()
}

fn column(attribute: &str, text: &str) -> Result<String, String> {
    if is_column(text) {
        return Ok(text.to_owned());
    }
    Err(format!("{attribute}={text}: expected the name of a column: 1 to 64 letters, digits and underscores"))
}

fn list<T>(attribute: &str, text: &str, one: fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let all = text.split(',').map(|part| one(part.trim())).collect::<Result<Vec<T>, String>>()?;
    if all.len() > COLUMNS_MAX {
        return Err(format!("{attribute}: expected at most {COLUMNS_MAX} columns"));
    }
    Ok(all)
}

fn key_column(text: &str) -> Result<KeyColumn, String> {
    let (name, integer) = match text.split_once(':') {
        Some((name, "int")) => (name, true),
        Some((_, other)) => return Err(format!("key={text}: expected column or column:int, not \"{other}\"")),
        None => (text, false),
    };
    Ok(KeyColumn { name: column("key", name)?, integer })
}

fn delim(attrs: &Attrs<'_>, columns: usize) -> Result<String, String> {
    match attrs.get("delim") {
        Some(_) if columns == 1 => Err("\"delim\" needs a key of several columns".to_owned()),
        Some(text) if text.len() > 8 => Err(format!("delim={text}: expected 1 to 8 bytes")),
        given => Ok(given.unwrap_or(DELIM).to_owned()),
    }
}

fn condition(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !value.is_empty() => Ok((column("where", name)?, value.to_owned())),
        _ => Err(format!("where={text}: expected column:value, with ',' between several")),
    }
}

fn columns(attrs: &Attrs<'_>) -> Result<(Vec<String>, bool), String> {
    match (attrs.get("column"), attrs.get("columns")) {
        (Some(one), None) => Ok((vec![column("column", one)?], false)),
        (None, Some(several)) => {
            let names = list("columns", several, |name| column("columns", name))?;
            match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
                Some((_, double)) => Err(format!("columns: \"{double}\" is there twice")),
                None => Ok((names, true)),
            }
        }
        _ => Err("expected one of \"column\" (its value) and \"columns\" (a row)".to_owned()),
    }
}

fn order(text: &str) -> Result<String, String> {
    let mut words = text.split_ascii_whitespace();
    let (name, way, rest) = (words.next().unwrap_or_default(), words.next(), words.next());
    let way_is_good = way.is_none_or(|way| way.eq_ignore_ascii_case("asc") || way.eq_ignore_ascii_case("desc"));
    if is_column(name) && way_is_good && rest.is_none() {
        return Ok(text.to_owned());
    }
    Err(format!("order={text}: expected a column, and asc or desc"))
}

/// As it would be configured, but for the secret.
impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=>url=***;table={}", self.name, self.table)
    }
}

#[cfg(test)]
#[path = "source/tests.rs"]
mod tests;
