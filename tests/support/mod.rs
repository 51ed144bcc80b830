//! The real parts a test needs, each started in one line and ended in `Drop`: Kamailio, memcached, servers that
//! misbehave, proxies in between, a SIP client and an RPC client.
//!
//! Comes in: the tests here, `examples/demo.rs` and the benchmarks (through `#[path]`). Knows nothing of the module's inside.
#![allow(dead_code, unused_imports)]

pub mod cases;
pub mod certs;
#[path = "../../src/near/children.rs"]
pub mod children;
pub mod fake;
pub mod host;
pub mod kamailio;
pub mod kemi;
pub mod mariadb;
pub mod memcached;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod race;
pub mod races;
pub mod rounds;
pub mod rpc;
pub mod script;
pub mod sip;
pub mod sipp;
pub mod sql;
pub mod stepped;
pub mod wait;
pub mod watched;
pub mod worker;

/// The `cmd_timeout` of a host whose answers a test judges, and not how soon they come, milliseconds. A busy machine may halt a
/// server for half a second; where a call asks several, each is given two fifths of it.
pub const PATIENT_MS: u32 = 2_000;

pub use fake::Fake;
pub use host::Host;
pub use kamailio::Kamailio;
pub use mariadb::Mariadb;
pub use memcached::Memcached;
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use rounds::Rounds;
pub use script::Script;
pub use sipp::Sipp;
pub use sql::{Sql, Sqlite};
pub use stepped::Stepped;
pub use wait::until;
pub use watched::Watched;
pub use worker::Worker;
