//! Who serves a key with one copy, and what that means for its wire key, its stamp and its lifetime.

use crate::cache::Fault;
use crate::cache::farm::Farm;
use crate::clock::Deadline;
use crate::cluster::courier::Pair;
use crate::cluster::seats::{Guard, Phase, Rules, Seat, Turn, turn};
use crate::key::Part;
use crate::value::STAMP_AT;

/// How often a call looks for a seat: another may make the same one meanwhile.
pub(crate) const LOOKS: usize = 3;

/// Where a key is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    pub home: usize,
    /// Its home, or who stands in for it.
    pub server: usize,
    /// The number that this goes by; unknown where nobody could stand in.
    pub seat: Seat,
}

/// What this host knows of a home's seat.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    Serve(Spot),
    /// The record has to be read first.
    Ask,
    Nobody(Fault),
}

impl Spot {
    /// Is the server not the key's home?
    pub fn stands_in(&self) -> bool {
        self.server != self.home
    }

    /// Is what lies there to be asked for its stamp before it is changed?
    pub fn guarded(&self) -> bool {
        self.seat.known() && !self.stands_in()
    }

    /// The stand-in's keys name the seat's number.
    pub fn part(&self) -> Part {
        if self.stands_in() { Part::Counter(self.seat.0) } else { Part::Item }
    }

    /// The stamp of what is stored there, in its place among the client flags.
    pub fn stamp(&self) -> u32 {
        if self.guarded() { u32::from(self.seat.stamp(&Rules::ALL)) << STAMP_AT } else { 0 }
    }

    /// How long what shall live `ttl` seconds (0 = for ever) lives there.
    pub fn life(&self, ttl: u32) -> u32 {
        if self.stands_in() { Rules::ALL.stand_in_life(ttl) } else { ttl }
    }

    pub fn void(&self, guard: Guard) -> bool {
        self.guarded() && !self.seat.accepts(guard.stamp, &Rules::ALL)
    }

    /// Is an item with these client flags good?
    pub fn accepts(&self, flags: u32) -> bool {
        !self.void(Guard { stamp: (flags >> STAMP_AT) as u16, cas: 0 })
    }
}

impl Farm {
    /// Finds out who serves what is at home on `home`.
    pub fn spot(&mut self, home: usize, deadline: Deadline) -> Result<Spot, Fault> {
        self.at_home(home);
        self.refuse()?;
        let mut failed = None;
        for _ in 0..LOOKS {
            match self.look(home) {
                Look::Serve(spot) => {
                    self.go_by(spot);
                    return Ok(spot);
                }
                Look::Nobody(fault) => return Err(fault),
                Look::Ask => {}
            }
            if let Some(fault) = failed {
                return Err(fault);
            }
            let deadline = self.leg_deadline(deadline)?;
            failed = self.read_seats(&[home], deadline);
        }
        Err(Fault::ChangingOver)
    }

    /// What this host knows about who serves a home's keys.
    pub fn look(&self, home: usize) -> Look {
        let Some(&Pair { servers, .. }) = self.layout.pair(home) else {
            return Look::Serve(Spot { home, server: home, seat: Seat::UNKNOWN });
        };
        let (seat, fresh) = self.shared.server_cell(home).seat.look(self.now_ms(), self.shared.delta_ms());
        let up = servers.map(|server| self.shared.server_up(server));
        match turn(seat, fresh, up) {
            Turn::Serve(side) => Look::Serve(Spot { home, server: servers[side as usize], seat }),
            Turn::Ask(_) => Look::Ask,
            Turn::Nobody => Look::Nobody(match seat.phase() {
                Phase::Fenced | Phase::Closing => Fault::ChangingOver,
                Phase::Home | Phase::StandIn => Fault::Down,
            }),
        }
    }
}
