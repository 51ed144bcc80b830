//! What the abstract commands of a packet are about.

use crate::cluster::views;
use crate::key::Space;
use crate::wire::KeyRef;

/// Two servers that keep the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The slots of home and partner.
    pub servers: [usize; 2],
    /// `home/partner` by their ring names: the same on every host.
    pub name: String,
    /// The ring name of the home.
    pub home: String,
    /// The name in short, for the host's shared memory.
    pub tag: u32,
}

impl Pair {
    /// `names`: the ring names of home and partner.
    #[must_use]
    pub fn new(servers: [usize; 2], names: [&str; 2]) -> Self {
        let name = format!("{}/{}", names[0], names[1]);
        Self { servers, tag: views::tag(name.as_bytes()), name, home: names[0].to_owned() }
    }
}

/// The pair and the key that a request is about; a poll has no key.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub pair: &'a Pair,
    pub space: Space<'a>,
    pub key: &'a [u8],
    /// The stripe in which its changes are announced; `None` = nobody needs to know.
    pub stripe: Option<u8>,
}

/// A value as it goes on the wire, in parts, and its own client flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored<'a> {
    pub parts: [&'a [u8]; 3],
    /// Any stamp in them is replaced.
    pub flags: u32,
}

/// What the stores of a request may carry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load<'a> {
    /// The item's key, where the caller has spelled it already.
    pub item: Option<KeyRef<'a>>,
    /// The caller's value.
    pub value: Option<Stored<'a>>,
    /// What the last look found on either side.
    pub copies: [Option<Stored<'a>>; 2],
}

/// How much of an item a get brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Its stamp, cas and lifetime.
    Bare,
    /// The value and its stamp: cas and lifetime are not known then.
    Value,
    /// All of these.
    All,
    /// All of these and a digest of the value.
    Digest,
}

impl Want {
    pub(crate) const fn flags(self) -> &'static str {
        match self {
            Self::Bare => "f t c",
            Self::Value => "v f",
            Self::All | Self::Digest => "v f t c",
        }
    }
}
