//! A get: one round trip when the item is of the current epoch, else a look at both sides.

use super::mark::View;
use super::sight::{self, Look, Ruling};
use super::{Answer, Fate, Legs, Outcome, Request, Scene, Side, Slot, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    First(Side),
    Look { again: bool },
}

/// One get.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// What the host knew at the start, and what this call learnt.
    pub view: View,
    at: At,
}

impl Read {
    #[must_use]
    pub fn new(view: View) -> Self {
        Self { view, at: At::Start }
    }

    pub fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
        let trusted = |side| self.view.of(side).active(scene.rules);
        match scene.up {
            _ if scene.nobody() => Step::Done(Outcome::Unavailable),
            [true, partner] if trusted(Side::Home) && (scene.fresh || !partner) => self.first(Side::Home),
            [false, true] if trusted(Side::Partner) => self.first(Side::Partner),
            up => self.look(scene, up),
        }
    }

    pub fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        self.advance(scene, legs).heeding(scene)
    }

    fn advance(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
        match self.at {
            At::Start => self.start(scene),
            At::First(side) => {
                let leg = legs.of(side);
                match leg.answers[0] {
                    Answer::Hit(hit) if leg.answered() && self.view.of(side).verifies(hit.stamp, scene.rules) => {
                        Step::Done(Outcome::Found { side, verified: true })
                    }
                    _ => {
                        let mut up = scene.up;
                        up[side as usize] = leg.answered();
                        self.look(scene, up)
                    }
                }
            }
            At::Look { again } => self.judge(scene, legs, again),
        }
    }

    fn first(&mut self, side: Side) -> Step<Outcome> {
        self.at = At::First(side);
        let mut request = Request::default();
        request.on(side).get(Slot::Item);
        Step::Send(request)
    }

    fn look(&mut self, scene: &Scene<'_>, up: [bool; 2]) -> Step<Outcome> {
        if up == [false, false] {
            return Step::Done(Outcome::Unavailable);
        }
        self.at = At::Look { again: matches!(self.at, At::Look { .. }) };
        Step::Send(sight::ask(up, &self.view, scene.rules))
    }

    fn judge(&mut self, scene: &Scene<'_>, legs: &Legs, again: bool) -> Step<Outcome> {
        let before = self.view;
        let look = Look::new(legs, &mut self.view);
        match look.ruling(&self.view, scene.rules) {
            Ruling::Item { side, verified } => Step::Done(Outcome::Found { side, verified }),
            // The counters asked for were of a void epoch.
            _ if self.view != before && !again => {
                self.look(scene, Side::BOTH.map(|side| legs.of(side).fate == Fate::Answered))
            }
            Ruling::Counter { number, .. } => Step::Done(Outcome::Number(number)),
            Ruling::Missing => Step::Done(Outcome::Missing),
            Ruling::Unknown => Step::Done(Outcome::Unavailable),
        }
    }
}
