//! The RPC commands `shc.…`: the same shapes under kamcmd and JSON-RPC.
//!
//! A wrong or missing argument is a fault 400 that names it, an unknown table, server or entry a fault 404, and what
//! the cluster or the transport could not do a fault 500. They run in whatever process serves the transport.

use super::events::Invalidated;
use super::worker;
use crate::cache::{Cache, Verdict};
use crate::cluster::Shared;
use crate::host::entry::entry;
use crate::host::ffi::{RPC_RET_ARRAY, rpc_api, rpc_export};
use crate::host::rpc::{Call, Full};
use std::ffi::{CStr, c_char, c_void};
use std::ptr;

mod args;
mod entries;
mod lists;
mod near;
mod reload;
mod servers;
mod sources;

/// Why a command ended with an error: the code and the text of its fault.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault(u16, String);

impl From<Full> for Fault {
    fn from(_: Full) -> Self {
        Self(500, "the reply does not fit into this transport".to_owned())
    }
}

impl Fault {
    fn bad(text: impl Into<String>) -> Self {
        Self(400, text.into())
    }

    fn absent(text: impl Into<String>) -> Self {
        Self(404, text.into())
    }
}

type Outcome<T = ()> = Result<T, Fault>;
type Command<T> = fn(&mut Call<'_>, &mut Cache, &'static Shared) -> Outcome<T>;

/// What is to be told to the script once a command is done, when the cache is free again.
trait News {
    fn tell(self);
}

impl News for () {
    fn tell(self) {}
}

impl News for Invalidated {
    fn tell(self) {
        self.announce();
    }
}

struct Doc([*const c_char; 2]);

// SAFETY: pointers to constants.
unsafe impl Sync for Doc {}

macro_rules! commands {
    ($($name:literal $flags:expr, $run:path, $doc:literal;)*) => {
        /// The commands; the last row is empty.
        pub const TABLE: [rpc_export; [$($name),*].len() + 1] = [
            $({
                static DOC: Doc = Doc([$doc.as_ptr(), ptr::null()]);
                unsafe extern "C" fn command(api: *mut rpc_api, ctx: *mut c_void) {
                    entry("rpc", || {
                        // SAFETY: the host passes both to the command that runs.
                        if let Some(mut call) = unsafe { Call::new(api, ctx) } {
                            answer(&mut call, $run);
                        }
                    });
                }
                row($name, command, &DOC, $flags)
            },)*
            rpc_export { name: ptr::null(), function: None, doc: ptr::null_mut(), flags: 0 },
        ];
    };
}

type Entry = unsafe extern "C" fn(*mut rpc_api, *mut c_void);

const fn row(name: &'static CStr, function: Entry, doc: &'static Doc, flags: u32) -> rpc_export {
    rpc_export { name: name.as_ptr(), function: Some(function), doc: doc.0.as_ptr().cast_mut(), flags }
}

commands! {
    c"shc.get" 0, entries::get, c"An entry: table key. Its value, type and remaining seconds.";
    c"shc.set" 0, entries::set, c"Stores a string: table key value [ttl].";
    c"shc.seti" 0, entries::seti, c"Stores an integer: table key number [ttl].";
    c"shc.delete" 0, entries::delete, c"Deletes an entry: table key.";
    c"shc.invalidate" 0, entries::invalidate, c"Deletes an entry, if there is one, and tells the script: table key.";
    c"shc.dump" 0, entries::dump, c"A page of a table's entries: table [cursor [limit]]. Go on with the cursor in 'next'.";
    c"shc.hash" 0, entries::hash, c"Where a key lives: table key. The server and the key on the wire.";
    c"shc.bump" 0, entries::bump, c"Empties a table at once: table.";
    c"shc.invalidate_tag" 0, entries::invalidate_tag, c"Makes all entries under a tag void, in all tables: tag.";
    c"shc.listTables" RPC_RET_ARRAY, servers::tables, c"The configured tables.";
    c"shc.list" RPC_RET_ARRAY, servers::list, c"The servers, their state and their errors.";
    c"shc.stats" 0, servers::stats, c"All counters of all tables and servers, and their sums.";
    c"shc.near" 0, near::near, c"What this host keeps in its own memory of near tables: size, use, polls of the servers.";
    c"shc.sources" RPC_RET_ARRAY, sources::list, c"The sources of tables: their databases and what these were asked.";
    c"shc.source" 0, sources::ask, c"Asks the source of a table, past the cache: table key.";
    c"shc.reload" 0, reload::reload, c"Reads the list of servers again, or fills a table from its source: [table [rows per second, or stop]].";
    c"shc.add_server" 0, lists::add_server, c"Adds a server to this host's list: a text as in the parameter 'server'.";
    c"shc.remove_server" 0, lists::remove_server, c"Removes a server from this host's list: name.";
    c"shc.set_state" 0, servers::set_state, c"Takes a server out of use or back: name drain|undrain.";
}

fn answer<T: News>(call: &mut Call<'_>, run: Command<T>) {
    let outcome = worker::with(|worker| {
        let shared = worker.cache.shared();
        run(call, &mut worker.cache, shared)
    });
    match outcome.unwrap_or_else(|| Err(Fault(500, "the module is not initialised".to_owned()))) {
        Ok(news) => news.tell(),
        Err(Fault(code, text)) => call.fault(code, &text),
    }
}

/// What an operation's verdict means to the operator; `missing` is the text for "not there".
fn judged(cache: &Cache, verdict: Verdict, missing: impl FnOnce() -> String) -> Outcome {
    let err = cache.last().err;
    let why = if err.is_empty() { "no reason known" } else { err };
    match verdict {
        Verdict::Done => Ok(()),
        Verdict::Missing => Err(Fault(404, missing())),
        Verdict::Unavailable => Err(Fault(500, format!("no server could answer: {why}"))),
        Verdict::Failed => Err(Fault(500, format!("failed: {why}"))),
    }
}
