//! Module parameters: each checked the moment the configuration names it, so that the host stops at that line.
//!
//! Only the main process runs this, while it reads its configuration.

use super::lifecycle;
use crate::config::{Config, ConfigError};
use crate::host::entry::{Refused, entry};
use crate::host::ffi::{PARAM_INT, PARAM_STRING, PARAM_USE_FUNC, param_export};
use crate::host::{log, text};
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;

/// One handler per parameter, and the table of them all.
macro_rules! parameters {
    ($count:literal: $($kind:ident $name:ident $set:ident;)*) => {
        /// The rows Kamailio reads; the last one is empty.
        pub const TABLE: [param_export; $count + 1] = [
            $(row!($kind $name),)*
            param_export { name: ptr::null(), type_: 0, target: ptr::null_mut() },
        ];
        $(unsafe extern "C" fn $name(_type: c_uint, value: *mut c_void) -> c_int {
            entry(concat!("parameter ", stringify!($name)), || take!($kind $name $set value))
        })*
    };
}

macro_rules! row {
    ($kind:ident $name:ident) => {
        param_export {
            name: concat!(stringify!($name), "\0").as_ptr().cast::<c_char>(),
            type_: kind!($kind) | PARAM_USE_FUNC,
            target: $name as unsafe extern "C" fn(c_uint, *mut c_void) -> c_int as *mut c_void,
        }
    };
}

macro_rules! kind {
    (text) => {
        PARAM_STRING
    };
    (number) => {
        PARAM_INT
    };
}

macro_rules! take {
    (text $name:ident $set:ident $value:ident) => {
        // SAFETY: a parameter declared as a string comes as a NUL-terminated one.
        unsafe { take_text(stringify!($name), $value, Config::$set) }
    };
    (number $name:ident $set:ident $value:ident) => {
        // A number comes in the pointer itself.
        change(|config| Config::$set(config, $value as isize as i64))
    };
}

parameters! {
    16:
    text server add_server;
    text server_list set_server_list;
    number max_servers set_max_servers;
    text table add_table;
    text source add_source;
    text outbox set_outbox;
    number source_retry set_source_retry;
    number cmd_timeout set_cmd_timeout;
    number probe_interval set_probe_interval;
    number soft_failures set_soft_failures;
    number local_size set_local_size;
    number near_size set_near_size;
    number repair_rate set_repair_rate;
    number load_timeout set_load_timeout;
    number load_wait set_load_wait;
    text event_callback set_event_callback;
}

unsafe fn take_text(
    name: &str,
    value: *const c_void,
    set: fn(&mut Config, &str) -> Result<(), ConfigError>,
) -> Result<(), Refused> {
    // SAFETY: the caller's promise.
    let text = unsafe { text::c_text(value.cast()) };
    if text.contains(char::REPLACEMENT_CHARACTER) {
        log::error(format_args!("parameter {name}: \"{text}\" is not UTF-8"));
        return Err(Refused);
    }
    change(|config| set(config, &text))
}

fn change(set: impl FnOnce(&mut Config) -> Result<(), ConfigError>) -> Result<(), Refused> {
    lifecycle::configure(set).map_err(|error| {
        log::error(error);
        Refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn give(name: &str, value: *mut c_void) -> c_int {
        let row = TABLE.iter().find(|row| {
            // SAFETY: names of the table, the last one null.
            !row.name.is_null() && unsafe { CStr::from_ptr(row.name) }.to_str() == Ok(name)
        });
        let target = row.map_or(ptr::null_mut(), |row| row.target);
        assert!(!target.is_null(), "{name} is not in the table");
        // SAFETY: every target of the table has this type.
        let call: unsafe extern "C" fn(c_uint, *mut c_void) -> c_int = unsafe { std::mem::transmute(target) };
        // SAFETY: strings for strings, numbers for numbers, as below.
        unsafe { call(0, value) }
    }

    #[test]
    fn sound_parameters_are_taken_and_others_stop_the_start() {
        let text = |text: &'static CStr| text.as_ptr().cast_mut().cast::<c_void>();
        let number = |number: isize| number as *mut c_void;
        for (name, value, want) in [
            ("server", text(c"name=mc1;addr=127.0.0.1:11211"), 0),
            ("server", text(c"name=mc1;addr=127.0.0.1:11212"), -1),
            ("server", text(c"name=mc2;adr=127.0.0.1"), -1),
            ("table", text(c"ipauth=>autoexpire=1800"), 0),
            ("table", text(c"ipauth=>autoexpire=1800"), -1),
            ("table", text(c"t=>near_ttl=5"), -1),
            ("table", text(c"t\xff=>autoexpire=1"), -1),
            ("table", ptr::null_mut(), -1),
            ("source", text(c"ipauth=>url=sqlite:///tmp/db;table=grp;key=username;column=grp"), 0),
            ("source", text(c"ipauth=>url=sqlite:///tmp/db;table=grp;key=username;column=grp"), -1),
            ("source_retry", number(99), -1),
            ("outbox", text(c"url=sqlite:///tmp/db;poll=100"), 0),
            ("outbox", text(c"url=sqlite:///tmp/db;poll=100"), -1),
            ("server_list", text(c"/etc/kamailio/servers"), 0),
            ("server_list", text(c"servers"), -1),
            ("max_servers", number(4097), -1),
            ("cmd_timeout", number(50), 0),
            ("cmd_timeout", number(-1), -1),
            ("probe_interval", number(20), 0),
            ("soft_failures", number(0), -1),
            ("local_size", number(1), 0),
            ("near_size", number(64), 0),
            ("near_size", number(0), -1),
            ("repair_rate", number(5_000), 0),
            ("repair_rate", number(9), -1),
            ("event_callback", text(c"ksr_event"), 0),
        ] {
            assert_eq!(give(name, value), want, "{name}");
        }
    }
}
