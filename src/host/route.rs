//! Routes of the script, and their counterparts in embedded languages: event routes, run from a process of our own, and
//! plain ones, run while a function of ours is called.
//!
//! A route may leave by a long jump to the context it was given. The context is our own and the jump is taken inside
//! the host's function, so no frame of ours is ever jumped over.

use super::api::api;
use super::ffi::{EVENT_ROUTE, SCRIPT_ENDS, route_list, run_ctx, sip_msg};
use super::text::view;
use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;

/// One event route that the script defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(usize);

/// Looks an event route up by name; `None` when the script does not define it. To be called after the script was read.
#[must_use]
pub fn find(name: &CStr) -> Option<Route> {
    index(api().event_rt, name).map(Route)
}

/// The place of a route that has a body.
fn index(list: *mut route_list, name: &CStr) -> Option<usize> {
    // SAFETY: the list is the host's, the name NUL-terminated; a lookup adds nothing.
    let index = unsafe { (api().route_lookup)(list, name.as_ptr().cast_mut()) };
    let index = usize::try_from(index).ok()?;
    (!actions(list, index).is_null()).then_some(index)
}

fn actions(list: *mut route_list, index: usize) -> *mut c_void {
    // SAFETY: the host gave this index for its own list, which does not shrink.
    unsafe { *(*list).routes.add(index) }
}

/// One route that others call: `route[NAME]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subroute(usize);

/// How a route ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: c_int,
    /// By `exit`, `drop` or `return 0`: the whole script ends.
    pub script: bool,
}

/// Looks a route up by name, as [`find`].
#[must_use]
pub fn subroute(name: &[u8]) -> Option<Subroute> {
    index(api().main_rt, &CString::new(name).ok()?).map(Subroute)
}

impl Subroute {
    /// Runs the route for the message that the script handles.
    ///
    /// # Safety
    /// `msg` must be the host's, of the running call.
    pub unsafe fn call(self, msg: *mut sip_msg) -> Ended {
        let mut ctx = run_ctx { room: [0; 128] };
        // SAFETY: the caller's promise; the route is the host's own, the context ours, so that a jump out of the route
        // ends within this call.
        let code = unsafe { (api().run_actions)(&raw mut ctx, actions(api().main_rt, self.0), msg) };
        Ended { code, script: ctx.flags() & SCRIPT_ENDS != 0 }
    }
}

impl run_ctx {
    /// What the host noted of the route's end: the second of its three numbers.
    fn flags(&self) -> u32 {
        (self.room[0] >> 32) as u32
    }
}

impl Route {
    fn actions(self) -> *mut c_void {
        actions(api().event_rt, self.0)
    }

    /// Runs the route with a made-up message. False when the host has none to give.
    pub fn run(self) -> bool {
        within(|msg, ctx| {
            // SAFETY: the route is the host's own, message and context are valid for the call.
            unsafe { (api().run_top_route)(self.actions(), msg, ctx) };
        })
    }
}

/// Does an embedded language run the script?
#[must_use]
pub fn has_language() -> bool {
    // SAFETY: a plain getter.
    !unsafe { (api().sr_kemi_eng_get)() }.is_null()
}

/// Calls a function of the embedded language for the message that it handles. False when no such language is loaded.
///
/// Whether there is such a function, and what it returns, the host does not tell.
///
/// # Safety
/// `msg` must be the host's, of the running call.
#[must_use]
pub unsafe fn call_function(function: &[u8], msg: *mut sip_msg) -> bool {
    // SAFETY: a plain getter.
    let engine = unsafe { (api().sr_kemi_eng_get)() };
    let Ok(function) = CString::new(function) else { return false };
    if engine.is_null() {
        return false;
    }
    let mut function = view(function.to_bytes());
    // SAFETY: the caller's promise; the host only reads the name, which ends with NUL. Interpreters take a call by name for
    // that of an event.
    unsafe { (api().sr_kemi_route)(engine, msg, EVENT_ROUTE as c_int, &raw mut function, ptr::null_mut()) };
    true
}

/// Calls `function` of the embedded language with the event's name. False when no such language is loaded.
pub fn call(function: &str, event: &str) -> bool {
    // SAFETY: a plain getter.
    let engine = unsafe { (api().sr_kemi_eng_get)() };
    if engine.is_null() {
        return false;
    }
    // Interpreters take both for C strings.
    let (Ok(function), Ok(event)) = (CString::new(function), CString::new(event)) else { return false };
    within(|msg, _| {
        let (mut function, mut event) = (view(function.to_bytes()), view(event.to_bytes()));
        // SAFETY: all pointers are valid for the call, and the host only reads the two texts, which end with NUL.
        unsafe {
            (api().sr_kemi_route)(engine, msg, EVENT_ROUTE as c_int, &raw mut function, &raw mut event);
        }
    })
}

/// Runs `act` with a made-up message and an own context, as a route of type "event"; puts back what was there.
fn within(act: impl FnOnce(*mut sip_msg, *mut run_ctx)) -> bool {
    let api = api();
    // SAFETY: the host's own message, valid until the next one is asked for.
    let msg = unsafe { (api.faked_msg_get_next)() };
    if msg.is_null() {
        return false;
    }
    let mut ctx = Box::new(run_ctx { room: [0; 128] });
    // SAFETY: data and functions of the host, used by this process alone; `ctx` outlives the call and is taken out
    // again before it goes.
    unsafe {
        let route_type = ptr::replace(api.route_type, EVENT_ROUTE as c_int);
        let context = (api.sr_kemi_act_ctx_get)();
        (api.sr_kemi_act_ctx_set)(&raw mut *ctx);
        act(msg, &raw mut *ctx);
        (api.sr_kemi_act_ctx_set)(context);
        api.route_type.write(route_type);
    }
    true
}

#[cfg(test)]
#[path = "route/tests.rs"]
mod tests;
