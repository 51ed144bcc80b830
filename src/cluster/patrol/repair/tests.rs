use super::*;
use crate::cluster::copies::{Answer, Fate, Full, Hit, Leg, Legs, Mark, Mend, Scene, Side, Step};
use crate::key::Kind;

const RULES: Rules = Rules::ALL;
const VIEW: View = View { home: Mark(101), partner: Mark(203) };
const REPAIRS: Polled = Polled {
    reached: [true; 2],
    whole: false,
    noted: [false; 2],
    ill: false,
    repairs: true,
    activated: [false; 2],
    full: [Full::Open(1); 2],
};

fn catalogue(keys: usize, size: u32) -> Catalogue {
    let mut catalogue = Catalogue::default();
    (0..keys).for_each(|n| catalogue.add(Kind::Entry, 0, format!("key{n:07}").as_bytes(), size));
    catalogue.settle();
    catalogue
}

/// What a first look leaves that finds these two at place `at`.
fn first(now_ms: u64, at: usize, found: [Answer; 2]) -> Mended {
    let leg = |side: Side| {
        let mut leg = Leg { fate: Fate::Answered, ..Leg::default() };
        let mark = VIEW.of(side.other()).0;
        leg.answers[2] = Answer::Hit(Hit { stamp: 0, cas: 1, ttl: None, digest: 1, number: Some(mark) });
        leg.answers[at] = found[side as usize];
        leg
    };
    let legs = Legs { home: leg(Side::Home), partner: leg(Side::Partner) };
    let scene = Scene { now_ms, ..Scene::calm(&RULES) };
    match Mend::new(VIEW, None, true).next(&scene, &legs) {
        Step::Done(mended) => mended,
        Step::Send(_) => panic!("one look is not enough"),
    }
}

fn hit(stamp: u16, number: Option<u64>) -> Answer {
    Answer::Hit(Hit { stamp, cas: 9, ttl: None, digest: 5, number })
}

/// What a first look at a key that needs mending leaves.
fn seen(now_ms: u64) -> Mended {
    first(now_ms, 0, [hit(VIEW.home.stamp(&RULES), None), Answer::Miss])
}

struct Clock(u64);

/// Runs until the pass is over or `until_ms` is reached; keys answer as `look` says.
fn run(
    repair: &mut Repair,
    clock: &mut Clock,
    until_ms: u64,
    keys: usize,
    mut look: impl FnMut(usize, u64) -> Mended,
) -> Option<Request> {
    let mut turns = Vec::new();
    while clock.0 < until_ms {
        clock.0 += 10;
        repair.polled(&REPAIRS, &VIEW, &RULES, clock.0);
        if let Some(slice) = repair.lists(clock.0) {
            repair.listed(slice, catalogue(keys, 100), clock.0);
        }
        repair.batch(100, clock.0, &mut turns);
        for turn in &turns {
            let mended = look(turn.at, clock.0);
            repair.looked(*turn, &mended, &RULES, clock.0);
        }
        if let Some(Pass { declares: Some(request), .. }) = repair.over(&VIEW, false, &RULES, clock.0) {
            return Some(request);
        }
    }
    None
}

#[test]
fn a_pass_is_declared_only_when_it_began_in_the_calm() {
    let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
    let mut looks = 0;
    let declared = run(&mut repair, &mut clock, 1_010_000, 250, |_, _| {
        looks += 1;
        Mended::Whole
    });
    assert!(declared.is_some());
    assert!((1_003_000..1_003_100).contains(&clock.0), "{}", clock.0);
    assert_eq!(looks, 500, "one pass at once, one after the calm");
}

#[test]
fn a_long_pass_begins_anew_when_the_calm_comes() {
    let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
    let declared = run(&mut repair, &mut clock, 1_020_000, 50_000, |_, _| Mended::Whole);
    assert!(declared.is_some());
    assert!((1_007_900..1_008_200).contains(&clock.0), "3 s of calm and 5 s of looking: {}", clock.0);
}

#[test]
fn a_key_is_looked_at_again_after_its_pause_and_counted_once() {
    let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
    let mut turns = Vec::new();
    repair.polled(&REPAIRS, &VIEW, &RULES, clock.0);
    let slice = repair.lists(clock.0).unwrap();
    assert_eq!(repair.lists(clock.0), None, "it is under way");
    repair.listed(slice, catalogue(1, 100), clock.0);
    let mut step = |clock: &mut Clock, pause_ms, mended: Mended| {
        clock.0 += pause_ms;
        repair.batch(100, clock.0, &mut turns);
        let turn = *turns.first()?;
        Some((turn.before.is_some(), repair.looked(turn, &mended, &RULES, clock.0)))
    };
    assert_eq!(step(&mut clock, 0, seen(1_000_000)), Some((false, false)));
    assert_eq!(step(&mut clock, 59, Mended::Whole), None);
    assert_eq!(step(&mut clock, 1, Mended::Acted), Some((true, false)));
    assert_eq!(step(&mut clock, 0, Mended::Acted), Some((false, false)));
    assert_eq!(step(&mut clock, 0, Mended::Whole), Some((false, true)));
    assert_eq!(step(&mut clock, 1_000, Mended::Whole), None);
}

#[test]
fn counters_that_differ_keep_no_other_key_waiting() {
    let (mut repair, mut turns) = (Repair::default(), Vec::new());
    repair.polled(&REPAIRS, &VIEW, &RULES, 1_000);
    let slice = repair.lists(1_000).unwrap();
    repair.listed(slice, catalogue(2, 100), 1_000);
    repair.batch(100, 1_000, &mut turns);
    for (turn, mended) in turns.iter().zip([first(1_000, 4, [hit(0, Some(6)), hit(0, Some(4))]), seen(1_000)]) {
        repair.looked(*turn, &mended, &RULES, 1_000);
    }
    for (now_ms, want) in [(1_059, None), (1_060, Some(1)), (3_999, None), (1_000 + RULES.calm_ms, Some(0))] {
        repair.batch(100, now_ms, &mut turns);
        assert_eq!(turns.first().map(|turn| turn.at), want, "{now_ms}");
    }
}

#[test]
fn a_key_that_never_rests_keeps_the_pair_from_being_whole_and_is_told() {
    let (mut repair, mut clock) = (Repair::default(), Clock(1_000_000));
    let restless = |at: usize, now_ms: u64| if at == 7 { seen(now_ms) } else { Mended::Whole };
    assert!(run(&mut repair, &mut clock, 1_020_000, 20, restless).is_none());
    assert_eq!(repair.progress().restless, 1);
    assert!(run(&mut repair, &mut clock, 1_025_000, 20, |_, _| Mended::Whole).is_some());
    assert_eq!(repair.progress(), Progress { percent: 100, restless: 0 });
}

#[test]
fn too_many_keys_are_walked_in_slices() {
    let (mut repair, mut slices) = (Repair::default(), Vec::new());
    repair.polled(&REPAIRS, &VIEW, &RULES, 1_000);
    let mut turns = Vec::new();
    for now_ms in 1_000..1_100 {
        let Some(slice) = repair.lists(now_ms) else { break };
        slices.push((slice.at, slice.of));
        let keys = if slice.of == 1 { 3 * super::super::catalogue::MOST } else { 10 };
        repair.listed(slice, catalogue(keys, 1), now_ms);
        repair.batch(100, now_ms, &mut turns);
        for turn in &turns {
            assert!(!repair.looked(*turn, &Mended::Whole, &RULES, now_ms));
        }
        repair.over(&VIEW, false, &RULES, now_ms);
    }
    assert_eq!(slices, [(0, 1), (0, 4), (1, 4), (2, 4), (3, 4)]);
}

#[test]
fn a_batch_is_bounded_by_keys_bytes_and_rate() {
    for (size, free, want) in [(100, 1_000, 100), (100, 7, 7), (64 * 1024, 1_000, 4), (1 << 20, 1_000, 1)] {
        let mut repair = Repair::default();
        repair.polled(&REPAIRS, &VIEW, &RULES, 1_000);
        let slice = repair.lists(1_000).unwrap();
        repair.listed(slice, catalogue(500, size), 1_000);
        let mut turns = Vec::new();
        assert_eq!(repair.batch(free, 1_000, &mut turns), want);
        assert_eq!(turns.len(), want, "{size} bytes each");
    }
}

#[test]
fn a_pass_ends_with_the_lease_and_a_list_that_failed_is_asked_for_again() {
    let mut repair = Repair::default();
    repair.polled(&REPAIRS, &VIEW, &RULES, 1_000);
    let slice = repair.lists(1_000).unwrap();
    repair.unlisted(1_500);
    assert_eq!(repair.lists(1_499), None);
    assert_eq!(repair.lists(1_500), Some(slice));
    repair.polled(&Polled { repairs: false, ..REPAIRS }, &VIEW, &RULES, 1_600);
    repair.listed(slice, catalogue(5, 1), 1_700);
    assert_eq!(repair.batch(100, 1_700, &mut Vec::new()), 0);
}

#[test]
fn a_whole_pair_is_walked_now_and_then() {
    let (mut repair, whole) = (Repair::default(), Polled { whole: true, ..REPAIRS });
    let mut lists = Vec::new();
    for now_ms in (1_000_000..1_700_000).step_by(100) {
        repair.polled(&whole, &VIEW, &RULES, now_ms);
        if let Some(slice) = repair.lists(now_ms) {
            lists.push(now_ms);
            repair.listed(slice, catalogue(0, 1), now_ms);
            assert!(repair.over(&VIEW, true, &RULES, now_ms).is_some_and(|pass| pass.declares.is_none()));
        }
    }
    assert_eq!(lists, [1_000_000, 1_300_000, 1_600_000]);
}
