//! Add, replace, cas.

use super::*;

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
fn two_who_decide_on_either_side_do_not_both_win() {
    // Seeds 734693 and 616762: the partner decided while the home's new epoch was not active, and the home a moment later.
    let (scene, record) = (scene([true, true]), hit(MARK.0, 0));
    let mut commit = cas();
    sent(commit.start(&scene));
    let legs = Legs { home: shows(Some(5), None, record), partner: shows(Some(5), None, record) };
    sent(commit.next(&scene, &legs));
    let decided = Legs { home: leg(&[Answer::Stored(7), record, Answer::Miss]), ..Legs::default() };
    sent(commit.next(&scene, &decided));
    sent(commit.next(&scene, &Legs { partner: leg(&[Answer::Differs, record, Answer::Miss]), ..Legs::default() }));
    let apart = Legs { home: shows(Some(8), None, record), partner: shows(Some(6), None, record) };
    sent(commit.next(&scene, &apart));
    sent(commit.next(&scene, &apart));
    assert_eq!(done(commit.next(&scene, &apart)), Outcome::Ambiguous);
}

#[test]
fn an_add_that_met_another_value_and_was_overtaken_since_does_not_know_who_was_first() {
    // Seed 163921: another had added at home, a delete of an earlier epoch came late there, and his copy was on its way to the partner.
    let (scene, record) = (scene([true, true]), hit(MARK.0, 0));
    let mut commit = Commit::new(VIEW, When::Missing, 0);
    sent(commit.start(&scene));
    sent(commit.next(&scene, &Legs { home: shows(None, None, record), partner: shows(None, None, record) }));
    let decided = Legs { home: leg(&[Answer::Stored(8), record, Answer::Miss]), ..Legs::default() };
    sent(commit.next(&scene, &decided));
    sent(commit.next(&scene, &Legs { partner: leg(&[Answer::NotStored, record, Answer::Miss]), ..Legs::default() }));
    let later = Legs { home: shows(Some(6), None, record), partner: shows(Some(6), None, record) };
    let own = leg(&[Answer::Hit(Hit { stamp: MARK.stamp(&Rules::ALL), cas: 8, ttl: None, digest: 5, number: None })]);
    for legs in [later, Legs { home: own, ..Legs::default() }] {
        assert_eq!(done(commit.clone().next(&scene, &legs)), Outcome::Ambiguous);
    }
}
