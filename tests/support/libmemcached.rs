//! libmemcached as a judge and a yardstick: the few of its functions that we ask, found at run time.
//!
//! `Client::load` is `None` where the library (Debian: libmemcached11) is not installed.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};

const NAMES: [&CStr; 2] = [c"libmemcached.so.11", c"libmemcached.so"];
const SUCCESS: c_int = 0;
const TCP_NODELAY: c_int = 1;
const KETAMA_WEIGHTED: c_int = 16;
const BINARY_PROTOCOL: c_int = 18;

type Handle = *mut c_void;

#[derive(Clone, Copy)]
struct Library {
    create: unsafe extern "C" fn(Handle) -> Handle,
    free: unsafe extern "C" fn(Handle),
    behavior: unsafe extern "C" fn(Handle, c_int, u64) -> c_int,
    add_tcp: unsafe extern "C" fn(Handle, *const c_char, u16, u32) -> c_int,
    add_unix: unsafe extern "C" fn(Handle, *const c_char) -> c_int,
    home: unsafe extern "C" fn(Handle, *const u8, usize) -> u32,
    get: unsafe extern "C" fn(Handle, *const u8, usize, *mut usize, *mut u32, *mut c_int) -> *mut c_void,
    set: unsafe extern "C" fn(Handle, *const u8, usize, *const u8, usize, i64, u32) -> c_int,
    increment: unsafe extern "C" fn(Handle, *const u8, usize, u32, *mut u64) -> c_int,
    mget: unsafe extern "C" fn(Handle, *const *const u8, *const usize, usize) -> c_int,
    fetch: unsafe extern "C" fn(Handle, Handle, *mut c_int) -> Handle,
    release: unsafe extern "C" fn(Handle),
}

/// One libmemcached handle: ASCII protocol, TCP_NODELAY.
pub struct Client {
    library: Library,
    handle: Handle,
}

impl Client {
    pub fn load() -> Option<Self> {
        let library = Library::load()?;
        // SAFETY: a null handle asks the library to allocate one; it is freed once, in `drop`.
        let handle = unsafe { (library.create)(null_mut()) };
        assert!(!handle.is_null(), "libmemcached allocates a handle");
        let client = Self { library, handle };
        client.behave(TCP_NODELAY, 1);
        Some(client)
    }

    /// Places keys as KETAMA_WEIGHTED.
    pub fn ketama_weighted(self) -> Self {
        self.behave(KETAMA_WEIGHTED, 1);
        self
    }

    /// Speaks the binary protocol instead of ASCII.
    #[allow(dead_code)]
    pub fn binary(self) -> Self {
        self.behave(BINARY_PROTOCOL, 1);
        self
    }

    pub fn tcp(self, host: &CStr, port: u16, weight: u32) -> Self {
        // SAFETY: the handle is alive and the library copies the host name.
        assert_eq!(unsafe { (self.library.add_tcp)(self.handle, host.as_ptr(), port, weight) }, SUCCESS);
        self
    }

    #[allow(dead_code)]
    pub fn unix(self, path: &Path) -> Self {
        let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("a path without NUL");
        // SAFETY: the handle is alive and the library copies the path.
        assert_eq!(unsafe { (self.library.add_unix)(self.handle, path.as_ptr()) }, SUCCESS);
        self
    }

    /// Which server, in the order in which they were added, holds `key`.
    #[allow(dead_code)]
    pub fn home(&self, key: &[u8]) -> usize {
        // SAFETY: pointer and length are those of one slice.
        unsafe { (self.library.home)(self.handle, key.as_ptr(), key.len()) as usize }
    }

    /// The value and its client flags.
    pub fn get(&mut self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        let (mut length, mut flags, mut code) = (0, 0, 0);
        let out = (&raw mut length, &raw mut flags, &raw mut code);
        // SAFETY: pointer and length are those of one slice, and the three results are written before it returns.
        let value = unsafe { (self.library.get)(self.handle, key.as_ptr(), key.len(), out.0, out.1, out.2) };
        if code != SUCCESS {
            return None;
        }
        // SAFETY: on success `value` is null for an empty value, or holds `length` bytes from malloc that are ours.
        unsafe {
            let bytes =
                if value.is_null() { Vec::new() } else { std::slice::from_raw_parts(value.cast(), length).to_vec() };
            libc::free(value);
            Some((bytes, flags))
        }
    }

    pub fn set(&mut self, key: &[u8], value: &[u8]) {
        // SAFETY: each pointer and length are those of one slice.
        let code =
            unsafe { (self.library.set)(self.handle, key.as_ptr(), key.len(), value.as_ptr(), value.len(), 0, 0) };
        assert_eq!(code, SUCCESS, "libmemcached stores a value");
    }

    #[allow(dead_code)]
    pub fn increment(&mut self, key: &[u8]) -> u64 {
        let mut number = 0;
        // SAFETY: pointer and length are those of one slice; the number is written before it returns.
        let code = unsafe { (self.library.increment)(self.handle, key.as_ptr(), key.len(), 1, &raw mut number) };
        assert_eq!(code, SUCCESS, "libmemcached increments a counter");
        number
    }

    /// How many of `keys` are there; the values are fetched and thrown away.
    #[allow(dead_code)]
    pub fn mget(&mut self, keys: &[Vec<u8>]) -> usize {
        let starts: Vec<*const u8> = keys.iter().map(|key| key.as_ptr()).collect();
        let lengths: Vec<usize> = keys.iter().map(Vec::len).collect();
        // SAFETY: both lists have one entry per key and outlive the call, which sends them.
        let code = unsafe { (self.library.mget)(self.handle, starts.as_ptr(), lengths.as_ptr(), keys.len()) };
        assert_eq!(code, SUCCESS, "libmemcached sends a multi-get");
        let mut found = 0;
        loop {
            let mut code = 0;
            // SAFETY: a null result asks the library to allocate one, which is released here.
            unsafe {
                let result = (self.library.fetch)(self.handle, null_mut(), &raw mut code);
                if result.is_null() {
                    return found;
                }
                (self.library.release)(result);
            }
            found += 1;
        }
    }

    fn behave(&self, behavior: c_int, value: u64) {
        // SAFETY: the handle is alive; a behaviour is a number and its value another.
        assert_eq!(unsafe { (self.library.behavior)(self.handle, behavior, value) }, SUCCESS);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the handle came from `create` and is not used again.
        unsafe { (self.library.free)(self.handle) };
    }
}

impl Library {
    fn load() -> Option<Self> {
        // SAFETY: loading runs the library's own constructors only; it is never unloaded.
        let library = NAMES.iter().map(|name| unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) });
        let library = library.into_iter().find(|library| !library.is_null())?;
        let find = |name: &CStr| {
            // SAFETY: `library` is a loaded library and the name ends in NUL.
            let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert_ne!(symbol.cast_const(), null(), "libmemcached has {name:?}");
            symbol
        };
        macro_rules! take {
            ($($field:ident = $name:literal),* $(,)?) => {
                // SAFETY: each field's type above is the one that libmemcached's headers declare for that name.
                unsafe { Self { $($field: std::mem::transmute_copy(&find($name))),* } }
            };
        }
        Some(take! {
            create = c"memcached_create",
            free = c"memcached_free",
            behavior = c"memcached_behavior_set",
            add_tcp = c"memcached_server_add_with_weight",
            add_unix = c"memcached_server_add_unix_socket",
            home = c"memcached_generate_hash",
            get = c"memcached_get",
            set = c"memcached_set",
            increment = c"memcached_increment",
            mget = c"memcached_mget",
            fetch = c"memcached_fetch_result",
            release = c"memcached_result_free",
        })
    }
}
