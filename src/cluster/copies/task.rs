//! What a repair of one key has to do, judged by one look at both sides.

use super::mark::View;
use super::sight::{Grade, Look};
use super::{Hit, Rules, Side};

/// What has to be done to make the sides agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Nothing,
    /// Not possible now.
    Wait,
    /// Store the source's item on the other side.
    Copy {
        from: Side,
    },
    /// Give the source's own item the current stamp first.
    Stamp {
        at: Side,
    },
    /// Take an item away that is not believed.
    Remove {
        at: Side,
        gone: bool,
    },
    /// Give the other side this side's counter.
    Recount {
        from: Side,
    },
    /// Two counters at rest differ: the home's number holds.
    Level,
    /// Take away a counter beside an item, or a bar without a counter.
    Orphan {
        at: Side,
    },
}

/// All that must stand still between two looks.
type Sign = [Option<u64>; 8];

fn sign(look: &Look, view: &View) -> Sign {
    let cas = |hit: Option<Hit>| hit.map(|hit| hit.cas);
    let (home, partner) = (&look.home, &look.partner);
    let (marks, items) = ([view.home, view.partner], [cas(home.item), cas(partner.item)]);
    let (tombs, counts) = ([cas(home.tomb), cas(partner.tomb)], [home.counter_cas(), partner.counter_cas()]);
    let [a, b] = marks.map(|mark| Some(mark.0));
    [a, b, items[0], items[1], tombs[0], tombs[1], counts[0], counts[1]]
}

/// What the looks at a key found, to be compared with the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    sign: Sign,
    /// Since when the looks are equal, milliseconds.
    at_ms: u64,
    /// By how much the home's counter is ahead of the partner's, where they have to be made level, and since when.
    apart: Option<(u64, u64)>,
}

impl Seen {
    #[must_use]
    pub fn new(before: Option<Self>, look: &Look, view: &View, task: Task, now_ms: u64) -> Self {
        let sign = sign(look, view);
        let at_ms = before.filter(|seen| seen.sign == sign).map_or(now_ms, |seen| seen.at_ms);
        let number = |hit: Option<Hit>| hit.and_then(|hit| hit.number).unwrap_or(0);
        let by = number(look.home.counter).wrapping_sub(number(look.partner.counter));
        let since = before.and_then(|seen| seen.apart).filter(|(before, _)| *before == by);
        let apart = (task == Task::Level).then(|| since.unwrap_or((by, now_ms)));
        Self { sign, at_ms, apart }
    }

    /// When the repair may act, if the next look is equal. A count that came to one side comes to the other within the calm, or never:
    /// counters that differ may move meanwhile, but not apart.
    #[must_use]
    pub fn due_ms(&self, rules: &Rules) -> u64 {
        let level_ms = self.apart.map_or(0, |(_, since_ms)| since_ms + rules.calm_ms);
        level_ms.max(self.at_ms + rules.gap_ms)
    }
}

impl Task {
    /// Judges a look at both sides.
    pub fn new(look: &Look, view: &View, rules: &Rules) -> Self {
        let grades = [look.home.grade(view.home, rules), look.partner.grade(view.partner, rules)];
        let active = view.home.active(rules) && view.partner.active(rules);
        let junk = |side: Side| look.of(side).item.is_some() && !matches!(grades[side as usize], Grade::Item(_));
        let removal = |gone: bool| Side::BOTH.into_iter().find(|side| junk(*side)).map(|at| Task::Remove { at, gone });
        let (home, partner) = (Side::Home, Side::Partner);
        // Copies made at the last moment would keep each other alive for ever.
        let ending = |hit: Option<Hit>| hit.is_some_and(|hit| hit.ending());
        let barred = |side: Side| look.of(side).bar.is_some();
        if Side::BOTH.into_iter().any(|side| ending(look.of(side).item) || ending(look.of(side).counter)) {
            return if Side::BOTH.into_iter().any(barred) { Task::Wait } else { Task::Nothing };
        }
        // A counter goes when its side has the item: what is complete holds one of them at any time.
        let both = |side: Side| matches!(grades[side as usize], Grade::Item(_)) && look.of(side).counter.is_some();
        // So does a bar without a counter on the other side: where a pair is whole, a counter is made on both.
        let idle = |side: Side| barred(side) && look.of(side.other()).counter.is_none();
        if let Some(at) = Side::BOTH.into_iter().find(|side| active && (both(*side) || idle(*side))) {
            return Task::Orphan { at };
        }
        match grades {
            _ if !active => Task::Wait,
            [Grade::Counter(one), Grade::Counter(two)] if one.number == two.number && one.ends_with(&two) => {
                removal(false).unwrap_or(Task::Nothing)
            }
            [Grade::Counter(_), Grade::Counter(_)] => Task::Level,
            [Grade::Item(one), Grade::Item(two)] if one.digest == two.digest && one.ends_with(&two) => Task::Nothing,
            [Grade::Item(_), _] => Task::Copy { from: home },
            [_, Grade::Item(_)] => Task::Copy { from: partner },
            [Grade::Counter(_), _] => Task::Recount { from: home },
            [_, Grade::Counter(_)] => Task::Recount { from: partner },
            [Grade::Gone, _] | [_, Grade::Gone] => removal(true).unwrap_or(Task::Nothing),
            [Grade::Silent(true), _] | [_, Grade::Silent(true)] => removal(false).unwrap_or(Task::Nothing),
            [_, Grade::Doubtful(_)] => Task::Stamp { at: partner },
            [Grade::Doubtful(_), _] => Task::Stamp { at: home },
            _ => Task::Nothing,
        }
    }
}
