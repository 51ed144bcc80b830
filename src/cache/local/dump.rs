//! The entries of a table, page by page, from the host's own store.

use std::sync::atomic::Ordering::Relaxed;

use super::{Local, left, seconds};
use crate::cache::dump::{Entry, PATIENCE, Page, Unread};
use crate::clock::{self, Deadline};
use crate::near;
use crate::value::frame::Wire;
use crate::value::{Digits, Value};

impl Local {
    pub fn dump(&mut self, table: usize, cursor: &str, limit: usize) -> Result<Page, Unread> {
        let mut at: u64 = match cursor {
            "" => 0,
            text => text.parse().map_err(|_| Unread::Cursor(text.to_owned()))?,
        };
        let prefix = self.prefix(table);
        let (now, end, mut page) = (seconds(), Deadline::after(PATIENCE), Page::default());
        while page.entries.len() < limit && !end.passed(clock::monotonic_ns()) {
            let left = limit - page.entries.len();
            let found = self.store.scan(at, left, prefix.as_bytes(), now, self.deadline());
            let found = found.map_err(|fault| fault.to_string())?;
            page.entries.extend(found.entries.iter().filter_map(|item| shown(item, prefix.len(), now)));
            page.next = found.next.map(|next| next.to_string());
            let Some(next) = found.next else { break };
            at = next;
        }
        Ok(page)
    }

    fn prefix(&self, table: usize) -> String {
        let generation = self.shared.table_cell(table).generation.load(Relaxed);
        format!("{}@{generation}:", self.shared.table_at(table).name)
    }
}

/// The entry, if a read would bring a value.
fn shown(item: &near::Entry, prefix: usize, now_s: u64) -> Option<Entry> {
    let value = Wire { data: &item.value, flags: item.hit.flags }.untagged().shown()?;
    let is_int = matches!(value, Value::Int(_));
    let mut digits = Digits::default();
    let value = value.to_wire(&mut digits).0.to_vec();
    let ttl = left(&item.hit, now_s).and_then(|left| u32::try_from(left).ok()).unwrap_or(0);
    Some(Entry { key: item.key[prefix..].to_vec(), value, is_int, ttl })
}
