//! Waiting with a deadline: poll until it is so, and say what was last seen when it never became so.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Calls `probe` until it gives `Ok`; panics after `limit` with `what` and the last `Err`.
pub fn until<T, E: Display>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(last) if start.elapsed() > limit => panic!("waited {limit:?} for {what}; last seen: {last}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The same for a plain condition.
pub fn until_true(what: &str, limit: Duration, mut probe: impl FnMut() -> bool) {
    until(what, limit, || if probe() { Ok(()) } else { Err("not yet") })
}
