//! A source read page by page: the keys of a page first, and its rows when their places are held.

use super::pages::{self, Pager, Stuck};
use super::{SqlSource, question};
use crate::host::db::Select;
use crate::lookup::{Failure, Loaded};
use crate::value::Value;

impl SqlSource {
    /// Reads the keys of the next page.
    ///
    /// # Errors
    /// The database is down or refuses.
    pub fn read_keys(&mut self, pager: &Pager, most: usize) -> Result<(), Failure> {
        self.read_page(pager, most, &[])
    }

    /// Reads the next page whole.
    ///
    /// # Errors
    /// As for [`Self::read_keys`].
    pub fn read_rows(&mut self, pager: &Pager, most: usize) -> Result<(), Failure> {
        self.read_page(pager, most, &self.spec().columns)
    }

    fn read_page(&mut self, pager: &Pager, most: usize, values: &'static [String]) -> Result<(), Failure> {
        let spec = self.spec();
        let page = pager.next(spec, most);
        let key = spec.key.iter().map(|column| &column.name);
        let columns: Vec<&str> = key.chain(values).map(String::as_str).collect();
        self.ask(&Select {
            table: &spec.table,
            columns: &columns,
            conditions: &page.conditions,
            floors: &page.floors,
            order: Some(&page.order),
            most,
        })
    }

    /// How many rows there are, where the database says so: within its time, and to a statement without bound values.
    pub fn count_rows(&mut self) -> Option<u64> {
        let (table, sql) = (&self.spec().table, question::count(self.spec())?);
        if self.sources.pause_ms(self.at) > 0 {
            return None;
        }
        self.database.read_raw(table, &sql, &mut self.rows).ok()?;
        match self.rows.get(0, 0)? {
            Value::Int(number) => number.try_into().ok(),
            Value::Bytes(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        }
    }

    /// Goes on behind the page that was read last.
    ///
    /// # Errors
    /// It does not lead on.
    pub fn turn(&self, pager: &mut Pager, most: usize) -> Result<(), Stuck> {
        pager.heed(self.spec(), &self.rows, most)
    }

    /// The keys of the page that was read last, row by row.
    pub fn keys(&self) -> impl Iterator<Item = Option<Vec<u8>>> + '_ {
        (0..self.rows.len()).map(|row| pages::key(self.spec(), &self.rows, row))
    }

    /// What a row of a page says of its key, as [`load`](crate::lookup::Source::load) would.
    #[must_use]
    pub fn row(&self, row: usize) -> Loaded<'_> {
        self.loaded(row, self.spec().key.len())
    }
}
