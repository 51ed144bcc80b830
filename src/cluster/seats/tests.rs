//! Polls of one seat: what was read -> what is written.

use super::super::copies::{Answer, Body, Command, Fate, Hit, Leg, Legs, Request, Side, Slot, Step};
use super::{Poll, Polled, Rules, Scene, Seat, Watch};

const RULES: Rules = Rules::ALL;
const WAIT: u64 = RULES.wait_ms;

fn hit(number: u64) -> Answer {
    Answer::Hit(Hit { stamp: 0, cas: 1, ttl: None, digest: 0, number: Some(number) })
}

/// What a side answers: its record (0 = none), and whether a note of trouble lies there; `None` = nothing.
fn leg(answer: Option<(u64, bool)>) -> Leg {
    let Some((record, ill)) = answer else { return Leg { fate: Fate::Lost, ..Leg::default() } };
    let mut leg = Leg { fate: Fate::Answered, ..Leg::default() };
    leg.answers[0] = if record == 0 { Answer::Miss } else { hit(record) };
    leg.answers[1] = if ill { hit(0) } else { Answer::Miss };
    leg
}

fn scene(now_ms: u64, home: bool) -> Scene<'static> {
    Scene { rules: &RULES, up: [home, true], alone: false, clock: 9, now_ms }
}

/// The numbers that a request writes at home, on the partner; and whether it leaves a note.
fn written(request: &Request) -> (Option<u64>, Option<u64>, bool) {
    let number = |side: Side| {
        let seat = |command: &Command| match *command {
            Command::Set { slot: Slot::Seat, body: Body::Number(number), .. } => Some(number),
            _ => None,
        };
        request.of(side).commands().iter().find_map(seat)
    };
    let note = |command: &Command| matches!(command, Command::Set { slot: Slot::Ill(Side::Home), .. });
    (number(Side::Home), number(Side::Partner), request.partner.commands().iter().any(note))
}

/// One watcher's polls, one after another.
struct Sitting {
    view: Seat,
    watch: Watch,
}

impl Sitting {
    fn new(view: u64) -> Self {
        Self { view: Seat(view), watch: Watch::new(&RULES) }
    }

    /// One poll whose writes succeed.
    fn poll(
        &mut self,
        scene: &Scene<'_>,
        home: Option<(u64, bool)>,
        partner: Option<(u64, bool)>,
    ) -> ((Option<u64>, Option<u64>, bool), Polled) {
        let mut poll = Poll::new(self.view, self.watch);
        let asked = poll.start();
        assert!(matches!(asked, Step::Send(request) if request.home.commands().len() == 1));
        let legs = Legs { home: leg(home), partner: leg(partner) };
        let (mut wrote, mut step) = ((None, None, false), poll.next(scene, &legs));
        if let Step::Send(request) = step {
            wrote = written(&request);
            let mut stored = Leg { fate: Fate::Answered, ..Leg::default() };
            stored.answers[0] = Answer::Stored(2);
            step = poll.next(scene, &Legs { home: stored, partner: stored });
        }
        (self.view, self.watch) = (poll.view, poll.watch);
        let Step::Done(polled) = step else { panic!("one round of writes is enough") };
        (wrote, polled)
    }
}

#[test]
fn an_outage_goes_through_all_phases_and_each_pause_is_kept() {
    let mut host = Sitting::new(0);
    let well = Some((40, false));
    let (wrote, polled) = host.poll(&scene(0, true), well, well);
    assert_eq!((wrote, polled.settled), ((None, None, false), true));
    let down = |now, record| (scene(now, false), None, Some((record, true)));
    let back = |now, record, ill| (scene(now, true), well, Some((record, ill)));
    for ((scene, home, partner), want) in [
        (down(100, 40), (None, Some(41), true)),
        (down(100 + WAIT - 1, 41), (None, None, true)),
        (down(100 + WAIT, 41), (None, Some(42), true)),
        (back(1_000, 42, true), (None, None, false)),
        (back(4_000, 42, false), (None, Some(43), false)),
        (back(4_000 + WAIT - 1, 43, false), (None, None, false)),
        (back(4_000 + WAIT, 43, false), (None, Some(44), false)),
        (back(5_000, 44, false), (Some(44), None, false)),
    ] {
        assert_eq!(host.poll(&scene, home, partner).0, want, "at {}", scene.now_ms);
    }
    assert_eq!(host.view, Seat(44));
    let (_, polled) = host.poll(&scene(5_100, true), Some((44, false)), Some((44, false)));
    assert!(polled.settled);
}

#[test]
fn a_second_return_soon_after_the_first_has_to_wait() {
    let mut host = Sitting::new(42);
    let mut poll = |now, record| host.poll(&scene(now, true), Some((44, false)), Some((record, false))).0.1;
    assert_eq!(poll(1_000, 44), None);
    assert_eq!(poll(1_000_000, 48), None, "an epoch ended");
    assert_eq!(poll(1_000_100, 50), None);
    assert_eq!(poll(1_000_999, 50), None);
    assert_eq!(poll(1_001_000, 50), Some(51));
}

#[test]
fn a_record_that_is_lost_or_behind_is_made_again_from_memory() {
    for (record, want) in [(0, Some(40)), (36, Some(40)), (40, None), (44, None)] {
        let mut host = Sitting::new(40);
        assert_eq!(host.poll(&scene(0, true), Some((40, false)), Some((record, false))).0.1, want, "{record}");
        assert_eq!(host.view, Seat(record.max(40)));
    }
}

#[test]
fn who_knows_nothing_takes_the_record_then_the_homes_copy_then_the_clock() {
    for (home, partner, up, want, view) in [
        (Some((40, false)), Some((41, false)), true, (None, None, false), 41),
        (Some((40, false)), Some((0, false)), true, (None, Some(40), false), 40),
        (Some((0, false)), Some((0, false)), true, (None, Some(36), false), 36),
        (None, Some((0, false)), true, (None, None, true), 0),
        (None, Some((0, false)), false, (None, Some(36), true), 36),
        (Some((40, false)), None, true, (None, None, false), 40),
    ] {
        let mut host = Sitting::new(0);
        assert_eq!(host.poll(&scene(0, up), home, partner).0, want, "{home:?} {partner:?}");
        assert_eq!(host.view, Seat(view));
    }
}

#[test]
fn with_the_partner_down_a_seat_nobody_remembers_begins_at_home() {
    let mut host = Sitting::new(0);
    let away = Scene { up: [true, false], ..scene(0, true) };
    assert_eq!(host.poll(&away, Some((0, false)), None).0, (Some(36), None, false));
    assert_eq!(host.view, Seat(36));
}

#[test]
fn a_host_that_has_lost_most_servers_fences_nobody_and_complains_of_none() {
    let alone = Scene { alone: true, ..scene(0, false) };
    assert_eq!(Sitting::new(40).poll(&alone, None, Some((40, false))).0, (None, None, false));
}

#[test]
fn a_drained_home_answers_and_is_fenced_all_the_same() {
    let wrote = Sitting::new(40).poll(&scene(0, false), Some((40, false)), Some((40, false))).0;
    assert_eq!(wrote, (None, Some(41), true));
}
