//! Tables with one copy: who serves a home's keys while it is away, and what happens when it is back.
//!
//! Pure, like [`copies`](super::copies): no sockets, no clock. Each home has a *seat*, a number that says who serves its single
//! keys ([`Seat`]). Its record lies on the home's partner, who is also the stand-in; the watchers move it ([`Poll`]), the
//! workers obey it ([`turn`]). What was written under an older seat is void: [`guard`] tells how a command avoids it.
//! docs/COPIES.md tells the protocol in plain words.

pub mod guard;
pub mod poll;
pub mod seat;
#[cfg(test)]
mod tests;
pub mod turn;

pub use guard::{Counted, Guard, counted};
pub use poll::{Poll, Polled, Watch};
pub use seat::{Phase, Seat};
pub use turn::{Turn, turn};

/// The protocol's constants, and its mechanisms: the simulator switches them off one by one to show what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Width of a stamp in the client flags.
    pub stamp_bits: u32,
    /// How long a phase in which nobody serves is seen before the next one begins, milliseconds: the promised bound plus
    /// `cmd_timeout`, so that no call begun under the phase before is still under way.
    pub wait_ms: u64,
    /// Life of a note that a host cannot reach a home, seconds.
    pub ill_ttl: u32,
    /// The least pause between two returns of a home soon after each other, and the most, milliseconds.
    pub pace_ms: [u64; 2],
    /// Longest life of what the stand-in keeps, seconds.
    pub stand_in_ttl: u32,
    /// The stand-in waits before it opens.
    pub fence_wait: bool,
    /// The home waits before it opens again.
    pub close_wait: bool,
    /// Items at the home are good only under the stamp of the current epoch.
    pub stamps: bool,
    /// The stand-in's keys name the seat's number.
    pub numbered: bool,
    /// A home does not come back while some host cannot reach it.
    pub ill: bool,
    /// A lost record is made again from memory.
    pub memory: bool,
    /// The home keeps a copy of the record, for hosts that know nothing and cannot reach the partner.
    pub copy: bool,
    /// A host whose polls are old reads the record before each call.
    pub verify: bool,
    /// Commands that change an item ask first whether it is void.
    pub guards: bool,
}

impl Rules {
    /// The protocol as it is meant, with a probe interval of 100 ms and a command timeout of 50 ms.
    pub const ALL: Self = Self {
        stamp_bits: 14,
        wait_ms: 202,
        ill_ttl: 3,
        pace_ms: [1_000, 60_000],
        stand_in_ttl: 60,
        fence_wait: true,
        close_wait: true,
        stamps: true,
        numbered: true,
        ill: true,
        memory: true,
        copy: true,
        verify: true,
        guards: true,
    };

    /// The protocol for hosts that wait for a server up to `cmd_timeout_ms` and poll each `probe_interval_ms`.
    #[must_use]
    pub fn timed(cmd_timeout_ms: u32, probe_interval_ms: u32) -> Self {
        let copies = super::copies::Rules::timed(cmd_timeout_ms, probe_interval_ms);
        // Times are cut to milliseconds.
        let wait_ms = u64::from(probe_interval_ms) + 2 * u64::from(cmd_timeout_ms) + 2;
        Self { wait_ms, ill_ttl: copies.ill_ttl, stamp_bits: copies.stamp_bits, ..Self::ALL }
    }

    /// The lifetime that the stand-in gives to what shall live `ttl` seconds (0 = for ever).
    #[must_use]
    pub fn stand_in_life(&self, ttl: u32) -> u32 {
        if ttl == 0 { self.stand_in_ttl } else { ttl.min(self.stand_in_ttl) }
    }
}

/// What holds for one poll: rules, and what this host knows at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub rules: &'a Rules,
    /// May this host use the home, the partner?
    pub up: [bool; 2],
    /// Is most of the pool down for this host? Then the fault is likely its own, and it fences nobody.
    pub alone: bool,
    /// Tenths of seconds of the wall clock: where seats begin that nobody remembers.
    pub clock: u64,
    /// Milliseconds of a clock that only grows.
    pub now_ms: u64,
}
