//! The ring judged by the real libmemcached, asked at run time: any server list, any key, the same server.
//!
//! Needs libmemcached.so.11 (Debian: libmemcached11) and fails without it: a judge who stays away acquits nobody.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use shardcache::ring::Ring;

const LIBRARY: &CStr = c"libmemcached.so.11";
const KETAMA_WEIGHTED: c_uint = 16;

/// The library's own limit where it is built with assertions.
const SERVERS_MAX: usize = 100;

type Handle = *mut c_void;

/// The few functions of libmemcached that this test calls.
struct Library {
    create: unsafe extern "C" fn(Handle) -> Handle,
    free: unsafe extern "C" fn(Handle),
    behavior_set: unsafe extern "C" fn(Handle, c_uint, u64) -> c_int,
    add: unsafe extern "C" fn(Handle, *const c_char, u16, u32) -> c_int,
    add_unix: unsafe extern "C" fn(Handle, *const c_char, u32) -> c_int,
    hash: unsafe extern "C" fn(Handle, *const c_char, usize) -> u32,
}

impl Library {
    fn open() -> Self {
        // SAFETY: a valid C string; the library stays loaded for the life of the process.
        let library = unsafe { libc::dlopen(LIBRARY.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null(), "{LIBRARY:?} cannot be loaded: install the package libmemcached11");
        // SAFETY: the handle is open and the name a valid C string.
        let find = |name: &CStr| unsafe { libc::dlsym(library, name.as_ptr()) };
        // SAFETY: the signatures are those of libmemcached-1.0's headers; in_port_t is u16, enums are as wide as c_int.
        unsafe {
            Self {
                create: function(find(c"memcached_create")),
                free: function(find(c"memcached_free")),
                behavior_set: function(find(c"memcached_behavior_set")),
                add: function(find(c"memcached_server_add_with_weight")),
                add_unix: function(find(c"memcached_server_add_unix_socket_with_weight")),
                hash: function(find(c"memcached_generate_hash")),
            }
        }
    }
}

/// # Safety
/// `F` must be the type of the C function that `symbol` points to.
unsafe fn function<F: Copy>(symbol: Handle) -> F {
    assert!(!symbol.is_null() && size_of::<F>() == size_of::<Handle>(), "a function is missing in {LIBRARY:?}");
    // SAFETY: a function pointer is as wide as a data pointer here, and its type is the caller's promise.
    unsafe { std::mem::transmute_copy(&symbol) }
}

#[derive(Clone, Debug)]
enum Place {
    Tcp(String, u16),
    Unix(String),
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::Tcp(host, 11211) => host.clone(),
            Self::Tcp(host, port) => format!("{host}:{port}"),
            Self::Unix(path) => format!("{path}:0"),
        }
    }
}

type Server = (Place, u32);

/// A libmemcached client that knows some servers; it never connects.
struct Client<'a> {
    library: &'a Library,
    handle: Handle,
}

impl<'a> Client<'a> {
    fn new(library: &'a Library, servers: &[Server]) -> Self {
        // SAFETY: a null argument asks for a fresh client.
        let handle = unsafe { (library.create)(std::ptr::null_mut()) };
        assert!(!handle.is_null());
        // SAFETY: the handle is open; every string lives through its call and is copied by the library.
        let set = |place: &Place, weight| unsafe {
            match place {
                Place::Tcp(host, port) => {
                    (library.add)(handle, CString::new(host.as_str()).unwrap().as_ptr(), *port, weight)
                }
                Place::Unix(path) => (library.add_unix)(handle, CString::new(path.as_str()).unwrap().as_ptr(), weight),
            }
        };
        // SAFETY: the handle is open.
        assert_eq!(unsafe { (library.behavior_set)(handle, KETAMA_WEIGHTED, 1) }, 0);
        for (place, weight) in servers {
            assert_eq!(set(place, *weight), 0, "{place:?}");
        }
        Self { library, handle }
    }

    fn home(&self, key: &[u8]) -> usize {
        // SAFETY: the handle is open and the key is read for its length only.
        unsafe { (self.library.hash)(self.handle, key.as_ptr().cast(), key.len()) as usize }
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `create` and freed once.
        unsafe { (self.library.free)(self.handle) };
    }
}

fn ring_of(servers: &[Server]) -> Ring {
    let names: Vec<_> = servers.iter().map(|(place, weight)| (place.name(), *weight)).collect();
    Ring::new(&names.iter().map(|(name, weight)| (name.as_str(), *weight)).collect::<Vec<_>>())
}

fn any_place() -> impl Strategy<Value = Place> {
    let host = prop_oneof![
        (1_u8..255, 0_u8..255).prop_map(|(c, d)| format!("10.0.{c}.{d}")),
        "[a-z]{1,12}(\\.[a-z0-9]{1,8}){0,3}",
        Just("::1".to_owned()),
    ];
    let port = prop_oneof![Just(11211), 11200_u16..11300, 1_u16..];
    prop_oneof![
        8 => (host, port).prop_map(|(host, port)| Place::Tcp(host, port)),
        1 => "/run/[a-z]{1,20}\\.sock".prop_map(Place::Unix),
    ]
}

fn any_servers() -> impl Strategy<Value = Vec<Server>> {
    let weight = prop_oneof![Just(1_u32), 1_u32..=50];
    let mixed = proptest::collection::vec((any_place(), weight), 1..=SERVERS_MAX);
    let equal = proptest::collection::vec((any_place(), Just(1_u32)), 1..=SERVERS_MAX);
    prop_oneof![2 => mixed, 1 => equal]
}

fn any_keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=250), 200)
}

#[test]
fn any_server_list_places_any_key_where_libmemcached_does() {
    let library = Library::open();
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) });
    let judged = runner.run(&(any_servers(), any_keys()), |(mut servers, keys)| {
        // Where two points coincide the library goes by the order of its list, and the ring by names.
        servers.sort_by_key(|(place, _)| place.name());
        let (client, ring) = (Client::new(&library, &servers), ring_of(&servers));
        for key in keys {
            prop_assert_eq!(ring.home(&[&key]), client.home(&key), "{:?}", key);
        }
        Ok(())
    });
    judged.unwrap();
}

#[test]
fn sizes_where_single_precision_matters_agree_too() {
    let library = Library::open();
    for count in [1, 2, 24, 25, 47, 50, 55, 61, 71, 94, SERVERS_MAX] {
        let servers: Vec<Server> = (0..count).map(|at| (Place::Tcp(format!("10.1.0.{at}"), 11211), 1)).collect();
        let (client, ring) = (Client::new(&library, &servers), ring_of(&servers));
        for key in 0..2000 {
            let key = format!("ipauth:user{key}");
            assert_eq!(ring.home(&[key.as_bytes()]), client.home(key.as_bytes()), "{count} servers, {key}");
        }
    }
}

#[test]
fn a_unix_socket_is_named_by_its_path_and_port_zero() {
    let library = Library::open();
    let servers: Vec<Server> = (0..5).map(|at| (Place::Unix(format!("/run/memcached.{at}")), at + 1)).collect();
    let (client, ring) = (Client::new(&library, &servers), ring_of(&servers));
    for key in 0..2000 {
        let key = format!("k{key}");
        assert_eq!(ring.home(&[key.as_bytes()]), client.home(key.as_bytes()), "{key}");
    }
}
