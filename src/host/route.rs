//! Event routes of the script, run from a process of our own, and their counterpart in embedded languages.
//!
//! A route may leave by a long jump to the context it was given. The context is our own and the jump is taken inside
//! the host's function, so no frame of ours is ever jumped over.

use super::api::api;
use super::ffi::{EVENT_ROUTE, run_ctx, sip_msg};
use super::text::view;
use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;

/// One event route that the script defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(usize);

/// Looks a route up by name; `None` when the script does not define it. To be called after the script was read.
#[must_use]
pub fn find(name: &CStr) -> Option<Route> {
    // SAFETY: the list is the host's, the name NUL-terminated; a lookup adds nothing.
    let index = unsafe { (api().route_lookup)(api().event_rt, name.as_ptr().cast_mut()) };
    let route = Route(usize::try_from(index).ok()?);
    (!route.actions().is_null()).then_some(route)
}

impl Route {
    fn actions(self) -> *mut c_void {
        // SAFETY: the host gave this index for its own list, which does not shrink.
        unsafe { *(*api().event_rt).routes.add(self.0) }
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
