//! Two copies of each key, and what keeps them true while servers die, hang, are cut off and come back.
//!
//! Pure: no sockets, no clock, no randomness, no allocation. An operation is a small machine: it asks for one exchange
//! ([`Step::Send`], a packet of abstract commands for either side), gets what each side answered ([`Legs`]), and goes on
//! until it is [`Step::Done`]. The module's driver speaks to memcached, the simulator's to model servers; both run this code.
//! docs/COPIES.md tells the protocol in plain words.

mod alone;
mod change;
pub mod commit;
pub mod count;
mod follow;
mod learn;
pub mod legs;
pub mod mark;
pub mod mend;
mod pace;
pub mod packet;
pub mod poll;
pub mod read;
mod settle;
pub mod sight;
mod task;
#[cfg(test)]
mod tests;
mod twins;
pub mod void;
pub mod walk;
pub mod write;

pub use commit::{Commit, Token, When};
pub use count::Count;
pub use legs::{Answer, Fate, Hit, Leg, Legs};
pub use mark::{Mark, View};
pub use mend::{Mend, Mended};
pub use pace::Pace;
pub use packet::{Body, Command, Mode, Packet, Side, Slot};
pub use poll::{Full, Poll, Polled};
pub use read::Read;
pub use task::Seen;
pub use walk::Walk;
pub use write::Write;

/// What holds for one exchange: rules, and what this host knows about the pair at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub rules: &'a Rules,
    /// May this host use the home, the partner?
    pub up: [bool; 2],
    /// Was a poll of the partner, sent within the promised bound, answered? (Then the home's mark is known well enough.)
    pub fresh: bool,
    /// Does most of the pool seem down? Then this host is the problem: it answers at once, and voids nothing.
    pub isolated: bool,
    /// Has the home, the partner, not failed this host within the promised bound? Where both did, the host may be the problem: it
    /// does not void one on the word of the other.
    pub steady: [bool; 2],
    /// Is the home, the partner, gone: does it refuse this host, or has it been silent for longer than the rules' patience?
    pub gone: [bool; 2],
    /// Tenths of seconds of the wall clock: where marks begin that nobody remembers.
    pub clock: u64,
    /// Milliseconds of a clock that only grows.
    pub now_ms: u64,
}

impl<'a> Scene<'a> {
    /// Nothing is known against either side.
    #[must_use]
    pub const fn calm(rules: &'a Rules) -> Self {
        Self {
            rules,
            up: [true; 2],
            fresh: true,
            isolated: false,
            steady: [true; 2],
            gone: [false; 2],
            clock: 1,
            now_ms: 1,
        }
    }

    #[must_use]
    pub fn up(&self, side: Side) -> bool {
        self.up[side as usize]
    }

    /// May this host void `side`?
    #[must_use]
    pub fn may_void(&self, side: Side) -> bool {
        !self.isolated && self.steady[side.other() as usize]
    }

    #[must_use]
    pub fn gone(&self, side: Side) -> bool {
        self.gone[side as usize]
    }

    /// Is there nobody to ask?
    #[must_use]
    pub fn nobody(&self) -> bool {
        self.isolated && self.rules.stand_back || self.up == [false, false]
    }
}

/// The protocol's constants, and its mechanisms: the simulator switches them off one by one to show what each is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Width of a stamp in the client flags.
    pub stamp_bits: u32,
    /// Life of a tombstone, seconds.
    pub tomb_ttl: u32,
    /// How long nothing may be wrong before a pair is called whole, milliseconds.
    pub calm_ms: u64,
    /// Life of a note that a host cannot reach a server, seconds.
    pub ill_ttl: u32,
    /// Life of the lease of the repairer, seconds.
    pub lease_ttl: u32,
    /// How long a silent side is waited for while the other one lacks some of its items, milliseconds.
    pub patience_ms: u64,
    /// Pause between the two looks of a repair, milliseconds: `cmd_timeout` and a little.
    pub gap_ms: u64,
    /// Items are trusted only under the stamp of the current epoch.
    pub stamps: bool,
    /// A missing leg is voided before the write is acknowledged.
    pub bump: bool,
    /// Deletes leave a tombstone.
    pub tombs: bool,
    /// A complete side's silence counts as "not there".
    pub complete: bool,
    /// Repair needs two equal looks.
    pub two_looks: bool,
    /// A counter's wire key names its epoch.
    pub counter_epochs: bool,
    /// Each write reads the other side's mark.
    pub witness: bool,
    /// A lost mark is made again from memory.
    pub memory: bool,
    /// Stamps of an epoch are used only after it was activated.
    pub activation: bool,
    /// Only where the other side is complete is a side void that was missed once.
    pub survivor: bool,
    /// An item that may be old is believed only when the other side was asked too.
    pub confirm: bool,
    /// A miss is told only when both sides, or a complete one, say so.
    pub sure_miss: bool,
    /// Nobody is asked while most of the pool seems down.
    pub stand_back: bool,
    /// No packet goes to a server that went out of use since the call began.
    pub heed: bool,
}

impl Rules {
    /// The protocol as it is meant.
    pub const ALL: Self = Self {
        stamp_bits: 14,
        tomb_ttl: 120,
        calm_ms: 3000,
        ill_ttl: 3,
        lease_ttl: 3,
        patience_ms: 3000,
        gap_ms: 60,
        stamps: true,
        bump: true,
        tombs: true,
        complete: true,
        two_looks: true,
        counter_epochs: true,
        witness: true,
        memory: true,
        activation: true,
        survivor: true,
        confirm: true,
        sure_miss: true,
        stand_back: true,
        heed: true,
    };
}

impl Rules {
    /// The protocol for hosts that wait for a server up to `cmd_timeout_ms` and poll each `probe_interval_ms`.
    #[must_use]
    pub fn timed(cmd_timeout_ms: u32, probe_interval_ms: u32) -> Self {
        // Two polls in a row may take that long, and a note or a lease has to outlive them.
        let polls_ms = 2 * (u64::from(probe_interval_ms) + 3 * u64::from(cmd_timeout_ms));
        let lives = u32::try_from(1 + polls_ms.div_ceil(1000)).unwrap_or(u32::MAX);
        Self {
            calm_ms: Self::ALL.calm_ms.max(2 * polls_ms),
            ill_ttl: Self::ALL.ill_ttl.max(lives),
            lease_ttl: Self::ALL.lease_ttl.max(lives),
            gap_ms: u64::from(cmd_timeout_ms) + 10,
            ..Self::ALL
        }
    }
}

/// What a machine wants next.
#[allow(clippy::large_enum_variant, reason = "a machine allocates nothing")]
#[derive(Clone, Copy, Debug)]
pub enum Step<T> {
    Send(Request),
    Done(T),
}

impl<T> Step<T> {
    /// The same without what would go to a server that is out of use by now: a call does not wait for one.
    #[must_use]
    fn heeding(mut self, scene: &Scene<'_>) -> Self {
        if let Self::Send(request) = &mut self {
            for side in Side::BOTH.into_iter().filter(|side| scene.rules.heed && !scene.up(*side)) {
                *request.on(side) = Packet::default();
            }
        }
        self
    }
}

/// One exchange: a packet for either side; an empty one is not sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    pub home: Packet,
    pub partner: Packet,
}

impl Request {
    /// The packet for `side`.
    #[must_use]
    pub fn of(&self, side: Side) -> &Packet {
        match side {
            Side::Home => &self.home,
            Side::Partner => &self.partner,
        }
    }

    /// Is there nothing to be sent?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.home.is_empty() && self.partner.is_empty()
    }

    /// The packet for `side`, to be filled.
    pub fn on(&mut self, side: Side) -> &mut Packet {
        match side {
            Side::Home => &mut self.home,
            Side::Partner => &mut self.partner,
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The value that `side` sent in the last exchange. `verified`: under the current epoch.
    Found {
        side: Side,
        verified: bool,
    },
    /// The counter's number.
    Number(u64),
    /// A count met a plain value: it goes on by get and cas. `counted`: a side has counted beside the value, for nothing: whoever gives
    /// up then, or finds the value gone, may not count again, nor say that nothing was done.
    Plain {
        counted: bool,
    },
    /// Not there, not stored; confirmed.
    Missing,
    /// Nothing was done, or nobody who knows could be asked.
    Unavailable,
    /// It may have been done, or may yet be.
    Ambiguous,
}
