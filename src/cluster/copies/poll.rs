//! A watcher's look at one pair, each tick: both marks, whether both sides are complete, who repairs.
//!
//! It makes a lost mark again from memory, raises one that is behind, activates an epoch when its server answers, and
//! leaves a note when it cannot reach a side, so that nobody calls the pair whole while a host is cut off.

use super::mark::{Mark, View};
use super::{Answer, Body, Command, Hit, Legs, Mode, Request, Scene, Side, Slot, Step};

/// What a side's full record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Full {
    /// Nothing that holds.
    #[default]
    No,
    /// A pass over the keys may end by replacing it; its cas.
    Open(u64),
    /// The side is complete under its mark.
    Yes,
}

/// What a poll found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    pub reached: [bool; 2],
    /// The full record of the home, of the partner.
    pub full: [Full; 2],
    /// Both are, and no host has trouble.
    pub whole: bool,
    /// Could somebody else not reach the home, the partner lately?
    pub noted: [bool; 2],
    /// Somebody could not reach a side lately.
    pub ill: bool,
    /// This host repairs the pair.
    pub repairs: bool,
    pub activated: [bool; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Ask,
    Correct,
}

/// The poll of one pair.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    pub view: View,
    /// Does this host use the home, the partner? One that it does not counts as not reached, though its records are read.
    pub used: [bool; 2],
    /// Did it repair the pair at the last poll? Then it renews its lease for so many seconds.
    pub renews: Option<u32>,
    /// This host's number, not zero: its name in the lease.
    host: u64,
    /// May it activate the home's, the partner's epoch?
    paced: [bool; 2],
    at: At,
    found: Polled,
    /// What the marks are set to.
    set: [Mark; 2],
}

pub(super) const MARK: usize = 0;
pub(super) const FULL: usize = 1;
pub(super) const ILL: usize = 2;
pub(super) const LEASE: usize = 3;
/// What an open full record holds: no mark.
pub(super) const OPEN: u64 = 0;

impl Poll {
    #[must_use]
    pub fn new(view: View, host: u64, paced: [bool; 2]) -> Self {
        Self {
            view,
            used: [true; 2],
            renews: None,
            host,
            paced,
            at: At::Ask,
            found: Polled::default(),
            set: [Mark::UNKNOWN; 2],
        }
    }

    /// Asks both sides, up or not: this is also how a host learns that a server is back.
    pub fn start(&mut self) -> Step<Polled> {
        let mut request = Request::default();
        for side in Side::BOTH {
            let packet = request.on(side);
            packet.get(Slot::Mark(side.other()));
            packet.get(Slot::Full(side));
            packet.get(Slot::Ill(side.other()));
        }
        request.partner.push(match self.renews {
            Some(ttl) => Command::Touch { slot: Slot::Lease, ttl },
            None => Command::Get { slot: Slot::Lease },
        });
        Step::Send(request)
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Polled> {
        if self.at == At::Correct {
            for side in Side::BOTH {
                let leg = legs.of(side.other());
                if leg.answered() && matches!(leg.answers[MARK], Answer::Stored(_)) {
                    self.view.learn(side, self.set[side as usize]);
                }
            }
            return Step::Done(self.found);
        }
        self.at = At::Correct;
        self.learn(legs);
        let full = |side: Side| match legs.of(side).answers[FULL] {
            Answer::Hit(Hit { number: Some(number), cas, .. }) if legs.of(side).answered() => {
                if self.view.of(side).complete(Mark(number), scene.rules) {
                    Full::Yes
                } else if number == OPEN {
                    Full::Open(cas)
                } else {
                    Full::No
                }
            }
            _ => Full::No,
        };
        let noted = |side: Side| {
            let witness = legs.of(side.other());
            witness.answered() && matches!(witness.answers[ILL], Answer::Hit(_))
        };
        self.found.noted = Side::BOTH.map(noted);
        self.found.reached = Side::BOTH.map(|side| legs.of(side).answered() && self.used[side as usize]);
        self.found.ill = self.found.reached != [true; 2] || self.found.noted != [false; 2];
        self.found.full = Side::BOTH.map(full);
        self.found.whole = !self.found.ill && self.found.full == [Full::Yes; 2];
        let mut request = Request::default();
        for side in Side::BOTH.into_iter().filter(|side| legs.of(*side).answered()) {
            self.correct(scene, legs, side, &mut request);
        }
        let reached = self.found.reached;
        for side in Side::BOTH.into_iter().filter(|side| !reached[*side as usize] && legs.of(side.other()).answered()) {
            let (slot, mode, body, ttl) = (Slot::Ill(side), Mode::Set, Body::Empty, scene.rules.ill_ttl);
            request.on(side.other()).push(Command::Set { slot, mode, stamp: 0, body, ttl });
        }
        self.lease(scene, legs, &mut request);
        self.open(&mut request);
        if request.home.is_empty() && request.partner.is_empty() {
            return Step::Done(self.found);
        }
        Step::Send(request)
    }

    /// Takes over the marks that the answers tell, and does nothing about them.
    pub fn learn(&mut self, legs: &Legs) {
        legs.teach(&mut self.view, MARK);
        for side in Side::BOTH {
            // A host that knows nothing learns here which mark was in force when the side was last complete.
            self.view.learn(side, legs.of(side).mark(FULL).unwrap_or_default());
        }
    }

    /// Puts the mark that `witness` keeps of the other side in order. A side that lost its records gets them back when its new epoch
    /// has begun: by then nothing counts that was sent before and finds it empty.
    fn correct(&mut self, scene: &Scene<'_>, legs: &Legs, witness: Side, request: &mut Request) {
        let rules = scene.rules;
        let side = witness.other();
        let lost = |side: Side| legs.flushed(side, MARK);
        let active = |side: Side| legs.of(side.other()).mark(MARK).is_some_and(|mark| mark.active(rules));
        if lost(witness) && active(witness) {
            return;
        }
        let known = self.view.of(side);
        let (read, mode) = match legs.of(witness).answers[MARK] {
            Answer::Hit(hit) => (Mark(hit.number.unwrap_or(0)), Mode::Cas(hit.cas)),
            _ => (Mark::UNKNOWN, Mode::Add),
        };
        let to = match read {
            Mark::UNKNOWN if rules.memory && known.known() => known,
            Mark::UNKNOWN if legs.of(side).answered() => Mark::first(scene.clock),
            read if read < known && rules.memory => known,
            read if lost(side) && active(side) => read.next(),
            read if !lost(side) && self.activates(scene, read, legs, side) => {
                self.found.activated[side as usize] = true;
                Mark(read.0 + 1)
            }
            _ => return,
        };
        self.set[side as usize] = to;
        let (slot, body) = (Slot::Mark(side), Body::Number(to.0));
        request.on(witness).push(Command::Set { slot, mode, stamp: 0, body, ttl: 0 });
    }

    /// The repairer opens the full records that do not hold. Where both sides are complete, also that of one that somebody could not
    /// reach: packets for it may be late that nobody was told of, and only a pass after them shows that the copies are equal.
    fn open(&self, request: &mut Request) {
        let both = self.found.full == [Full::Yes; 2];
        let closed = |side: Side| self.found.full[side as usize] == Full::No || both && self.found.noted[side as usize];
        for side in Side::BOTH.into_iter().filter(|side| self.found.repairs && closed(*side)) {
            let (slot, mode, body) = (Slot::Full(side), Mode::Set, Body::Number(OPEN));
            request.on(side).push(Command::Set { slot, mode, stamp: 0, body, ttl: 0 });
        }
    }

    fn activates(&self, scene: &Scene<'_>, mark: Mark, legs: &Legs, side: Side) -> bool {
        let able = self.found.reached[side as usize] && self.paced[side as usize] && !scene.isolated;
        !mark.active(scene.rules) && able && self.holds(legs)
    }

    /// Does this host hold the lease?
    fn holds(&self, legs: &Legs) -> bool {
        matches!(legs.partner.answers[LEASE], Answer::Hit(Hit { number: Some(holder), .. }) if holder == self.host)
            && legs.partner.answered()
    }

    /// Takes the lease when nobody has it. It only saves work: two repairers at once do no harm.
    fn lease(&mut self, scene: &Scene<'_>, legs: &Legs, request: &mut Request) {
        let all = self.found.reached == [true; 2];
        self.found.repairs = all && self.holds(legs);
        if all && legs.partner.answers[LEASE] == Answer::Miss {
            let (slot, mode, body) = (Slot::Lease, Mode::Add, Body::Number(self.host));
            let ttl = scene.rules.lease_ttl;
            request.partner.push(Command::Set { slot, mode, stamp: 0, body, ttl });
        }
    }
}
