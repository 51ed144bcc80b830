//! The one way to the host: a table of pointers to its functions and data, filled when the module is loaded.
//!
//! Nothing of the host is linked, so tests run without one, and a symbol that is missing is a clear refusal. Every
//! required name exists in all supported series; a name that does not goes to the optional lists.

use super::ffi::*;
use super::table::host_symbols;
use once_cell::sync::OnceCell;
use std::ffi::{CString, c_char, c_int, c_long, c_uint, c_void};

host_symbols! {
    functions {
        fn get_loaded_modules() -> *mut sr_module;
        fn find_module_by_name(name: *mut c_char) -> *mut sr_module;
        fn find_param_export(module: *mut sr_module, name: *mut c_char, kinds: c_uint, kind: *mut c_uint) -> *mut c_void;
        fn find_mod_export(module: *mut c_char, name: *mut c_char, params: c_int, flags: c_int) -> *mut c_void;
        // logging
        fn get_debug_level(module: *const c_char, len: c_int) -> c_int;
        fn get_debug_facility(module: *const c_char, len: c_int) -> c_int;
        fn my_pid() -> c_int;
        fn dprint_color(level: c_int);
        fn dprint_color_reset();
        // function parameters
        fn fixup_spve_null(param: *mut *mut c_void, number: c_int) -> c_int;
        fn fixup_free_spve_null(param: *mut *mut c_void, number: c_int) -> c_int;
        fn fixup_pvar_null(param: *mut *mut c_void, number: c_int) -> c_int;
        fn fixup_free_pvar_null(param: *mut *mut c_void, number: c_int) -> c_int;
        fn get_str_fparam(text: *mut kstr, msg: *mut sip_msg, param: *mut fparam) -> c_int;
        // variables; the wide number is cut to 32 bits where the host's own are
        fn pv_get_null(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value) -> c_int;
        fn pv_get_strval(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value, text: *mut kstr) -> c_int;
        fn pv_get_sintval(msg: *mut sip_msg, param: *mut pv_param, value: *mut pv_value, number: c_long) -> c_int;
        fn pv_parse_format(text: *mut kstr, format: *mut *mut pv_elem) -> c_int;
        fn pv_printf_s(msg: *mut sip_msg, format: *mut pv_elem, text: *mut kstr) -> c_int;
        fn pv_elem_free_all(format: *mut pv_elem) -> c_int;
        fn pv_get_spec_value(msg: *mut sip_msg, spec: *mut pv_spec, value: *mut pv_value) -> c_int;
        fn pv_set_spec_value(msg: *mut sip_msg, spec: *mut pv_spec, op: c_int, value: *mut pv_value) -> c_int;
        // structured variables
        fn xavp_add_value(name: *mut kstr, value: *mut xavp_value, list: *mut *mut xavp) -> *mut xavp;
        fn xavp_rm_by_name(name: *mut kstr, all: c_int, list: *mut *mut xavp) -> c_int;
        fn xavp_destroy_list(list: *mut *mut xavp);
        // statistics and embedded languages
        fn register_module_stats(group: *mut c_char, rows: *mut stat_export) -> c_int;
        fn sr_kemi_modules_add(table: *mut kemi_export) -> c_int;
        fn sr_kemi_eng_get() -> *mut c_void;
        // processes and routes
        fn register_basic_timers(count: c_int) -> c_int;
        fn register_fds(count: c_int) -> c_int;
        fn fork_basic_utimer(rank: c_int, name: *mut c_char, tcp: c_int, tick: tick_fn, arg: *mut c_void, us: c_int) -> c_int;
        fn route_lookup(list: *mut route_list, name: *mut c_char) -> c_int;
        fn run_actions(ctx: *mut run_ctx, actions: *mut c_void, msg: *mut sip_msg) -> c_int;
        fn run_top_route(actions: *mut c_void, msg: *mut sip_msg, ctx: *mut run_ctx) -> c_int;
        fn faked_msg_get_next() -> *mut sip_msg;
        fn sr_kemi_route(engine: *mut c_void, msg: *mut sip_msg, kind: c_int, name: *mut kstr, data: *mut kstr) -> c_int;
        fn sr_kemi_act_ctx_get() -> *mut run_ctx;
        fn sr_kemi_act_ctx_set(ctx: *mut run_ctx);
    }
    data {
        process_no: c_int;
        event_rt: route_list;
        main_rt: route_list;
        route_type: c_int;
        log_stderr: c_int;
        log_color: c_int;
        log_level_info: log_level;
        log_prefix_val: *mut kstr;
        _km_log_func: log_fn;
        _ksr_slog_func: slog_fn;
    }
    optional functions {
    }
    optional data {
        dprint_crit: c_int;
    }
}

// SAFETY: the pointers name the host's own functions and data, which stay where they are while the process lives.
unsafe impl Send for Api {}
// SAFETY: as above; the host itself is what must not be called from two threads, and only its own threads call us.
unsafe impl Sync for Api {}

static HOST: OnceCell<Api> = OnceCell::new();

/// The host's functions. To be called only behind an entry from the host.
///
/// # Panics
/// Outside a host, which has then not called us.
#[must_use]
pub fn api() -> &'static Api {
    match find() {
        Some(api) => api,
        None => unreachable!("there is no host"),
    }
}

/// The host's functions, if this process has a host.
#[must_use]
pub fn find() -> Option<&'static Api> {
    #[cfg(test)]
    if let Some(fake) = FAKE.get() {
        return Some(fake);
    }
    HOST.get()
}

/// Looks for every symbol of the host in the running program. The missing names otherwise.
pub(super) fn fill() -> Result<(), Vec<&'static str>> {
    let api = Api::load(symbol)?;
    let _ = HOST.set(api);
    Ok(())
}

/// The address of a global symbol of the running program, or null.
pub(super) fn symbol(name: &str) -> *mut c_void {
    let Ok(name) = CString::new(name) else { return std::ptr::null_mut() };
    // SAFETY: a NUL-terminated name; dlsym only looks it up.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

#[cfg(test)]
thread_local! {
    static FAKE: std::cell::Cell<Option<&'static Api>> = const { std::cell::Cell::new(None) };
}

/// Makes `api` the host of this test's thread.
#[cfg(test)]
pub fn pretend(api: Api) -> &'static Api {
    let api: &'static Api = Box::leak(Box::new(api));
    FAKE.set(Some(api));
    api
}

#[cfg(test)]
fn zeroed<T>() -> *mut T {
    // SAFETY: the host's data of these types (numbers, pointers) may be zero.
    Box::leak(Box::new(unsafe { std::mem::zeroed::<T>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_required_symbol_is_named() {
        let missing = Api::load(|name| if name == "my_pid" { std::ptr::null_mut() } else { std::ptr::dangling_mut() });
        assert_eq!(missing.err(), Some(vec!["my_pid"]));
    }

    #[test]
    fn a_missing_optional_symbol_is_null() {
        let api = Api::load(|name| if name == "dprint_crit" { std::ptr::null_mut() } else { std::ptr::dangling_mut() });
        assert!(api.is_ok_and(|api| api.dprint_crit.is_null()));
    }

    #[test]
    fn outside_a_host_nothing_is_found() {
        assert!(find().is_none());
        assert!(fill().is_err());
    }
}
