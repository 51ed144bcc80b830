//! The rows of a result, copied out of the driver's memory and turned into values of ours.
//!
//! Numbers stay numbers; times are seconds since 1970, as the host's own modules give them to the script; reals become their
//! shortest decimal text, and so does a number beyond 63 bits.

use crate::host::ffi::*;
use crate::host::text;
use crate::value::Value;
use std::ffi::CStr;
use std::io::Write;
use std::ops::Range;

/// Rows read by a query; their room is used again by the next one.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    columns: usize,
    cells: Vec<Cell>,
    text: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Cell {
    Null,
    Int(i64),
    Text(Range<usize>),
}

/// A type of values that no driver should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown;

impl Rows {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.columns).unwrap_or(0)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// A value; none for SQL's NULL, and where there is no such row or column.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> Option<Value<'_>> {
        let in_row = column < self.columns;
        match self.cells.get(row * self.columns + column).filter(|_| in_row)? {
            Cell::Null => None,
            Cell::Int(number) => Some(Value::Int(*number)),
            Cell::Text(range) => Some(Value::Bytes(&self.text[range.clone()])),
        }
    }

    pub(super) fn clear(&mut self) {
        self.columns = 0;
        self.cells.clear();
        self.text.clear();
    }

    /// Takes over at most `most` rows.
    ///
    /// # Safety
    /// `result` must be a driver's, not freed yet.
    pub(super) unsafe fn read(&mut self, result: &db_res, most: usize) -> Result<(), Unknown> {
        self.clear();
        // SAFETY: the caller's promise: so many rows lie there.
        let rows = unsafe { slice(result.rows, result.n) };
        for row in rows.iter().take(most) {
            // SAFETY: as above, so many values.
            let values = unsafe { slice(row.values, row.n) };
            self.columns = values.len();
            for value in values {
                // SAFETY: the caller's promise.
                let cell = unsafe { self.cell(value) }?;
                self.cells.push(cell);
            }
        }
        Ok(())
    }

    unsafe fn cell(&mut self, value: &db_val) -> Result<Cell, Unknown> {
        if value.nul != 0 {
            return Ok(Cell::Null);
        }
        let kind = u32::try_from(value.type_).map_err(|_| Unknown)?;
        // SAFETY: the type says which member is in use; texts are readable until the result is freed.
        unsafe {
            Ok(match kind {
                DB_INT => Cell::Int(i64::from(value.val.number)),
                DB_BIGINT => Cell::Int(value.val.wide),
                DB_UINT | DB_BITMAP => Cell::Int(i64::from(value.val.natural)),
                DB_DATETIME => Cell::Int(value.val.seconds),
                DB_UBIGINT => match i64::try_from(value.val.wide_natural) {
                    Ok(number) => Cell::Int(number),
                    Err(_) => self.print(format_args!("{}", value.val.wide_natural)),
                },
                DB_DOUBLE => self.print(format_args!("{}", value.val.real)),
                DB_STRING if value.val.string.is_null() => Cell::Null,
                DB_STRING => self.keep(CStr::from_ptr(value.val.string).to_bytes()),
                DB_STR | DB_BLOB => self.keep(text::bytes(&value.val.text)),
                _ => return Err(Unknown),
            })
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Cell {
        let begin = self.text.len();
        self.text.extend_from_slice(bytes);
        Cell::Text(begin..self.text.len())
    }

    fn print(&mut self, text: std::fmt::Arguments<'_>) -> Cell {
        let begin = self.text.len();
        // Writing into memory cannot fail.
        let _ = self.text.write_fmt(text);
        Cell::Text(begin..self.text.len())
    }
}

/// So many things at `start`; none for a null pointer.
///
/// # Safety
/// Unless null, `start` must point to `n` of them, which stay as they are while the result is used.
unsafe fn slice<'a, T>(start: *const T, n: i32) -> &'a [T] {
    match usize::try_from(n) {
        // SAFETY: the caller's promise.
        Ok(n) if !start.is_null() => unsafe { std::slice::from_raw_parts(start, n) },
        _ => &[],
    }
}

#[cfg(test)]
impl Rows {
    /// Rows of text as a driver would give them.
    pub fn of_text(table: &[Vec<Option<&str>>]) -> Self {
        let mut rows = Self { columns: table.first().map_or(0, Vec::len), ..Self::default() };
        for value in table.iter().flatten() {
            let cell = value.map_or(Cell::Null, |text| rows.keep(text.as_bytes()));
            rows.cells.push(cell);
        }
        rows
    }
}
