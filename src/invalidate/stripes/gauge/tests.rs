use super::super::{announcement, survey};
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Later than the numbers of these tests.
const CLOCK: u64 = 6_000;

/// Reads a server whose stripes all have the number `base`, but for some.
fn read(gauge: &mut Gauge, root: u64, base: u64, others: &[(u8, Option<u64>)]) -> (bool, BTreeSet<u8>) {
    let mut raised = BTreeSet::new();
    let number = |counter| match counter {
        Counter::Root => Some(root),
        Counter::Stripe(stripe) => {
            others.iter().find(|(of, _)| *of == stripe).map_or(Some(base), |(_, number)| *number)
        }
    };
    let complete = gauge.read(CLOCK, number, |stripe| raised.extend([stripe]));
    (complete, raised)
}

fn all() -> BTreeSet<u8> {
    (0..=u8::MAX).collect()
}

#[test]
fn the_first_reading_raises_all_and_a_poll_of_the_same_root_nothing() {
    let mut gauge = Gauge::default();
    assert!(!gauge.rests(Some(7)));
    assert_eq!(read(&mut gauge, 7, 100, &[]), (true, all()));
    assert!(gauge.rests(Some(7)));
    assert!(!gauge.rests(Some(8)) && !gauge.rests(Some(6)));
}

#[test]
fn a_number_that_differs_in_any_way_raises_its_stripe() {
    let mut gauge = Gauge::default();
    read(&mut gauge, 7, 100, &[]);
    assert_eq!(read(&mut gauge, 9, 100, &[(3, Some(101)), (4, Some(99))]), (true, [3, 4].into()));
    assert_eq!(read(&mut gauge, 10, 100, &[(4, Some(99))]), (true, [3].into()));
}

#[test]
fn a_root_that_was_lost_and_another_process_raise_all() {
    for lose in [Gauge::forget, |gauge: &mut Gauge| assert!(!gauge.rests(None))] {
        let mut gauge = Gauge::default();
        read(&mut gauge, 7, 100, &[]);
        lose(&mut gauge);
        assert!(!gauge.rests(Some(7)));
        assert_eq!(read(&mut gauge, 7, 100, &[]), (true, all()));
    }
}

#[test]
fn a_new_connection_reads_again_and_raises_what_differs() {
    let mut gauge = Gauge::default();
    read(&mut gauge, 7, 100, &[]);
    gauge.doubt();
    assert!(!gauge.rests(Some(7)));
    assert_eq!(read(&mut gauge, 7, 100, &[(9, Some(1))]), (true, [9].into()));
}

#[test]
fn what_was_not_told_is_raised_and_nothing_is_vouched_for() {
    let mut gauge = Gauge::default();
    read(&mut gauge, 7, 100, &[]);
    assert_eq!(read(&mut gauge, 8, 100, &[(3, None)]), (false, [3].into()));
    assert!(!gauge.rests(Some(8)));
    assert_eq!(read(&mut gauge, 8, 100, &[]), (true, all()));
    assert!(!gauge.read(CLOCK, |counter| (counter != Counter::Root).then_some(100), |_| {}));
}

#[test]
fn a_lost_counter_begins_with_another_number() {
    let mut gauge = Gauge::default();
    read(&mut gauge, 7, 100, &[(3, Some(5_000))]);
    assert_eq!([1, 3].map(|stripe| gauge.start(Counter::Stripe(stripe), 4_000)), [4_000, 5_001]);
    assert_eq!(gauge.start(Counter::Root, 4), 8);
}

#[test]
fn a_lost_counter_begins_past_what_other_hosts_have_read_of_it() {
    let mut behind = Gauge::default();
    read(&mut behind, 7, 9_000_000, &[]);
    // Another host reads the stripe after it moved twice, both counters are lost, and a change follows.
    let (last, clock) = (9_000_002, CLOCK + 40);
    let anew = behind.start(Counter::Stripe(3), clock);
    assert!(anew > last, "{anew}");
    assert_eq!(anew, 9_000_040, "as late as a clock that had shown what was read");
}

/// One event of a server's life between two polls.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Change(u8),
    LoseStripe(u8),
    LoseRoot,
    Flush,
}

/// What happens before each of some polls, each deed with what the doer's clock is behind, microseconds.
fn rounds() -> impl Strategy<Value = Vec<Vec<(Deed, u64)>>> {
    let deed = prop_oneof![
        8 => (0u8..4).prop_map(Deed::Change),
        2 => (0u8..4).prop_map(Deed::LoseStripe),
        1 => Just(Deed::LoseRoot),
        1 => Just(Deed::Flush),
    ];
    proptest::collection::vec(proptest::collection::vec((deed, 0u64..1_000_000), 0..4), 1..20)
}

/// A server's counters.
#[derive(Default)]
struct Server(BTreeMap<u16, u64>);

impl Server {
    fn place(counter: Counter) -> u16 {
        if let Counter::Stripe(stripe) = counter { stripe.into() } else { 256 }
    }

    fn root(&self) -> Option<u64> {
        self.0.get(&256).copied()
    }

    fn step(&mut self, counter: Counter, start: u64, by: u64) -> u64 {
        *self.0.entry(Self::place(counter)).and_modify(|number| *number += by).or_insert(start)
    }

    fn suffer(&mut self, deed: Deed, start: u64) {
        match deed {
            Deed::Change(stripe) => {
                for counter in announcement(stripe) {
                    self.step(counter, start, 1);
                }
            }
            Deed::LoseStripe(stripe) => self.0.retain(|place, _| *place != u16::from(stripe)),
            Deed::LoseRoot => self.0.retain(|place, _| *place != 256),
            Deed::Flush => self.0.clear(),
        }
    }
}

proptest! {
    /// Whatever a server loses between two polls, and whatever other hosts' clocks say: a stripe that was changed is raised by
    /// the next poll that vouches for it.
    #[test]
    fn no_change_is_missed(rounds in rounds()) {
        let (mut server, mut gauge, mut clock) = (Server::default(), Gauge::default(), 5_000_000);
        for round in rounds {
            clock += 100_000;
            let mut changed = BTreeSet::new();
            for (deed, behind) in round {
                clock += 1_000;
                server.suffer(deed, clock - behind);
                if let Deed::Change(stripe) = deed {
                    changed.insert(stripe);
                }
            }
            if gauge.rests(server.root()) {
                prop_assert!(changed.is_empty(), "{changed:?} went unnoticed");
                continue;
            }
            let answers: BTreeMap<u16, u64> = survey()
                .map(|counter| (Server::place(counter), server.step(counter, gauge.start(counter, clock), 0)))
                .collect();
            let mut raised = BTreeSet::new();
            let told = |counter| answers.get(&Server::place(counter)).copied();
            prop_assert!(gauge.read(clock, told, |stripe| raised.extend([stripe])));
            prop_assert!(changed.is_subset(&raised), "{changed:?} against {raised:?}");
        }
    }
}
