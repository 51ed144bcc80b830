//! One pass of the elected watcher over a pair's keys, and when it may call both sides complete.

use super::mark::View;
use super::poll::Polled;
use super::{Body, Command, Mended, Mode, Request, Rules, Side, Slot};

/// The state of the passes over one pair.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    under: View,
    started_ms: u64,
    troubled_ms: u64,
    clean: bool,
}

impl Walk {
    /// After each poll: trouble or a moved mark spoils the pass.
    pub fn polled(&mut self, polled: &Polled, view: &View, now_ms: u64) {
        if polled.ill || *view != self.under {
            self.troubled_ms = now_ms;
            self.clean = false;
            self.under = *view;
        }
    }

    /// A pass begins.
    pub fn begin(&mut self, view: &View, now_ms: u64) {
        self.clean = *view == self.under;
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

    /// The pass is over: what to send when all keys were whole, the marks stood still, and no leg that was given up before the
    /// calm can still be on its way.
    #[must_use]
    pub fn declare(&self, view: &View, rules: &Rules) -> Option<Request> {
        let calm = self.started_ms >= self.calm_ms(rules);
        if !self.clean || !calm || *view != self.under {
            return None;
        }
        let mut request = Request::default();
        for side in Side::BOTH {
            let (slot, mode, body) = (Slot::Full(side), Mode::Set, Body::Number(view.of(side).0));
            request.on(side).push(Command::Set { slot, mode, stamp: 0, body, ttl: 0 });
        }
        Some(request)
    }
}
