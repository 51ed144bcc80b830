//! Every name that an operator can meet, read from the tables that the host reads. The documentation is held against it.

use super::{events, functions, kemi, parameters, rpc, status, variables};
use crate::cluster::{ServerStat, TableStat};
use crate::host::text;
use std::ffi::c_char;

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Parameter,
    Function,
    /// Without its `$`.
    Variable,
    /// A word inside `$shcst(...)`.
    Fact,
    Rpc,
    EventRoute,
    /// Without `KSR.shc.`.
    Kemi,
    /// With `<name>` for the table's or server's.
    Statistic,
}

/// All names, in the order of their tables; a function with several numbers of parameters is there once.
#[must_use]
pub fn names() -> Vec<(Kind, String)> {
    let mut all: Vec<(Kind, String)> = Vec::new();
    all.extend(parameters::TABLE.iter().filter_map(|row| c_name(Kind::Parameter, row.name)));
    all.extend(functions::TABLE.iter().filter_map(|row| c_name(Kind::Function, row.name)));
    // SAFETY: the table holds constants, and an empty name in its last row.
    all.extend(variables::TABLE.iter().map(|row| (Kind::Variable, shown(unsafe { text::bytes(&row.name) }))));
    all.extend(status::FACTS.iter().map(|fact| (Kind::Fact, shown(fact.0))));
    all.extend(rpc::TABLE.iter().filter_map(|row| c_name(Kind::Rpc, row.name)));
    all.extend(events::NAMES.map(|name| (Kind::EventRoute, shown(name.to_bytes()))));
    all.push((Kind::EventRoute, events::INVALIDATED.to_owned()));
    all.extend(kemi::ROWS.iter().map(|row| (Kind::Kemi, shown(row.name.to_bytes()))));
    all.extend(TableStat::ALL.map(|(_, name)| (Kind::Statistic, format!("table_<name>_{name}"))));
    all.extend(ServerStat::ALL.map(|(_, name)| (Kind::Statistic, format!("server_<name>_{name}"))));
    all.retain(|(_, name)| !name.is_empty());
    all.dedup();
    all
}

fn c_name(kind: Kind, name: *const c_char) -> Option<(Kind, String)> {
    // SAFETY: the tables hold NUL-terminated constants, and null in their last rows.
    (!name.is_null()).then(|| (kind, unsafe { text::c_text(name) }.into_owned()))
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
