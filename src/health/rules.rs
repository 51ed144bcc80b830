//! The rules of one cell as tables: (what happened) -> (state, change).

use super::Reason::{Closed, Refused, Reset, Timeout};
use super::State::{Down, Drained, Returning, Suspect, Up};
use super::{Cell, Change, Policy, Poll, Reason, Seen, State};

/// One thing that happens to a cell under its current incarnation.
#[derive(Clone, Copy, Debug)]
enum Act {
    Good,
    Soft(Reason),
    Hard(Reason),
    ProbeGood,
    /// It answers, but its records are not known.
    ProbeHalf,
    ProbeBad(Reason),
    Drain(bool),
}
use Act::{Drain, Good, Hard, ProbeBad, ProbeGood, ProbeHalf, Soft};

fn act(cell: &Cell, now_ms: u64, what: Act) -> Option<Change> {
    let (begun, policy) = (cell.incarnation(), Policy::default());
    match what {
        Good => cell.observe(now_ms, begun, Seen::Ok, &policy),
        Soft(reason) => cell.observe(now_ms, begun, Seen::Soft(reason), &policy),
        Hard(reason) => cell.observe(now_ms, begun, Seen::Hard(reason), &policy),
        ProbeGood => cell.probed(now_ms, begun, Poll::Known, 0, &policy),
        ProbeHalf => cell.probed(now_ms, begun, Poll::Pending, 0, &policy),
        ProbeBad(reason) => cell.probed(now_ms, begun, Poll::Failed(reason), 0, &policy),
        Drain(on) => cell.drain(now_ms, on),
    }
}

fn after(acts: &[Act]) -> Cell {
    let cell = Cell::default();
    for what in acts {
        act(&cell, 0, *what);
    }
    cell
}

#[test]
fn each_observation_has_its_one_consequence() {
    let soft = Soft(Timeout);
    let down: &[Act] = &[Hard(Refused)];
    let returning: &[Act] = &[Hard(Refused), ProbeGood];
    let back: &[Act] = &[Hard(Refused), ProbeGood, ProbeGood];
    let proven: &[Act] = &[Hard(Refused), ProbeGood, ProbeGood, Good];
    let unread: &[Act] = &[Hard(Refused), ProbeHalf];
    let rows: &[(&[Act], Act, State, Option<Reason>)] = &[
        (&[], Good, Up, None),
        (&[], soft, Suspect, Some(Timeout)),
        (&[], Hard(Reset), Down, Some(Reset)),
        (&[], ProbeGood, Up, None),
        (&[], ProbeBad(Timeout), Suspect, Some(Timeout)),
        (&[], ProbeBad(Refused), Down, Some(Refused)),
        (&[soft], soft, Suspect, None),
        (&[soft], Good, Up, Some(Timeout)),
        (&[soft], ProbeGood, Suspect, None),
        (&[soft], ProbeHalf, Suspect, None),
        (&[ProbeBad(Timeout)], ProbeGood, Up, Some(Timeout)),
        (&[ProbeBad(Timeout)], ProbeHalf, Up, Some(Timeout)),
        (&[ProbeBad(Timeout)], Good, Up, Some(Timeout)),
        (&[ProbeBad(Timeout), soft], ProbeGood, Suspect, None),
        (&[soft, ProbeBad(Timeout)], ProbeGood, Suspect, None),
        (&[soft, ProbeGood, soft, ProbeGood], soft, Down, Some(Timeout)),
        (&[ProbeBad(Timeout), ProbeBad(Timeout), ProbeGood], ProbeBad(Timeout), Suspect, Some(Timeout)),
        (&[soft], Hard(Closed), Down, Some(Closed)),
        (&[soft, soft], soft, Down, Some(Timeout)),
        (&[soft, soft], ProbeBad(Timeout), Down, Some(Timeout)),
        (&[soft, soft, Good], soft, Suspect, Some(Timeout)),
        (down, Good, Down, None),
        (down, soft, Down, None),
        (down, Hard(Reset), Down, None),
        (down, ProbeBad(Timeout), Down, None),
        (down, ProbeGood, Returning, Some(Refused)),
        (returning, Good, Returning, None),
        (returning, soft, Down, Some(Timeout)),
        (returning, Hard(Reset), Down, Some(Reset)),
        (returning, ProbeBad(Timeout), Down, Some(Timeout)),
        (returning, ProbeGood, Up, Some(Refused)),
        (returning, ProbeHalf, Returning, None),
        (down, ProbeHalf, Returning, Some(Refused)),
        (unread, ProbeHalf, Returning, None),
        (unread, ProbeGood, Returning, None),
        (unread, ProbeBad(Timeout), Down, Some(Timeout)),
        (back, soft, Down, Some(Timeout)),
        (back, ProbeBad(Timeout), Down, Some(Timeout)),
        (back, Good, Up, None),
        (proven, soft, Suspect, Some(Timeout)),
        (proven, ProbeBad(Timeout), Suspect, Some(Timeout)),
        (&[], Drain(true), Drained, Some(Reason::None)),
        (&[Drain(true)], Drain(true), Drained, None),
        (&[Drain(true)], Hard(Refused), Drained, None),
        (&[Drain(true)], Drain(false), Up, Some(Reason::None)),
        (&[Drain(true), Hard(Refused)], Drain(false), Down, Some(Refused)),
        (&[Hard(Refused), Drain(true), ProbeGood, ProbeGood], Drain(false), Up, Some(Reason::None)),
    ];
    for (history, what, to, reason) in rows {
        let cell = after(history);
        let from = cell.state();
        let want = reason.map(|reason| Change { from, to: *to, reason });
        assert_eq!((act(&cell, 0, *what), cell.state()), (want, *to), "{history:?} then {what:?}");
        assert_eq!(cell.admits(), matches!(to, Up | Suspect), "{history:?} then {what:?}");
    }
}

#[test]
fn a_report_from_before_the_outage_changes_nothing_after_it() {
    let (cell, policy) = (Cell::default(), Policy::default());
    let begun = cell.admit().unwrap();
    act(&cell, 0, Hard(Refused));
    assert_ne!(cell.incarnation(), begun);
    assert_eq!(cell.probed(0, begun, Poll::Known, 0, &policy), None);
    assert_eq!(cell.state(), Down);
    act(&cell, 0, ProbeGood);
    act(&cell, 0, ProbeGood);
    for late in [Seen::Hard(Reset), Seen::Soft(Timeout), Seen::Ok] {
        assert_eq!(cell.observe(0, begun, late, &policy), None);
        assert_eq!(cell.state(), Up);
    }
}

#[test]
fn a_restart_makes_older_connections_worthless() {
    let (cell, policy) = (Cell::default(), Policy::default());
    let begun = cell.admit().unwrap();
    let now = cell.restarted();
    assert_eq!((cell.admit(), cell.incarnation() == begun), (Some(now), false));
    assert_eq!(cell.observe(0, begun, Seen::Hard(Reset), &policy), None);
    assert_eq!(cell.probed(0, now, Poll::Known, 0, &policy), None);
    assert_eq!(cell.state(), Up);
}

#[test]
fn probes_back_off_while_it_is_down_and_are_regular_otherwise() {
    let cell = Cell::default();
    assert!(cell.probe_due(0));
    act(&cell, 1_000, ProbeGood);
    assert_eq!((cell.probe_due(1_099), cell.probe_due(1_100)), (false, true));
    act(&cell, 2_000, Hard(Refused));
    assert_eq!(cell.next_probe_ms(), 2_100);
    for (now, next) in [(2_100, 2_258), (2_258, 2_495), (2_495, 2_850)] {
        act(&cell, now, ProbeBad(Refused));
        assert_eq!(cell.next_probe_ms(), next);
    }
    act(&cell, 2_850, ProbeGood);
    assert_eq!(cell.next_probe_ms(), 2_950);
}

#[test]
fn a_new_server_is_used_after_one_good_probe_and_its_first_outage_is_no_flapping() {
    let cell = after(&[Soft(Timeout)]);
    let begun = cell.incarnation();
    cell.renew(5_000);
    assert_eq!((cell.state(), cell.reason(), cell.probe_due(5_000)), (Down, Reason::Unasked, true));
    assert_ne!(cell.incarnation(), begun);
    let change = Change { from: Down, to: Up, reason: Reason::Unasked };
    assert_eq!(act(&cell, 6_000, ProbeGood), Some(change));
    assert_eq!(cell.next_probe_ms(), 6_100);
    assert_eq!(outage(&cell, 7_000, 0), (100, 2));

    cell.renew(8_000);
    act(&cell, 8_000, ProbeBad(Reason::OtherList));
    assert_eq!((cell.state(), cell.reason()), (Down, Reason::OtherList));
    assert_eq!(act(&cell, 9_000, ProbeGood).map(|change| change.to), Some(Returning), "it has to prove itself");
}

/// Down at `at`, `failed` bad probes, then as many good ones as it takes; returns (first wait, good probes needed).
fn outage(cell: &Cell, at: u64, failed: usize) -> (u64, usize) {
    act(cell, at, Hard(Refused));
    let wait = cell.next_probe_ms() - at;
    for _ in 0..failed {
        act(cell, at, ProbeBad(Refused));
    }
    let good = (1..100).find(|_| act(cell, at, ProbeGood).is_some_and(|change| change.to == Up)).unwrap();
    (wait, good)
}

#[test]
fn a_flapping_server_waits_longer_each_time_and_must_prove_more() {
    let cell = Cell::default();
    assert_eq!(outage(&cell, 0, 3), (100, 2));
    assert_eq!(outage(&cell, 30_000, 0), (533, 4));
    assert_eq!(outage(&cell, 60_000, 1), (800, 6));
    assert_eq!(outage(&cell, 119_999, 0), (1_799, 8));
    assert_eq!(outage(&cell, 180_000, 0), (100, 2), "a minute of peace is forgiveness");
}

#[test]
fn since_and_reason_tell_the_current_state() {
    let cell = Cell::default();
    act(&cell, 100_000, Soft(Timeout));
    act(&cell, 200_000, Soft(Timeout));
    assert_eq!((cell.since_ms(), cell.reason()), (100_000, Timeout), "the second failure is the same state");
    act(&cell, 300_000, Hard(Refused));
    assert_eq!((cell.since_ms(), cell.reason()), (300_000, Refused));
    act(&cell, 400_000, Drain(true));
    assert_eq!((cell.state(), cell.health(), cell.since_ms()), (Drained, Down, 400_000));
}

/// It answers whatever the watcher asks and hangs on each call: how many calls pay within `minutes`, and the longest
/// time between two of them at the end.
fn hangs_on_calls(minutes: u64) -> (u32, u64) {
    let (cell, mut paid, mut last, mut rest) = (Cell::default(), 0, 0, 0);
    for now in 1..=minutes * 60_000 {
        if cell.admits() && now.is_multiple_of(50) {
            act(&cell, now, Soft(Timeout));
            (paid, rest, last) = (paid + 1, now - last, now);
        }
        if cell.probe_due(now) {
            act(&cell, now, ProbeGood);
        }
    }
    (paid, rest)
}

#[test]
fn a_server_that_answers_probes_and_hangs_on_calls_costs_less_and_less() {
    let (paid, rest) = hangs_on_calls(10);
    assert!(paid <= 100, "{paid} deadlines in ten minutes");
    assert!(rest > 6_000, "{rest} ms between two of them");
}
