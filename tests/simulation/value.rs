//! Values whose origin shows: each stored one is a number of its own with space for counting up and down below it.

/// Where counting begins.
pub const MIDDLE: u64 = 1 << 19;

/// What the `serial`th write stores; 0 = what a count creates.
pub fn stored(serial: u64) -> u64 {
    serial << 20 | MIDDLE
}

/// The write that `value` goes back to.
pub fn origin(value: u64) -> u64 {
    value >> 20
}

/// How far it was counted since.
pub fn counted(value: u64) -> i64 {
    (value & (2 * MIDDLE - 1)) as i64 - MIDDLE as i64
}

pub fn show(value: u64) -> String {
    if value < MIDDLE / 2 { value.to_string() } else { format!("v{}{:+}", origin(value), counted(value)) }
}
