//! Marks: who moves them, who learns them.

use super::*;
use crate::cluster::copies::poll::Poll;
use crate::cluster::copies::void::Void;

#[test]
fn writers_that_void_a_side_together_use_one_epoch() {
    let scene = scene([false, true]);
    let mut view = VIEW;
    let mut void = Void::new(Side::Home);
    sent(void.judge(&scene, &mut view, &hit(MARK.0, 0), Some(MARK)));
    // Another was faster: the record is no longer what was read.
    let legs = Legs { partner: leg(&[Answer::Differs]), ..Legs::default() };
    assert!(done(void.next(&scene, &mut view, &legs)));
    assert_eq!(view.home, MARK.next());
    // And nobody has stamped with the new one: the next writer sends nothing.
    assert!(done(Void::new(Side::Home).judge(&scene, &mut view, &hit(MARK.next().0, 0), None)));
}

#[test]
fn a_host_that_knows_nothing_learns_a_lost_mark_from_the_side_that_was_complete() {
    let scene = scene([true, true]);
    let mut poll = Poll::new(View::default(), 1, [true, true]);
    sent(poll.start());
    let home = leg(&[Answer::Miss, Answer::Miss, Answer::Miss]);
    let partner = leg(&[hit(MARK.next().0, 0), hit(MARK.0, 0), Answer::Miss, hit(1, 0)]);
    let request = sent(poll.next(&scene, &Legs { home, partner }));
    let Command::Set { slot, body, .. } = request.home.commands()[0] else { panic!("{request:?}") };
    assert_eq!((slot, body), (Slot::Mark(Side::Partner), Body::Number(MARK.0)));
}

#[test]
fn a_mark_that_nobody_knows_waits_until_the_other_side_was_asked() {
    let mut poll = Poll::new(View::default(), 1, [true, true]);
    sent(poll.start());
    let home = leg(&[Answer::Miss, Answer::Miss, Answer::Miss]);
    let partner = Leg { fate: Fate::Lost, ..Leg::default() };
    let request = sent(poll.next(&scene([true, true]), &Legs { home, partner }));
    let only_note = matches!(request.home.commands(), [Command::Set { slot: Slot::Ill(Side::Partner), .. }]);
    assert!(only_note && request.partner.is_empty(), "{request:?}");
}

#[test]
fn a_host_voids_nothing_on_the_word_of_a_side_that_failed_it_lately() {
    let scene = Scene { steady: [false, true], ..scene([true, false]) };
    let judge = |side: Side| Void::new(side).judge(&scene, &mut VIEW.clone(), &hit(MARK.0, 0), Some(MARK));
    let noted = sent(judge(Side::Partner));
    assert!(matches!(noted.home.commands(), [Command::Set { slot: Slot::Ill(Side::Partner), .. }]), "{noted:?}");
    let voids = sent(judge(Side::Home));
    assert!(matches!(voids.partner.commands(), [Command::Set { slot: Slot::Mark(Side::Home), .. }]), "{voids:?}");
}

#[test]
fn a_void_that_was_sent_and_not_heard_of_holds_for_the_host_that_sent_it() {
    let scene = scene([false, true]);
    let mut view = VIEW;
    let mut void = Void::new(Side::Home);
    sent(void.judge(&scene, &mut view, &hit(MARK.0, 0), Some(MARK)));
    let legs = Legs { partner: Leg { fate: Fate::Lost, ..Leg::default() }, ..Legs::default() };
    assert!(!done(void.next(&scene, &mut view, &legs)));
    assert_eq!(view.home, MARK.next(), "it may be carried out at any time");
    let mut view = VIEW;
    let mut void = Void::new(Side::Home);
    sent(void.judge(&scene, &mut view, &hit(MARK.0, 0), Some(MARK)));
    assert!(!done(void.next(&scene, &mut view, &Legs::default())));
    assert_eq!(view.home, MARK, "what was not sent is not");
}
