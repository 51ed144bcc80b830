//! Seats read by a worker, where its host does not know enough: the watcher is late, or there was no time for its first round.

use std::sync::Arc;

use super::Look;
use crate::cache::Fault;
use crate::cache::farm::Farm;
use crate::clock::{self, Deadline};
use crate::cluster::copies::{Request, Side, Slot, Step};
use crate::cluster::courier::{Courier, Lines, Load, Pair, Parcels, Want};
use crate::cluster::patrol::place;
use crate::cluster::seats::{Poll, Rules, Seat, Watch};
use crate::wire::Link;

/// One seat that is read.
struct Reading<'a> {
    pair: &'a Pair,
    poll: Poll,
    request: Request,
    parcels: Parcels,
    /// Nobody on this host knows it: if there is none, one is made, by the watcher's own rules.
    unknown: bool,
}

/// The farm's links as the courier uses them.
struct Lane<'a> {
    farm: &'a mut Farm,
    fault: Option<Fault>,
}

impl Lines for Lane<'_> {
    fn links(&mut self) -> &mut [Link] {
        &mut self.farm.links
    }

    fn open(&mut self, server: usize) {
        self.farm.prepare(server);
    }

    fn over(&mut self, server: usize) {
        let error = self.farm.links[server].status().err();
        self.farm.report(server, self.farm.life(server), error);
        self.fault = error.map(|error| Fault::of_wire(error, true)).or(self.fault);
    }
}

impl Farm {
    /// Reads the seats of those homes of which too little is known, all at once. Tells why one could not be read.
    #[cold]
    pub fn read_seats(&mut self, homes: &[usize], deadline: Deadline) -> Option<Fault> {
        let layout = Arc::clone(&self.layout);
        let config = self.shared.config();
        let rules = Rules::timed(config.cmd_timeout_ms, config.probe_interval_ms);
        let asked = |home: &&usize| matches!(self.look(**home), Look::Ask);
        let pairs = homes.iter().filter(asked).filter_map(|home| layout.pair(*home));
        let mut readings: Vec<Reading<'_>> = pairs.map(|pair| self.reading(pair, &rules)).collect();
        let mut lane = Lane { farm: self, fault: None };
        let mut courier = Courier::default();
        while !readings.is_empty() {
            courier.begin();
            for Reading { pair, request, parcels, .. } in &mut readings {
                *parcels = courier.pack(&mut lane, &place(pair), request, &Load::default(), Want::Bare);
            }
            let sent_ms = clock::monotonic_ms();
            courier.send(&mut lane, deadline);
            readings.retain_mut(|reading| lane.farm.goes_on(&courier, reading, &rules, sent_ms));
        }
        lane.fault
    }

    fn reading<'a>(&self, pair: &'a Pair, rules: &Rules) -> Reading<'a> {
        let seat = self.shared.server_cell(pair.servers[0]).seat.get();
        let mut poll = Poll::new(seat, Watch::new(rules));
        let mut request = Request::default();
        if !seat.known()
            && let Step::Send(questions) = poll.start()
        {
            let up = Side::BOTH.into_iter().filter(|side| self.shared.server_up(pair.servers[*side as usize]));
            up.for_each(|side| *request.on(side) = *questions.of(side));
        } else {
            request.partner.get(Slot::Seat);
        }
        Reading { pair, poll, request, parcels: Parcels::default(), unknown: !seat.known() }
    }

    /// One step; true when there is another one.
    fn goes_on(&self, courier: &Courier, reading: &mut Reading<'_>, rules: &Rules, sent_ms: u64) -> bool {
        let Reading { pair, poll, request, parcels, unknown } = reading;
        let legs = courier.unpack(&self.links, parcels, request, Want::Bare);
        let makes = *unknown && !self.shared.is_guest();
        let step = makes.then(|| poll.next(&self.shared.seat_scene(rules, pair), &legs));
        let told = |read: &Option<(Seat, _)>| read.is_some_and(|(seat, _)| seat.known());
        let found = step.is_some() || poll.learn(&legs).iter().any(told);
        let cell = &self.shared.server_cell(pair.servers[0]).seat;
        cell.learn(poll.view);
        if found && legs.partner.answered() {
            cell.read(poll.view, sent_ms);
        }
        if let Some(Step::Send(next)) = step {
            *request = next;
            return true;
        }
        false
    }
}
