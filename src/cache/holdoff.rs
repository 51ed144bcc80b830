//! Sources that lag behind: what was invalidated lately is loaded for whoever asks, and not kept.
//!
//! In a table with `holdoff=` an invalidation first leaves a mark in the [table of tags](crate::table::TAGS), which lives for so long. A
//! loader looks for marks after it took the entry's place: an invalidation before that has left its mark by then, and one after it takes
//! the place away. Whether the entry, its tag or its table was invalidated, and on which host, makes no difference.

use super::{Answer, Back, Cache, Mode, on_back};
use crate::table::Table;
use crate::value::frame::Wire;

/// Servers count in whole seconds, and a busy one counts late: so many seconds more.
const SPARE_S: u32 = 2;

/// Names of marks, as no script spells a tag.
fn of_table(table: &str) -> Vec<u8> {
    [b"\0held ", table.as_bytes()].concat()
}

fn of_entry(table: &str, key: &[u8]) -> Vec<u8> {
    [b"\0held ", table.as_bytes(), b":", key].concat()
}

fn of_tag(tag: &[u8]) -> Vec<u8> {
    [b"\0void ", tag].concat()
}

impl Cache {
    pub(super) fn hold_off_entry(&mut self, table: usize, key: &[u8]) -> Answer {
        let Table { name, holdoff, .. } = self.shared.table_at(table);
        self.hold_off(*holdoff, || of_entry(name, key))
    }

    pub(super) fn hold_off_table(&mut self, table: usize) -> Answer {
        let Table { name, holdoff, .. } = self.shared.table_at(table);
        self.hold_off(*holdoff, || of_table(name))
    }

    pub(super) fn hold_off_tag(&mut self, tag: &[u8]) -> Answer {
        let tags = self.shared.table_at(self.shared.tags());
        self.hold_off(tags.holdoff, || of_tag(tag))
    }

    fn hold_off(&mut self, holdoff_s: u32, name: impl FnOnce() -> Vec<u8>) -> Answer {
        if holdoff_s == 0 {
            return Ok(true);
        }
        let (tags, mark) = (self.shared.tags(), Wire { data: b"1", flags: 0 });
        on_back!(self, back => back.put(Mode::Set, tags, &name(), mark, holdoff_s + SPARE_S))
    }

    /// May the source of this entry still say what an invalidation made old, or can nobody tell?
    pub(crate) fn held_off(&mut self, table: usize, key: &[u8]) -> bool {
        let Table { name, holdoff, tag, .. } = self.shared.table_at(table);
        if *holdoff == 0 {
            return false;
        }
        let ruled = tag.as_ref().map(|rule| {
            let mut tag = Vec::new();
            rule.put(key, &mut tag);
            of_tag(&tag)
        });
        let (tags, entry, all) = (self.shared.tags(), of_entry(name, key), of_table(name));
        let marks: Vec<&[u8]> = [entry.as_slice(), &all].into_iter().chain(ruled.as_deref()).collect();
        !on_back!(self, back => back.lacks(tags, &marks))
    }
}
