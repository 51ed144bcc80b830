//! What the watcher tells the host's other processes of a pair, in shared memory.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::repair::Progress;
use crate::cluster::Shared;

/// All zero: nothing was told yet, or no table has two copies.
#[derive(Debug, Default)]
#[repr(C)]
pub struct RepairCell {
    /// Twice the version of the list that it was told under, and one more when they are whole.
    whole: AtomicU64,
    percent: AtomicU64,
    single: AtomicU64,
}

/// The copies of what is at home on a server, as `shc.list` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopiesView {
    /// Both servers hold all of it, and no host has trouble with either; `None` when no table has two copies.
    pub whole: Option<bool>,
    /// How much of its pass this host's repair has done, percent; 100 when it has none under way.
    pub percent: u64,
    /// Keys with one copy only, because they never rest: counters that are counted all the time.
    pub single: u64,
}

impl RepairCell {
    /// `list`: the version of the list of servers that this holds for.
    pub(super) fn tell(&self, list: u64, whole: bool, progress: Progress) {
        self.percent.store(progress.percent, Relaxed);
        self.single.store(progress.restless, Relaxed);
        self.whole.store(2 * list + u64::from(whole), Relaxed);
    }

    /// Nothing was told yet.
    pub fn clear(&self) {
        [&self.whole, &self.percent, &self.single].into_iter().for_each(|word| word.store(0, Relaxed));
    }

    /// What was told under a list of this version. A list that is not yet followed leaves nothing whole.
    #[must_use]
    pub fn view(&self, list: u64) -> CopiesView {
        let told = self.whole.load(Relaxed);
        if told == 0 && list <= 1 {
            return CopiesView::default();
        }
        let whole = Some(told == 2 * list + 1);
        CopiesView { whole, percent: self.percent.load(Relaxed), single: self.single.load(Relaxed) }
    }
}

impl Shared {
    /// Are all copies of all servers whole, and was nothing left behind when the list of servers changed? `None` when no table has
    /// two copies and the list never changed, and before the first poll.
    #[must_use]
    pub fn whole(&self) -> Option<bool> {
        let layout = self.layout();
        let version = layout.version();
        let mut all = layout.servers().map(|(server, _)| self.server_cell(server).repair.view(version).whole);
        all.try_fold(true, |all, one| Some(all && one?)).filter(|_| !layout.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_shown_and_nothing_before() {
        let cell = RepairCell::default();
        assert_eq!(cell.view(1), CopiesView::default());
        cell.tell(1, false, Progress { percent: 42, restless: 3 });
        assert_eq!(cell.view(1), CopiesView { whole: Some(false), percent: 42, single: 3 });
        cell.tell(1, true, Progress { percent: 100, restless: 0 });
        assert_eq!(cell.view(1), CopiesView { whole: Some(true), percent: 100, single: 0 });
        cell.clear();
        assert_eq!(cell.view(1), CopiesView::default());
    }

    #[test]
    fn what_was_told_of_an_older_list_does_not_count() {
        let cell = RepairCell::default();
        assert_eq!(cell.view(2).whole, Some(false), "not yet followed");
        cell.tell(1, true, Progress { percent: 100, restless: 0 });
        assert_eq!(cell.view(2).whole, Some(false));
        cell.tell(2, true, Progress { percent: 100, restless: 0 });
        assert_eq!(cell.view(2).whole, Some(true));
    }
}
