//! The end of a call that one side missed: that side is void before the caller hears of it.

use super::mark::View;
use super::void::Void;
use super::{Answer, Legs, Outcome, Scene, Side, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    void: Void,
    then: Outcome,
}

impl Settle {
    /// Voids `missed`, then ends with `then`. `record`: the mark of that side, as the other side read it after the write; without it
    /// the other side is asked.
    pub fn begin(
        scene: &Scene<'_>,
        view: &mut View,
        missed: Side,
        record: Option<Answer>,
        then: Outcome,
    ) -> (Self, Step<Outcome>) {
        let mut void = Void::new(missed);
        let step = match record {
            Some(record) => void.judge(scene, view, &record, None),
            None => void.ask(scene),
        };
        let settle = Self { void, then };
        (settle, settle.end(scene, step))
    }

    pub fn next(&mut self, scene: &Scene<'_>, view: &mut View, legs: &Legs) -> Step<Outcome> {
        let step = self.void.next(scene, view, legs);
        self.end(scene, step)
    }

    fn end(&self, scene: &Scene<'_>, step: Step<bool>) -> Step<Outcome> {
        match step {
            Step::Send(request) if scene.rules.bump => Step::Send(request),
            Step::Done(false) => Step::Done(Outcome::Ambiguous),
            _ => Step::Done(self.then),
        }
    }
}
