//! Random interleavings of many processes against a plain model of the rules.

use super::State::{Down, Returning, Suspect, Up};
use super::{Cell, Policy, Poll, Reason, Seen, State};
use proptest::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

const PROCESSES: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(usize),
    Finish(usize, Seen),
    BeginProbe,
    FinishProbe(Poll),
    Restart,
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        3 => Just(Seen::Ok),
        3 => Just(Seen::Soft(Reason::Timeout)),
        1 => Just(Seen::Hard(Reason::Refused)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..PROCESSES).prop_map(Step::Begin),
        4 => (0..PROCESSES, seen()).prop_map(|(who, seen)| Step::Finish(who, seen)),
        2 => Just(Step::BeginProbe),
        3 => prop_oneof![
            3 => Just(Poll::Known),
            1 => Just(Poll::Pending),
            1 => Just(Poll::Failed(Reason::Timeout)),
            1 => Just(Poll::Failed(Reason::Refused)),
        ].prop_map(Step::FinishProbe),
        1 => Just(Step::Restart),
    ]
}

/// The rules once more, in the plainest words: a life is what lies between two losses of all connections.
struct Model {
    state: State,
    row: u32,
    /// A call is among those that failed.
    owes: bool,
    life: u32,
    flaps: u32,
    calm_until: u64,
}

impl Model {
    fn down(&mut self, now: u64) {
        if self.state != Returning {
            self.flaps = if now < self.calm_until { (self.flaps + 1).min(8) } else { 0 };
        }
        (self.state, self.row, self.owes, self.life) = (Down, 0, false, self.life + 1);
    }

    fn up(&mut self) {
        (self.state, self.row, self.owes) = (Up, 0, false);
    }

    fn saw(&mut self, now: u64, seen: Seen, policy: &Policy) {
        match (self.state, seen) {
            (Down, _) | (Returning, Seen::Ok) => {}
            (Returning, _) | (_, Seen::Hard(_)) => self.down(now),
            (_, Seen::Ok) => self.up(),
            (_, Seen::Soft(_)) => {
                self.owes = true;
                self.missed(now, policy);
            }
        }
    }

    fn missed(&mut self, now: u64, policy: &Policy) {
        (self.state, self.row) = (Suspect, self.row + 1);
        if self.row == policy.soft_failures {
            self.down(now);
        }
    }

    fn probed(&mut self, now: u64, poll: Poll, policy: &Policy) {
        match (self.state, poll) {
            (Down | Returning, Poll::Known) => {
                (self.state, self.row) = (Returning, self.row + 1);
                if self.row == policy.return_probes + 2 * self.flaps {
                    (self.state, self.row, self.owes) = (Up, policy.soft_failures - 1, true);
                    self.calm_until = now + policy.flap_window_ms;
                }
            }
            (Down, Poll::Pending) => self.state = Returning,
            (Suspect, Poll::Known | Poll::Pending) if !self.owes => self.up(),
            (_, Poll::Known | Poll::Pending) | (Down, Poll::Failed(_)) => {}
            (Returning, Poll::Failed(_)) | (_, Poll::Failed(Reason::Refused)) => self.down(now),
            (_, Poll::Failed(_)) => self.missed(now, policy),
        }
    }
}

proptest! {
    #[test]
    fn any_interleaving_follows_the_model_and_tells_each_change_once(
        steps in prop::collection::vec((step(), 0u64..5_000), 1..300),
        soft_failures in 1u32..5,
    ) {
        let policy = Policy { soft_failures, flap_window_ms: 20_000, ..Policy::default() };
        let cell = Cell::default();
        let mut model = Model { state: Up, row: 0, owes: false, life: 0, flaps: 0, calm_until: 0 };
        let mut running: [Option<(u32, u32)>; PROCESSES] = [None; PROCESSES];
        let (mut probing, mut now, mut told) = (None, 0, Up);
        for (step, pause) in steps {
            now += pause;
            let change = match step {
                Step::Begin(who) => {
                    running[who] = cell.admit().map(|begun| (begun, model.life));
                    prop_assert_eq!(running[who].is_some(), matches!(model.state, Up | Suspect));
                    None
                }
                Step::Finish(who, seen) => running[who].take().and_then(|(begun, life)| {
                    if life == model.life {
                        model.saw(now, seen, &policy);
                    }
                    cell.observe(now, begun, seen, &policy)
                }),
                Step::BeginProbe => {
                    probing = Some((cell.incarnation(), model.life));
                    None
                }
                Step::FinishProbe(poll) => probing.take().and_then(|(begun, life)| {
                    if life == model.life {
                        model.probed(now, poll, &policy);
                    }
                    cell.probed(now, begun, poll, 7, &policy)
                }),
                Step::Restart => {
                    model.life += 1;
                    cell.restarted();
                    None
                }
            };
            if let Some(change) = change {
                prop_assert_eq!(change.from, told);
                told = change.to;
            }
            prop_assert_eq!((cell.state(), told), (model.state, model.state), "after {:?}", step);
        }
    }
}

/// Each change is an edge; told once each, they form one path from `Up` to the last state.
#[test]
fn processes_at_once_tell_each_change_exactly_once() {
    let (cell, policy) = (Cell::default(), Policy { flap_window_ms: 0, ..Policy::default() });
    let balance: [AtomicI64; 5] = Default::default();
    let changes = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for who in 0..4u32 {
            let (cell, policy, balance, changes) = (&cell, &policy, &balance, &changes);
            scope.spawn(move || {
                let mut dice = 0x9e37_79b9 ^ who;
                for now in 0..200_000 {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let change = match (cell.admit(), dice >> 28) {
                        (Some(begun), 0) => cell.observe(now, begun, Seen::Hard(Reason::Reset), policy),
                        (Some(begun), 1..=7) => cell.observe(now, begun, Seen::Soft(Reason::Timeout), policy),
                        (Some(begun), _) => cell.observe(now, begun, Seen::Ok, policy),
                        (None, 0) => cell.probed(now, cell.incarnation(), Poll::Failed(Reason::Refused), dice, policy),
                        (None, _) => cell.probed(now, cell.incarnation(), Poll::Known, dice, policy),
                    };
                    if let Some(change) = change {
                        assert_ne!(change.from, change.to);
                        balance[change.from as usize].fetch_sub(1, SeqCst);
                        balance[change.to as usize].fetch_add(1, SeqCst);
                        changes.fetch_add(1, SeqCst);
                    }
                }
            });
        }
    });
    let mut want = [0; 5];
    want[cell.state() as usize] += 1;
    want[Up as usize] -= 1;
    assert_eq!(balance.map(AtomicI64::into_inner), want);
    assert!(changes.into_inner() > 1_000, "the test must have exercised transitions");
}
