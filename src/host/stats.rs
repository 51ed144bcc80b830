//! Statistics: named numbers that the host asks for, in whatever process happens to answer.
//!
//! The host calls a function without arguments per name, so there is one function per slot; what a slot means is
//! decided once, before fork. The host keeps names and functions by pointer and for good.

use super::api::api;
use super::entry::entry;
use super::ffi::{STAT_IS_FUNC, STAT_NO_RESET, stat_export};
use once_cell::sync::OnceCell;
use std::ffi::{CStr, CString, c_int, c_long, c_void};
use std::ptr;

/// How many numbers can be registered.
pub const SLOTS: usize = 1536;

type Reader = Box<dyn Fn(usize) -> u64 + Send + Sync>;

static READER: OnceCell<Reader> = OnceCell::new();

extern "C" fn value<const SLOT: usize>() -> c_long {
    entry("statistic", || READER.get().map_or(0, |read| c_long::try_from(read(SLOT)).unwrap_or(c_long::MAX)))
}

/// Sixteen functions per number.
macro_rules! values {
    ($($row:literal)*) => { [$(
        value::<{ $row * 16 }>, value::<{ $row * 16 + 1 }>, value::<{ $row * 16 + 2 }>, value::<{ $row * 16 + 3 }>,
        value::<{ $row * 16 + 4 }>, value::<{ $row * 16 + 5 }>, value::<{ $row * 16 + 6 }>, value::<{ $row * 16 + 7 }>,
        value::<{ $row * 16 + 8 }>, value::<{ $row * 16 + 9 }>, value::<{ $row * 16 + 10 }>,
        value::<{ $row * 16 + 11 }>, value::<{ $row * 16 + 12 }>, value::<{ $row * 16 + 13 }>,
        value::<{ $row * 16 + 14 }>, value::<{ $row * 16 + 15 }>,
    )*] };
}

static VALUES: [extern "C" fn() -> c_long; SLOTS] = values!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
    24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
    48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71
    72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95
);

/// Registers `names` in `group`, once, before the host forks; `read` answers by a name's place in the list.
/// Names beyond [`SLOTS`] are left out. False when the host refused.
pub fn register(group: &'static CStr, names: Vec<CString>, read: Reader) -> bool {
    let end = stat_export { name: ptr::null(), flags: 0, source: ptr::null_mut() };
    let rows = names.into_iter().zip(&VALUES).map(|(name, value)| row(name, *value));
    let rows = Box::leak(rows.chain([end]).collect::<Box<[stat_export]>>());
    let _ = READER.set(read);
    // SAFETY: both are NUL-terminated, the list by an empty row, and both live as long as the process.
    unsafe { (api().register_module_stats)(group.as_ptr().cast_mut(), rows.as_mut_ptr()) == 0 }
}

fn row(name: CString, value: extern "C" fn() -> c_long) -> stat_export {
    let flags = (STAT_IS_FUNC | STAT_NO_RESET) as c_int;
    stat_export { name: name.into_raw(), flags, source: value as *mut c_void }
}

#[cfg(test)]
mod tests {
    use super::super::api::{self, Api};
    use super::*;
    use std::ffi::c_char;

    #[test]
    fn each_name_reads_its_own_slot() {
        unsafe extern "C" fn register_all(group: *mut c_char, mut row: *mut stat_export) -> c_int {
            // SAFETY: as the host would: a NUL-terminated group, and rows up to the empty one.
            unsafe {
                assert_eq!(CStr::from_ptr(group), c"shardcache");
                for number in 0..3 {
                    let name = CStr::from_ptr((*row).name).to_str();
                    assert_eq!(name, Ok(["a", "b", "c"][number]));
                    let read: extern "C" fn() -> c_long = std::mem::transmute((*row).source);
                    assert_eq!(read(), [10, 11, c_long::MAX][number]);
                    row = row.add(1);
                }
                assert!((*row).name.is_null());
            }
            0
        }
        api::pretend(Api { register_module_stats: register_all, ..Api::fake() });
        let names = ["a", "b", "c"].map(|name| CString::new(name).unwrap_or_default()).into();
        let read = |slot: usize| if slot == 2 { u64::MAX } else { 10 + slot as u64 };
        assert!(register(c"shardcache", names, Box::new(read)));
    }
}
