//! What stands before the key on the wire.

use super::{Part, WIRE_MAX};
use crate::decimal::{self, Digits};

/// The parts of a head: at most 5 + 33 + 1 + 32 + 21 + 21 + 1 bytes, so it always fits.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pub kind: &'a str,
    pub table: &'a str,
    pub generation: u64,
    pub part: Part,
}

impl Head<'_> {
    /// Writes `!tomb!kind:table@generation%epoch:`; the last colon only before a key, the mark `@` only before a generation.
    pub fn put(self, mark: u8, bare: bool, out: &mut [u8; WIRE_MAX]) -> usize {
        let mut pen = Pen { out, at: 0 };
        if self.part == Part::Tomb {
            pen.put(b"!tomb");
        }
        if !self.kind.is_empty() {
            pen.put(b"!");
            pen.put(self.kind.as_bytes());
        }
        if pen.at > 0 {
            pen.put(b":");
        }
        pen.put(self.table.as_bytes());
        if self.generation > 0 || mark == b'#' {
            pen.put(&[mark]);
        }
        pen.number(self.generation);
        if let Part::Counter(epoch @ 1..) = self.part {
            pen.put(b"%");
            pen.number(epoch);
        }
        if !bare {
            pen.put(b":");
        }
        pen.at
    }
}

struct Pen<'a> {
    out: &'a mut [u8; WIRE_MAX],
    at: usize,
}

impl Pen<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Nothing for zero.
    fn number(&mut self, number: u64) {
        if number > 0 {
            let mut digits = Digits::default();
            let at = decimal::put(number, &mut digits);
            self.put(&digits[at..]);
        }
    }
}
