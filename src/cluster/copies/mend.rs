//! The repair of one key: look, wait for a second equal look, then write by CAS what is believed where it is missing.
//!
//! Readers never repair. Each store is guarded by the cas of the item looked at; a missing item is first added without a stamp,
//! the tombstone looked at again, and only then stamped: nothing that a concurrent writer does in between is undone.

use super::mark::View;
use super::sight::{self, Grade, Look};
use super::task::{Seen, Task};
use super::void::Void;
use super::{Answer, Body, Command, Hit, Legs, Mode, Request, Scene, Side, Slot, Step};

/// How the repair of a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// Both sides agree under their current epochs.
    Whole,
    /// Not yet: look again later.
    Wait(Option<Seen>),
    /// Something was written (or may have been): look again.
    Acted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Look,
    Added {
        from: Side,
        tomb: Option<u64>,
    },
    /// A counter is copied: does anybody miss an answer of either side, which may yet get a late count?
    Notes {
        from: Side,
        hit: Hit,
        /// What is replaced there: another counter, or a bar.
        over: Option<Hit>,
    },
    /// A counter was added on the other side: did the source rest meanwhile?
    Counted {
        from: Side,
        hit: Hit,
    },
    Fenced {
        from: Side,
    },
    Undone {
        to: Side,
    },
    Void(Void),
    Last,
}

/// The repair of one key.
#[derive(Clone, Copy, Debug)]
pub struct Mend {
    pub view: View,
    before: Option<Seen>,
    /// Nothing was wrong for so long that no packet is late any more.
    calm: bool,
    at: At,
    ttl: u32,
    /// Both sides were believed, and one of them is set right.
    corrects: bool,
}

impl Mend {
    /// `before`: what the last look at this key left; `calm`: see [`super::Walk::calm`].
    #[must_use]
    pub fn new(view: View, before: Option<Seen>, calm: bool) -> Self {
        Self { view, before, calm, at: At::Look, ttl: 0, corrects: false }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Mended> {
        Step::Send(sight::ask([true; 2], &self.view, scene.rules))
    }

    /// Does its last request change what a read may have brought? Else it only puts beside each other what reads bring anyway.
    #[must_use]
    pub fn corrects(&self) -> bool {
        self.corrects
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Mended> {
        match self.at {
            At::Look => self.looked(scene, legs),
            At::Added { from, tomb } => self.added(scene, legs, from, tomb),
            At::Notes { from, hit, over } => self.noted(scene, legs, from, hit, over),
            At::Counted { from, hit } => self.counted(scene, legs, from, hit),
            At::Fenced { from } => match legs.of(from).answers[0] {
                Answer::Stored(_) if legs.of(from).answered() => Step::Done(Mended::Acted),
                _ => self.undo(scene, from.other()),
            },
            At::Undone { to } if legs.of(to).answered() => Step::Done(Mended::Acted),
            At::Undone { to } => self.void(scene, to),
            At::Void(mut void) => {
                let step = void.next(scene, &mut self.view, legs);
                self.voided(void, step)
            }
            At::Last => Step::Done(Mended::Acted),
        }
    }

    fn looked(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Mended> {
        let rules = scene.rules;
        let before = self.view;
        let look = Look::new(legs, &mut self.view);
        if !look.home.reached || !look.partner.reached || self.view != before {
            return Step::Done(Mended::Wait(None));
        }
        let task = Task::new(&look, &self.view, rules);
        match task {
            Task::Nothing => return Step::Done(Mended::Whole),
            Task::Wait => return Step::Done(Mended::Wait(None)),
            _ => {}
        }
        let seen = Seen::new(self.before, &look, &self.view, task, scene.now_ms);
        if rules.two_looks && scene.now_ms < seen.due_ms(rules) {
            return Step::Done(Mended::Wait(Some(seen)));
        }
        self.act(scene, &look, task)
    }

    fn act(&mut self, scene: &Scene<'_>, look: &Look, task: Task) -> Step<Mended> {
        let rules = scene.rules;
        let mut request = Request::default();
        let slot = Slot::Item;
        self.at = At::Last;
        match task {
            Task::Nothing | Task::Wait => return Step::Done(Mended::Wait(None)),
            Task::Stamp { at } => {
                let Some(item) = look.of(at).item else { return Step::Done(Mended::Wait(None)) };
                let (mode, stamp) = (Mode::Cas(item.cas), self.view.of(at).stamp(rules));
                let ttl = item.ttl.unwrap_or(0);
                request.on(at).push(Command::Set { slot, mode, stamp, body: Body::Copy(at), ttl });
            }
            Task::Remove { at, gone } => {
                request.on(at).push(Command::Delete { slot, cas: look.of(at).item.map(|item| item.cas) });
                if gone && rules.tombs {
                    let (slot, mode, body) = (Slot::Tomb, Mode::Set, Body::Empty);
                    let stamp = self.view.of(at).stamp(rules);
                    request.on(at).push(Command::Set { slot, mode, stamp, body, ttl: rules.tomb_ttl });
                }
            }
            Task::Recount { from } => {
                let Some(hit) = look.of(from).counter else { return Step::Done(Mended::Wait(None)) };
                return self.ask_notes(from, hit, look.of(from.other()).bar);
            }
            Task::Level => {
                let (Some(home), Some(partner)) = (look.home.counter, look.partner.counter) else {
                    return Step::Done(Mended::Wait(None));
                };
                return self.ask_notes(Side::Home, home, Some(partner));
            }
            Task::Orphan { at } => {
                let slot = sight::counter(self.view.of(at), rules);
                request.on(at).push(Command::Delete { slot, cas: look.of(at).counter_cas() });
            }
            Task::Copy { from } => {
                let to = from.other();
                self.ttl = look.of(from).item.and_then(|item| item.ttl).unwrap_or(0);
                let (ttl, body) = (self.ttl, Body::Copy(from));
                if let Some(item) = look.of(to).item {
                    self.corrects = matches!(look.of(to).grade(self.view.of(to), rules), Grade::Item(_));
                    let (mode, stamp) = (Mode::Cas(item.cas), self.view.of(to).stamp(rules));
                    request.on(to).push(Command::Set { slot, mode, stamp, body, ttl });
                } else {
                    self.at = At::Added { from, tomb: look.of(to).tomb.map(|tomb| tomb.cas) };
                    request.on(to).push(Command::Set { slot, mode: Mode::Add, stamp: 0, body, ttl });
                    request.on(to).get(Slot::Tomb);
                }
            }
        }
        Step::Send(request)
    }

    /// Whoever missed the answer of a count, and voided nothing, left a note before the second look.
    fn ask_notes(&mut self, from: Side, hit: Hit, over: Option<Hit>) -> Step<Mended> {
        if !self.calm {
            return Step::Done(Mended::Wait(None));
        }
        self.at = At::Notes { from, hit, over };
        let mut request = Request::default();
        for side in Side::BOTH {
            request.on(side).get(Slot::Ill(side.other()));
        }
        Step::Send(request)
    }

    fn noted(&mut self, scene: &Scene<'_>, legs: &Legs, from: Side, hit: Hit, over: Option<Hit>) -> Step<Mended> {
        let quiet = |side: Side| legs.of(side).answered() && legs.of(side).answers[0] == Answer::Miss;
        if !Side::BOTH.into_iter().all(quiet) {
            return Step::Done(Mended::Wait(None));
        }
        let Some(old) = over.filter(|old| old.number.is_some()) else { return self.recount(scene, from, hit, over) };
        (self.at, self.corrects) = (At::Last, true);
        let to = from.other();
        let mut request = Request::default();
        request.on(to).push(number(sight::counter(self.view.of(to), scene.rules), Mode::Cas(old.cas), old.stamp, &hit));
        Step::Send(request)
    }

    /// Adds the number on the other side; it holds only if the source did not move meanwhile.
    fn recount(&mut self, scene: &Scene<'_>, from: Side, hit: Hit, bar: Option<Hit>) -> Step<Mended> {
        let mode = bar.map_or(Mode::Add, |bar| Mode::Cas(bar.cas));
        self.at = At::Counted { from, hit };
        let mut request = Request::default();
        let slot = sight::counter(self.view.of(from.other()), scene.rules);
        request.on(from.other()).push(number(slot, mode, COPIED, &hit));
        Step::Send(request)
    }

    fn counted(&mut self, scene: &Scene<'_>, legs: &Legs, from: Side, hit: Hit) -> Step<Mended> {
        let to = from.other();
        // A copy that was lost may yet land, when the source has counted on: taking it away now would not help.
        if legs.doubts(to) {
            return self.void(scene, to);
        }
        if !legs.of(to).answered() || !matches!(legs.of(to).answers[0], Answer::Stored(_)) {
            return Step::Done(Mended::Acted);
        }
        self.at = At::Fenced { from };
        let mut request = Request::default();
        let slot = sight::counter(self.view.of(from), scene.rules);
        request.on(from).push(number(slot, Mode::Cas(hit.cas), hit.stamp, &hit));
        Step::Send(request)
    }

    /// A copy that may lack an increment goes away, or its side is voided.
    fn undo(&mut self, scene: &Scene<'_>, to: Side) -> Step<Mended> {
        self.at = At::Undone { to };
        let mut request = Request::default();
        let slot = sight::counter(self.view.of(to), scene.rules);
        request.on(to).push(Command::bar(slot, Mode::Set, scene.rules));
        Step::Send(request)
    }

    fn void(&mut self, scene: &Scene<'_>, to: Side) -> Step<Mended> {
        let mut void = Void::new(to);
        let step = void.ask(scene);
        self.voided(void, step)
    }

    fn voided(&mut self, void: Void, step: Step<bool>) -> Step<Mended> {
        self.at = At::Void(void);
        match step {
            Step::Send(request) => Step::Send(request),
            Step::Done(_) => Step::Done(Mended::Acted),
        }
    }

    fn added(&mut self, scene: &Scene<'_>, legs: &Legs, from: Side, tomb: Option<u64>) -> Step<Mended> {
        let to = from.other();
        let leg = legs.of(to);
        let Answer::Stored(cas) = leg.answers[0] else { return Step::Done(Mended::Acted) };
        if !leg.answered() {
            return Step::Done(Mended::Acted);
        }
        let now = match leg.answers[1] {
            Answer::Hit(hit) => Some(hit.cas),
            _ => None,
        };
        let mut request = Request::default();
        self.at = At::Last;
        let slot = Slot::Item;
        request.on(to).push(if now == tomb {
            let (mode, stamp) = (Mode::Cas(cas), self.view.of(to).stamp(scene.rules));
            Command::Set { slot, mode, stamp, body: Body::Copy(from), ttl: self.ttl }
        } else {
            Command::Delete { slot, cas: Some(cas) }
        });
        Step::Send(request)
    }
}

/// The stamp of a counter that a repairer copied; memcached's `ma` makes them with none and keeps what they have.
const COPIED: u16 = 1;

fn number(slot: Slot, mode: Mode, stamp: u16, hit: &Hit) -> Command {
    let (body, ttl) = (Body::Number(hit.number.unwrap_or(0)), hit.ttl.unwrap_or(0));
    Command::Set { slot, mode, stamp, body, ttl }
}
