//! Who serves a key with one copy, and what that means for its wire key, its stamp and its lifetime.

use std::sync::Arc;

use crate::cache::Fault;
use crate::cache::farm::Farm;
use crate::clock::{self, Deadline};
use crate::cluster::copies::Side;
use crate::cluster::courier::Pair;
use crate::cluster::record::{key_ref, number};
use crate::cluster::seats::{Guard, Phase, Rules, Seat, Turn, turn};
use crate::key::Part;
use crate::value::STAMP_AT;
use crate::wire;

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
    Ask(Side),
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
        self.answered(home);
        self.refuse()?;
        let mut found = self.look(home);
        if let Look::Ask(_) = found {
            let fault = self.read_seats(&[home], deadline);
            found = self.look(home);
            if let Look::Ask(_) = found {
                return Err(fault.unwrap_or(Fault::ChangingOver));
            }
        }
        match found {
            Look::Serve(spot) => {
                self.go_by(spot);
                Ok(spot)
            }
            Look::Nobody(fault) => Err(fault),
            Look::Ask(_) => Err(Fault::ChangingOver),
        }
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
            Turn::Ask(side) => Look::Ask(side),
            Turn::Nobody => Look::Nobody(match seat.phase() {
                Phase::Fenced | Phase::Closing => Fault::ChangingOver,
                Phase::Home | Phase::StandIn => Fault::Down,
            }),
        }
    }

    /// Reads the seats of those homes of which too little is known, all at once. Tells why one was not read.
    #[cold]
    pub fn read_seats(&mut self, homes: &[usize], deadline: Deadline) -> Option<Fault> {
        let layout = Arc::clone(&self.layout);
        let (mut used, mut asked) = (Vec::new(), Vec::new());
        for &home in homes {
            let (Look::Ask(side), Some(pair)) = (self.look(home), layout.pair(home)) else { continue };
            let server = pair.servers[side as usize];
            if !used.contains(&server) {
                self.prepare(server);
                used.push(server);
            }
            let link = &mut self.links[server];
            asked.push((home, side, server, link.commands()));
            let _ = self.record.record("seat", "", pair.home.as_bytes());
            link.mg(key_ref(&self.record), "v");
        }
        let sent_ms = clock::monotonic_ms();
        wire::exchange(&mut self.links, &used, deadline);
        let died = |server: &usize| self.links[*server].status().is_err_and(|error| error.reused);
        let died: Vec<usize> = used.iter().copied().filter(died).collect();
        wire::exchange(&mut self.links, &died, deadline);
        for &server in &used {
            let error = self.links[server].status().err();
            self.report(server, self.life(server), error);
        }
        let mut fault = None;
        for (home, side, server, at) in asked {
            let link = &self.links[server];
            let seat = number(&link.reply(at)).map_or(Seat::UNKNOWN, Seat::read);
            let cell = &self.shared.server_cell(home).seat;
            match (link.status(), side) {
                (Err(error), _) => fault = Some(Fault::of_wire(error, true)),
                (Ok(()), _) if !seat.known() => fault = Some(Fault::ChangingOver),
                (Ok(()), Side::Home) => cell.learn(seat),
                (Ok(()), Side::Partner) => cell.read(seat, sent_ms),
            }
        }
        fault
    }
}
