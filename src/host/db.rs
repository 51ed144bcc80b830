//! Databases through the host's own drivers: any loaded module `db_<scheme>`, found by the scheme of a URL.
//!
//! The library that the drivers share is linked by them alone: it is a file of its own in some series and a part of
//! the host in others. A driver fills a table of functions, and that is all this room knows of it. Values are bound by
//! the driver, which quotes or binds them as its database wants; names of tables and columns must come from the operator.
//!
//! A call waits for the database in the process that makes it, as long as the driver's own settings let it. One that they let
//! wait for ever is not taken.

use super::api::api;
use super::ffi::{db_bind_fn, db_func};
use std::ffi::{CString, c_void};
use std::sync::Arc;

mod bound;
mod database;
mod link;
mod places;
mod rows;
mod waits;

pub use bound::{Floor, Pairs};
pub use database::{Database, DbError, Fault};
pub use link::Select;
pub use rows::Rows;
pub use waits::Wait;

/// A driver, bound once before the host forks and shared by what uses it.
pub struct Driver {
    name: CString,
    calls: db_func,
}

/// Why a URL has no driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbound {
    #[error("no driver {0} is loaded: expected loadmodule \"{0}.so\"")]
    NotLoaded(String),
    #[error("the driver {0} has no queries")]
    NoQueries(String),
    #[error("the driver {0} would wait for ever for a database that hangs: expected modparam(\"{0}\", \"{1}\", {2})")]
    Endless(String, &'static str, u32),
}

impl Driver {
    /// The driver for `scheme`. To be called when all modules are loaded.
    ///
    /// # Errors
    /// There is none, or it cannot be queried, or not within a time.
    pub fn find(scheme: &str) -> Result<Arc<Self>, Unbound> {
        let name = CString::new(format!("db_{scheme}")).map_err(|_| Unbound::NotLoaded("db_".to_owned()))?;
        let shown = || name.to_string_lossy().into_owned();
        let command = c"db_bind_api".as_ptr().cast_mut();
        // SAFETY: NUL-terminated names, which the host only compares.
        let bind = unsafe { (api().find_mod_export)(name.as_ptr().cast_mut(), command, 0, 0) };
        // SAFETY: the host keeps this command's function there, which has this type in every driver; null becomes `None`.
        let bind = unsafe { std::mem::transmute::<*mut c_void, db_bind_fn>(bind) };
        let bind = bind.ok_or_else(|| Unbound::NotLoaded(shown()))?;
        // SAFETY: functions may be absent, and the rest is numbers and pointers, which may be zero.
        let mut calls: db_func = unsafe { std::mem::zeroed() };
        // SAFETY: the driver fills a table of this layout.
        let bound = unsafe { bind(&raw mut calls) } >= 0;
        let needed = calls.init.is_some() && calls.close.is_some() && calls.use_table.is_some();
        if !bound || !needed || calls.query.is_none() || calls.free_result.is_none() {
            return Err(Unbound::NoQueries(shown()));
        }
        let driver = Self { name, calls };
        match driver.wait() {
            Wait::Endless(parameter, value) => Err(Unbound::Endless(driver.name(), parameter, value)),
            Wait::Seconds(_) | Wait::Untold => Ok(Arc::new(driver)),
        }
    }

    /// The name of its module.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

// SAFETY: the pointers are the driver's functions, which stay where they are while the process lives.
unsafe impl Send for Driver {}
// SAFETY: as above; connections are what must not be shared, and each belongs to one process.
unsafe impl Sync for Driver {}

#[cfg(test)]
mod tests;
