//! The cells of the pool, its servers, their stripes and the tables, and words for a text, in one anonymous shared mapping that children
//! inherit by fork.

use std::sync::atomic::AtomicU64;

use super::editions::ledger::ListsCell;
use super::shared::{ServerCell, SharedError, TableCell};
use super::versions::StripeCell;
use crate::health::Pool;
use crate::near::Region;

/// What is known of all servers together.
#[derive(Debug, Default)]
#[repr(C)]
struct Head {
    pool: Pool,
    lists: ListsCell,
}

/// The mapping and how many cells of each kind lie in it.
#[derive(Debug)]
pub struct Board {
    region: Region,
    servers: usize,
    tables: usize,
    words: usize,
}

impl Board {
    /// Maps fresh cells: all zero, which every cell takes for "nothing known yet".
    pub fn map(servers: usize, tables: usize, words: usize) -> Result<Self, SharedError> {
        let bytes = Self::words_at(servers, tables) + words * size_of::<AtomicU64>();
        let region = Region::anonymous(bytes).map_err(|cause| SharedError::Map { bytes, cause })?;
        Ok(Self { region, servers, tables, words })
    }

    /// Where the servers' cells begin; those of all together lie before them.
    const SERVERS_AT: usize = size_of::<Head>().next_multiple_of(align_of::<ServerCell>());

    const fn tables_at(servers: usize) -> usize {
        (Self::SERVERS_AT + servers * size_of::<ServerCell>()).next_multiple_of(align_of::<TableCell>())
    }

    const fn stripes_at(servers: usize, tables: usize) -> usize {
        (Self::tables_at(servers) + tables * size_of::<TableCell>()).next_multiple_of(align_of::<StripeCell>())
    }

    pub fn pool(&self) -> &Pool {
        &self.head().pool
    }

    pub fn lists(&self) -> &ListsCell {
        &self.head().lists
    }

    fn head(&self) -> &Head {
        // SAFETY: the region is page-aligned, zeroed, never unmapped while `self` lives and starts with the head
        // by `map`; cells hold atomics only, for which every bit pattern is valid and sharing is sound.
        unsafe { self.region.start().cast().as_ref() }
    }

    const fn words_at(servers: usize, tables: usize) -> usize {
        (Self::stripes_at(servers, tables) + servers * size_of::<StripeCell>())
            .next_multiple_of(align_of::<AtomicU64>())
    }

    pub fn servers(&self) -> &[ServerCell] {
        // SAFETY: as in `head`; `SERVERS_AT` is a multiple of the cell's alignment, and by `map` `servers` cells lie there.
        unsafe { std::slice::from_raw_parts(self.region.start().as_ptr().add(Self::SERVERS_AT).cast(), self.servers) }
    }

    pub fn tables(&self) -> &[TableCell] {
        // SAFETY: as in `head`; `tables_at` is within the region and a multiple of the cell's alignment.
        unsafe {
            std::slice::from_raw_parts(
                self.region.start().as_ptr().add(Self::tables_at(self.servers)).cast(),
                self.tables,
            )
        }
    }

    pub fn stripes(&self) -> &[StripeCell] {
        let at = Self::stripes_at(self.servers, self.tables);
        // SAFETY: as in `servers`; by `map` so many cells begin at `at`, a multiple of their alignment.
        unsafe { std::slice::from_raw_parts(self.region.start().as_ptr().add(at).cast(), self.servers) }
    }

    pub fn words(&self) -> &[AtomicU64] {
        let at = Self::words_at(self.servers, self.tables);
        // SAFETY: as in `servers`; by `map` so many words begin at `at`, a multiple of their alignment.
        unsafe { std::slice::from_raw_parts(self.region.start().as_ptr().add(at).cast(), self.words) }
    }
}
