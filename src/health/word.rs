//! The state word and its transitions: one `u64` holds all that changes together.
//!
//! From the low end: health 2 bits, drained 1, reason 5, count 7 (failures in a row, or good probes in a row),
//! incarnation 16, calls 1 (a call is among those that failed), and since 32 bits in units of 32 ms (enough for 4
//! years of uptime). Zero is a fresh server, up. Everything here is a pure function from word to word; `None` means
//! "nothing to write".

use super::{Policy, Poll, Reason, Seen, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub u64);

const HEALTH: (u32, u32) = (0, 2);
const DRAINED: (u32, u32) = (2, 1);
const REASON: (u32, u32) = (3, 5);
const COUNT: (u32, u32) = (8, 7);
const INCARNATION: (u32, u32) = (15, 16);
const CALLS: (u32, u32) = (31, 1);
const SINCE: (u32, u32) = (32, 32);

const SINCE_UNIT_MS: u64 = 32;

impl Word {
    fn get(self, (at, bits): (u32, u32)) -> u64 {
        self.0 >> at & ((1 << bits) - 1)
    }

    fn with(self, (at, bits): (u32, u32), value: u64) -> Self {
        let mask = ((1 << bits) - 1) << at;
        Self(self.0 & !mask | value << at & mask)
    }

    /// What was observed, whatever the operator wants.
    pub fn health(self) -> State {
        State::from_bits(self.get(HEALTH))
    }

    pub fn drained(self) -> bool {
        self.get(DRAINED) != 0
    }

    /// What everybody sees.
    pub fn state(self) -> State {
        if self.drained() { State::Drained } else { self.health() }
    }

    pub fn reason(self) -> Reason {
        Reason::from_bits(self.get(REASON))
    }

    pub fn count(self) -> u64 {
        self.get(COUNT)
    }

    pub fn incarnation(self) -> u32 {
        self.get(INCARNATION) as u32
    }

    pub fn since_ms(self) -> u64 {
        self.get(SINCE) * SINCE_UNIT_MS
    }

    fn at(self, now_ms: u64) -> Self {
        self.with(SINCE, (now_ms / SINCE_UNIT_MS).min((1 << SINCE.1) - 1))
    }

    fn to(self, health: State, count: u64, reason: Reason) -> Self {
        self.with(HEALTH, health as u64).with(COUNT, count).with(REASON, reason as u64).with(CALLS, 0)
    }

    /// A call failed, which only a call that succeeds makes good.
    fn owed(self) -> Self {
        self.with(CALLS, 1)
    }

    fn owes(self) -> bool {
        self.get(CALLS) != 0
    }

    /// Connections made before are worthless now.
    pub fn reborn(self) -> Self {
        self.with(INCARNATION, self.get(INCARNATION).wrapping_add(1))
    }

    /// A fresh server that nobody has asked, and of which nothing that was begun before can tell.
    pub fn renewed(self, now_ms: u64) -> Self {
        Self(0).with(INCARNATION, self.get(INCARNATION)).down(Reason::Unasked, now_ms)
    }

    fn down(self, reason: Reason, now_ms: u64) -> Self {
        self.to(State::Down, 0, reason).reborn().at(now_ms)
    }

    fn up(self, now_ms: u64) -> Self {
        self.to(State::Up, 0, Reason::None).at(now_ms)
    }

    pub fn drain(self, on: bool, now_ms: u64) -> Option<Self> {
        (self.drained() != on).then(|| self.with(DRAINED, u64::from(on)).at(now_ms))
    }

    /// Back in use, on probation: the first call that fails gives it up again, the first that succeeds ends that.
    fn back(self, now_ms: u64, policy: &Policy) -> Self {
        self.up(now_ms).with(COUNT, policy.soft_failures().saturating_sub(1)).owed()
    }

    /// After what a worker saw.
    pub fn observed(self, seen: Seen, now_ms: u64, policy: &Policy) -> Option<Self> {
        match (self.health(), seen) {
            (State::Suspect, Seen::Ok) => Some(self.up(now_ms)),
            (State::Up, Seen::Ok) if self.count() > 0 => Some(self.to(State::Up, 0, Reason::None)),
            (State::Up | State::Suspect, Seen::Soft(reason)) => Some(self.missed(reason, now_ms, policy).owed()),
            (_, Seen::Soft(reason) | Seen::Hard(reason)) => self.failed(reason, now_ms),
            _ => None,
        }
    }

    /// One failure is enough.
    fn failed(self, reason: Reason, now_ms: u64) -> Option<Self> {
        (self.health() != State::Down).then(|| self.down(reason, now_ms))
    }

    fn missed(self, reason: Reason, now_ms: u64, policy: &Policy) -> Self {
        let row = self.count() + 1;
        if row >= policy.soft_failures() {
            return self.down(reason, now_ms);
        }
        let word = self.to(State::Suspect, row, reason);
        if self.health() == State::Up { word.at(now_ms) } else { word }
    }

    /// After what the watcher saw; `needed` good probes in a row bring the server back. A good probe does not make up
    /// for a call that failed: a server may answer small questions and hang on others.
    pub fn probed(self, poll: Poll, now_ms: u64, needed: u64, policy: &Policy) -> Option<Self> {
        let reason = self.reason();
        match (self.health(), poll) {
            (State::Down | State::Returning, Poll::Known) if reason == Reason::Unasked => Some(self.up(now_ms)),
            (State::Down | State::Returning, Poll::Known) if self.count() + 1 >= needed => {
                Some(self.back(now_ms, policy))
            }
            (State::Down, Poll::Known) => Some(self.to(State::Returning, 1, reason).at(now_ms)),
            (State::Down, Poll::Pending) => Some(self.to(State::Returning, 0, reason).at(now_ms)),
            (State::Returning, Poll::Known) => Some(self.to(State::Returning, self.count() + 1, reason)),
            (State::Suspect, Poll::Known | Poll::Pending) if !self.owes() => Some(self.up(now_ms)),
            (_, Poll::Known | Poll::Pending) => None,
            (State::Down, Poll::Failed(reason)) => Some(self.to(State::Down, 0, reason)),
            (State::Up | State::Suspect, Poll::Failed(reason)) if !reason.hard() => {
                let word = self.missed(reason, now_ms, policy);
                Some(if self.owes() { word.owed() } else { word })
            }
            (_, Poll::Failed(reason)) => self.failed(reason, now_ms),
        }
    }
}
