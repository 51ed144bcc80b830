//! The rows of a source in the order of their keys, some at a time: each page begins behind the last key of the one before.
//!
//! Kamailio's database interface joins conditions by AND alone, so behind the key (a, b) come first the rows with the same a and
//! a greater b, then those with a greater a. A lower bound for every column leaves out NULL, which is no key.

use super::question::{self, Conditions};
use crate::config::{KeyColumn, SourceSpec};
use crate::host::db::{Floor, Rows};
use crate::value::Value;

/// One part of a key, as its column is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Int(i64),
    Text(Vec<u8>),
}

/// Where a reader of pages stands.
#[derive(Clone, Debug, Default)]
pub struct Pager {
    /// The parts of the last key; none before the first page.
    last: Vec<Part>,
    /// So many of them are the same in all rows of the next page.
    same: usize,
    ended: bool,
}

/// What is asked for one page.
#[derive(Debug)]
pub struct Page<'q> {
    pub conditions: Conditions<'q>,
    pub floors: Vec<Floor<'q>>,
    /// What stands behind ORDER BY.
    pub order: String,
}

/// The same rows came again: the database orders them otherwise than it compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck;

impl Part {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Bytes(text),
        }
    }

    fn of(column: &KeyColumn, value: Value<'_>) -> Self {
        match value {
            Value::Int(number) if column.integer => Self::Int(number),
            Value::Int(number) => Self::Text(number.to_string().into_bytes()),
            Value::Bytes(text) => Self::Text(text.to_vec()),
        }
    }
}

impl Pager {
    /// All rows were read.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The next page, of `most` rows at most.
    #[must_use]
    pub fn next<'q>(&'q self, spec: &'q SourceSpec, most: usize) -> Page<'q> {
        let same = spec.key.iter().zip(&self.last).take(self.same);
        let mut conditions: Conditions<'q> =
            same.map(|(column, part)| (column.name.as_str(), Some(part.value()))).collect();
        conditions.extend(question::fixed(spec));
        let open = &spec.key[self.same..];
        let floor = |(at, column): (usize, &'q KeyColumn)| match self.last.get(self.same).filter(|_| at == 0) {
            Some(last) => Floor { column: &column.name, value: last.value(), above: true },
            None => Floor { column: &column.name, value: least(column), above: false },
        };
        let floors = open.iter().enumerate().map(floor).collect();
        let order: Vec<&str> = open.iter().map(|column| column.name.as_str()).chain(spec.order.as_deref()).collect();
        Page { conditions, floors, order: format!("{} LIMIT {most}", order.join(", ")) }
    }

    /// Goes on behind the rows of a page, which was asked for `most` of them. Their first columns are the key's.
    ///
    /// # Errors
    /// They do not lead on.
    pub fn heed(&mut self, spec: &SourceSpec, rows: &Rows, most: usize) -> Result<(), Stuck> {
        if rows.len() < most {
            self.ended = self.same == 0;
            self.same = self.same.saturating_sub(1);
            return Ok(());
        }
        let part = |(at, column)| rows.get(rows.len() - 1, at).map(|value| Part::of(column, value));
        let last: Option<Vec<Part>> = spec.key.iter().enumerate().map(part).collect();
        match last.filter(|last| *last != self.last) {
            Some(last) => {
                (self.last, self.same) = (last, spec.key.len() - 1);
                Ok(())
            }
            None => Err(Stuck),
        }
    }
}

/// The key of a row whose first columns are the key's; none where it is none that a lookup could have.
#[must_use]
pub fn key(spec: &SourceSpec, rows: &Rows, row: usize) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for (at, _) in spec.key.iter().enumerate() {
        if at > 0 {
            key.extend_from_slice(spec.delim.as_bytes());
        }
        match rows.get(row, at)? {
            Value::Int(number) => key.extend_from_slice(number.to_string().as_bytes()),
            Value::Bytes(text) => key.extend_from_slice(text),
        }
    }
    (!key.is_empty() && question::sound(spec, &key)).then_some(key)
}

/// No value of the column that is not NULL is less.
fn least(column: &KeyColumn) -> Value<'static> {
    if column.integer { Value::Int(i64::MIN) } else { Value::Bytes(b"") }
}

#[cfg(test)]
#[path = "pages/tests.rs"]
mod tests;
