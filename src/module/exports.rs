//! The symbols that Kamailio looks up by name: one interface structure per module name of this file.
//!
//! The loader takes the structure that is called after the file. It keeps pointers into the tables, so they are
//! statics; it may write to what it was given, so they are not read-only.

use super::{functions, lifecycle, parameters, rpc, variables};
use crate::host::ffi::{cmd_export, module_exports, param_export, pv_export, rpc_export};
use std::cell::UnsafeCell;

/// A table that the host owns from the moment it loads this file.
#[repr(transparent)]
pub struct Table<T>(UnsafeCell<T>);

// SAFETY: we never read or write it; the host does so from its main thread, while it reads its configuration.
unsafe impl<T> Sync for Table<T> {}

impl<T> Table<T> {
    /// Makes a table of `rows`.
    pub const fn new(rows: T) -> Self {
        Self(UnsafeCell::new(rows))
    }

    /// Its place, for the host.
    pub const fn place(&self) -> *mut T {
        self.0.get()
    }
}

static COMMANDS: Table<[cmd_export; functions::TABLE.len()]> = Table::new(functions::TABLE);
static PARAMETERS: Table<[param_export; parameters::TABLE.len()]> = Table::new(parameters::TABLE);
static RPC: Table<[rpc_export; rpc::TABLE.len()]> = Table::new(rpc::TABLE);
static VARIABLES: Table<[pv_export; variables::TABLE.len()]> = Table::new(variables::TABLE);

/// Read by the loader for `shardcache.so`.
#[unsafe(no_mangle)]
pub static _shardcache_exports: Table<module_exports> = Table::new(module_exports {
    name: c"shardcache".as_ptr(),
    dlflags: 0,
    commands: COMMANDS.place().cast(),
    parameters: PARAMETERS.place().cast(),
    rpc: RPC.place().cast(),
    variables: VARIABLES.place().cast(),
    on_reply: None,
    init: Some(lifecycle::mod_init),
    child_init: Some(lifecycle::child_init),
    destroy: Some(lifecycle::destroy),
});
