//! Table names that the script uses, checked before the first message: a misspelt one stops the start.
//!
//! A name may be read before the tables are configured. Such names wait here until they are.

use crate::cluster::Shared;
use crate::host::entry::Refused;
use crate::host::log;
use std::sync::Mutex;

/// A table name, and the text of the script it stands in.
type Use = (String, String);

static WAITING: Mutex<Vec<Use>> = Mutex::new(Vec::new());

/// Checks a constant table name now, or as soon as the tables are known.
///
/// # Errors
/// An unknown table, which the log names with `text`.
pub fn used(shared: Option<&Shared>, table: &[u8], text: &[u8]) -> Result<(), Refused> {
    let text = String::from_utf8_lossy(text).into_owned();
    if !crate::table::is_name(table) {
        log::error(format_args!("\"{text}\": expected the name of a table, 1 to 32 letters, digits and '_'"));
        return Err(Refused);
    }
    let table = String::from_utf8_lossy(table).into_owned();
    match shared {
        Some(shared) => known(shared, &table, &text),
        None => {
            waiting(|uses| uses.push((table, text)));
            Ok(())
        }
    }
}

/// Checks all names that waited.
///
/// # Errors
/// Any unknown table; each is logged.
pub fn settle(shared: &Shared) -> Result<(), Refused> {
    let uses = waiting(std::mem::take);
    let wrong = uses.iter().filter(|(table, text)| known(shared, table, text).is_err()).count();
    if wrong == 0 { Ok(()) } else { Err(Refused) }
}

fn known(shared: &Shared, table: &str, text: &str) -> Result<(), Refused> {
    if shared.table(table.as_bytes()).is_some() {
        return Ok(());
    }
    let all: Vec<_> = shared.config().tables.iter().map(|table| table.name.as_str()).collect();
    log::error(format_args!("\"{text}\": there is no table \"{table}\", only: {}", all.join(", ")));
    Err(Refused)
}

fn waiting<R>(act: impl FnOnce(&mut Vec<Use>) -> R) -> R {
    act(&mut WAITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}
