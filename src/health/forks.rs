//! Real processes on one cell in shared memory, killed at any instruction.

use super::{Cell, Policy, Poll, Reason, Seen, State};
use crate::near::Region;
use crate::near::children::Child;

fn hammer(cell: &Cell, policy: &Policy, who: u32) -> ! {
    let mut dice = 0x9e37_79b9 ^ who;
    let mut now = 0;
    loop {
        now += 1;
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match (cell.admit(), dice >> 29) {
            (Some(begun), 0) => cell.observe(now, begun, Seen::Hard(Reason::Reset), policy),
            (Some(begun), 1..=4) => cell.observe(now, begun, Seen::Soft(Reason::Timeout), policy),
            (Some(begun), _) => cell.observe(now, begun, Seen::Ok, policy),
            (None, 0) => cell.probed(now, cell.incarnation(), Poll::Failed(Reason::Refused), dice, policy),
            (None, _) => cell.probed(now, cell.incarnation(), Poll::Known, dice, policy),
        };
    }
}

#[test]
fn a_cell_survives_processes_killed_at_any_instruction() {
    let region = Region::anonymous(4096).unwrap();
    // SAFETY: the region is zeroed, page-aligned and larger than a cell, whose zero bytes are a fresh one.
    let cell = unsafe { region.start().cast::<Cell>().as_ref() };
    let policy = Policy::default();
    for round in 0..40 {
        let before = cell.incarnation();
        let children: Vec<Child> = (0..4).map(|who| Child::fork(|| hammer(cell, &policy, round * 4 + who))).collect();
        crate::near::children::until(|| cell.incarnation().wrapping_sub(before) & 0xffff > 20);
        drop(children);

        cell.observe(u64::MAX >> 20, cell.incarnation(), Seen::Hard(Reason::Refused), &policy);
        assert!(cell.state().failed());
        let good = (1..60).find(|_| {
            cell.probed(u64::MAX >> 20, cell.incarnation(), Poll::Known, 0, &policy);
            cell.admits()
        });
        assert!(good.is_some(), "it must be possible to bring it back: {cell:?}");
        assert_eq!(cell.state(), State::Up);
    }
}
