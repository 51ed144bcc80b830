//! How long entries live, as memcached takes it.

use crate::clock;

/// memcached takes a larger TTL for a time of day (1970), so longer lifetimes are sent as such.
const RELATIVE_TTL_MAX: u32 = 30 * 24 * 3600;

/// Seconds as memcached takes them: 0 = never, up to 30 days relative, beyond that a time of day.
#[must_use]
pub fn wire_ttl(ttl: u32) -> u64 {
    if ttl <= RELATIVE_TTL_MAX { u64::from(ttl) } else { time_of_day(clock::wall_s(), ttl) }
}

/// A server takes times of day up to January 2038 and drops an entry with a later one at once: such an entry lives up
/// to then, and when that is near, as long as can be said without a time of day.
fn time_of_day(now: u64, ttl: u32) -> u64 {
    const LAST: u64 = i32::MAX as u64;
    if now + u64::from(RELATIVE_TTL_MAX) >= LAST {
        return u64::from(RELATIVE_TTL_MAX);
    }
    (now + u64::from(ttl)).min(LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_life_ends_in_2038_at_the_latest_and_no_entry_is_dropped_at_once() {
        const DAY: u64 = 24 * 3600;
        let (years, last) = (10 * 365 * DAY as u32, i32::MAX as u64);
        for (now, ttl, want) in [
            (1_800_000_000, years, 1_800_000_000 + u64::from(years)),
            (last - u64::from(years), years, last),
            (last - u64::from(years) + 1, years, last),
            (last - 31 * DAY, years, last),
            (last - 30 * DAY, years, 30 * DAY),
            (last + 1, years, 30 * DAY),
        ] {
            assert_eq!(time_of_day(now, ttl), want, "{now}");
        }
        assert_eq!((wire_ttl(0), wire_ttl(60), wire_ttl(RELATIVE_TTL_MAX)), (0, 60, 30 * DAY));
    }
}
