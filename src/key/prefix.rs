//! What the printable keys of one table begin with: a batch writes it before each key instead of spelling them one by one.

use super::{Head, KeyError, Part, WIRE_MAX, is_space, printable};

/// `table:` or `table@generation:`.
pub struct Prefix {
    text: [u8; WIRE_MAX],
    len: usize,
}

impl Prefix {
    /// The prefix of a table; generation 0 = the table was never bumped.
    ///
    /// # Errors
    /// A table that is no name.
    pub fn new(table: &str, generation: u64) -> Result<Self, KeyError> {
        if !is_space(table.as_bytes()) {
            return Err(KeyError::Table);
        }
        let mut text = [0; WIRE_MAX];
        let len = Head { kind: "", table, generation, part: Part::Item }.put(b'@', false, &mut text);
        Ok(Self { text, len })
    }

    /// The prefix itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// True when the prefix and this key, put together, are the key's printable wire form.
    #[must_use]
    pub fn fits(&self, key: &[u8]) -> bool {
        !key.is_empty() && self.len + key.len() <= WIRE_MAX && printable(key)
    }
}
