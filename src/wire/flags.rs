//! The flag text of a meta command, put together on the stack.

use crate::decimal;

/// Flag tokens separated by blanks, as `Flags::new("v f").with('T', 60)`.
#[derive(Clone, Copy)]
pub struct Flags {
    text: [u8; 160],
    len: usize,
}

impl Flags {
    /// Starts from fixed tokens.
    #[must_use]
    #[inline]
    pub fn new(tokens: &str) -> Self {
        Self { text: [0; 160], len: 0 }.and(tokens)
    }

    /// Adds fixed tokens. A text that no longer fits is left out; 160 bytes hold every flag that exists.
    #[must_use]
    #[inline]
    pub fn and(mut self, tokens: &str) -> Self {
        if !tokens.is_empty() {
            self.add(tokens.as_bytes());
        }
        self
    }

    /// Adds one token with a number, as `T60`.
    #[must_use]
    #[inline]
    pub fn with(mut self, flag: char, number: u64) -> Self {
        let mut room = [0; 21];
        let at = decimal::put(number, &mut room) - 1;
        room[at] = if flag.is_ascii_alphabetic() { flag as u8 } else { b'?' };
        self.add(&room[at..]);
        self
    }

    fn add(&mut self, token: &[u8]) {
        let gap = usize::from(self.len > 0);
        if self.len + gap + token.len() <= self.text.len() {
            self.text[self.len] = b' ';
            self.text[self.len + gap..][..token.len()].copy_from_slice(token);
            self.len += gap + token.len();
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }
}

impl std::ops::Deref for Flags {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stand_apart_by_one_blank() {
        assert_eq!(&*Flags::new(""), "");
        assert_eq!(&*Flags::new("").with('T', 0), "T0");
        assert_eq!(
            &*Flags::new("v f c").with('T', 60).and("MS").with('C', u64::MAX),
            "v f c T60 MS C18446744073709551615"
        );
    }
}
