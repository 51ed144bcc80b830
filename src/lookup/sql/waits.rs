//! What the operator hears of drivers that are slow to give up.

use super::Entry;
use crate::host::db::Wait;
use crate::host::log;

/// Names each driver that may keep a loader for longer than the loader keeps its place, `lease_s` seconds.
pub(super) fn warn(list: &[Entry], lease_s: u32) {
    for (at, Entry { driver, .. }) in list.iter().enumerate() {
        let first = list[..at].iter().all(|other| other.driver.name() != driver.name());
        if let Wait::Seconds(longest) = driver.wait()
            && longest > lease_s
            && first
        {
            log::warning(format_args!(
                "sources: {} may keep a process for {longest} s when a database hangs, and others may load an entry after \
                 {lease_s} s: its own timeout should be shorter, or \"load_timeout\" longer",
                driver.name()
            ));
        }
    }
}
