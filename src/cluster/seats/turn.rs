//! Whose turn it is: the worker's one question before it sends a command.

use super::super::copies::Side;
use super::seat::{Phase, Seat};

/// Who serves a key now, as far as this host knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Serve(Side),
    /// The record (at home: its copy) has to be read there first.
    Ask(Side),
    /// Nobody.
    Nobody,
}

/// `seat`: what the host knows; `fresh`: the last answered reading of the record was sent within the promised bound; `up`: may
/// this host use the home, the partner?
///
/// A host that holds the partner for down goes by what it knows: the seat moves on the partner alone, and one server fails at
/// a time.
#[must_use]
pub fn turn(seat: Seat, fresh: bool, up: [bool; 2]) -> Turn {
    let [home, partner] = up;
    let trusted = fresh || !partner;
    match seat.phase() {
        _ if !seat.known() && partner => Turn::Ask(Side::Partner),
        _ if !seat.known() && home => Turn::Ask(Side::Home),
        _ if !seat.known() => Turn::Nobody,
        _ if !trusted => Turn::Ask(Side::Partner),
        Phase::Home if home => Turn::Serve(Side::Home),
        Phase::StandIn if partner => Turn::Serve(Side::Partner),
        _ => Turn::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_follows_from_the_phase_the_polls_and_the_servers() {
        let (home, partner) = (Side::Home, Side::Partner);
        let [both, only_home, only_partner, none] = [[true, true], [true, false], [false, true], [false, false]];
        for (phase, fresh, up, want) in [
            (0, true, both, Turn::Serve(home)),
            (0, false, both, Turn::Ask(partner)),
            (0, false, only_home, Turn::Serve(home)),
            (0, true, only_partner, Turn::Nobody),
            (0, false, only_partner, Turn::Ask(partner)),
            (0, true, none, Turn::Nobody),
            (1, true, both, Turn::Nobody),
            (1, false, both, Turn::Ask(partner)),
            (1, false, only_home, Turn::Nobody),
            (2, true, both, Turn::Serve(partner)),
            (2, false, only_partner, Turn::Ask(partner)),
            (2, false, only_home, Turn::Nobody),
            (3, true, both, Turn::Nobody),
            (3, false, both, Turn::Ask(partner)),
        ] {
            assert_eq!(turn(Seat(40 + phase), fresh, up), want, "{phase} {fresh} {up:?}");
        }
        for (up, want) in [(both, Turn::Ask(partner)), (only_home, Turn::Ask(home)), (none, Turn::Nobody)] {
            assert_eq!(turn(Seat::UNKNOWN, true, up), want);
        }
    }
}
