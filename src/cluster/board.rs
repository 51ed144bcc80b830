//! The cells of the pool, its servers, their stripes and the tables, and words for a text, in one anonymous shared mapping that children
//! inherit by fork.

use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use super::cells::{ServerCell, TableCell};
use super::count::Lanes;
use super::editions::ledger::ListsCell;
use super::shared::SharedError;
use super::versions::StripeCell;
use crate::health::Pool;
use crate::near::Region;

/// What is known of all servers together.
#[derive(Debug, Default)]
#[repr(C)]
struct Head {
    pool: Pool,
    lists: ListsCell,
    lanes: Lanes,
}

/// The mapping, and where the cells of each kind lie in it.
#[derive(Debug)]
pub struct Board {
    region: Region,
    servers: NonNull<[ServerCell]>,
    tables: NonNull<[TableCell]>,
    stripes: NonNull<[StripeCell]>,
    words: NonNull<[AtomicU64]>,
}

// SAFETY: the pointers lead into the region, which is the board's own; what lies there consists of atomics.
unsafe impl Send for Board {}
// SAFETY: as above.
unsafe impl Sync for Board {}

/// Where each kind begins, counted from the start of the region, each behind the one before.
struct Plan {
    servers: usize,
    tables: usize,
    stripes: usize,
    words: usize,
    end: usize,
}

impl Plan {
    fn new(servers: usize, tables: usize, words: usize) -> Self {
        let servers_at = size_of::<Head>().next_multiple_of(align_of::<ServerCell>());
        let tables_at = (servers_at + servers * size_of::<ServerCell>()).next_multiple_of(align_of::<TableCell>());
        let stripes_at = (tables_at + tables * size_of::<TableCell>()).next_multiple_of(align_of::<StripeCell>());
        let words_at = (stripes_at + servers * size_of::<StripeCell>()).next_multiple_of(align_of::<AtomicU64>());
        let end = words_at + words * size_of::<AtomicU64>();
        Self { servers: servers_at, tables: tables_at, stripes: stripes_at, words: words_at, end }
    }
}

impl Board {
    /// Maps fresh cells: all zero, which every cell takes for "nothing known yet".
    pub fn map(servers: usize, tables: usize, words: usize) -> Result<Self, SharedError> {
        let plan = Plan::new(servers, tables, words);
        let bytes = plan.end;
        let region = Region::anonymous(bytes).map_err(|cause| SharedError::Map { bytes, cause })?;
        fn cells<T>(region: &Region, at: usize, count: usize) -> NonNull<[T]> {
            // SAFETY: by the plan `at` lies within the region.
            NonNull::slice_from_raw_parts(unsafe { region.start().add(at) }.cast(), count)
        }
        Ok(Self {
            servers: cells(&region, plan.servers, servers),
            tables: cells(&region, plan.tables, tables),
            stripes: cells(&region, plan.stripes, servers),
            words: cells(&region, plan.words, words),
            region,
        })
    }

    pub fn pool(&self) -> &Pool {
        &self.head().pool
    }

    pub fn lists(&self) -> &ListsCell {
        &self.head().lists
    }

    pub fn lanes(&self) -> &Lanes {
        &self.head().lanes
    }

    fn head(&self) -> &Head {
        // SAFETY: the region is page-aligned, zeroed, never unmapped while `self` lives and starts with the head
        // by `map`; cells hold atomics only, for which every bit pattern is valid and sharing is sound.
        unsafe { self.region.start().cast().as_ref() }
    }

    pub fn servers(&self) -> &[ServerCell] {
        // SAFETY: as in `head`; by `map` so many cells lie there, at a multiple of their alignment, and nothing else does.
        unsafe { self.servers.as_ref() }
    }

    pub fn tables(&self) -> &[TableCell] {
        // SAFETY: as in `servers`.
        unsafe { self.tables.as_ref() }
    }

    pub fn stripes(&self) -> &[StripeCell] {
        // SAFETY: as in `servers`.
        unsafe { self.stripes.as_ref() }
    }

    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: as in `servers`.
        unsafe { self.words.as_ref() }
    }
}
