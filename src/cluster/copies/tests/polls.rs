//! A watcher's look at a pair.

use super::*;
use crate::cluster::copies::poll::{FULL, ILL, LEASE, MARK, OPEN, Poll};

const MARKS: View = View { home: Mark(101), partner: Mark(203) };

/// Both sides answer: complete, no trouble, and `holder` has the lease.
fn legs(holder: u64) -> Legs {
    let mut legs = Legs::default();
    for side in Side::BOTH {
        let mut leg = Leg { fate: Fate::Answered, ..Leg::default() };
        (leg.answers[MARK], leg.answers[FULL]) = (hit(MARKS.of(side.other()).0, 0), hit(MARKS.of(side).0, 0));
        *legs.on(side) = leg;
    }
    legs.partner.answers[LEASE] = hit(holder, 0);
    legs
}

const RULES: Rules = Rules::ALL;
const SCENE: Scene<'static> = Scene::calm(&RULES);

#[test]
fn a_side_that_is_not_used_counts_as_not_reached_and_its_records_are_read() {
    let mut poll = Poll::new(View::default(), 7, [true; 2]);
    poll.used = [true, false];
    let Step::Send(request) = poll.next(&SCENE, &legs(7)) else { panic!("it leaves a note") };
    assert_eq!(poll.view, MARKS);
    assert!(matches!(request.home.commands(), [Command::Set { slot: Slot::Ill(Side::Partner), .. }]));
    let Step::Done(polled) = poll.next(&SCENE, &Legs::default()) else { panic!("one correction is enough") };
    assert_eq!((polled.reached, polled.whole, polled.repairs), ([true, false], false, false));
}

#[test]
fn who_repaired_before_renews_its_lease() {
    let lease = |renews: Option<u32>| {
        let mut poll = Poll::new(MARKS, 7, [true; 2]);
        poll.renews = renews;
        let Step::Send(request) = poll.start() else { panic!("it asks") };
        request.partner.commands()[LEASE]
    };
    assert_eq!(lease(None), Command::Get { slot: Slot::Lease });
    assert_eq!(lease(Some(3)), Command::Touch { slot: Slot::Lease, ttl: 3 });
}

#[test]
fn only_the_holder_of_the_lease_repairs() {
    for (holder, repairs) in [(7, true), (8, false)] {
        let Step::Done(polled) = Poll::new(MARKS, 7, [true; 2]).next(&SCENE, &legs(holder)) else {
            panic!("nothing is wrong")
        };
        assert_eq!((polled.whole, polled.repairs), (true, repairs));
    }
}

#[test]
fn a_side_that_somebody_could_not_reach_is_complete_again_after_a_pass() {
    for (partner_full, opens) in [(hit(MARKS.partner.0, 0), true), (hit(OPEN, 0), false)] {
        let mut legs = legs(7);
        legs.home.answers[FULL] = hit(MARKS.home.0, 0);
        legs.partner.answers[FULL] = partner_full;
        legs.partner.answers[ILL] = hit(0, 0);
        let step = Poll::new(MARKS, 7, [true; 2]).next(&SCENE, &legs);
        let opened = match &step {
            Step::Send(request) => {
                matches!(request.home.commands(), [Command::Set { slot: Slot::Full(Side::Home), .. }])
            }
            Step::Done(_) => false,
        };
        assert_eq!(opened, opens, "the only complete side stays so: {step:?}");
    }
}

#[test]
fn a_side_that_was_flushed_begins_a_new_epoch_before_it_gets_its_records_back() {
    // Seed 73037: a packet that was to make a counter before may arrive when it has them.
    let mut legs = legs(7);
    legs.home.answers = [Answer::Miss; packet::ROOM];
    let mut poll = Poll::new(MARKS, 7, [true; 2]);
    let request = sent(poll.next(&SCENE, &legs));
    let moves = Command::Set {
        slot: Slot::Mark(Side::Home),
        mode: Mode::Cas(7),
        stamp: 0,
        body: Body::Number(MARKS.home.next().0),
        ttl: 0,
    };
    assert!(request.partner.commands().contains(&moves), "{request:?}");
    let restores = |command: &Command| matches!(command, Command::Set { slot: Slot::Mark(_), .. });
    assert!(!request.home.commands().iter().any(restores), "{request:?}");
    // Then it gets them, and is active at the next poll only.
    legs.partner.answers[MARK] = hit(MARKS.home.next().0, 0);
    let request = sent(Poll::new(MARKS, 7, [true; 2]).next(&SCENE, &legs));
    assert!(request.home.commands().iter().any(restores) && !request.partner.commands().iter().any(restores));
}
