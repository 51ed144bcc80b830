//! What a watcher knows of one server's counters, and what a poll of them tells.

use super::{Counter, STRIPES};

#[cfg(test)]
mod tests;

/// The counters of one server as they were read last.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// The root's number under which all stripes were read; `None` = they have to be read.
    root: Option<u64>,
    numbers: [u64; STRIPES],
    /// The numbers are this server's own.
    known: bool,
    /// By how much the numbers were ahead of this host's clock at most, microseconds.
    ahead: u64,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { root: None, numbers: [0; STRIPES], known: false, ahead: 0 }
    }
}

impl Gauge {
    /// A poll found this number in the root's record, or no record. True when no stripe has moved since all were read; else
    /// all have to be asked, and until they are read the poll vouches for nothing.
    pub fn rests(&mut self, root: Option<u64>) -> bool {
        if root.is_none() {
            self.forget();
        }
        root.is_some() && root == self.root
    }

    /// Where a counter begins that is not there: later than any number that it had, so that everybody sees that it is another one. The
    /// last ones may be known to other hosts only: while no counter moves more than once in a microsecond, it is past them all.
    #[must_use]
    pub fn start(&self, counter: Counter, clock_us: u64) -> u64 {
        let known = match counter {
            Counter::Stripe(stripe) => self.numbers[usize::from(stripe)],
            Counter::Root => self.root.unwrap_or(0),
        };
        clock_us.saturating_add(self.ahead).max(known.wrapping_add(1))
    }

    /// Takes the answers to a [survey](super::survey) that was sent at `clock_us`: `number` tells each, `None` where the server did
    /// not tell it. `raise` is called for every stripe whose version has to grow. True when the poll vouches for all of them, once
    /// that is done.
    pub fn read(&mut self, clock_us: u64, number: impl Fn(Counter) -> Option<u64>, mut raise: impl FnMut(u8)) -> bool {
        let root = number(Counter::Root);
        let (mut complete, mut latest) = (true, root);
        for (stripe, last) in (0..=u8::MAX).zip(&mut self.numbers) {
            let read = number(Counter::Stripe(stripe));
            complete &= read.is_some();
            latest = latest.max(read);
            if !self.known || read != Some(*last) {
                raise(stripe);
            }
            *last = read.unwrap_or(*last);
        }
        self.ahead = self.ahead.max(latest.unwrap_or(0).saturating_sub(clock_us));
        self.known = complete;
        self.root = root.filter(|_| complete);
        self.root.is_some()
    }

    /// The connection is a new one: all stripes have to be read, whatever the root says.
    pub fn doubt(&mut self) {
        self.root = None;
    }

    /// Another process answers: nothing that was read before compares.
    pub fn forget(&mut self) {
        (self.root, self.known) = (None, false);
    }
}
