//! A database as one process sees it: connected on first use and again after trouble, and told apart from a wrong question.

use super::Driver;
use super::bound::{Bound, Pairs};
use super::link::{Link, Select};
use super::places::{Place, place};
use super::rows::Rows;
use crate::clock::monotonic_ms;
use std::sync::Arc;

/// Why a database did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be reached, or took too long.
    #[error("the database does not answer")]
    Down,
    /// It answers, but not to this: a name it does not know, or a value that does not fit.
    #[error("the database refuses the statement")]
    Refused,
}

/// What failed, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{driver}, table {table}: {fault}")]
pub struct DbError {
    pub fault: Fault,
    driver: String,
    table: String,
}

/// A database by its URL. What is asked of it blocks the process.
pub struct Database {
    driver: Arc<Driver>,
    url: Arc<str>,
    patience_ms: u64,
    link: Place,
}

impl Database {
    /// Opens nothing yet. After `patience_ms` milliseconds a failure counts as silence, and nothing is tried again.
    #[must_use]
    pub fn new(driver: Arc<Driver>, url: Arc<str>, patience_ms: u64) -> Self {
        let link = place(&url);
        Self { driver, url, patience_ms, link }
    }

    /// Reads rows. What fails on a connection that went with time is asked once more on a new one.
    ///
    /// # Errors
    /// The database is down or refuses the query; `rows` are empty then.
    pub fn select(&mut self, query: &Select<'_>, rows: &mut Rows) -> Result<(), DbError> {
        let conditions = Bound::with_floors(query.conditions, query.floors);
        let conditions = conditions.ok_or_else(|| self.error(query.table, Fault::Refused))?;
        self.read(query.table, rows, |link, rows| link.select(query, &conditions, rows))
    }

    /// Reads rows by a statement that is sent as it is written; `table` is for the error alone.
    ///
    /// # Errors
    /// As for [`Self::select`].
    pub fn read_raw(&mut self, table: &str, sql: &str, rows: &mut Rows) -> Result<(), DbError> {
        self.read(table, rows, |link, rows| link.raw(sql, rows))
    }

    /// Inserts a row. What changes something is sent once: after [`Fault::Down`] it may be done or not.
    ///
    /// # Errors
    /// The database is down or refuses the statement, or the driver cannot do it.
    pub fn insert(&mut self, table: &str, row: Pairs<'_>) -> Result<(), DbError> {
        let row = self.bind(table, row)?;
        self.write(table, |link| link.insert(table, &row))
    }

    /// Deletes the rows that meet all conditions.
    ///
    /// # Errors
    /// As for [`Self::insert`].
    pub fn delete(&mut self, table: &str, conditions: Pairs<'_>) -> Result<(), DbError> {
        let conditions = self.bind(table, conditions)?;
        self.write(table, |link| link.delete(table, &conditions))
    }

    /// Changes the rows that meet all conditions.
    ///
    /// # Errors
    /// As for [`Self::insert`].
    pub fn update(&mut self, table: &str, conditions: Pairs<'_>, changes: Pairs<'_>) -> Result<(), DbError> {
        let (conditions, changes) = (self.bind(table, conditions)?, self.bind(table, changes)?);
        self.write(table, |link| link.update(table, &conditions, &changes))
    }

    /// Runs a statement that is sent as it is written; `table` is for the error alone.
    ///
    /// # Errors
    /// As for [`Self::insert`].
    pub fn execute(&mut self, table: &str, sql: &str) -> Result<(), DbError> {
        self.write(table, |link| link.raw(sql, &mut Rows::default()))
    }

    fn bind<'a>(&self, table: &str, pairs: Pairs<'a>) -> Result<Bound<'a>, DbError> {
        Bound::new(pairs).ok_or_else(|| self.error(table, Fault::Refused))
    }

    fn read(
        &mut self,
        table: &str,
        rows: &mut Rows,
        ask: impl Fn(&mut Link, &mut Rows) -> Option<()>,
    ) -> Result<(), DbError> {
        let begun_ms = monotonic_ms();
        loop {
            let old = self.link.borrow().is_some();
            if self.on_link(|link| ask(link, rows)).is_some() {
                return Ok(());
            }
            rows.clear();
            let fault = self.judge(begun_ms);
            if fault == Fault::Refused || !old || self.late(begun_ms) {
                return Err(self.error(table, fault));
            }
        }
    }

    fn write(&mut self, table: &str, ask: impl FnOnce(&mut Link) -> Option<()>) -> Result<(), DbError> {
        let begun_ms = monotonic_ms();
        if self.on_link(ask).is_some() {
            return Ok(());
        }
        let fault = self.judge(begun_ms);
        Err(self.error(table, fault))
    }

    fn late(&self, begun_ms: u64) -> bool {
        monotonic_ms().saturating_sub(begun_ms) >= self.patience_ms
    }

    /// Drivers say only that a statement failed. Does the database answer to one that cannot be wrong? If not, the
    /// connection is given up.
    fn judge(&self, begun_ms: u64) -> Fault {
        let (late, mut link) = (self.late(begun_ms), self.link.borrow_mut());
        let answers = |link: &mut Link| link.raw("select 1", &mut Rows::default()).is_some();
        if !late && link.as_mut().is_some_and(answers) {
            return Fault::Refused;
        }
        *link = None;
        Fault::Down
    }

    fn error(&self, table: &str, fault: Fault) -> DbError {
        DbError { fault, driver: self.driver.name(), table: table.to_owned() }
    }

    /// Calls with this process's own connection, if it can be opened.
    fn on_link(&self, call: impl FnOnce(&mut Link) -> Option<()>) -> Option<()> {
        let mut link = self.link.borrow_mut();
        if link.as_ref().is_some_and(Link::inherited) {
            *link = None;
        }
        if link.is_none() {
            *link = self.open();
        }
        call(link.as_mut()?)
    }

    /// SQLite has no server that queues: who finds its file locked fails at once unless told to wait.
    fn open(&self) -> Option<Link> {
        let mut link = Link::open(&self.driver, &self.url)?;
        if self.driver.name.as_bytes() == b"db_sqlite" {
            // Where it does not work, reads still do while nobody writes.
            let _ = link.raw(&format!("PRAGMA busy_timeout={}", self.patience_ms), &mut Rows::default());
        }
        Some(link)
    }
}
