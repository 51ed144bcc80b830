//! Bars: what keeps a late packet from making a counter that lacks what others counted meanwhile.

use super::*;
use crate::cluster::copies::count::Count;
use crate::cluster::copies::sight::{Look, Ruling};

const COUNTED: Answer = Answer::Number { value: 4, cas: 1 };
const BAR: Command = Command::Set {
    slot: Slot::Counter(MARK.0 >> 1),
    mode: Mode::Add,
    stamp: 0,
    body: Body::Empty,
    ttl: Rules::ALL.tomb_ttl,
};

fn bar(cas: u64) -> Answer {
    Answer::Hit(Hit { stamp: 0, cas, ttl: Some(Rules::ALL.tomb_ttl), digest: 0, number: None })
}

/// What a count brings from a side.
fn counts(answer: Answer) -> Leg {
    leg(&[answer, Answer::Miss, hit(MARK.0, 0)])
}

/// What a second look at the copy brings: the home has this, the partner a counter of 4. `full`: the home's full record.
fn checks(copy: Answer, full: Mark) -> Legs {
    Legs { home: leg(&[copy, hit(full.0, 0), hit(MARK.0, 0), Answer::Miss]), partner: leg(&[hit(4, 0)]) }
}

/// A count that the home answers so; the partner counts.
fn half_done(home: Answer) -> (Count, Step<Outcome>) {
    let scene = scene([true, true]);
    let mut count = Count::new(VIEW, 3, false, 3, 0);
    sent(count.start(&scene));
    let step = count.next(&scene, &Legs { home: counts(home), partner: counts(COUNTED) });
    (count, step)
}

/// What a count does when each look at the home's copy brings the same.
fn looks_on(count: &mut Count, legs: &Legs) -> Step<Outcome> {
    for _ in 0..3 {
        match count.next(&scene([true, true]), legs) {
            Step::Send(request) if matches!(request.home.commands()[0], Command::Get { .. }) => {}
            step => return step,
        }
    }
    panic!("a fourth look");
}

#[test]
fn no_late_packet_makes_a_counter_where_somebody_counted_without_it() {
    // Seed 251120: the host that made the counter was cut off, and its packet for the home came when others had counted on.
    let scene = scene([true, true]);
    let (mut count, step) = half_done(Answer::NotFound);
    sent(step);
    let request = sent(looks_on(&mut count, &checks(Answer::Miss, MARK)));
    let [stored, incomplete] = request.home.commands() else { panic!("{request:?}") };
    assert_eq!((*stored, *incomplete), (BAR, Command::Delete { slot: Slot::Full(Side::Home), cas: None }));
    let barred = Legs { home: leg(&[Answer::Stored(9), Answer::Deleted]), ..Legs::default() };
    assert_eq!(done(count.clone().next(&scene, &barred)), Outcome::Number(4));
    // It came before the bar: then this delta goes there too.
    let made = Legs { home: leg(&[Answer::NotStored, Answer::Deleted]), ..Legs::default() };
    sent(count.next(&scene, &made));
    let request = sent(count.next(&scene, &checks(hit(2, 0), Mark(0))));
    assert!(matches!(request.home.commands(), [Command::Count { delta: 3, init: None, .. }]), "{request:?}");
}

#[test]
fn a_side_that_takes_no_bar_is_void() {
    let scene = scene([true, true]);
    let (mut count, step) = half_done(Answer::NotFound);
    sent(step);
    sent(looks_on(&mut count, &checks(Answer::Miss, Mark(0))));
    let full = Legs { home: leg(&[Answer::Refused, Answer::NotFound]), ..Legs::default() };
    let request = sent(count.next(&scene, &full));
    assert_eq!(request.partner.commands()[0], Command::Get { slot: Slot::Mark(Side::Home) });
}

#[test]
fn each_count_on_one_side_replaces_the_bar_on_the_other() {
    // Seeds 117529 and 124414: a repairer that had looked before the count replaced the bar by the number without it.
    let scene = scene([true, true]);
    let (mut count, step) = half_done(Answer::Refused);
    sent(step);
    let request = sent(count.next(&scene, &checks(bar(70), Mark(0))));
    let renews = matches!(request.home.commands()[0], Command::Set { mode: Mode::Cas(70), body: Body::Empty, .. });
    assert!(renews, "{request:?}");
    let differs = Legs { home: leg(&[Answer::Differs, Answer::NotFound]), ..Legs::default() };
    sent(count.next(&scene, &differs));
    // The repairer was faster: its copy goes.
    let request = sent(count.clone().next(&scene, &checks(hit(1, 1), Mark(0))));
    assert!(
        matches!(request.home.commands()[0], Command::Set { mode: Mode::Set, body: Body::Empty, .. }),
        "{request:?}"
    );
    // Another count was.
    assert_eq!(done(count.next(&scene, &checks(bar(71), Mark(0)))), Outcome::Number(4));
}

#[test]
fn a_bar_is_no_counter_and_goes_by_its_cas_where_none_could_be_made() {
    let look = |counter: Answer| leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), Answer::Miss, counter]);
    let both = Legs { home: look(bar(70)), partner: look(bar(70)) };
    let seen = Look::new(&both, &mut VIEW.clone());
    assert_eq!((seen.ruling(&VIEW, &Rules::ALL), seen.barred()), (Ruling::Missing, Some((Side::Home, 70))));
    let scene = scene([true, true]);
    let mut count = Count::new(VIEW, 3, false, 3, 0);
    sent(count.start(&scene));
    let refused = Legs { home: counts(Answer::Refused), partner: counts(Answer::Refused) };
    sent(count.next(&scene, &refused));
    let request = sent(count.clone().next(&scene, &both));
    assert!(request.partner.is_empty());
    let slot = Slot::Counter(MARK.epoch());
    assert_eq!(request.home.commands(), [Command::Delete { slot, cas: Some(70) }]);
    // With one side free a counter is made there; the other one's bar stays, for a late packet may be on its way to it.
    let request = sent(count.next(&scene, &Legs { home: look(bar(70)), partner: look(Answer::Miss) }));
    assert!(matches!(request.partner.commands()[0], Command::Count { init: Some(3), .. }), "{request:?}");
}

#[test]
fn a_repairer_replaces_a_bar_by_its_cas_and_leaves_one_where_its_copy_does_not_hold() {
    let rules = Rules { two_looks: false, ..Rules::ALL };
    let scene = Scene { rules: &rules, ..scene([true, true]) };
    let look = |counter: Answer| leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), Answer::Miss, counter]);
    let mut mend = Mend::new(VIEW, None, true);
    sent(mend.start(&scene));
    sent(mend.next(&scene, &Legs { home: look(bar(70)), partner: look(hit(4, 0)) }));
    let unnoted = leg(&[Answer::Miss]);
    let request = sent(mend.next(&scene, &Legs { home: unnoted, partner: unnoted }));
    let [Command::Set { mode: Mode::Cas(70), body: Body::Number(4), .. }] = request.home.commands() else {
        panic!("{request:?}")
    };
    let copied = Legs { home: leg(&[Answer::Stored(8)]), ..Legs::default() };
    sent(mend.next(&scene, &copied));
    let moved = Legs { partner: leg(&[Answer::Differs]), ..Legs::default() };
    let request = sent(mend.next(&scene, &moved));
    assert!(
        matches!(request.home.commands(), [Command::Set { mode: Mode::Set, body: Body::Empty, .. }]),
        "{request:?}"
    );
}

#[test]
fn a_pair_is_not_whole_while_it_has_a_bar() {
    // Seed 4680: over a bar that was left, a counter was made on one side of a whole pair, and that server died.
    let rules = Rules { two_looks: false, ..Rules::ALL };
    let scene = Scene { rules: &rules, ..scene([true, true]) };
    let look = |counter: Answer| leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), Answer::Miss, counter]);
    let mend = |partner: Answer| {
        let mut mend = Mend::new(VIEW, None, true);
        sent(mend.start(&scene));
        mend.next(&scene, &Legs { home: look(bar(70)), partner: look(partner) })
    };
    let request = sent(mend(Answer::Miss));
    assert!(matches!(request.home.commands(), [Command::Delete { cas: Some(70), .. }]), "{request:?}");
    let ending = Answer::Hit(Hit { stamp: 0, cas: 7, ttl: Some(1), digest: 4, number: Some(4) });
    assert_eq!(done(mend(ending)), Mended::Wait(None));
}
