//! The door frame: every call from the host into this module goes through [`entry`].
//!
//! A panic that left it would end the whole SIP server. It is caught, logged with file and line, and answered with
//! the value that the entry's type names.

use super::log::{self, Level};
use crate::cache::Verdict;
use std::ffi::{c_int, c_long};
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo};

/// What an entry answers to the host, and what it answers when it panicked.
pub trait Answer {
    /// The C type of the answer.
    type C;
    /// The answer after a panic.
    const BROKEN: Self::C;
    fn into_c(self) -> Self::C;
}

/// A script function: -3, never 0.
impl Answer for Verdict {
    type C = c_int;
    const BROKEN: c_int = Self::Failed as c_int;
    fn into_c(self) -> c_int {
        self.code()
    }
}

/// A script function that ran a route: what the route said, or 0 where it ended the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed(pub c_int);

impl Answer for Passed {
    type C = c_int;
    const BROKEN: c_int = Verdict::Failed as c_int;
    fn into_c(self) -> c_int {
        self.0
    }
}

/// Something was refused, and why stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// A hook, fixup, parser or parameter: 0 or -1.
impl Answer for Result<(), Refused> {
    type C = c_int;
    const BROKEN: c_int = -1;
    fn into_c(self) -> c_int {
        if self.is_ok() { 0 } else { -1 }
    }
}

/// A getter, which hands through what the host's own function answered.
impl Answer for c_int {
    type C = c_int;
    const BROKEN: c_int = -1;
    fn into_c(self) -> c_int {
        self
    }
}

/// A statistic.
impl Answer for c_long {
    type C = c_long;
    const BROKEN: c_long = 0;
    fn into_c(self) -> c_long {
        self
    }
}

impl Answer for () {
    type C = ();
    const BROKEN: () = ();
    fn into_c(self) {}
}

impl<T> Answer for *mut T {
    type C = *mut T;
    const BROKEN: *mut T = std::ptr::null_mut();
    fn into_c(self) -> *mut T {
        self
    }
}

/// Runs the body of the entry called `name`; a panic inside stays inside.
pub fn entry<A: Answer>(name: &'static str, body: impl FnOnce() -> A) -> A::C {
    let guarded = AssertUnwindSafe(|| {
        #[cfg(feature = "inject-panics")]
        inject(name);
        body().into_c()
    });
    // What a broken body leaves behind is this worker's own state, which is remade or dropped on its next use.
    std::panic::catch_unwind(guarded).unwrap_or_else(|panic| {
        std::mem::forget(panic);
        log::error(format_args!("{name} failed with an internal error; the server goes on"));
        A::BROKEN
    })
}

/// Panics in the entry that the environment names. Test builds only.
#[cfg(feature = "inject-panics")]
fn inject(name: &str) {
    if std::env::var("SHARDCACHE_INJECT_PANIC").is_ok_and(|wanted| wanted == name) {
        panic!("injected into {name}");
    }
}

/// Panics are logged through the host from now on: its standard error leads nowhere once it is a daemon.
pub(super) fn set_hook() {
    std::panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let here = Location::caller();
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no text");
    log::write(Level::Critical, info.location().unwrap_or(here), &format_args!("internal error: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken<A: Answer>() -> A::C {
        entry("test", || -> A { panic!("on purpose") })
    }

    #[test]
    fn a_panic_is_answered_by_the_entrys_type() {
        assert_eq!(broken::<Verdict>(), -3);
        assert_eq!(broken::<Result<(), Refused>>(), -1);
        assert_eq!(broken::<c_int>(), -1);
        assert_eq!(broken::<c_long>(), 0);
        assert!(broken::<*mut u8>().is_null());
        broken::<()>();
    }

    #[test]
    fn no_verdict_is_zero() {
        for verdict in [Verdict::Done, Verdict::Missing, Verdict::Unavailable, Verdict::Failed] {
            assert_ne!(entry("test", || verdict), 0);
        }
    }

    #[test]
    fn a_refusal_is_minus_one() {
        assert_eq!(entry("test", || Ok::<(), Refused>(())), 0);
        assert_eq!(entry("test", || Err::<(), Refused>(Refused)), -1);
    }
}
