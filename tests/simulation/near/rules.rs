//! The mechanisms that keep near entries true.

/// What can be switched off, to see what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A change announces itself at all.
    pub announced: bool,
    /// The announcement stands behind the change.
    pub behind: bool,
    /// It moves the stripe before the root.
    pub stripe_first: bool,
    /// A change that was not announced is in doubt.
    pub checked: bool,
    /// The stamp is taken before the read.
    pub early: bool,
    /// What is in doubt is not kept.
    pub verified: bool,
    /// An entry ends before its item.
    pub lifetimes: bool,
    /// A worker raises its own host's versions.
    pub own: bool,
    /// And does it behind its change.
    pub own_behind: bool,
    /// A survey reads the root before the stripes.
    pub root_first: bool,
    /// A poll vouches only when the stripes behind a root that moved are read, all of them.
    pub applied: bool,
    /// Polls count from when they were sent.
    pub sent: bool,
    /// A root that is missing, or not read yet, counts as one that moved.
    pub missing: bool,
    /// So does a number that is smaller than the last one.
    pub smaller: bool,
    /// A counter that was lost begins at a number that it never had.
    pub clock: bool,
    /// A new watcher raises all versions.
    pub successor: bool,
    /// All stripes are read again over a new connection.
    pub connection: bool,
    /// All versions are raised when another process answers.
    pub process: bool,
    /// The partner's version is in the stamp.
    pub partner: bool,
    /// Both marks are in the stamp (two copies).
    pub marks: bool,
    /// The seat's number is in the stamp (one copy).
    pub seat: bool,
    /// Polls have to be younger than the bound.
    pub young: bool,
    /// Those of both servers.
    pub both: bool,
    /// Those of the marks, of the seat.
    pub order_young: bool,
    /// Who looks for an entry looks at the polls before the versions.
    pub polls_first: bool,
}

impl Rules {
    pub const ALL: Self = Self {
        announced: true,
        behind: true,
        stripe_first: true,
        checked: true,
        early: true,
        verified: true,
        lifetimes: true,
        own: true,
        own_behind: true,
        root_first: true,
        applied: true,
        sent: true,
        missing: true,
        smaller: true,
        clock: true,
        successor: true,
        connection: true,
        process: true,
        partner: true,
        marks: true,
        seat: true,
        young: true,
        both: true,
        order_young: true,
        polls_first: true,
    };
}

impl Default for Rules {
    fn default() -> Self {
        Self::ALL
    }
}
