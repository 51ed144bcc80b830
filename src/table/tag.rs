//! How an entry's tag is made of its key.

use std::fmt;

/// What stands for the key.
const KEY: &str = "$key";

/// Longest text around the key, in bytes.
const TEXT_MAX: usize = 128;

/// A tag with a place for the key: `user:$key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRule {
    before: String,
    after: String,
}

impl TagRule {
    /// Reads the value of a table's attribute `tag`.
    ///
    /// # Errors
    /// What was expected, where the key does not stand in the text exactly once, or the text is too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        let once = text.split_once(KEY).filter(|(_, after)| !after.contains(KEY));
        let Some((before, after)) = once else {
            return Err(format!("tag={text}: expected a text that holds {KEY} once, like user:{KEY}"));
        };
        if before.len() + after.len() > TEXT_MAX {
            return Err(format!("tag={text}: expected {TEXT_MAX} bytes at most besides {KEY}"));
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// Writes the tag of `key` behind what is in `room`.
    pub fn put(&self, key: &[u8], room: &mut Vec<u8>) {
        room.extend_from_slice(self.before.as_bytes());
        room.extend_from_slice(key);
        room.extend_from_slice(self.after.as_bytes());
    }

    /// Is this the tag of `key`?
    #[must_use]
    pub fn makes(&self, tag: &[u8], key: &[u8]) -> bool {
        let rest = tag.strip_prefix(self.before.as_bytes());
        rest.and_then(|rest| rest.strip_suffix(self.after.as_bytes())) == Some(key)
    }
}

/// As it would be configured.
impl fmt::Display for TagRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{KEY}{}", self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_made_of_the_key_as_the_rule_says() {
        for (text, want) in
            [("user:$key", "user:alice"), ("$key", "alice"), ("a$key$b", "aalice$b"), ("$$key", "$alice")]
        {
            let rule = TagRule::parse(text).unwrap();
            let mut room = b"x".to_vec();
            rule.put(b"alice", &mut room);
            assert_eq!(String::from_utf8_lossy(&room), format!("x{want}"));
            assert_eq!(rule.to_string(), text);
            assert!(rule.makes(&room[1..], b"alice"), "{text}");
            assert!(!rule.makes(b"user:bob", b"alice") && !rule.makes(&room[1..], b"lice"), "{text}");
        }
    }

    #[test]
    fn a_rule_holds_the_key_once_and_little_else() {
        assert!(TagRule::parse(&format!("{}$key", "x".repeat(128))).is_ok());
        for bad in ["user", "user:$kex", "$key$key", "$key:$key", &format!("{}$key", "x".repeat(129))] {
            let why = TagRule::parse(bad).expect_err(bad);
            assert!(why.starts_with(&format!("tag={bad}: expected ")), "{why}");
        }
    }
}
