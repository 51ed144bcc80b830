//! What Kamailio finds by name: the export tables, and the handlers behind them.
//!
//! [`exports`] holds the tables. Parameters are collected by [`parameters`] while the configuration is read,
//! [`lifecycle`] turns them into the shared state before fork, and each process makes its own [`worker`] on first use.
//! The script comes in through [`functions`] and [`variables`], embedded languages through [`kemi`]; all of them end in
//! [`operations`]; what a table's source has to be asked for goes [`through`] to it. The operator comes in through [`rpc`] and [`stats`]. One process of our own, the [`watcher`], keeps
//! the state of the servers true and tells the script's [`events`]; another one, the [`clerk`], drains an outbox
//! and fills tables from their sources.

pub mod arguments;
pub mod clerk;
pub mod events;
pub mod exported;
pub mod exports;
pub mod fixups;
pub mod functions;
pub mod kemi;
pub mod lifecycle;
pub mod lookups;
pub mod many;
pub mod names;
pub mod operations;
pub mod parameters;
pub mod ring;
pub mod rpc;
pub mod sources;
pub mod sparing;
pub mod stats;
pub mod status;
pub mod through;
pub mod variables;
pub mod watcher;
pub mod worker;
