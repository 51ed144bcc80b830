use super::super::api::{self, Api};
use super::*;
use crate::host::ffi::{kstr, route_list};
use crate::host::text::bytes;
use std::cell::RefCell;
use std::ffi::c_char;

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn see(text: &str) {
    SEEN.with_borrow_mut(|seen| seen.push(text.to_owned()));
}

fn seen() -> Vec<String> {
    SEEN.take()
}

unsafe extern "C" fn lookup(_: *mut route_list, name: *mut c_char) -> c_int {
    // SAFETY: a NUL-terminated name, as the host gets it.
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"defined" => 0,
        b"mentioned" => 1,
        _ => -1,
    }
}

unsafe extern "C" fn message() -> *mut sip_msg {
    Box::leak(Box::new(sip_msg { id: 7 }))
}

unsafe extern "C" fn no_message() -> *mut sip_msg {
    ptr::null_mut()
}

unsafe extern "C" fn run(actions: *mut c_void, msg: *mut sip_msg, ctx: *mut run_ctx) -> c_int {
    // SAFETY: pointers of this test, valid for the call.
    let (kind, id, clean) = unsafe { (*api().route_type, (*msg).id, (*ctx).room.iter().all(|word| *word == 0)) };
    see(&format!("run {} kind {kind} msg {id} clean {clean}", actions as usize));
    1
}

unsafe extern "C" fn context() -> *mut run_ctx {
    0x10 as *mut run_ctx
}

unsafe extern "C" fn set_context(ctx: *mut run_ctx) {
    see(if ctx as usize == 0x10 { "context back" } else { "own context" });
}

unsafe extern "C" fn engine() -> *mut c_void {
    ptr::dangling_mut()
}

unsafe extern "C" fn no_engine() -> *mut c_void {
    ptr::null_mut()
}

unsafe extern "C" fn kemi(_: *mut c_void, _: *mut sip_msg, kind: c_int, name: *mut kstr, data: *mut kstr) -> c_int {
    // SAFETY: texts valid for the call, which interpreters read up to a NUL.
    let (name, data) = unsafe {
        assert_eq!(CStr::from_ptr((*name).s).to_bytes(), bytes(&*name));
        assert_eq!(CStr::from_ptr((*data).s).to_bytes(), bytes(&*data));
        (bytes(&*name), bytes(&*data))
    };
    see(&format!("kemi {kind} {} {}", String::from_utf8_lossy(name), String::from_utf8_lossy(data)));
    1
}

fn host() {
    let fake = Api {
        route_lookup: lookup,
        faked_msg_get_next: message,
        run_top_route: run,
        sr_kemi_act_ctx_get: context,
        sr_kemi_act_ctx_set: set_context,
        sr_kemi_eng_get: engine,
        sr_kemi_route: kemi,
        ..Api::fake()
    };
    let routes = Box::leak(Box::new([5 as *mut c_void, ptr::null_mut()]));
    // SAFETY: the fake's own data.
    unsafe {
        (*fake.event_rt).routes = routes.as_mut_ptr();
        *fake.route_type = 1;
    }
    api::pretend(fake);
}

#[test]
fn only_a_route_with_a_body_is_found() {
    host();
    assert_eq!(find(c"defined"), Some(Route(0)));
    assert_eq!(find(c"mentioned"), None);
    assert_eq!(find(c"absent"), None);
}

#[test]
fn a_route_runs_as_an_event_and_leaves_the_process_as_it_was() {
    host();
    assert!(find(c"defined").is_some_and(Route::run));
    assert_eq!(seen(), ["own context", "run 5 kind 513 msg 7 clean true", "context back"]);
    // SAFETY: the fake's own data.
    assert_eq!(unsafe { *api().route_type }, 1);
}

#[test]
fn a_callback_gets_the_event_by_name() {
    host();
    assert!(call(&"ksr_event and more"[..9], &"shardcache:all-down and more"[..19]));
    assert_eq!(seen(), ["own context", "kemi 513 ksr_event shardcache:all-down", "context back"]);
}

#[test]
fn without_a_message_or_a_language_nothing_runs() {
    api::pretend(Api { sr_kemi_eng_get: no_engine, ..Api::fake() });
    assert!(!call("f", "e"));
    api::pretend(Api { sr_kemi_eng_get: engine, faked_msg_get_next: no_message, ..Api::fake() });
    assert!(!call("f", "e"));
}
