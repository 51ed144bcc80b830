//! The story of one call.

use crate::cluster::Shared;
use crate::value::Value;

/// What every call answers to the script. Zero, which would drop the SIP message, cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Verdict {
    /// Found, or done.
    Done = 1,
    /// Not found, or not stored: a server said so.
    Missing = -1,
    /// Nobody could answer.
    Unavailable = -2,
    /// Bad argument, ambiguous outcome or internal error; [`Last::err`] says which.
    Failed = -3,
}

impl Verdict {
    /// The return code in the script.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }
}

/// What a worker remembers of its last operation: `$shcst(...)`.
#[derive(Clone, Debug)]
pub struct Last {
    pub rc: Verdict,
    /// The server that was asked.
    pub server: Option<usize>,
    /// Seconds since the value was stored, where its table's `autoexpire` tells.
    pub age: Option<u32>,
    /// Served although past its soft time.
    pub stale: bool,
    /// Empty, or why the call did not succeed.
    pub err: &'static str,
    /// The fencing number of the last lock taken.
    pub fence: Option<u64>,
}

/// Where a key lives.
#[derive(Clone, Debug)]
pub struct Location {
    pub server: Option<usize>,
    pub wire_key: String,
}

/// One entry of a dump.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub is_int: bool,
    /// Remaining seconds; 0 = never expires.
    pub ttl: u32,
}

/// One page of a dump; `next` is the cursor of the page after it.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub next: Option<String>,
}

/// One worker's way to the cache.
#[derive(Debug)]
pub struct Cache {
    shared: &'static Shared,
    last: Last,
}

#[allow(unused_variables)]
impl Cache {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        let last = Last { rc: Verdict::Done, server: None, age: None, stale: false, err: "", fence: None };
        Self { shared, last }
    }
    #[must_use]
    pub fn shared(&self) -> &'static Shared {
        self.shared
    }
    pub fn get(&mut self, table: usize, key: &[u8], scope: u64) -> Verdict {
        Verdict::Failed
    }
    #[must_use]
    pub fn value(&self) -> Option<Value<'_>> {
        None
    }
    pub fn set(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Verdict {
        Verdict::Failed
    }
    pub fn add(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Verdict {
        Verdict::Failed
    }
    pub fn replace(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Verdict {
        Verdict::Failed
    }
    pub fn cas(&mut self, table: usize, key: &[u8], value: Value<'_>, ttl: Option<u32>, scope: u64) -> Verdict {
        Verdict::Failed
    }
    pub fn touch(&mut self, table: usize, key: &[u8], ttl: u32) -> Verdict {
        Verdict::Failed
    }
    pub fn ttl(&mut self, table: usize, key: &[u8]) -> (Verdict, u32) {
        (Verdict::Failed, 0)
    }
    pub fn inc(&mut self, table: usize, key: &[u8], n: u64, init: u64, ttl: Option<u32>) -> Verdict {
        Verdict::Failed
    }
    pub fn dec(&mut self, table: usize, key: &[u8], n: u64, init: u64, ttl: Option<u32>) -> Verdict {
        Verdict::Failed
    }
    pub fn remove(&mut self, table: usize, key: &[u8]) -> Verdict {
        Verdict::Failed
    }
    pub fn mget(&mut self, table: usize, keys: &[&[u8]]) -> Verdict {
        Verdict::Failed
    }
    #[must_use]
    pub fn found(&self, i: usize) -> (Verdict, Option<Value<'_>>) {
        (Verdict::Failed, None)
    }
    pub fn lock(&mut self, table: usize, key: &[u8], ttl: u32) -> Verdict {
        Verdict::Failed
    }
    pub fn unlock(&mut self, table: usize, key: &[u8], fence: Option<u64>) -> Verdict {
        Verdict::Failed
    }
    pub fn bump(&mut self, table: usize) -> Verdict {
        Verdict::Failed
    }
    /// The server and wire key of an entry, without asking anybody.
    pub fn locate(&mut self, table: usize, key: &[u8]) -> Location {
        Location { server: None, wire_key: String::new() }
    }
    /// One page of a table's entries; `cursor` is empty at first.
    pub fn dump(&mut self, table: usize, cursor: &str, limit: usize) -> Result<Page, String> {
        Ok(Page::default())
    }
    #[must_use]
    pub fn last(&self) -> &Last {
        &self.last
    }
    /// Notes a bad argument that never reached the cache.
    pub fn fail(&mut self, table: Option<usize>, err: &'static str) -> Verdict {
        self.last = Last { rc: Verdict::Failed, server: None, age: None, stale: false, err, fence: None };
        Verdict::Failed
    }
    /// Lets `$shcst(server)` and `$shcst(err)` speak of an event.
    pub fn note_event(&mut self, server: Option<usize>, err: &'static str) {
        self.last = Last { rc: Verdict::Done, server, age: None, stale: false, err, fence: None };
    }
}
