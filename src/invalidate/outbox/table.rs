//! The outbox in its database: the statements, in the SQL that all supported databases share.
//!
//! What they do not share (the clock above all) the scripts under `sql/` put into the database.

use super::{Change, Row};
use crate::host::db::{Database, DbError, Rows};
use crate::table::TAGS;
use crate::value::Value;

/// So many rows are read at once.
const ROWS: usize = 100;
/// A lease that ends later than this was given by a clock that was set back since, milliseconds.
const LEASE_MAX_MS: u64 = 120_000;

/// One outbox and one host that drains it.
pub struct OutboxTable {
    database: Database,
    name: String,
    holder: String,
    /// The names of the tables of the cache.
    tables: Vec<String>,
    rows: Rows,
}

impl OutboxTable {
    /// `name` of the table and `holder`, which no other process ever has, go into statements as they are.
    #[must_use]
    pub fn new(database: Database, name: String, holder: String, tables: Vec<String>) -> Self {
        Self { database, name, holder, tables, rows: Rows::default() }
    }

    /// Takes the lease when it is free, or keeps it: until `lease_ms` from now, by the database's clock.
    ///
    /// # Errors
    /// The database is down or refuses; the lease may be taken all the same.
    pub fn lease(&mut self, lease_ms: u64) -> Result<bool, DbError> {
        let Self { database, name, holder, rows, .. } = self;
        let now = format!("(SELECT now_ms FROM {name}_clock)");
        let free = format!("until_ms <= {now} OR until_ms > {now} + {LEASE_MAX_MS}");
        let take = format!(
            "UPDATE {name}_lease SET holder = '{holder}', until_ms = {now} + {lease_ms} \
             WHERE id = 1 AND (holder = '{holder}' OR {free})"
        );
        database.execute(name, &take)?;
        database.read_raw(name, &format!("SELECT holder FROM {name}_lease WHERE id = 1"), rows)?;
        Ok(rows.get(0, 0) == Some(Value::Bytes(holder.as_bytes())))
    }

    /// Some of the rows above an id, the smallest ids first; those for tables that this host does not have stay out.
    ///
    /// # Errors
    /// The database is down or refuses.
    pub fn read(&mut self, behind: i64) -> Result<Vec<Row>, DbError> {
        // As text: some drivers cut wide numbers.
        let sql = format!(
            "SELECT CAST(id AS CHAR(20)), cache_table, cache_key FROM {} WHERE id > {behind} AND cache_table IN ({}) \
             ORDER BY id LIMIT {ROWS}",
            self.name,
            self.known()
        );
        self.database.read_raw(&self.name, &sql, &mut self.rows)?;
        Ok((0..self.rows.len()).filter_map(|at| self.row(at)).collect())
    }

    /// Deletes rows.
    ///
    /// # Errors
    /// The database is down or refuses; they may be deleted all the same.
    pub fn delete(&mut self, ids: &[i64]) -> Result<(), DbError> {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        self.database.execute(&self.name, &format!("DELETE FROM {} WHERE id IN ({})", self.name, ids.join(",")))
    }

    /// A table that rows name and this host does not have.
    ///
    /// # Errors
    /// The database is down or refuses.
    pub fn stranger(&mut self) -> Result<Option<String>, DbError> {
        let sql = format!("SELECT MIN(cache_table) FROM {} WHERE NOT cache_table IN ({})", self.name, self.known());
        self.database.read_raw(&self.name, &sql, &mut self.rows)?;
        Ok(text(&self.rows, 0, 0).map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Names of tables hold letters, digits and underscores alone, that of tags one mark more.
    fn known(&self) -> String {
        let names = self.tables.iter().map(String::as_str).chain([TAGS]);
        let quoted: Vec<String> = names.map(|name| format!("'{name}'")).collect();
        quoted.join(",")
    }

    fn row(&self, at: usize) -> Option<Row> {
        let id = std::str::from_utf8(&text(&self.rows, at, 0)?).ok()?.trim().parse().ok()?;
        let name = text(&self.rows, at, 1)?;
        let key = text(&self.rows, at, 2);
        if name == TAGS.as_bytes() {
            return Some(Row { id, change: Some(Change::Tag(key.unwrap_or_default())) });
        }
        let table = self.tables.iter().position(|table| table.as_bytes() == name);
        let change = table.map(|table| key.map_or(Change::Table(table), |key| Change::Entry { table, key }));
        Some(Row { id, change })
    }
}

/// A value as text, whatever the driver made of it; none for NULL.
fn text(rows: &Rows, row: usize, column: usize) -> Option<Vec<u8>> {
    Some(match rows.get(row, column)? {
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Int(number) => number.to_string().into_bytes(),
    })
}
