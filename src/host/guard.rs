//! What runs the moment the file is loaded: judge the host, find its symbols, and answer its version check.
//!
//! The loader compares two texts that a module exports with its own. Ours are written here, before it looks: the
//! host's own when it is known, else a sentence that it prints while refusing. Runs in the main process before any
//! fork; starts no thread, opens nothing, touches no shared memory.

use super::version::{self, Judgement, Series};
use super::{api, entry, log};
use once_cell::sync::OnceCell;
use std::ffi::{CStr, CString, c_char};

/// The environment variable that lets an unknown host pass, at the operator's own risk.
pub const FORCE: &str = "SHARDCACHE_FORCE_HOST";

/// Version and flags of the one host this file was built for, if it was.
const FIXED: Option<(&str, &str)> = match (option_env!("SHARDCACHE_HOST_VERSION"), option_env!("SHARDCACHE_HOST_FLAGS"))
{
    (Some(version), Some(flags)) => Some((version, flags)),
    _ => None,
};

/// Read by the loader; must equal the host's own version.
#[allow(non_upper_case_globals)]
#[unsafe(no_mangle)]
pub static mut module_version: *const c_char = std::ptr::null();

/// Read by the loader; must equal the flags it was compiled with.
#[allow(non_upper_case_globals)]
#[unsafe(no_mangle)]
pub static mut module_flags: *const c_char = std::ptr::null();

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

static SERIES: OnceCell<Series> = OnceCell::new();

/// The series of the running host; the newest known one where there is no host.
#[must_use]
pub fn series() -> Series {
    #[cfg(test)]
    if let Some(series) = FAKE.get() {
        return series;
    }
    SERIES.get().copied().unwrap_or(Series::V6_1)
}

/// True where the host's script numbers and embedded languages know 32 bits only.
#[must_use]
pub fn narrow() -> bool {
    series() == Series::V5_6
}

#[cfg(test)]
thread_local! {
    static FAKE: std::cell::Cell<Option<Series>> = const { std::cell::Cell::new(None) };
}

/// Makes this test's thread believe in a host of `series`.
#[cfg(test)]
pub fn pretend(series: Series) {
    FAKE.set(Some(series));
}

extern "C" fn constructor() {
    entry::entry("constructor", || {
        let Some(version) = host_text("ver_version").map(|_| own_version()) else { return };
        let shown = host_text("ver_flags").unwrap_or_default();
        let judged = version::judge(&version, &shown);
        let forced = std::env::var_os(FORCE).is_some_and(|value| value == "1");
        match admit(judged, forced) {
            Ok((series, doubt)) => welcome(series, &version, &shown, doubt),
            Err(why) => refuse(&version, &why),
        }
    });
}

/// The series to work with and what is doubtful about it, or why the host is refused.
fn admit(judged: Judgement, forced: bool) -> Result<(Series, Option<String>), String> {
    let (series, doubt) = match judged {
        Judgement::Accept(series) => (series, None),
        Judgement::Warn(series, why) => (series, Some(why)),
        Judgement::Refuse(series, why) if forced => (series, Some(format!("{why}, but {FORCE} is set"))),
        Judgement::Refuse(_, why) => return Err(why),
    };
    match api::fill() {
        Ok(()) => Ok((series, doubt)),
        Err(missing) => Err(format!("it lacks {}", missing.join(", "))),
    }
}

fn welcome(series: Series, version: &str, shown: &str, doubt: Option<String>) {
    let _ = SERIES.set(series);
    entry::set_hook();
    let flags = accepted_flags(version).unwrap_or_else(|| version::loader_flags(series, shown));
    let (told, told_flags) = FIXED.unwrap_or((version, &flags));
    answer(told, told_flags);
    log::notice(format_args!("shardcache {} in {version}, flags: {flags}", env!("CARGO_PKG_VERSION")));
    if let Some(doubt) = doubt {
        log::warning(format_args!("{version}: {doubt}"));
    }
}

fn refuse(version: &str, why: &str) {
    let built = env!("CARGO_PKG_VERSION");
    match FIXED {
        Some((version, flags)) => answer(version, flags),
        None => answer(
            &format!(
                "shardcache {built} works in kamailio 5.6 to 6.1 and refuses {version}: {why} ({FORCE}=1 forces it)"
            ),
            "none",
        ),
    }
}

/// Leaves both texts where the loader reads them. They live as long as the process.
fn answer(version: &str, flags: &str) {
    let leak = |text: &str| CString::new(text).unwrap_or_default().into_raw().cast_const();
    // SAFETY: only the constructor writes these, before the loader or anyone else reads them.
    unsafe {
        module_version = leak(version);
        module_flags = leak(flags);
    }
}

/// The version as the host's loader spells it.
fn own_version() -> String {
    let part = |name| host_text(name).unwrap_or_default();
    format!("{} {} ({}/{})", part("ver_name"), part("ver_version"), part("ver_arch"), part("ver_os"))
}

/// A constant text that the host exports, if it does.
fn host_text(name: &str) -> Option<String> {
    let text = api::symbol(name).cast::<c_char>().cast_const();
    // SAFETY: the host exports these names as NUL-terminated arrays.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// The flags of a module that this host has already let in: exact where the shown ones may not be.
fn accepted_flags(version: &str) -> Option<String> {
    // SAFETY: the host's list of modules; it changes only while the configuration is read, by this same thread.
    let mut module = unsafe { (api::api().get_loaded_modules)() };
    // SAFETY: null or an entry of that list.
    while let Some(entry) = unsafe { module.as_ref() } {
        if !entry.handle.is_null() && exported(entry.handle, c"module_version").as_deref() == Some(version) {
            return exported(entry.handle, c"module_flags");
        }
        module = entry.next;
    }
    None
}

fn exported(handle: *mut std::ffi::c_void, name: &CStr) -> Option<String> {
    // SAFETY: an open handle; both names are pointers to NUL-terminated texts in every module the host let in.
    unsafe {
        let place = libc::dlsym(handle, name.as_ptr()).cast::<*const c_char>();
        let text = place.as_ref()?;
        (!text.is_null()).then(|| CStr::from_ptr(*text).to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_host_is_refused_by_a_sentence_even_when_forced_without_its_symbols() {
        let judged = || version::judge("kamailio 9.0.0 (x86_64/linux)", "");
        assert_eq!(admit(judged(), false), Err("series 9.0 is not known".to_string()));
        assert!(admit(judged(), true).is_err_and(|why| why.starts_with("it lacks ")));
    }

    #[test]
    fn without_a_host_the_constructor_leaves_the_texts_alone() {
        // SAFETY: written by the constructor only, before main.
        unsafe { assert!(module_version.is_null() && module_flags.is_null()) }
    }
}
