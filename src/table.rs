//! A table's policy, and the one rule for names.
//!
//! A table is a named key space. Its name becomes part of every key on the wire, so it holds letters, digits and `_`
//! only: none of the marks (`:`, `@`, `#`, `!`) that separate the parts of a wire key. Made by `config`, read by `cache`.

use std::fmt;

mod tag;

pub use tag::TagRule;

/// The table that keeps the records of tags: every host has it, and nobody can name it.
pub const TAGS: &str = "~tag";

/// Longest name of a table or a server, in bytes.
pub const NAME_MAX: usize = 32;

/// Longest life that may be asked for, in seconds: ten years. Far beyond that memcached's 32-bit clock runs out.
pub const TTL_MAX: u32 = 10 * 365 * 24 * 3600;

/// Longest life of a host's own copy, in seconds: a day.
pub const NEAR_TTL_MAX: u32 = 24 * 3600;

/// Longest time that a source may lag behind, in seconds.
pub const HOLDOFF_MAX: u32 = 60;

/// Seconds that a source's "there is nothing" is kept, unless the operator says otherwise.
pub const NEGEXPIRE: u32 = 60;

/// A key space and how its entries live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// `[A-Za-z0-9_]{1,32}`.
    pub name: String,
    /// Seconds an entry lives when the script names no time; 0 = for ever.
    pub autoexpire: u32,
    /// On how many servers an entry is kept: 1 or 2. Without meaning in the host's own store.
    pub copies: u8,
    /// This host keeps what it read in its own memory too. Without meaning in the host's own store.
    pub near: bool,
    /// Seconds that such a copy serves at most, 1 to [`NEAR_TTL_MAX`].
    pub near_ttl: u32,
    /// Seconds that a source's "there is nothing" is kept; 0 = it is not kept.
    pub negexpire: u32,
    /// Seconds that an entry may still be served after its time; not 0 only where `autoexpire` is not.
    pub stale: u32,
    /// Seconds after an invalidation in which what a source says is not kept; 0 = it is. Of [tags](Self::tags): in any table with a tag.
    pub holdoff: u32,
    /// The tag that each of its entries stands under; `None` = its entries have no tags.
    pub tag: Option<TagRule>,
}

impl Table {
    /// The table of tags. A tag that is lost voids entries, so it is kept as safely as can be.
    #[must_use]
    pub fn tags() -> Self {
        let (autoexpire, near_ttl, negexpire, stale, holdoff) = (0, 0, 0, 0, 0);
        Self {
            name: TAGS.to_owned(),
            autoexpire,
            copies: 2,
            near: false,
            near_ttl,
            negexpire,
            stale,
            holdoff,
            tag: None,
        }
    }

    /// Seconds until an entry is gone that shall be fresh for `fresh` seconds; 0 = for ever.
    #[must_use]
    pub fn life(&self, fresh: u32) -> u32 {
        if fresh == 0 { 0 } else { fresh.saturating_add(self.stale).min(TTL_MAX) }
    }
}

impl Table {
    /// Are its entries kept in two copies, where there are two servers?
    #[must_use]
    pub const fn mirrored(&self) -> bool {
        self.copies > 1
    }

    /// Are changes of its entries told to all hosts? Those of tags are, because entries of any near table may hang on them.
    #[must_use]
    pub fn announced(&self) -> bool {
        self.near || self.name == TAGS
    }
}

/// As it would be configured.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=>autoexpire={};copies={}", self.name, self.autoexpire, self.copies)?;
        if self.near {
            write!(f, ";near=1;near_ttl={}", self.near_ttl)?;
        }
        if self.negexpire != NEGEXPIRE {
            write!(f, ";negexpire={}", self.negexpire)?;
        }
        if self.stale > 0 {
            write!(f, ";stale={}", self.stale)?;
        }
        if self.holdoff > 0 {
            write!(f, ";holdoff={}", self.holdoff)?;
        }
        self.tag.as_ref().map_or(Ok(()), |tag| write!(f, ";tag={tag}"))
    }
}

/// True for `[A-Za-z0-9_]{1,32}`: the names of tables and servers.
#[must_use]
pub fn is_name(text: &[u8]) -> bool {
    (1..=NAME_MAX).contains(&text.len()) && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// True for the name of a table, [`TAGS`] included.
#[must_use]
pub fn is_space(text: &[u8]) -> bool {
    is_name(text) || text == TAGS.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::{TAGS, is_name, is_space};

    #[test]
    fn nobody_can_name_the_table_of_tags() {
        assert!(!is_name(TAGS.as_bytes()) && is_space(TAGS.as_bytes()));
    }

    #[test]
    fn a_name_holds_letters_digits_and_underscores_only() {
        let longest = "n".repeat(32);
        let longer = "n".repeat(33);
        for (text, want) in [
            ("ipauth", true),
            ("A_9", true),
            ("_", true),
            ("0", true),
            (longest.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("a b", false),
            ("a:b", false),
            ("a@b", false),
            ("a#b", false),
            ("!a", false),
            ("a-b", false),
            ("a\r\n", false),
            ("ä", false),
        ] {
            assert_eq!(is_name(text.as_bytes()), want, "{text:?}");
        }
    }
}
