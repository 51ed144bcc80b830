//! How a host that does not know a side's mark yet asks for it before its first write.

use super::mark::View;
use super::{Legs, Request, Scene, Side, Slot, Step};

const MARK: usize = 0;
const FULL: usize = 1;

/// Must both sides be asked for the marks first?
pub(super) fn needed(scene: &Scene<'_>, view: &View) -> bool {
    Side::BOTH.iter().any(|side| scene.up(*side) && !view.of(*side).known())
}

/// Asks both sides for what they know of the marks.
pub(super) fn ask<T>(scene: &Scene<'_>) -> Step<T> {
    let mut request = Request::default();
    for side in Side::BOTH.into_iter().filter(|side| scene.up(*side)) {
        request.on(side).get(Slot::Mark(side.other()));
        request.on(side).get(Slot::Full(side));
    }
    Step::Send(request)
}

pub(super) fn take(legs: &Legs, view: &mut View) {
    legs.teach(view, MARK);
    for side in Side::BOTH {
        view.learn(side, legs.of(side).mark(FULL).unwrap_or_default());
    }
}
