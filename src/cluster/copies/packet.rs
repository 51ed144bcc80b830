//! The abstract commands of one exchange.
//!
//! A packet is a short fixed list: nothing is allocated. The value's bytes stay with the driver; machines see digests.

use super::Rules;

/// One of the two servers of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Home,
    Partner,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Home, Self::Partner];

    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Home => Self::Partner,
            Self::Partner => Self::Home,
        }
    }
}

/// Which record a command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The key's item.
    Item,
    /// The key's tombstone, beside the item.
    Tomb,
    /// The key's counter under this epoch.
    Counter(u64),
    /// The mark of that side's copies; kept on the other side.
    Mark(Side),
    /// The mark under which that side was found complete; kept on that side itself, so that it dies with its items.
    Full(Side),
    /// "Somebody cannot reach that side"; kept on the other side.
    Ill(Side),
    /// Who repairs this pair.
    Lease,
    /// Who serves the home's single keys; kept on the partner, a copy on the home.
    Seat,
}

/// On which condition a `Set` stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Set,
    Add,
    Cas(u64),
}

/// What a `Set` stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// The caller's value.
    Value,
    /// The item that the last look found on that side.
    Copy(Side),
    Number(u64),
    Empty,
}

/// One command of the meta protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Get {
        slot: Slot,
    },
    /// `ttl` in seconds, 0 = never.
    Set {
        slot: Slot,
        mode: Mode,
        stamp: u16,
        body: Body,
        ttl: u32,
    },
    Delete {
        slot: Slot,
        cas: Option<u64>,
    },
    /// Adds (or subtracts); a missing number is made as `init`, when given.
    Count {
        slot: Slot,
        delta: u64,
        down: bool,
        init: Option<u64>,
        ttl: u32,
    },
    /// Gives the item a new lifetime and answers like `Get`, with the lifetime that it had.
    Touch {
        slot: Slot,
        ttl: u32,
    },
    /// Gives a number a new lifetime and a new cas, as a count of 0 does, and answers like `Count`.
    Prolong {
        slot: Slot,
        ttl: u32,
    },
}

impl Command {
    /// Takes a counter's place: whatever comes late makes none there, and counts on none. Whoever reads it finds nothing.
    #[must_use]
    pub fn bar(slot: Slot, mode: Mode, rules: &Rules) -> Self {
        Self::Set { slot, mode, stamp: 0, body: Body::Empty, ttl: rules.tomb_ttl }
    }

    /// May it change what a read of the key brings?
    #[must_use]
    pub fn changes(&self) -> bool {
        let (Self::Get { slot }
        | Self::Set { slot, .. }
        | Self::Delete { slot, .. }
        | Self::Count { slot, .. }
        | Self::Touch { slot, .. }
        | Self::Prolong { slot, .. }) = self;
        !matches!(self, Self::Get { .. }) && matches!(slot, Slot::Item | Slot::Tomb | Slot::Counter(_))
    }
}

/// The most commands that one packet holds.
pub const ROOM: usize = 6;

/// What goes to one side in one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    commands: [Command; ROOM],
    len: usize,
}

impl Default for Packet {
    fn default() -> Self {
        Self { commands: [Command::Get { slot: Slot::Item }; ROOM], len: 0 }
    }
}

impl Packet {
    /// Appends; returns the place where the answer will be.
    pub fn push(&mut self, command: Command) -> usize {
        debug_assert!(self.len < ROOM);
        self.commands[self.len] = command;
        self.len += 1;
        self.len - 1
    }

    /// Appends a get.
    pub fn get(&mut self, slot: Slot) -> usize {
        self.push(Command::Get { slot })
    }

    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands[..self.len]
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
