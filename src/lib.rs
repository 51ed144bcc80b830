//! shardcache: one fast cache shared by a farm of Kamailio SIP proxies, kept on a cluster of memcached servers.
//!
//! # The house
//!
//! Data flows one way, and the rooms stand in that order:
//! `kamailio.cfg → module → key → cache → near / ring / health / wire → reply → variable`.
//!
//! * [`module`] is what Kamailio finds by name: parameters, functions, variables, RPC, KEMI, statistics, events, and the
//!   watcher process. Behind each door stands one line that evaluates its arguments and asks the cache.
//! * [`host`] knows Kamailio's C interface and holds nearly all `unsafe`. Nothing of the host is linked: its functions are
//!   looked up when the module is loaded, so one binary fits all supported series and tests need no host.
//! * [`config`] and [`table`] turn parameter texts into sound values or one clear error. [`key`] alone spells keys for the
//!   wire; [`value`] tells integers from strings.
//! * [`cache`] is the story of one call: which server, within which deadline, and what the answer means to the script.
//! * [`lookup`] fills the cache from a source: one loader per key in the whole cluster, and nothing old is ever kept.
//! * [`cluster`] is what all processes of a host share (the list of servers, counters, addresses, generations), and the watcher's rounds.
//! * [`invalidate`] is how one host's change makes void what the others keep in their own memory.
//! * [`ring`] knows where a key lives and nothing of health; [`health`] knows which servers may be used and nothing of
//!   sockets; [`wire`] knows sockets and deadlines and nothing of keys; [`near`] is memory shared by the host's processes.
//!
//! Pure rooms take time, randomness and shared memory as arguments. Sockets are opened in `wire` alone, lazily and after
//! fork. Whatever a process killed at any instruction leaves in shared memory is valid.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic, clippy::unwrap_used))]

pub mod clock;
pub mod decimal;
pub mod hash;
pub mod value;

pub mod config;
pub mod key;
pub mod table;

pub mod lookup;

pub mod cache;
pub mod cluster;
pub mod health;
pub mod invalidate;
pub mod near;
pub mod ring;
pub mod wire;

pub mod host;
pub mod module;
