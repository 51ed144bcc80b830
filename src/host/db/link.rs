//! One connection of one process, one attempt per call: the driver says yes or no, and logs why.
//!
//! The host pools connections: modules of a process that name the same URL share one. So nothing of a session is
//! changed here that another module could notice.

use super::Driver;
use super::bound::{Bound, Floor, Pairs, count, pointers};
use super::rows::Rows;
use crate::host::ffi::*;
use crate::host::text;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// What to read: `SELECT columns FROM table WHERE each condition holds [ORDER BY order]`.
#[derive(Clone, Copy, Debug)]
pub struct Select<'q> {
    pub table: &'q str,
    /// One at least.
    pub columns: &'q [&'q str],
    /// Columns and the values they must equal.
    pub conditions: Pairs<'q>,
    /// Columns and what they must not be less than.
    pub floors: &'q [Floor<'q>],
    /// What stands behind ORDER BY.
    pub order: Option<&'q str>,
    /// No more rows are read.
    pub most: usize,
}

pub struct Link {
    driver: Arc<Driver>,
    con: NonNull<db_con>,
    pid: libc::pid_t,
}

fn own_pid() -> libc::pid_t {
    // SAFETY: getpid cannot fail.
    unsafe { libc::getpid() }
}

impl Link {
    /// Connects, or joins the process's connection to the same URL.
    pub fn open(driver: &Arc<Driver>, url: &str) -> Option<Self> {
        let url = text::view(url.as_bytes());
        // SAFETY: the driver parses and copies the URL.
        let con = unsafe { (driver.calls.init?)(&raw const url) };
        NonNull::new(con).map(|con| Self { driver: driver.clone(), con, pid: own_pid() })
    }

    /// Was it opened by a process that this one was forked from?
    pub fn inherited(&self) -> bool {
        self.pid != own_pid()
    }

    pub fn select(&mut self, query: &Select<'_>, conditions: &Bound<'_>, rows: &mut Rows) -> Option<()> {
        let columns: Vec<kstr> = query.columns.iter().map(|name| text::view(name.as_bytes())).collect();
        let mut columns = pointers(&columns);
        let mut order = query.order.map(|order| text::view(order.as_bytes()));
        let order = order.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
        let mut ops = conditions.ops();
        let ops = if ops.is_empty() { ptr::null_mut() } else { ops.as_mut_ptr() };
        let calls = self.driver.calls;
        let mut result: *mut db_res = ptr::null_mut();
        // Only rows that are fetched are converted into the process's small memory.
        let at_once = if calls.fetch_result.is_some() { ptr::null_mut() } else { &raw mut result };
        self.with_table(query.table, |con| {
            // SAFETY: an open connection, its own table, and lists of as many names and values as are said.
            let asked = conditions.give(|keys, values, n| unsafe {
                let (names, named) = (columns.as_mut_ptr(), count(columns.len()));
                (calls.query?)(con, keys, ops, values, names, n, named, order, at_once).ge(&0).then_some(())
            });
            let fetched = asked.and_then(|()| match calls.fetch_result {
                // SAFETY: the query before it left its rows with the connection.
                Some(fetch) => unsafe { fetch(con, &raw mut result, count(query.most)).ge(&0).then_some(()) },
                None => Some(()),
            });
            // SAFETY: the driver's result, or null.
            let read = unsafe { take(calls, con, result, query.most, rows) };
            fetched.and(read)
        })
    }

    /// Runs a statement as it is written. Its rows, if it has any, are read.
    pub fn raw(&mut self, sql: &str, rows: &mut Rows) -> Option<()> {
        let calls = self.driver.calls;
        let con = self.con.as_ptr();
        let sql = text::view(sql.as_bytes());
        let mut result: *mut db_res = ptr::null_mut();
        clear_errno();
        // SAFETY: an open connection and a statement that the driver reads. A place for the result is always given: without
        // one a driver may prepare the statement and not run it.
        let done = unsafe { (calls.raw_query?)(con, &raw const sql, &raw mut result) } >= 0;
        // SAFETY: the driver's result, or null.
        let read = unsafe { take(calls, con, result, usize::MAX, rows) };
        if done { read } else { None }
    }

    pub fn insert(&mut self, table: &str, row: &Bound<'_>) -> Option<()> {
        let insert = self.driver.calls.insert?;
        self.with_table(table, |con| {
            // SAFETY: an open connection, its table, and as many names and values as are said.
            row.give(|keys, values, n| unsafe { insert(con, keys, values, n) }).ge(&0).then_some(())
        })
    }

    pub fn delete(&mut self, table: &str, conditions: &Bound<'_>) -> Option<()> {
        let delete = self.driver.calls.remove?;
        self.with_table(table, |con| {
            // SAFETY: as for `insert`; without operators everything is compared for equality.
            let done = conditions.give(|keys, values, n| unsafe { delete(con, keys, ptr::null_mut(), values, n) });
            done.ge(&0).then_some(())
        })
    }

    pub fn update(&mut self, table: &str, conditions: &Bound<'_>, changes: &Bound<'_>) -> Option<()> {
        let update = self.driver.calls.update?;
        self.with_table(table, |con| {
            let done = conditions.give(|keys, values, n| {
                // SAFETY: as for `delete`, twice.
                changes.give(|new, now, m| unsafe { update(con, keys, ptr::null_mut(), values, new, now, n, m) })
            });
            done.ge(&0).then_some(())
        })
    }

    /// Calls with the connection set to `table`, whose name the connection keeps by pointer.
    fn with_table(&mut self, table: &str, call: impl FnOnce(*mut db_con) -> Option<()>) -> Option<()> {
        let table = text::view(table.as_bytes());
        let con = self.con.as_ptr();
        clear_errno();
        // SAFETY: an open connection; the name lives as long as `call`, and every later call sets its own.
        unsafe { ((self.driver.calls.use_table?)(con, &raw const table) >= 0).then_some(())? };
        call(con)
    }
}

/// Drivers take an error number that was left behind for one of their own conversions'.
fn clear_errno() {
    // SAFETY: the thread's own error number.
    unsafe { *libc::__errno_location() = 0 };
}

/// Copies a result's rows and frees it, whatever it is like; nothing was read where there is none.
///
/// # Safety
/// `result` must be null or the driver's, made through `con` and not freed yet.
unsafe fn take(calls: db_func, con: *mut db_con, result: *mut db_res, most: usize, rows: &mut Rows) -> Option<()> {
    rows.clear();
    // SAFETY: the caller's promise; the rows are copied before they are freed.
    unsafe {
        let Some(found) = result.as_ref() else { return Some(()) };
        let read = rows.read(found, most);
        (calls.free_result?)(con, result);
        read.ok()
    }
}

impl Drop for Link {
    /// A connection that was inherited is its parent's: saying goodbye on it would end the parent's.
    fn drop(&mut self) {
        if let Some(close) = self.driver.calls.close
            && !self.inherited()
        {
            // SAFETY: opened by `open` in this process, and closed once.
            unsafe { close(self.con.as_ptr()) };
        }
    }
}
