//! Everything that knows the host's C interface, and nearly all unsafe code.
//!
//! The loader runs [`guard`] first: it judges the host and fills the table of [`api`]. Afterwards the host enters
//! through the tables of `module/`, each call behind [`entry`]. May import: libc and the pure types it hands over.

pub mod api;
pub mod db;
pub mod entry;
pub mod ffi;
pub mod guard;
pub mod kemi;
pub mod log;
pub mod params;
pub mod process;
pub mod pv;
pub mod route;
pub mod rpc;
pub mod stats;
mod table;
pub mod text;
pub mod version;
pub mod xavp;

pub use guard::series;
pub use version::Series;
