//! How long a driver may keep a process that asks a database which hangs: by the driver's own parameters, as they are set.

use super::Driver;
use crate::host::api::api;
use crate::host::ffi::PARAM_INT;
use std::ffi::{CStr, c_int};

/// db_mysql asks so often where it makes lost connections anew.
const MYSQL_TRIES: u32 = 3;
/// PostgreSQL's library waits for a connection no shorter, seconds.
const POSTGRES_CONNECT_S: u32 = 2;

/// The longest that one question may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Seconds(u32),
    /// As long as this parameter is not set so.
    Endless(&'static str, u32),
    /// The driver has no parameter that tells.
    Untold,
}

impl Driver {
    /// How long a question may take. To be called when all parameters are set.
    #[must_use]
    pub fn wait(&self) -> Wait {
        let wait = match self.name.to_bytes() {
            b"db_mysql" => self.mysql(),
            b"db_postgres" => self.postgres(),
            _ => None,
        };
        wait.unwrap_or(Wait::Untold)
    }

    fn mysql(&self) -> Option<Wait> {
        let (timeout, again) = (self.parameter(c"timeout_interval")?, self.parameter(c"auto_reconnect")?);
        let tries = if again == 0 { 1 } else { MYSQL_TRIES };
        Some(
            seconds(timeout)
                .map_or(Wait::Endless("timeout_interval", 1), |timeout| Wait::Seconds(timeout.saturating_mul(tries))),
        )
    }

    fn postgres(&self) -> Option<Wait> {
        let (timeout, retries) = (self.parameter(c"timeout")?, self.parameter(c"retries")?);
        let Some(timeout) = seconds(timeout) else { return Some(Wait::Endless("timeout", 1)) };
        // For the first answer on a new connection the driver waits without limit.
        if self.parameter(c"bytea_output_escape").is_some_and(|escape| escape != 0) {
            return Some(Wait::Endless("bytea_output_escape", 0));
        }
        let connects = seconds(retries).unwrap_or(0).saturating_add(1);
        let connecting = connects.saturating_mul(timeout.max(POSTGRES_CONNECT_S));
        Some(Wait::Seconds(timeout.saturating_add(connecting)))
    }

    /// An integer parameter of the driver's module; none where it has no such parameter.
    fn parameter(&self, name: &CStr) -> Option<c_int> {
        let mut kind = 0;
        // SAFETY: NUL-terminated names, which the host only compares; it knows the module, or says null and takes null.
        let place = unsafe {
            let module = (api().find_module_by_name)(self.name.as_ptr().cast_mut());
            (api().find_param_export)(module, name.as_ptr().cast_mut(), PARAM_INT, &raw mut kind)
        };
        // SAFETY: what is behind an integer parameter that is no function is the module's own integer.
        (kind == PARAM_INT).then(|| unsafe { place.cast::<c_int>().as_ref() }.copied()).flatten()
    }
}

/// A positive number of seconds; the drivers take others for no limit.
fn seconds(number: c_int) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::api::{self, Api};
    use crate::host::ffi::{db_func, sr_module};
    use std::cell::RefCell;
    use std::ffi::{CString, c_char, c_uint, c_void};
    use std::ptr;

    thread_local! {
        static SET: RefCell<Vec<(&'static CStr, c_int)>> = const { RefCell::new(Vec::new()) };
    }

    unsafe extern "C" fn find_module_by_name(_: *mut c_char) -> *mut sr_module {
        ptr::null_mut()
    }

    unsafe extern "C" fn find_param_export(
        _: *mut sr_module,
        name: *mut c_char,
        kinds: c_uint,
        kind: *mut c_uint,
    ) -> *mut c_void {
        // SAFETY: the code under test gives a name and a place.
        let (name, kind) = unsafe { (CStr::from_ptr(name), &mut *kind) };
        assert_eq!(kinds, PARAM_INT);
        SET.with_borrow(|set| {
            let Some((_, value)) = set.iter().find(|(known, _)| *known == name) else { return ptr::null_mut() };
            *kind = PARAM_INT;
            ptr::from_ref(value).cast_mut().cast()
        })
    }

    fn wait(driver: &str, set: &[(&'static CStr, c_int)]) -> Wait {
        api::pretend(Api { find_module_by_name, find_param_export, ..Api::fake() });
        SET.set(set.to_vec());
        // SAFETY: functions may be absent, and the rest is numbers and pointers, which may be zero.
        let calls: db_func = unsafe { std::mem::zeroed() };
        Driver { name: CString::new(driver).unwrap(), calls }.wait()
    }

    #[test]
    fn a_wait_is_what_was_measured_with_these_parameters() {
        for (timeout, again, want) in [
            (2, 1, Wait::Seconds(6)),
            (1, 1, Wait::Seconds(3)),
            (1, 0, Wait::Seconds(1)),
            (0, 1, Wait::Endless("timeout_interval", 1)),
            (-1, 0, Wait::Endless("timeout_interval", 1)),
        ] {
            assert_eq!(wait("db_mysql", &[(c"timeout_interval", timeout), (c"auto_reconnect", again)]), want);
        }
        for (timeout, retries, want) in [
            (0, 2, Wait::Endless("timeout", 1)),
            (1, 2, Wait::Seconds(7)),
            (1, 0, Wait::Seconds(3)),
            (3, 0, Wait::Seconds(6)),
            (c_int::MAX, c_int::MAX, Wait::Seconds(u32::MAX)),
        ] {
            assert_eq!(wait("db_postgres", &[(c"timeout", timeout), (c"retries", retries)]), want);
        }
        let set = |escape| [(c"timeout", 1), (c"retries", 0), (c"bytea_output_escape", escape)];
        assert_eq!(wait("db_postgres", &set(1)), Wait::Endless("bytea_output_escape", 0));
        assert_eq!(wait("db_postgres", &set(0)), Wait::Seconds(3));
    }

    #[test]
    fn who_has_no_such_parameter_is_not_judged() {
        assert_eq!(wait("db_sqlite", &[(c"timeout", 0)]), Wait::Untold);
        assert_eq!(wait("db_mysql", &[(c"timeout_interval", 0)]), Wait::Untold, "an older or a newer one");
    }
}
