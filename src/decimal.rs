//! The decimal digits of a number, without an allocation.

/// Room for the decimal text of any `u64` or `i64`.
pub type Digits = [u8; 20];

/// Puts the digits of `number` at the end of `room` and tells where they begin.
#[inline]
pub fn put<const N: usize>(number: u64, room: &mut [u8; N]) -> usize {
    const { assert!(N >= size_of::<Digits>()) };
    let (mut rest, mut at) = (number, N);
    loop {
        at -= 1;
        room[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text<const N: usize>(number: u64) -> String {
        let mut room = [b'x'; N];
        let at = put(number, &mut room);
        assert!(room[..at].iter().all(|byte| *byte == b'x'), "{number}: wrote before the digits");
        String::from_utf8(room[at..].to_vec()).unwrap()
    }

    #[test]
    fn the_ends_of_every_length_have_their_digits() {
        for number in [0, 9, 10, 99, 100, 9_999_999_999_999_999_999, 10_000_000_000_000_000_000, u64::MAX] {
            assert_eq!([text::<20>(number), text::<21>(number)], [number.to_string(), number.to_string()]);
        }
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_standard_library(number: u64, shift in 0..64u32) {
            prop_assert_eq!(text::<20>(number >> shift), (number >> shift).to_string());
        }
    }
}
