//! One server's health in shared memory.
//!
//! `word` decides everything; `probe` (when to probe next, how far the backoff and the flap memory have grown) and
//! `calm` only pace the watcher, so that losing an update of theirs with a killed process costs a probe too early
//! and nothing else.

use super::policy::{FLAPS, LEVELS};
use super::word::Word;
use super::{Change, Policy, Poll, Reason, Seen, State};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The health of one server; all zero is a fresh one, up and due for a probe.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Cell {
    word: AtomicU64,
    probe: AtomicU64,
    calm: AtomicU64,
}

impl Cell {
    /// May a worker use this server now? `Some` names the incarnation to connect to and to report about.
    #[must_use]
    pub fn admit(&self) -> Option<u32> {
        let word = self.load();
        word.state().used().then(|| word.incarnation())
    }

    /// [`Cell::admit`] without the number.
    #[must_use]
    pub fn admits(&self) -> bool {
        self.admit().is_some()
    }

    /// A worker's report about an operation begun under the incarnation `begun`; one from an older incarnation says
    /// nothing about today and is ignored. A transition is returned to exactly one caller of all processes.
    pub fn observe(&self, now_ms: u64, begun: u32, seen: Seen, policy: &Policy) -> Option<Change> {
        let (old, new) = self.turn(begun, |word| word.observed(seen, now_ms, policy))?;
        if new.health() == State::Down {
            self.schedule(now_ms, old.health(), new.health(), 0, policy);
        }
        change(old, new)
    }

    /// Is it time for the watcher to probe? A drained server is probed as well.
    #[must_use]
    pub fn probe_due(&self, now_ms: u64) -> bool {
        now_ms >= self.next_probe_ms()
    }

    /// When the next probe is due (ms of the monotonic clock).
    #[must_use]
    pub fn next_probe_ms(&self) -> u64 {
        Probe::unpack(self.probe.load(SeqCst)).next_ms
    }

    /// The watcher's report about a probe begun under the incarnation `begun` (see [`Cell::incarnation`]; after
    /// [`Cell::restarted`], the number that returned). `jitter` is any random number.
    pub fn probed(&self, now_ms: u64, begun: u32, poll: Poll, jitter: u32, policy: &Policy) -> Option<Change> {
        let needed = policy.needed(Probe::unpack(self.probe.load(SeqCst)).flaps);
        let before = self.load();
        if before.incarnation() != begun {
            return None;
        }
        let turned = self.turn(begun, |word| word.probed(poll, now_ms, needed, policy));
        let (old, new) = turned.unwrap_or((before, before));
        if old.reason() == Reason::Unasked && new.health() == State::Up {
            self.pace(|probe| probe.after(now_ms, policy));
        } else {
            self.schedule(now_ms, old.health(), new.health(), jitter, policy);
        }
        change(old, new)
    }

    /// Takes the server out of service, or back in; its observed health goes on underneath.
    pub fn drain(&self, now_ms: u64, on: bool) -> Option<Change> {
        let (old, new) = self.swap(|word| word.drain(on, now_ms))?;
        change(old, new)
    }

    /// The server's process is another one than before: older connections are worthless. Returns the new incarnation.
    pub fn restarted(&self) -> u32 {
        self.swap(|word| Some(word.reborn())).map_or(0, |(_, new)| new.incarnation())
    }

    /// The cell is to be another server's: deaf to whatever was begun for the one before, and down until it was asked for the
    /// first time. Then it needs no more than one good probe.
    pub fn renew(&self, now_ms: u64) {
        let _ = self.swap(|word| Some(word.renewed(now_ms)));
        [&self.probe, &self.calm].into_iter().for_each(|word| word.store(0, SeqCst));
    }

    /// What the server is to this host.
    #[must_use]
    pub fn state(&self) -> State {
        self.load().state()
    }

    /// What was observed of it, even while it is drained.
    #[must_use]
    pub fn health(&self) -> State {
        self.load().health()
    }

    /// Since when the state lasts (ms of the monotonic clock, to the last 32 ms); 0 = since the start.
    #[must_use]
    pub fn since_ms(&self) -> u64 {
        self.load().since_ms()
    }

    /// The last failure of a server that is not up.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.load().reason()
    }

    /// Grows (and wraps at 2^16) whenever connections made before have become worthless: compare for equality.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.load().incarnation()
    }

    fn load(&self) -> Word {
        Word(self.word.load(SeqCst))
    }

    fn turn(&self, begun: u32, step: impl Fn(Word) -> Option<Word>) -> Option<(Word, Word)> {
        self.swap(|word| if word.incarnation() == begun { step(word) } else { None })
    }

    fn swap(&self, step: impl Fn(Word) -> Option<Word>) -> Option<(Word, Word)> {
        let mut old = self.load();
        loop {
            let new = step(old)?;
            match self.word.compare_exchange_weak(old.0, new.0, SeqCst, SeqCst) {
                Ok(_) => return Some((old, new)),
                Err(now) => old = Word(now),
            }
        }
    }

    fn schedule(&self, now_ms: u64, from: State, to: State, jitter: u32, policy: &Policy) {
        match (from, to) {
            (State::Up | State::Suspect, State::Down) => {
                let flapping = now_ms < self.calm.load(SeqCst);
                self.pace(|probe| probe.tripped(now_ms, flapping, jitter, policy));
            }
            (_, State::Down) => self.pace(|probe| probe.failed(now_ms, jitter, policy)),
            (State::Down | State::Returning, State::Up) => {
                self.calm.store(now_ms.saturating_add(policy.flap_window_ms), SeqCst);
                self.pace(|probe| probe.after(now_ms, policy));
            }
            _ => self.pace(|probe| probe.after(now_ms, policy)),
        }
    }

    fn pace(&self, step: impl Fn(Probe) -> Probe) {
        let pack = |packed| Some(step(Probe::unpack(packed)).pack());
        let _ = self.probe.fetch_update(SeqCst, SeqCst, pack);
    }
}

fn change(old: Word, new: Word) -> Option<Change> {
    let (from, to) = (old.state(), new.state());
    let reason = if new.reason() == Reason::None { old.reason() } else { new.reason() };
    (from != to).then_some(Change { from, to, reason })
}

/// The watcher's pace: next probe 48 bits, backoff level 8, flaps 8.
#[derive(Clone, Copy)]
struct Probe {
    next_ms: u64,
    level: u64,
    flaps: u64,
}

impl Probe {
    fn unpack(packed: u64) -> Self {
        Self { next_ms: packed >> 16, level: packed >> 8 & 0xff, flaps: packed & 0xff }
    }

    fn pack(self) -> u64 {
        self.next_ms.min((1 << 48) - 1) << 16 | self.level.min(LEVELS) << 8 | self.flaps.min(FLAPS)
    }

    /// Given up: the backoff of a flapping server grows on from where it ended, any other's starts from the beginning.
    fn tripped(self, now_ms: u64, flapping: bool, jitter: u32, policy: &Policy) -> Self {
        if flapping {
            return Self { flaps: self.flaps + 1, ..self.failed(now_ms, jitter, policy) };
        }
        Self { next_ms: now_ms + policy.backoff_ms(0), level: 0, flaps: 0 }
    }

    fn failed(self, now_ms: u64, jitter: u32, policy: &Policy) -> Self {
        let level = (self.level + 1).min(LEVELS);
        Self { next_ms: now_ms + policy.jittered_ms(level, jitter), level, ..self }
    }

    fn after(self, now_ms: u64, policy: &Policy) -> Self {
        Self { next_ms: now_ms + policy.probe_interval_ms.max(1), ..self }
    }
}
