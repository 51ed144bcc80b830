//! Whether a database is asked at all: one cell in shared memory for all workers of the host.
//!
//! A worker that asks waits until the driver gives up, seconds on end. So once a question failed or took too long, and also
//! while one is unanswered for too long, all do without, until a process that nobody waits for has tried again.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Pauses grow up to this, milliseconds.
const PAUSE_MAX_MS: u64 = 30_000;
/// Who tries again keeps the others off for so long, should it never come back; and when nobody has tried for so long after
/// the pause, one who asks does. Milliseconds.
const HOLD_MS: u64 = 60_000;

/// How long is too long, and the first pause, both in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub patience_ms: u64,
    pub retry_ms: u64,
}

/// All zero is a database that nobody has asked yet. Each word has a meaning of its own, whatever the others hold.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Breaker {
    /// Nobody asks before this moment; 0 = it may be asked.
    until_ms: AtomicU64,
    /// Failures in a row.
    failures: AtomicU64,
    /// Since when the oldest question is unanswered; 0 = none is known.
    waiting_ms: AtomicU64,
}

/// Leave to ask once, to be given back by [`Breaker::done`].
#[derive(Debug)]
pub struct Leave {
    begun_ms: u64,
    alone: bool,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that was not known.
    Same,
    /// It is down from now on, for so many milliseconds at first.
    Down(u64),
    /// It is up again.
    Up,
}

impl Breaker {
    /// May the database be asked at this moment?
    pub fn admit(&self, now_ms: u64, policy: &Policy) -> Option<Leave> {
        let until_ms = self.until_ms.load(Relaxed);
        if until_ms == 0 {
            let since_ms = self.waiting_ms.load(Relaxed);
            if since_ms != 0 && now_ms.saturating_sub(since_ms) >= policy.patience_ms {
                self.trip(now_ms, policy);
                return None;
            }
            let _ = self.waiting_ms.compare_exchange(0, now_ms, Relaxed, Relaxed);
            return Some(Leave { begun_ms: now_ms, alone: false });
        }
        self.claim(until_ms + HOLD_MS, now_ms).then_some(Leave { begun_ms: now_ms, alone: true })
    }

    /// Is it to be tried again, by the caller? If so, it must say what came of it.
    pub fn retry(&self, now_ms: u64) -> bool {
        self.claim(0, now_ms)
    }

    /// Takes over who tries again, when the pause is over and this moment has come.
    fn claim(&self, not_before_ms: u64, now_ms: u64) -> bool {
        let until_ms = self.until_ms.load(Relaxed);
        let due = until_ms != 0 && now_ms >= until_ms.max(not_before_ms);
        due && self.until_ms.compare_exchange(until_ms, now_ms + HOLD_MS, Relaxed, Relaxed).is_ok()
    }

    /// What came of trying again.
    pub fn retried(&self, answered: bool, now_ms: u64, policy: &Policy) -> Turn {
        if answered {
            self.failures.store(0, Relaxed);
            return if self.until_ms.swap(0, Relaxed) == 0 { Turn::Same } else { Turn::Up };
        }
        let failures = self.failures.fetch_add(1, Relaxed);
        self.until_ms.store(now_ms + pause(failures, policy), Relaxed);
        Turn::Same
    }

    /// The question was answered, or not; an answer that took too long is a failure too.
    pub fn done(&self, leave: Leave, answered: bool, now_ms: u64, policy: &Policy) -> Turn {
        self.waiting_ms.store(0, Relaxed);
        let quick = now_ms.saturating_sub(leave.begun_ms) < policy.patience_ms;
        if leave.alone || (answered && quick) {
            return self.retried(answered && quick, now_ms, policy);
        }
        self.trip(now_ms, policy).map_or(Turn::Same, Turn::Down)
    }

    /// Milliseconds until it is asked again; 0 while it is up.
    #[must_use]
    pub fn pause_ms(&self, now_ms: u64) -> u64 {
        match self.until_ms.load(Relaxed) {
            0 => 0,
            until_ms => until_ms.saturating_sub(now_ms).max(1),
        }
    }

    /// Down from now on, unless it is already; the pause.
    fn trip(&self, now_ms: u64, policy: &Policy) -> Option<u64> {
        let pause = pause(0, policy);
        let mine = self.until_ms.compare_exchange(0, now_ms + pause, Relaxed, Relaxed).is_ok();
        if mine {
            self.failures.store(1, Relaxed);
            self.waiting_ms.store(0, Relaxed);
        }
        mine.then_some(pause)
    }
}

fn pause(failures: u64, policy: &Policy) -> u64 {
    (policy.retry_ms << failures.min(10)).min(PAUSE_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { patience_ms: 500, retry_ms: 1_000 };

    fn asked(breaker: &Breaker, now_ms: u64) -> Leave {
        breaker.admit(now_ms, &POLICY).expect("leave to ask")
    }

    #[test]
    fn while_it_answers_everybody_may_ask() {
        let breaker = Breaker::default();
        let (one, other) = (asked(&breaker, 10), asked(&breaker, 11));
        assert_eq!(breaker.done(other, true, 12, &POLICY), Turn::Same);
        assert_eq!(breaker.done(one, true, 13, &POLICY), Turn::Same);
        assert_eq!(breaker.pause_ms(14), 0);
    }

    #[test]
    fn a_failure_keeps_all_off_until_one_has_tried_again() {
        let breaker = Breaker::default();
        let (one, other) = (asked(&breaker, 10), asked(&breaker, 10));
        assert_eq!(breaker.done(one, false, 20, &POLICY), Turn::Down(1_000));
        assert_eq!(breaker.done(other, false, 30, &POLICY), Turn::Same, "known already, and not a second failure");
        assert!(!breaker.retry(1_019));
        assert!(breaker.retry(1_020) && !breaker.retry(1_021));
        assert!(breaker.admit(20_000, &POLICY).is_none(), "while it waits nobody else does");
        assert_eq!(breaker.retried(true, 20_001, &POLICY), Turn::Up);
        assert!(!breaker.retry(20_002));
        asked(&breaker, 20_002);
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let breaker = Breaker::default();
        let mut now_ms = 10;
        breaker.done(asked(&breaker, now_ms), false, now_ms, &POLICY);
        for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            assert_eq!(breaker.pause_ms(now_ms), pause);
            now_ms += pause;
            assert!(breaker.retry(now_ms));
            assert_eq!(breaker.retried(false, now_ms, &POLICY), Turn::Same);
        }
        now_ms += 30_000;
        assert!(breaker.retry(now_ms));
        assert_eq!(breaker.retried(true, now_ms, &POLICY), Turn::Up);
        breaker.done(asked(&breaker, now_ms), false, now_ms, &POLICY);
        assert_eq!(breaker.pause_ms(now_ms), 1_000, "it begins anew");
    }

    #[test]
    fn who_waits_for_too_long_is_a_warning_to_the_others() {
        let breaker = Breaker::default();
        let hung = asked(&breaker, 10);
        let also = asked(&breaker, 509);
        assert!(breaker.admit(510, &POLICY).is_none());
        assert!(breaker.admit(511, &POLICY).is_none());
        assert_eq!(breaker.done(hung, false, 6_000, &POLICY), Turn::Same);
        assert_eq!(breaker.done(also, false, 6_000, &POLICY), Turn::Same);
    }

    #[test]
    fn an_answer_that_came_too_late_is_a_failure() {
        let breaker = Breaker::default();
        assert_eq!(breaker.done(asked(&breaker, 10), true, 510, &POLICY), Turn::Down(1_000));
    }

    #[test]
    fn who_tried_again_and_never_came_back_does_not_keep_the_others_off_for_ever() {
        let breaker = Breaker::default();
        breaker.done(asked(&breaker, 10), false, 10, &POLICY);
        assert!(breaker.retry(1_010));
        assert!(!breaker.retry(61_009));
        assert!(breaker.admit(121_009, &POLICY).is_none());
        let alone = asked(&breaker, 121_010);
        assert!(breaker.admit(121_011, &POLICY).is_none());
        assert_eq!(breaker.done(alone, true, 121_600, &POLICY), Turn::Same, "too late");
        assert!(breaker.retry(121_600 + breaker.pause_ms(121_600)));
        assert_eq!(breaker.retried(true, 130_000, &POLICY), Turn::Up);
    }
}
