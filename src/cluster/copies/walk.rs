//! One pass of the elected watcher over a pair's keys, and when it may call both sides complete.
//!
//! A side that is not complete has an *open* full record, written by the repairer's polls. The pass replaces those that were there when it
//! began, by cas: a side that lost its items meanwhile, or from which a copy was taken away, has lost that record too.

use super::mark::View;
use super::poll::{Full, Polled};
use super::{Body, Command, Mended, Mode, Request, Rules, Side, Slot};

/// The state of the passes over one pair.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    under: View,
    started_ms: u64,
    troubled_ms: u64,
    clean: bool,
    /// The full records as they were at the last poll, and when the pass began.
    polled: [Full; 2],
    full: [Full; 2],
}

impl Walk {
    /// After each poll: trouble or a moved mark spoils the pass.
    pub fn polled(&mut self, polled: &Polled, view: &View, now_ms: u64) {
        self.polled = polled.full;
        if polled.ill || *view != self.under {
            self.troubled_ms = now_ms;
            self.clean = false;
            self.under = *view;
        }
    }

    /// A pass begins.
    pub fn begin(&mut self, view: &View, now_ms: u64) {
        self.clean = *view == self.under && !self.polled.contains(&Full::No);
        self.full = self.polled;
        self.started_ms = now_ms;
    }

    /// A key of this pass was looked at.
    pub fn mended(&mut self, mended: &Mended) {
        self.clean &= *mended == Mended::Whole;
    }

    /// From when on a pass may begin that can end in a declaration, if nothing happens.
    #[must_use]
    pub fn calm_ms(&self, rules: &Rules) -> u64 {
        self.troubled_ms + rules.calm_ms
    }

    /// Was nothing wrong for so long that no packet given up before is still on its way?
    #[must_use]
    pub fn calm(&self, rules: &Rules, now_ms: u64) -> bool {
        now_ms >= self.calm_ms(rules)
    }

    /// The pass is over: what to send when all keys were whole, the marks stood still, and no leg that was given up before the
    /// calm can still be on its way.
    #[must_use]
    pub fn declare(&self, view: &View, rules: &Rules) -> Option<Request> {
        let calm = self.started_ms >= self.calm_ms(rules);
        if !self.clean || !calm || *view != self.under || self.full == [Full::Yes; 2] {
            return None;
        }
        let mut request = Request::default();
        for side in Side::BOTH {
            if let Full::Open(cas) = self.full[side as usize] {
                let (slot, mode, body) = (Slot::Full(side), Mode::Cas(cas), Body::Number(view.of(side).0));
                request.on(side).push(Command::Set { slot, mode, stamp: 0, body, ttl: 0 });
            }
        }
        Some(request)
    }
}
