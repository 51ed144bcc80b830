//! What the simulator found once, each as one small scene.

use super::count::Count;
use super::poll::Poll;
use super::sight::{Look, Ruling};
use super::void::Void;
use super::write::Kind;
use super::*;

const MARK: Mark = Mark(2001);
const VIEW: View = View { home: MARK, partner: MARK };

fn scene(up: [bool; 2]) -> Scene<'static> {
    Scene { up, clock: 5000, now_ms: 0, ..Scene::calm(&Rules::ALL) }
}

fn hit(number: u64, stamp: u16) -> Answer {
    Answer::Hit(Hit { stamp, cas: 7, ttl: None, digest: number, number: Some(number) })
}

fn leg(answers: &[Answer]) -> Leg {
    let mut leg = Leg { fate: Fate::Answered, ..Leg::default() };
    leg.answers[..answers.len()].copy_from_slice(answers);
    leg
}

fn sent<T: std::fmt::Debug>(step: Step<T>) -> Request {
    match step {
        Step::Send(request) => request,
        Step::Done(done) => panic!("done: {done:?}"),
    }
}

fn done<T: std::fmt::Debug>(step: Step<T>) -> T {
    match step {
        Step::Done(done) => done,
        Step::Send(request) => panic!("sends {request:?}"),
    }
}

#[test]
fn an_item_beats_a_tombstone_that_outlived_it_on_the_other_side() {
    let stamp = MARK.stamp(&Rules::ALL);
    let home = leg(&[Answer::Miss, hit(0, stamp), hit(MARK.0, 0)]);
    let partner = leg(&[hit(5, stamp), hit(0, stamp), hit(MARK.0, 0)]);
    let look = Look::new(&Legs { home, partner }, &mut VIEW.clone());
    assert_eq!(look.ruling(&VIEW, &Rules::ALL), Ruling::Item { side: Side::Partner, verified: true });
}

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
fn a_write_that_one_side_missed_is_acknowledged_only_when_that_side_is_void() {
    let scene = scene([true, true]);
    let mut write = Write::new(VIEW, Kind::Set { ttl: 0 });
    sent(write.start(&scene));
    let home = leg(&[Answer::Stored(9), hit(MARK.0, 0), Answer::NotFound]);
    let partner = Leg { fate: Fate::Lost, ..Leg::default() };
    let asks = sent(write.next(&scene, &Legs { home, partner }));
    assert!(asks.partner.is_empty());
    let complete = Legs { home: leg(&[hit(MARK.0, 0), hit(MARK.0, 0)]), ..Legs::default() };
    let request = sent(write.next(&scene, &complete));
    let Command::Set { slot, mode, body, .. } = request.home.commands()[0] else { panic!("{request:?}") };
    assert_eq!((slot, mode, body), (Slot::Mark(Side::Partner), Mode::Cas(7), Body::Number(MARK.next().0)));
    assert_eq!(done(write.next(&scene, &Legs::default())), Outcome::Ambiguous);
}

#[test]
fn a_host_that_knows_nothing_learns_a_lost_mark_from_the_side_that_was_complete() {
    let scene = scene([true, true]);
    let mut poll = Poll::new(View::default(), 1, [true, true]);
    sent(poll.start());
    let home = leg(&[Answer::Miss, Answer::Miss, Answer::Miss]);
    let partner = leg(&[hit(MARK.0, 0), hit(MARK.0, 0), Answer::Miss, hit(1, 0)]);
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
fn an_increment_that_came_between_the_two_legs_of_a_creation_goes_to_both() {
    let scene = scene([true, true]);
    let mut count = Count::new(VIEW, 3, false, 3, 0);
    sent(count.start(&scene));
    let home = leg(&[Answer::Number { value: 4, cas: 1 }, Answer::Miss, hit(MARK.0, 0)]);
    let partner = leg(&[Answer::NotFound, Answer::Miss, hit(MARK.0, 0)]);
    sent(count.next(&scene, &Legs { home, partner }));
    let legs = Legs { partner: leg(&[hit(1, 0), hit(MARK.0, 0)]), ..Legs::default() };
    let request = sent(count.next(&scene, &legs));
    assert!(matches!(request.partner.commands(), [Command::Count { delta: 3, init: None, .. }]), "{request:?}");
    let legs = Legs { partner: leg(&[Answer::Number { value: 4, cas: 2 }]), ..Legs::default() };
    assert_eq!(done(count.next(&scene, &legs)), Outcome::Number(4));
}

#[test]
fn a_plain_read_is_one_get_and_nothing_else() {
    let scene = scene([true, true]);
    let mut read = Read::new(VIEW);
    let request = sent(read.start(&scene));
    assert_eq!(request.home.commands(), [Command::Get { slot: Slot::Item }]);
    assert!(request.partner.is_empty());
    let legs = Legs { home: leg(&[hit(5, MARK.stamp(&Rules::ALL))]), ..Legs::default() };
    assert_eq!(done(read.next(&scene, &legs)), Outcome::Found { side: Side::Home, verified: true });
}

#[test]
fn nobody_to_ask_is_said_at_once() {
    let scene = scene([false, false]);
    assert_eq!(done(Read::new(VIEW).start(&scene)), Outcome::Unavailable);
    assert_eq!(done(Write::new(VIEW, Kind::Delete).start(&scene)), Outcome::Unavailable);
    assert_eq!(done(Count::new(VIEW, 1, false, 1, 0).start(&scene)), Outcome::Unavailable);
}

#[test]
fn a_miss_that_the_other_side_cannot_confirm_is_no_miss() {
    let scene = scene([true, false]);
    for (full, want) in [(MARK, Outcome::Missing), (Mark(1999), Outcome::Unavailable)] {
        let mut read = Read::new(VIEW);
        sent(read.start(&scene));
        sent(read.next(&scene, &Legs { home: leg(&[Answer::Miss]), ..Legs::default() }));
        let home = leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), hit(full.0, 0), Answer::Miss]);
        assert_eq!(done(read.next(&scene, &Legs { home, ..Legs::default() })), want, "{full:?}");
    }
}

#[test]
fn what_is_about_to_end_is_not_copied() {
    let stamp = MARK.stamp(&Rules::ALL);
    for (ttl, copies) in [(Some(2), false), (Some(3), true), (None, true)] {
        let rules = Rules { two_looks: false, ..Rules::ALL };
        let scene = Scene { rules: &rules, ..scene([true, true]) };
        let mut mend = Mend::new(VIEW, None, true);
        sent(mend.start(&scene));
        let item = Answer::Hit(Hit { stamp, cas: 3, ttl, digest: 5, number: None });
        let home = leg(&[item, Answer::Miss, hit(MARK.0, 0)]);
        let partner = leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0)]);
        let step = mend.next(&scene, &Legs { home, partner });
        assert_eq!(matches!(step, Step::Send(_)), copies, "{ttl:?}");
    }
}

/// A look at a side that holds this under the current epoch.
fn shows(item: Option<u64>, tomb: Option<u64>, mark: Answer) -> Leg {
    let stamp = MARK.stamp(&Rules::ALL);
    let hit = |number: Option<u64>| number.map_or(Answer::Miss, |number| hit(number, stamp));
    leg(&[hit(item), hit(tomb), mark, Answer::Miss, Answer::Miss])
}

fn cas() -> Commit {
    Commit::new(VIEW, When::Same(Token { side: Side::Home, mark: MARK, cas: 7 }), 0)
}

#[test]
fn a_cas_waits_while_the_other_side_holds_another_value_or_a_fresh_tombstone() {
    let (scene, record) = (scene([true, true]), hit(MARK.0, 0));
    // A counter that was made where the delete came already hides no tombstone.
    let mut counted = shows(None, Some(0), record);
    counted.answers[4] = hit(4, 0);
    for partner in [shows(Some(6), None, record), shows(None, Some(0), record), counted] {
        let mut commit = cas();
        sent(commit.start(&scene));
        let legs = Legs { home: shows(Some(5), None, record), partner };
        sent(commit.next(&scene, &legs));
        sent(commit.next(&scene, &legs));
        assert_eq!(done(commit.next(&scene, &legs)), Outcome::Unavailable);
    }
}

#[test]
fn a_copy_that_a_delete_overtook_is_taken_away_again() {
    let (scene, record) = (scene([true, true]), hit(MARK.0, 0));
    let mut commit = cas();
    sent(commit.start(&scene));
    let legs = Legs { home: shows(Some(5), None, record), partner: shows(None, None, record) };
    sent(commit.next(&scene, &legs));
    let decided = Legs { home: leg(&[Answer::Stored(8), record, Answer::Miss]), ..Legs::default() };
    let request = sent(commit.next(&scene, &decided));
    assert!(matches!(request.partner.commands()[0], Command::Set { mode: Mode::Add, stamp: 0, .. }), "{request:?}");
    let buried = Legs { partner: leg(&[Answer::Stored(3), hit(0, 1)]), ..Legs::default() };
    let request = sent(commit.next(&scene, &buried));
    assert_eq!(request.partner.commands(), [Command::Delete { slot: Slot::Item, cas: Some(3) }]);
}

#[test]
fn a_conditional_store_deletes_no_counter_in_its_own_packet() {
    let (scene, record) = (scene([true, true]), hit(MARK.0, 0));
    let mut commit = cas();
    sent(commit.start(&scene));
    let legs = Legs { home: shows(Some(5), None, record), partner: shows(Some(5), None, record) };
    let request = sent(commit.next(&scene, &legs));
    let deletes = |command: &&Command| matches!(command, Command::Delete { .. });
    assert_eq!(request.home.commands().iter().filter(deletes).count(), 0, "{request:?}");
}

#[test]
fn a_side_that_was_flushed_decides_nothing() {
    let scene = scene([true, true]);
    let mut commit = Commit::new(VIEW, When::Missing, 0);
    sent(commit.start(&scene));
    let legs = Legs { home: shows(None, None, Answer::Miss), partner: shows(None, None, hit(MARK.0, 0)) };
    assert_eq!(done(commit.next(&scene, &legs)), Outcome::Unavailable);
}

#[test]
fn a_count_that_was_lost_beside_a_value_goes_on_when_its_side_is_void() {
    let scene = scene([true, true]);
    let mut count = Count::new(VIEW, 1, false, 1, 0);
    sent(count.start(&scene));
    let value = hit(5, MARK.stamp(&Rules::ALL));
    let partner = leg(&[Answer::NotFound, value, hit(MARK.0, 0)]);
    let home = Leg { fate: Fate::Lost, ..Leg::default() };
    sent(count.next(&scene, &Legs { home, partner }));
    let complete = Legs { partner: leg(&[hit(MARK.0, 0), hit(MARK.0, 0)]), ..Legs::default() };
    let request = sent(count.next(&scene, &complete));
    assert!(matches!(request.partner.commands(), [Command::Set { slot: Slot::Mark(Side::Home), .. }]), "{request:?}");
    let legs = Legs { partner: leg(&[Answer::Stored(9)]), ..Legs::default() };
    assert_eq!(done(count.next(&scene, &legs)), Outcome::Plain { counted: true });
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

/// A set that the home missed, up to the question whether the partner is complete.
fn missed_at_home(scene: &Scene<'_>) -> (Write, Request) {
    let mut write = Write::new(VIEW, Kind::Set { ttl: 0 });
    sent(write.start(scene));
    let partner = leg(&[Answer::Stored(9), hit(MARK.0, 0), Answer::NotFound]);
    let home = Leg { fate: Fate::Lost, ..Leg::default() };
    let request = sent(write.next(scene, &Legs { home, partner }));
    (write, request)
}

#[test]
fn a_late_leg_on_the_only_complete_side_costs_the_call_its_answer_and_nothing_else() {
    let scene = scene([true, true]);
    let (mut write, asks) = missed_at_home(&scene);
    let questions = [Slot::Mark(Side::Home), Slot::Full(Side::Partner)].map(|slot| Command::Get { slot });
    assert_eq!((asks.partner.commands(), asks.home.is_empty()), (&questions[..], true));
    let open = Legs { partner: leg(&[hit(MARK.0, 0), hit(0, 0)]), ..Legs::default() };
    let request = sent(write.next(&scene, &open));
    assert!(matches!(request.partner.commands(), [Command::Set { slot: Slot::Ill(Side::Home), .. }]), "{request:?}");
    let noted = Legs { partner: leg(&[Answer::Stored(10)]), ..Legs::default() };
    assert_eq!(done(write.next(&scene, &noted)), Outcome::Ambiguous);
    assert_eq!(write.view, VIEW, "no side is void");
}

#[test]
fn a_side_that_is_gone_is_void_whatever_the_other_one_holds() {
    let scene = Scene { gone: [true, false], ..scene([true, true]) };
    let (_, request) = missed_at_home(&scene);
    assert!(matches!(request.partner.commands(), [Command::Set { slot: Slot::Mark(Side::Home), .. }]), "{request:?}");
}

#[test]
fn a_doubtful_item_is_not_believed_while_the_other_side_is_silent() {
    let old = Answer::Hit(Hit { stamp: 1, cas: 7, ttl: None, digest: 4, number: None });
    let partner = leg(&[old, Answer::Miss, hit(MARK.0, 0), hit(0, 0), Answer::Miss]);
    let home = leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), hit(0, 0), Answer::Miss]);
    for (home, want) in
        [(home, Ruling::Item { side: Side::Partner, verified: false }), (Leg::default(), Ruling::Unknown)]
    {
        assert_eq!(Look::new(&Legs { home, partner }, &mut VIEW.clone()).ruling(&VIEW, &Rules::ALL), want);
    }
}

#[test]
fn a_partner_that_lacks_items_does_not_decide_because_the_home_was_late() {
    let (scene, record) = (scene([true, true]), hit(MARK.0, 0));
    let mut commit = Commit::new(VIEW, When::There, 0);
    sent(commit.start(&scene));
    let home = Leg { fate: Fate::Lost, ..Leg::default() };
    let request = sent(commit.next(&scene, &Legs { home, partner: shows(Some(5), None, record) }));
    assert!(matches!(request.partner.commands(), [Command::Set { slot: Slot::Ill(Side::Home), .. }]), "{request:?}");
    let noted = Legs { partner: leg(&[Answer::Stored(10)]), ..Legs::default() };
    assert_eq!(done(commit.next(&scene, &noted)), Outcome::Unavailable);
}

#[test]
fn a_decision_that_was_overtaken_holds_once_the_later_write_is_on_the_other_side_too() {
    let (scene, record) = (scene([true, true]), hit(MARK.0, 0));
    let overtaken = |partner: u64| {
        let mut commit = cas();
        sent(commit.start(&scene));
        let legs = Legs { home: shows(Some(5), None, record), partner: shows(Some(5), None, record) };
        sent(commit.next(&scene, &legs));
        let decided = Legs { home: leg(&[Answer::Stored(8), record, Answer::Miss]), ..Legs::default() };
        sent(commit.next(&scene, &decided));
        let met = Legs { partner: leg(&[Answer::Differs, record, Answer::Miss]), ..Legs::default() };
        sent(commit.next(&scene, &met));
        commit.next(&scene, &Legs { home: shows(Some(6), None, record), partner: shows(Some(partner), None, record) })
    };
    assert_eq!(done(overtaken(6)), Outcome::Done);
    let again = sent(overtaken(5));
    assert!(again.partner.commands().contains(&Command::Get { slot: Slot::Item }), "{again:?}");
}

#[test]
fn a_count_on_one_side_beside_a_value_on_the_other_goes_on_with_the_value() {
    // The home was not asked to count: it came back only then.
    let mut count = Count::new(VIEW, 3, false, 3, 0);
    sent(count.start(&scene([false, true])));
    let partner = leg(&[Answer::Number { value: 4, cas: 1 }, Answer::Miss, hit(MARK.0, 0)]);
    let scene = scene([true, true]);
    sent(count.next(&scene, &Legs { partner, ..Legs::default() }));
    let home = leg(&[Answer::Miss, hit(MARK.0, 0), hit(MARK.0, 0), hit(5, MARK.stamp(&Rules::ALL))]);
    let partner = leg(&[hit(4, 0)]);
    assert_eq!(done(count.next(&scene, &Legs { home, partner })), Outcome::Plain { counted: true });
}

#[test]
fn a_new_lifetime_that_one_side_took_is_not_said_to_be_undone() {
    let scene = scene([true, true]);
    let mut count = Count::touch(VIEW, 7);
    sent(count.start(&scene));
    let home = leg(&[Answer::Number { value: 4, cas: 1 }, Answer::Miss, hit(MARK.0, 0)]);
    let partner = leg(&[Answer::NotFound, Answer::Miss, hit(MARK.0, 0)]);
    sent(count.next(&scene, &Legs { home, partner }));
    let silent = Leg { fate: Fate::Lost, ..Leg::default() };
    let partner = leg(&[Answer::Miss, hit(0, 0), hit(MARK.0, 0)]);
    let legs = Legs { home: silent, partner };
    sent(count.next(&scene, &legs));
    sent(count.next(&scene, &legs));
    assert_eq!(done(count.next(&scene, &legs)), Outcome::Ambiguous);
}

#[test]
fn counters_that_differ_are_made_level_when_no_count_can_be_late_any_more() {
    let rules = Rules { two_looks: false, ..Rules::ALL };
    let scene = Scene { rules: &rules, ..scene([true, true]) };
    let counter = |number: u64| leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), hit(MARK.0, 0), hit(number, 0)]);
    let look = Legs { home: counter(5), partner: counter(4) };
    let mend = |calm: bool| {
        let mut mend = Mend::new(VIEW, None, calm);
        sent(mend.start(&scene));
        let step = mend.next(&scene, &look);
        (mend, step)
    };
    assert_eq!(done(mend(false).1), Mended::Wait(None));
    for (note, levels) in [(Answer::Miss, true), (hit(0, 0), false)] {
        let (mut mend, step) = mend(true);
        assert_eq!(sent(step).home.commands(), [Command::Get { slot: Slot::Ill(Side::Partner) }]);
        let legs = Legs { home: leg(&[note]), partner: leg(&[Answer::Miss]) };
        assert_eq!(matches!(mend.next(&scene, &legs), Step::Send(_)), levels);
    }
}

#[test]
fn a_call_sends_nothing_to_a_side_that_went_out_of_use_meanwhile() {
    let mut count = Count::new(VIEW, 3, false, 3, 0);
    sent(count.start(&scene([true, true])));
    let home = leg(&[Answer::Number { value: 4, cas: 1 }, Answer::Miss, hit(MARK.0, 0)]);
    let partner = leg(&[Answer::NotFound, Answer::Miss, hit(MARK.0, 0)]);
    let request = sent(count.next(&scene([false, true]), &Legs { home, partner }));
    assert!(request.home.is_empty() && !request.partner.is_empty(), "{request:?}");
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

/// Two make a counter at once: this call counted 2 at home and 1 on the partner, whose copy is gone when it looks again.
fn counted_apart(tomb: Answer) -> Step<Outcome> {
    let scene = scene([true, true]);
    let mut count = Count::new(VIEW, 1, false, 1, 0);
    sent(count.start(&scene));
    let none = || leg(&[Answer::NotFound, Answer::Miss, hit(MARK.0, 0)]);
    sent(count.next(&scene, &Legs { home: none(), partner: none() }));
    let bare = || leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), hit(MARK.0, 0), Answer::Miss]);
    sent(count.next(&scene, &Legs { home: bare(), partner: bare() }));
    let counted = |value| leg(&[Answer::Number { value, cas: 1 }, Answer::Miss, hit(MARK.0, 0)]);
    sent(count.next(&scene, &Legs { home: counted(2), partner: counted(1) }));
    let home = leg(&[hit(2, 0), Answer::Miss, hit(MARK.0, 0), Answer::Miss]);
    let partner = leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), tomb]);
    count.next(&scene, &Legs { home, partner })
}

#[test]
fn a_counter_whose_other_copy_was_taken_away_as_not_complete_stands() {
    assert_eq!(done(counted_apart(Answer::Miss)), Outcome::Number(2));
    let request = sent(counted_apart(hit(0, MARK.stamp(&Rules::ALL))));
    assert!(matches!(request.home.commands(), [Command::Delete { cas: Some(7), .. }]), "a delete came: {request:?}");
}

#[test]
fn a_repaired_counter_whose_packet_was_lost_voids_its_side() {
    let rules = Rules { two_looks: false, ..Rules::ALL };
    let scene = Scene { rules: &rules, ..scene([true, true]) };
    let mut mend = Mend::new(VIEW, None, true);
    sent(mend.start(&scene));
    let home = leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), hit(MARK.0, 0), hit(5, 0)]);
    let partner = leg(&[Answer::Miss, Answer::Miss, hit(MARK.0, 0), hit(0, 0), Answer::Miss]);
    let adds = sent(mend.next(&scene, &Legs { home, partner }));
    assert!(matches!(adds.partner.commands(), [Command::Set { mode: Mode::Add, .. }]), "{adds:?}");
    // It may land when the source has counted on: to delete it now would not help.
    let legs = Legs { partner: Leg { fate: Fate::Lost, ..Leg::default() }, ..Legs::default() };
    let asks = sent(mend.next(&scene, &legs));
    assert!(asks.partner.is_empty());
    assert_eq!(asks.home.commands()[0], Command::Get { slot: Slot::Mark(Side::Partner) });
}
