//! The clerk tries databases again that are down, so that no call has to wait for one.

use crate::lookup::sql::SqlSource;
use crate::module::sources;

/// Tries each database whose pause is over, and waits for as long as its driver does.
pub fn turn() {
    let Some(all) = sources::all() else { return };
    for first in (0..all.len()).filter(|first| all.retry(*first)) {
        let answered = all.beside(first).all(|at| sources::with(at, SqlSource::answers) == Some(true));
        sources::with(first, |source| source.retried(answered));
    }
}
