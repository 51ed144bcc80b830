//! The first word of MD5 over texts, one or many at a time: all that a place on the ring takes.
//!
//! One hash is a chain of steps that each wait for the last, so a processor does several beside each other in little
//! more than the time of one. `first_words` is plain Rust of a shape that the compiler turns into vector steps; texts
//! longer than one block, and those that come alone, are left to the crate `md-5`.

use md5::{Digest as _, Md5};

/// So many texts are hashed at a time.
pub const LANES: usize = 8;
/// Bytes of one block, and the longest text that fits into one with its padding.
const BLOCK: usize = 64;
const SHORT: usize = 55;
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The hashes of `head` followed by each of up to [`LANES`] tails; lanes without a tail hold anything.
pub fn hashes(head: &[u8], tails: &[&[u8]]) -> [u32; LANES] {
    let mut words = [[0; LANES]; 16];
    let mut start = [0; BLOCK];
    let known = head.len().min(SHORT);
    start[..known].copy_from_slice(&head[..known]);
    let short = |tail: &[u8]| head.len() + tail.len() <= SHORT;
    for (lane, tail) in tails.iter().take(LANES).enumerate().filter(|(_, tail)| short(tail)) {
        let block = padded(start, head.len(), tail);
        for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
            word[lane] = u32::from_le_bytes(*bytes);
        }
    }
    let mut hashes = first_words(&words);
    for (hash, tail) in hashes.iter_mut().zip(tails).filter(|(_, tail)| !short(tail)) {
        *hash = self::hash(&[head, tail]);
    }
    hashes
}

/// One text with its padding; it must not be longer than [`SHORT`].
fn padded(mut block: [u8; BLOCK], at: usize, tail: &[u8]) -> [u8; BLOCK] {
    let end = at + tail.len();
    block[at..end].copy_from_slice(tail);
    block[end] = 0x80;
    block[BLOCK - 8..][..2].copy_from_slice(&(end as u16 * 8).to_le_bytes());
    block
}

/// The hash of the text made of `parts` put together.
pub fn hash(parts: &[&[u8]]) -> u32 {
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part));
    let [a, b, c, d, ..]: [u8; 16] = md5.finalize().into();
    u32::from_le_bytes([a, b, c, d])
}

/// The four rounds, lane by lane over `words[place][lane]`: a body without branches, so that the compiler takes several
/// lanes at a time. What only the other words of a hash need is left out by it as well.
#[inline(never)]
fn first_words(words: &[[u32; LANES]; 16]) -> [u32; LANES] {
    let mut hashes = [0; LANES];
    for (lane, hash) in hashes.iter_mut().enumerate() {
        *hash = first_word(|at| words[at][lane]);
    }
    hashes
}

/// Per line: the mixing of its round, the words of the block, 2^32 * |sin(step)|, and how far to turn.
#[inline(always)]
#[rustfmt::skip]
fn first_word(w: impl Fn(usize) -> u32) -> u32 {
    let f = |b: u32, c: u32, d: u32| d ^ b & (c ^ d);
    let g = |b: u32, c: u32, d: u32| c ^ d & (b ^ c);
    let h = |b: u32, c: u32, d: u32| b ^ c ^ d;
    let i = |b: u32, c: u32, d: u32| c ^ (b | !d);
    let s = START;
    let s = four(s, f, [w(0), w(1), w(2), w(3)], [0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee], [7, 12, 17, 22]);
    let s = four(s, f, [w(4), w(5), w(6), w(7)], [0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501], [7, 12, 17, 22]);
    let s = four(s, f, [w(8), w(9), w(10), w(11)], [0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be], [7, 12, 17, 22]);
    let s = four(s, f, [w(12), w(13), w(14), w(15)], [0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821], [7, 12, 17, 22]);
    let s = four(s, g, [w(1), w(6), w(11), w(0)], [0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa], [5, 9, 14, 20]);
    let s = four(s, g, [w(5), w(10), w(15), w(4)], [0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8], [5, 9, 14, 20]);
    let s = four(s, g, [w(9), w(14), w(3), w(8)], [0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed], [5, 9, 14, 20]);
    let s = four(s, g, [w(13), w(2), w(7), w(12)], [0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a], [5, 9, 14, 20]);
    let s = four(s, h, [w(5), w(8), w(11), w(14)], [0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c], [4, 11, 16, 23]);
    let s = four(s, h, [w(1), w(4), w(7), w(10)], [0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70], [4, 11, 16, 23]);
    let s = four(s, h, [w(13), w(0), w(3), w(6)], [0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05], [4, 11, 16, 23]);
    let s = four(s, h, [w(9), w(12), w(15), w(2)], [0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665], [4, 11, 16, 23]);
    let s = four(s, i, [w(0), w(7), w(14), w(5)], [0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039], [6, 10, 15, 21]);
    let s = four(s, i, [w(12), w(3), w(10), w(1)], [0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1], [6, 10, 15, 21]);
    let s = four(s, i, [w(8), w(15), w(6), w(13)], [0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1], [6, 10, 15, 21]);
    let s = four(s, i, [w(4), w(11), w(2), w(9)], [0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391], [6, 10, 15, 21]);
    s[0].wrapping_add(START[0])
}

/// Four steps, after which the words of the state stand in their old order.
#[inline(always)]
fn four(
    [a, b, c, d]: [u32; 4],
    mix: impl Fn(u32, u32, u32) -> u32,
    words: [u32; 4],
    sines: [u32; 4],
    turns: [u32; 4],
) -> [u32; 4] {
    let step = |a: u32, b: u32, c: u32, d: u32, at: usize| {
        let sum = a.wrapping_add(words[at].wrapping_add(sines[at])).wrapping_add(mix(b, c, d));
        sum.rotate_left(turns[at]).wrapping_add(b)
    };
    let a = step(a, b, c, d, 0);
    let d = step(d, a, b, c, 1);
    let c = step(c, d, a, b, 2);
    let b = step(b, c, d, a, 3);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn many_at_a_time_are_what_each_is_alone(
            head in proptest::collection::vec(any::<u8>(), 0..40),
            tails in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..70), 0..=LANES),
        ) {
            let tails: Vec<&[u8]> = tails.iter().map(Vec::as_slice).collect();
            let found = hashes(&head, &tails);
            for (tail, found) in tails.iter().zip(found) {
                prop_assert_eq!(found, hash(&[&head, tail]));
            }
        }
    }
}
