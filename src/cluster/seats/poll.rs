//! A watcher's look at one seat, each tick: what the record says, and whether it is to be moved.
//!
//! Any watcher may move it: each step is guarded by the record's cas, and whoever loses that race has what it wanted. Reads
//! that are late only make the waits longer.

use super::super::copies::{Answer, Body, Command, Hit, Legs, Mode, Pace, Request, Side, Slot, Step};
use super::seat::{Phase, Seat};
use super::{Rules, Scene};

/// What a watcher remembers of a seat between two polls.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    seen: Seat,
    /// When the record was first seen to hold that number.
    since_ms: u64,
    pace: Pace,
}

impl Watch {
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        let [first, most] = rules.pace_ms;
        Self { seen: Seat::UNKNOWN, since_ms: 0, pace: Pace::new(first, most) }
    }

    fn saw(&mut self, seat: Seat, now_ms: u64) {
        if seat == self.seen {
            return;
        }
        if self.seen.known() && seat.epoch() != self.seen.epoch() {
            self.pace.used(now_ms);
        }
        (self.seen, self.since_ms) = (seat, now_ms);
    }

    /// Is the phase of `seat` to end now, as far as this host knows? A stand-in's is no matter of moments.
    #[must_use]
    pub fn is_over(&self, seat: Seat, scene: &Scene<'_>) -> bool {
        match seat.phase() {
            _ if !seat.known() => false,
            Phase::Home => !scene.up[0] && !scene.alone,
            Phase::Fenced | Phase::Closing => seat == self.seen && self.waited(scene),
            Phase::StandIn => false,
        }
    }

    /// Have all calls begun before this phase come to their end?
    fn waited(&self, scene: &Scene<'_>) -> bool {
        scene.now_ms >= self.since_ms + scene.rules.wait_ms
    }
}

/// What a poll found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    pub reached: [bool; 2],
    /// The home serves, its copy of the record is good, and no host has trouble with it.
    pub settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Ask,
    Write,
}

/// The poll of one seat.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// What the host knows; it only grows.
    pub view: Seat,
    pub watch: Watch,
    at: At,
    found: Polled,
    /// What the record, its copy is set to.
    set: [Seat; 2],
}

const SEAT: usize = 0;
const ILL: usize = 1;

impl Poll {
    #[must_use]
    pub fn new(view: Seat, watch: Watch) -> Self {
        Self { view, watch, at: At::Ask, found: Polled::default(), set: [Seat::UNKNOWN; 2] }
    }

    /// Asks both sides, up or not.
    pub fn start(&mut self) -> Step<Polled> {
        let mut request = Request::default();
        for side in Side::BOTH {
            request.on(side).get(Slot::Seat);
        }
        request.partner.get(Slot::Ill(Side::Home));
        Step::Send(request)
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Polled> {
        if self.at == At::Write {
            self.written(scene, legs);
            return Step::Done(self.found);
        }
        self.at = At::Write;
        let read = self.learn(legs);
        let [copy, kept] = read;
        self.found.reached = read.map(|read| read.is_some());
        let ill = matches!(legs.partner.answers[ILL], Answer::Hit(_));
        let mut request = Request::default();
        if let Some((seat, mode)) = kept {
            if seat == self.view {
                self.watch.saw(seat, scene.now_ms);
            }
            if let Some(to) = self.move_to(scene, seat, ill) {
                self.put(&mut request, Side::Partner, to, mode);
            }
            let well = scene.up[0] && self.found.reached[0];
            if !(well || scene.alone) {
                let (slot, mode, body) = (Slot::Ill(Side::Home), Mode::Set, Body::Empty);
                request.partner.push(Command::Set { slot, mode, stamp: 0, body, ttl: scene.rules.ill_ttl });
            }
        }
        if let Some((seat, mode)) = copy
            && let Some(to) = self.copy_to(scene, seat)
        {
            self.put(&mut request, Side::Home, to, mode);
        }
        let agreed = self.found.reached == [true; 2] && read.iter().flatten().all(|(seat, _)| *seat == self.view);
        self.found.settled = agreed && !ill && self.view.known() && self.view.phase() == Phase::Home;
        if request.home.is_empty() && request.partner.is_empty() {
            return Step::Done(self.found);
        }
        Step::Send(request)
    }

    /// Takes over what the record and its copy tell, and does nothing about them.
    pub fn learn(&mut self, legs: &Legs) -> [Option<(Seat, Mode)>; 2] {
        let read = Side::BOTH.map(|side| record(legs, side));
        self.view = read.iter().flatten().fold(self.view, |view, (seat, _)| view.max(*seat));
        read
    }

    /// What the record is to become; it holds `seat` (nothing: unknown).
    fn move_to(&self, scene: &Scene<'_>, seat: Seat, ill: bool) -> Option<Seat> {
        let rules = scene.rules;
        let [home, _] = scene.up;
        if !self.view.known() || (!seat.known() && !rules.memory) {
            // Where the home is only slow to answer, its copy may yet be found.
            return (self.found.reached[0] || !home).then(|| Seat::first(scene.clock));
        }
        if seat < self.view {
            return rules.memory.then_some(self.view);
        }
        let moves = match seat.phase() {
            Phase::Home => !home && !scene.alone,
            Phase::Fenced => self.watch.waited(scene) || !rules.fence_wait,
            Phase::StandIn => {
                let well = home && self.found.reached[0] && !(ill && rules.ill);
                well && self.watch.pace.allows(scene.now_ms)
            }
            Phase::Closing => self.watch.waited(scene) || !rules.close_wait,
        };
        moves.then(|| seat.next())
    }

    /// What the home's copy is to become; it holds `seat`. While the home does not serve, it stays what it was.
    fn copy_to(&self, scene: &Scene<'_>, seat: Seat) -> Option<Seat> {
        let serves = self.view.known() && self.view.phase() == Phase::Home;
        let to = match (self.view.known(), scene.up[1] || self.found.reached[1]) {
            (true, _) => self.view,
            (false, false) => Seat::first(scene.clock),
            (false, true) => return None,
        };
        (scene.rules.copy && seat < to && (serves || !self.view.known())).then_some(to)
    }

    fn put(&mut self, request: &mut Request, side: Side, to: Seat, mode: Mode) {
        self.set[side as usize] = to;
        let (slot, body) = (Slot::Seat, Body::Number(to.0));
        request.on(side).push(Command::Set { slot, mode, stamp: 0, body, ttl: 0 });
    }

    fn written(&mut self, scene: &Scene<'_>, legs: &Legs) {
        for side in Side::BOTH {
            let to = self.set[side as usize];
            if to.known() && legs.of(side).answered() && matches!(legs.of(side).answers[SEAT], Answer::Stored(_)) {
                self.view = self.view.max(to);
                if side == Side::Partner {
                    self.watch.saw(to, scene.now_ms);
                }
            }
        }
    }
}

/// The record that `side` holds (unknown: none) and how to replace it; `None` when the side did not tell.
fn record(legs: &Legs, side: Side) -> Option<(Seat, Mode)> {
    match legs.of(side).answers[SEAT] {
        _ if !legs.of(side).answered() => None,
        Answer::Hit(Hit { number, cas, .. }) => Some((Seat::read(number.unwrap_or(0)), Mode::Cas(cas))),
        Answer::Miss => Some((Seat::UNKNOWN, Mode::Add)),
        _ => None,
    }
}
