//! Log lines in the host's own way: its levels, prefix, colours, syslog or standard error, or its structured engine.
//!
//! The text is never a format. To be called from the host's own thread only.

use super::api::{self, Api};
use super::ffi::{log_level, log_line};
use std::ffi::{CString, c_char, c_int};
use std::fmt::Display;
use std::io::Write;
use std::panic::Location;

/// The host's log levels that this module uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    Critical = -3,
    Error = -1,
    Warning = 0,
    Notice = 1,
}

const MODULE: &std::ffi::CStr = c"shardcache";
const LOWEST: c_int = -5;

/// The operator must act: something cannot work.
#[track_caller]
pub fn error(text: impl Display) {
    write(Level::Error, Location::caller(), &text);
}

#[track_caller]
pub fn warning(text: impl Display) {
    write(Level::Warning, Location::caller(), &text);
}

#[track_caller]
pub fn notice(text: impl Display) {
    write(Level::Notice, Location::caller(), &text);
}

/// One line of any level, as if written at `at`.
pub fn write(level: Level, at: &Location<'_>, text: &dyn Display) {
    let Some(api) = api::find() else {
        eprintln!("{level:?}: shardcache: {text}");
        return;
    };
    let level = level as c_int;
    if !wanted(api, level) {
        return;
    }
    let place = format!("shardcache [{}:{}]: ", short(at.file()), at.line());
    let mut text = text.to_string();
    text.push('\n');
    enter(api, 1);
    send(api, level, at, &place, &text);
    enter(api, -1);
}

/// The part of a source path that tells where it is in this project.
fn short(path: &str) -> &str {
    path.rsplit_once("src/").map_or(path, |(_, rest)| rest)
}

fn wanted(api: &Api, level: c_int) -> bool {
    // SAFETY: `dprint_crit` is null or the host's own counter; the name is as long as said.
    unsafe {
        let busy = !api.dprint_crit.is_null() && api.dprint_crit.read_volatile() != 0;
        !busy && (api.get_debug_level)(MODULE.as_ptr(), MODULE.count_bytes() as c_int) >= level
    }
}

/// Keeps the host's signal handlers from logging in the middle of a line.
fn enter(api: &Api, step: c_int) {
    if !api.dprint_crit.is_null() {
        // SAFETY: the host's own counter, touched by this thread and its signal handlers only.
        unsafe { api.dprint_crit.write_volatile(api.dprint_crit.read_volatile() + step) };
    }
}

fn send(api: &Api, level: c_int, at: &Location<'_>, place: &str, text: &str) {
    // SAFETY: the host's array holds all levels from `LOWEST` on.
    let info: log_level = unsafe { *api.log_level_info.offset((level - LOWEST) as isize) };
    // SAFETY: data of the host, written by it alone.
    let (structured, to_stderr) = unsafe { ((*api._ksr_slog_func).is_some(), *api.log_stderr != 0) };
    if structured {
        send_structured(api, level, info, at, place, text);
    } else if to_stderr {
        send_stderr(api, level, info, place, text);
    } else {
        send_syslog(api, info, place, text);
    }
}

fn facility(api: &Api) -> c_int {
    // SAFETY: the name is as long as said.
    unsafe { (api.get_debug_facility)(MODULE.as_ptr(), MODULE.count_bytes() as c_int) }
}

fn send_structured(api: &Api, level: c_int, info: log_level, at: &Location<'_>, place: &str, text: &str) {
    let file = CString::new(short(at.file())).unwrap_or_default();
    let prefix = CString::new(place).unwrap_or_default();
    // SAFETY: all members are numbers and pointers.
    let mut line: log_line = unsafe { std::mem::zeroed() };
    line.facility = info.syslog | facility(api);
    line.level = level;
    line.level_name = info.name;
    line.file = file.as_ptr();
    line.line = at.line() as c_int;
    line.module = MODULE.as_ptr();
    line.function = c"".as_ptr();
    line.prefix = prefix.as_ptr();
    // SAFETY: checked to be set; "%.*s" takes a length and that many bytes. Everything outlives the call.
    unsafe {
        if let Some(send) = *api._ksr_slog_func {
            send(&raw mut line, c"%.*s".as_ptr(), len(text), text.as_ptr().cast::<c_char>());
        }
    }
}

fn send_stderr(api: &Api, level: c_int, info: log_level, place: &str, text: &str) {
    let mut line = Vec::with_capacity(text.len() + 128);
    // SAFETY: the host's own numbers and NUL-terminated level name.
    let (process, pid, name) =
        unsafe { (*api.process_no, (api.my_pid)(), std::ffi::CStr::from_ptr(info.name).to_string_lossy()) };
    let _ = write!(line, "{process:2}({pid}) {name}: ");
    line.extend_from_slice(prefix(api));
    line.extend_from_slice(place.as_bytes());
    line.extend_from_slice(text.as_bytes());
    // SAFETY: `line` is written to standard error as it is; the colour calls write there too.
    unsafe {
        let coloured = *api.log_color != 0;
        if coloured {
            (api.dprint_color)(level);
        }
        libc::write(2, line.as_ptr().cast(), line.len());
        if coloured {
            (api.dprint_color_reset)();
        }
    }
}

fn send_syslog(api: &Api, info: log_level, place: &str, text: &str) {
    let mut line = prefix(api).to_vec();
    line.extend_from_slice(place.as_bytes());
    line.extend_from_slice(text.as_bytes());
    let priority = info.syslog | facility(api);
    // SAFETY: the format takes a C string, a length and that many bytes; everything outlives the call.
    unsafe {
        if let Some(send) = *api._km_log_func {
            send(priority, c"%s: %.*s".as_ptr(), info.name, line.len() as c_int, line.as_ptr().cast::<c_char>());
        }
    }
}

/// The operator's `log_prefix`, as evaluated for this message.
fn prefix(api: &Api) -> &[u8] {
    // SAFETY: null, or a string that the host keeps while the message is handled.
    unsafe { (*api.log_prefix_val).as_ref().map_or(&[], |prefix| super::text::bytes(prefix)) }
}

fn len(text: &str) -> c_int {
    c_int::try_from(text.len()).unwrap_or(c_int::MAX)
}
