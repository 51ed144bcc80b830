//! The watcher's part in tables with one copy: it polls all seats and moves those that have to move.
//!
//! The questions travel in the packets of the tick, the moves in one more packet per server, where there are any.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::copies::{Packet, Request, Side, Step};
use super::courier::{Courier, Load, Pair, Parcels, Want};
use super::patrol::{Desk, place};
use super::seats::{Phase, Poll, Rules, Scene, Seat, Watch};
use super::{Event, Layout, Shared};
use crate::clock::{self, Deadline};

/// What all processes of the host know of a home's seat. All zero: nothing.
#[derive(Debug, Default)]
#[repr(C)]
pub struct SeatCell {
    number: AtomicU64,
    /// `CLOCK_MONOTONIC` ms at which a reading of the record was sent that was answered.
    read_ms: AtomicU64,
}

impl SeatCell {
    #[must_use]
    pub fn get(&self) -> Seat {
        Seat(self.number.load(Ordering::Relaxed))
    }

    /// The seat, and whether it was read within the last `bound_ms`.
    #[must_use]
    pub fn look(&self, now_ms: u64, bound_ms: u64) -> (Seat, bool) {
        // The time first: the number is at least as new then.
        let read_ms = self.read_ms.load(Ordering::Acquire);
        (self.get(), now_ms.saturating_sub(read_ms) <= bound_ms)
    }

    /// Takes over a newer number.
    pub fn learn(&self, seat: Seat) {
        self.number.fetch_max(seat.0, Ordering::Relaxed);
    }

    /// A reading that was sent at `sent_ms` brought `seat`.
    pub fn read(&self, seat: Seat, sent_ms: u64) {
        self.learn(seat);
        self.read_ms.fetch_max(sent_ms, Ordering::Release);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        [&self.number, &self.read_ms].into_iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

/// All seats of a list of servers.
pub struct Ushers {
    shared: &'static Shared,
    rules: Rules,
    seats: Vec<Watched>,
    sent_ms: u64,
}

/// One seat on this host's round.
struct Watched {
    pair: Pair,
    watch: Watch,
    round: Option<Round>,
    /// The number that was last looked at between two ticks.
    hurried: Seat,
    absence: Absence,
}

/// What was told of a home that is left.
#[derive(Debug, Default)]
struct Absence {
    /// This host did not use it either: it told so.
    own: bool,
    told: bool,
}

impl Absence {
    /// Is it news who serves now? `up`: this host uses the home.
    fn news(&mut self, phase: Phase, up: bool) -> bool {
        self.own = !up || (self.own && phase != Phase::Home);
        let told = match phase {
            Phase::Home => false,
            Phase::StandIn if !self.own => true,
            _ => self.told,
        };
        std::mem::replace(&mut self.told, told) != told
    }
}

/// A poll under way.
struct Round {
    poll: Poll,
    request: Request,
    parcels: Parcels,
    /// Both servers were asked, but for those that are known to be down.
    full: bool,
}

impl Ushers {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        let config = shared.config();
        let rules = Rules::timed(config.cmd_timeout_ms, config.probe_interval_ms);
        Self { shared, rules, seats: Vec::new(), sent_ms: 0 }
    }

    /// The list of servers is another one. Numbers stay with their homes, whoever the partner is now, and so does what was told.
    pub fn follow(&mut self, layout: &Arc<Layout>) {
        let single = self.shared.config().has_single();
        let pairs = layout.servers().filter(|_| single).filter_map(|(home, _)| layout.pair(home));
        let seats = std::mem::take(&mut self.seats);
        let mut told: HashMap<usize, Absence> =
            seats.into_iter().map(|old| (old.pair.servers[0], old.absence)).collect();
        let watched = |pair: &Pair| Watched {
            pair: pair.clone(),
            watch: Watch::new(&self.rules),
            round: None,
            hurried: Seat::UNKNOWN,
            absence: told.remove(&pair.servers[0]).unwrap_or_default(),
        };
        self.seats = pairs.map(watched).collect();
    }

    /// Adds the questions to the packets of the servers `due`, which the courier has opened.
    pub fn ask(&mut self, courier: &mut Courier, desk: &mut Desk, due: &[usize]) {
        self.sent_ms = clock::monotonic_ms();
        let mut open = vec![false; desk.links.len()];
        due.iter().for_each(|server| open[*server] = true);
        for watched in &mut self.seats {
            let servers = watched.pair.servers;
            let health = |side: usize| self.shared.server_cell(servers[side]).health.health();
            let down = |side: usize| health(side).failed();
            let asked = servers.map(|server| open[server]);
            let full = asked != [false; 2] && (0..2).all(|side| asked[side] || down(side));
            watched.ask(self.shared, courier, desk, asked, full);
        }
    }

    /// Takes the answers, before anything else is sent.
    pub fn hear(&mut self, courier: &Courier, desk: &Desk) {
        for Watched { pair, watch, round, .. } in &mut self.seats {
            let Some(Round { mut poll, request, parcels, full }) = round.take() else { continue };
            let legs = courier.unpack(&desk.links, &parcels, &request, Want::Bare);
            let step = full.then(|| poll.next(&self.shared.seat_scene(&self.rules, pair), &legs));
            if step.is_none() {
                poll.learn(&legs);
            }
            let cell = &self.shared.server_cell(pair.servers[0]).seat;
            cell.learn(poll.view);
            if legs.partner.answered() {
                cell.read(poll.view, self.sent_ms);
            }
            *watch = poll.watch;
            if let Some(Step::Send(request)) = step {
                *round = Some(Round { poll, request, parcels, full });
            }
        }
    }

    /// Looks once more, between two ticks, at seats that are to be moved now: nobody has to wait for the next tick.
    pub fn work(&mut self, courier: &mut Courier, desk: &mut Desk, deadline: Deadline) {
        let mut hurries = false;
        courier.begin();
        self.sent_ms = clock::monotonic_ms();
        for watched in &mut self.seats {
            let home = watched.pair.servers[0];
            let seat = self.shared.server_cell(home).seat.get();
            let rests = seat.phase() == Phase::StandIn || (seat.phase() == Phase::Home && self.shared.server_up(home));
            if rests || watched.hurried == seat {
                continue;
            }
            let scene = self.shared.seat_scene(&self.rules, &watched.pair);
            if scene.up[1] && watched.watch.is_over(seat, &scene) {
                watched.hurried = seat;
                watched.ask(self.shared, courier, desk, scene.up, true);
                hurries = true;
            }
        }
        if hurries {
            courier.send(desk, deadline);
            self.hear(courier, desk);
            self.act(courier, desk, deadline);
        }
    }

    /// Moves what has to be moved, by `deadline`.
    pub fn act(&mut self, courier: &mut Courier, desk: &mut Desk, deadline: Deadline) {
        if self.seats.iter().all(|watched| watched.round.is_none()) {
            return;
        }
        courier.begin();
        for Watched { pair, round, .. } in &mut self.seats {
            if let Some(round) = round {
                round.parcels = courier.pack(desk, &place(pair), &round.request, &Load::default(), Want::Bare);
            }
        }
        courier.send(desk, deadline);
        self.hear(courier, desk);
    }

    /// What became of homes that this host uses and others do not, since the last call.
    pub fn news(&mut self, news: &mut Vec<Event>) {
        for Watched { pair, absence, .. } in &mut self.seats {
            let [home, stand_in] = pair.servers;
            let phase = self.shared.server_cell(home).seat.get().phase();
            if absence.news(phase, self.shared.server_up(home)) {
                news.push(if absence.told { Event::SeatLeft { home, stand_in } } else { Event::SeatBack { home } });
            }
        }
    }
}

impl Shared {
    /// Who serves the entries with one copy that are at home on a server, as `shc.list` shows it: `home`, `fenced`,
    /// `stand-in mc2`, `closing` or `not known`; `None` where nobody could stand in.
    #[must_use]
    pub fn seat_shown(&self, home: usize) -> Option<String> {
        let layout = self.layout();
        let pair = layout.pair(home).filter(|_| self.config().has_single())?;
        let seat = self.server_cell(home).seat.get();
        Some(match seat.phase() {
            _ if !seat.known() => "not known".to_owned(),
            Phase::Home => "home".to_owned(),
            Phase::Fenced => "fenced".to_owned(),
            Phase::StandIn => format!("stand-in {}", layout.name(pair.servers[1])),
            Phase::Closing => "closing".to_owned(),
        })
    }

    /// What holds for a poll of a home's seat that is judged now.
    pub(crate) fn seat_scene<'a>(&self, rules: &'a Rules, pair: &Pair) -> Scene<'a> {
        Scene {
            rules,
            up: pair.servers.map(|server| self.server_up(server)),
            alone: self.mostly_down(),
            clock: clock::wall_tenths(),
            now_ms: clock::monotonic_ms(),
        }
    }
}

impl Watched {
    /// Asks these sides. `full`: the others are known to be down.
    fn ask(&mut self, shared: &Shared, courier: &mut Courier, desk: &mut Desk, sides: [bool; 2], full: bool) {
        let mut poll = Poll::new(shared.server_cell(self.pair.servers[0]).seat.get(), self.watch);
        self.round = None;
        let Step::Send(mut request) = poll.start() else { return };
        for side in Side::BOTH.into_iter().filter(|side| !sides[*side as usize]) {
            *request.on(side) = Packet::default();
        }
        let parcels = courier.pack(desk, &place(&self.pair), &request, &Load::default(), Want::Bare);
        self.round = Some(Round { poll, request, parcels, full });
    }
}

#[cfg(test)]
mod tests;
