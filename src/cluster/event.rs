//! What the watcher tells the operator and the script.

/// The reason of a server that the operator took out of use.
pub const DRAINED: &str = "drained";

/// Why the two servers of a pair are not known to hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// This host does not use this one.
    Away(usize),
    /// A host could not reach this one, or not in time.
    Late(usize),
    /// This one may lack entries, the other one has them.
    Lacks(usize),
    /// Neither is known to have all.
    Unknown,
    /// The list of servers was changed, and entries may lie where they no longer belong.
    Moved,
}

/// What the script may want to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    ServerDown {
        server: usize,
        reason: &'static str,
        /// More for the log, such as what is wrong with a certificate; often empty.
        detail: String,
    },
    ServerUp {
        server: usize,
    },
    /// Calls are no longer served: most servers are down, or none is in use.
    PoolDown {
        down: usize,
        of: usize,
    },
    /// Calls are served again.
    PoolUp,
    /// No server is in use.
    AllDown,
    /// The two servers of a pair may not hold the same.
    PairTorn {
        home: usize,
        partner: usize,
        why: Torn,
    },
    /// The two servers of a pair hold the same again, after so long.
    PairWhole {
        home: usize,
        partner: usize,
        after_ms: u64,
        /// By this host.
        repaired: u64,
    },
    /// What is at home on a server in tables with one copy is kept on another, because another host does not use the home.
    SeatLeft {
        home: usize,
        stand_in: usize,
    },
    /// It is kept at home again.
    SeatBack {
        home: usize,
    },
    /// All copies are whole again.
    Whole,
    /// A server makes no list of its keys: what it lacks cannot be found.
    NoList {
        server: usize,
    },
    /// Another host has another list of servers, as its record on this one shows.
    ListsDiffer {
        server: usize,
        /// Both lists, for the log.
        detail: String,
    },
    /// No other host has another list any more.
    ListsAgree,
}
