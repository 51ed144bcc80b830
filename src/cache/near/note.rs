//! What is written beside a near entry: where its key lives, and what its item would have told besides its value.

use crate::cache::token::Token;
use crate::cluster::copies::{self, Mark, Side};
use crate::cluster::seats::Seat;
use crate::near::Hit;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub place: Place,
    /// There is no entry.
    pub absent: bool,
    /// The value is a text of its own: all its bytes, no number and no frame.
    pub plain: bool,
    /// Seconds that the item had left; `None` = it never expires.
    pub left: Option<u32>,
    pub token: Token,
}

/// What tells whether an entry still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub home: u16,
    pub stripe: u8,
}

const ABSENT: u8 = 1;
const EXPIRES: u8 = 2;
/// The token's kind; neither: it is worth nothing.
const ONE: u8 = 4;
const TWO: u8 = 8;
const PARTNER: u8 = 16;
const PLAIN: u8 = 32;

impl Place {
    pub fn of(hit: &Hit) -> Self {
        let word = hit.note[0];
        Self { home: (word >> 16) as u16, stripe: (word >> 8) as u8 }
    }
}

/// [`Note::absent`] alone.
pub(super) fn absent(hit: &Hit) -> bool {
    hit.note[0] & u64::from(ABSENT) != 0
}

/// [`Note::plain`] alone.
pub(super) fn plain(hit: &Hit) -> bool {
    hit.note[0] & u64::from(PLAIN) != 0
}

impl Note {
    pub fn words(self) -> [u64; 3] {
        let Self { place: Place { home, stripe }, absent, plain, left, token } = self;
        let (kind, cas, number) = match token {
            Token::Unsettled => (0, 0, 0),
            Token::One { cas, seat } => (ONE, cas, seat.0),
            Token::Two(copies::Token { side: Side::Home, mark, cas }) => (TWO, cas, mark.0),
            Token::Two(copies::Token { side: Side::Partner, mark, cas }) => (TWO | PARTNER, cas, mark.0),
        };
        let mark = |set: bool, mark: u8| if set { mark } else { 0 };
        let marks = kind | mark(absent, ABSENT) | mark(plain, PLAIN) | mark(left.is_some(), EXPIRES);
        let place = u64::from(home) << 16 | u64::from(stripe) << 8 | u64::from(marks);
        [u64::from(left.unwrap_or(0)) << 32 | place, cas, number]
    }

    pub fn of(hit: &Hit) -> Self {
        let [first, cas, number] = hit.note;
        let is = |mark: u8| first & u64::from(mark) != 0;
        let side = if is(PARTNER) { Side::Partner } else { Side::Home };
        let token = if is(ONE) {
            Token::One { cas, seat: Seat(number) }
        } else if is(TWO) {
            Token::Two(copies::Token { side, mark: Mark(number), cas })
        } else {
            Token::Unsettled
        };
        let left = is(EXPIRES).then_some((first >> 32) as u32);
        Self { place: Place::of(hit), absent: is(ABSENT), plain: is(PLAIN), left, token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> impl Strategy<Value = Token> {
        let side = prop_oneof![Just(Side::Home), Just(Side::Partner)];
        prop_oneof![
            Just(Token::Unsettled),
            any::<(u64, u64)>().prop_map(|(cas, seat)| Token::One { cas, seat: Seat(seat) }),
            (side, any::<(u64, u64)>()).prop_map(|(side, (mark, cas))| Token::Two(copies::Token {
                side,
                mark: Mark(mark),
                cas
            })),
        ]
    }

    proptest! {
        #[test]
        fn a_note_comes_back_as_it_went(
            (home, stripe, absent, plain, left) in any::<(u16, u8, bool, bool, Option<u32>)>(),
            token in token(),
        ) {
            let note = Note { place: Place { home, stripe }, absent, plain, left, token };
            let hit = Hit { note: note.words(), ..Hit::default() };
            prop_assert_eq!(Note::of(&hit), note);
            prop_assert_eq!((super::absent(&hit), super::plain(&hit)), (absent, plain));
        }
    }
}
