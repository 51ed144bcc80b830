//! The wire keys of the stripe counters: `!z:00` to `!z:ff`, and `!z:` above them. They are spelled when the program is built.

/// So many stripes has every server.
pub const STRIPES: usize = 256;

/// The counter above all stripes of a server.
pub const STRIPE_ROOT: &[u8] = b"!z:";

static SPELLED: [[u8; 5]; STRIPES] = spelled();

/// The wire key of a stripe's counter.
#[must_use]
pub fn stripe_key(stripe: u8) -> &'static [u8] {
    &SPELLED[usize::from(stripe)]
}

const fn spelled() -> [[u8; 5]; STRIPES] {
    let (digits, mut keys, mut at) = (b"0123456789abcdef", [*b"!z:00"; STRIPES], 0);
    while at < STRIPES {
        keys[at][3] = digits[at >> 4];
        keys[at][4] = digits[at & 15];
        at += 1;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::WireKey;

    #[test]
    fn they_are_spelled_as_all_records_are() {
        let mut key = WireKey::new();
        for stripe in 0..=255 {
            key.record("z", &format!("{stripe:02x}"), b"").unwrap();
            assert_eq!(stripe_key(stripe), key.bytes());
        }
        key.record("z", "", b"").unwrap();
        assert_eq!(STRIPE_ROOT, key.bytes());
    }
}
