//! Calls that change an entry of a near table: they tell all hosts, in the packets that change it.

use super::farm::Farm;
use crate::cluster::news;
use crate::key::Kind;

impl Farm {
    /// The call that begins may change this entry.
    pub fn begin_change(&mut self, table: usize, key: &[u8]) {
        self.news = news::stripe(self.shared.table_at(table), Kind::Entry, key);
    }

    /// That call is over: what this host keeps of the entry in its own memory is void.
    pub fn end_change(&mut self) {
        if let Some(stripe) = self.news.take() {
            self.shared.near_void(&self.layout, self.home, stripe);
        }
    }

    /// The stripe in which the call under way announces what it changes; `None` = nobody needs to know.
    pub fn news(&self) -> Option<u8> {
        self.news
    }
}
