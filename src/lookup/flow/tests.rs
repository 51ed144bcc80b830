//! The flow over a model of one entry, with time and chance in hand.

use super::*;
use crate::value::Value;
use crate::value::frame::FRAME;

const POLICY: Policy = Policy { fresh: 1_000, negative: 50, stale: 600, lease: 2, wait_ms: 5_000 };

#[derive(Clone, Debug)]
struct Entry {
    data: Vec<u8>,
    flags: u32,
    cas: u64,
    ends_ms: u64,
}

/// Something that happens while somebody sleeps.
type Event = (u64, fn(&mut Model));

/// One entry, as a server keeps it.
#[derive(Debug, Default)]
struct Model {
    entry: Option<Entry>,
    now_ms: u64,
    cas: u64,
    random: u64,
    events: Vec<Event>,
    /// What the store answers instead.
    fault: Option<Fault>,
    /// What it answers to the next put that it does all the same.
    lost: Option<Fault>,
    stands_in: bool,
    found: Option<Entry>,
    /// What is said at each look for an invalidation; afterwards there was none.
    held: Vec<bool>,
    puts: usize,
}

impl Model {
    fn holds(&self) -> Option<&Entry> {
        self.entry.as_ref().filter(|entry| entry.ends_ms > self.now_ms)
    }

    fn item(&self) -> Option<Item<'_>> {
        self.holds().map(|entry| Item::from_wire(Wire { data: &entry.data, flags: entry.flags }).unwrap())
    }

    fn put_value(&mut self, text: &[u8], left: u32) {
        self.cas += 1;
        let ends_ms = self.now_ms + u64::from(left) * 1_000;
        self.entry = Some(Entry { data: text.to_vec(), flags: 0, cas: self.cas, ends_ms });
    }

    fn with(text: &[u8], left: u32) -> Self {
        let mut model = Self::default();
        model.put_value(text, left);
        model
    }

    fn invalidate(&mut self) {
        self.entry = None;
    }

    fn left(&self) -> u64 {
        self.holds().map_or(0, |entry| (entry.ends_ms - self.now_ms) / 1_000)
    }

    fn load(&mut self) -> Place<u64> {
        match open(self, &POLICY).next {
            Next::Load(place) => place,
            other => panic!("{other:?}"),
        }
    }

    fn own(&mut self) -> Place<u64> {
        let place = self.load();
        assert!(matches!(place, Place::Own { .. }), "{place:?}");
        place
    }

    fn serves(&mut self) -> (Vec<u8>, bool) {
        match open(self, &POLICY).next {
            Next::Serve { stale } => {
                let found = self.found().shown();
                let Some(Value::Bytes(text)) = found else { panic!("{found:?}") };
                (text.to_vec(), stale)
            }
            other => panic!("{other:?}"),
        }
    }

    fn close(&mut self, place: &Place<u64>, text: &'static str) {
        close(self, &POLICY, place, End::Keep(Item::Value(Value::Bytes(text.as_bytes()))));
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
    }
}

impl Store for Model {
    type Token = u64;

    fn read(&mut self) -> Result<Option<Seen<u64>>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.found = self.holds().cloned();
        let left = u32::try_from(self.left()).unwrap().max(1);
        let stands_in = self.stands_in;
        Ok(self.found.as_ref().map(|entry| Seen { token: entry.cas, left, stands_in }))
    }

    fn found(&self) -> Wire<'_> {
        let entry = self.found.as_ref().expect("something was read");
        Wire { data: &entry.data, flags: entry.flags }
    }

    fn put(&mut self, over: Option<u64>, wire: Wire<'_>, ttl: u32) -> Result<bool, Fault> {
        self.puts += 1;
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.holds().map(|entry| entry.cas) != over {
            return Ok(false);
        }
        self.cas += 1;
        let ends_ms = if ttl == 0 { u64::MAX } else { self.now_ms + u64::from(ttl) * 1_000 };
        self.entry = Some(Entry { data: wire.data.to_vec(), flags: wire.flags, cas: self.cas, ends_ms });
        self.lost.take().map_or(Ok(true), Err)
    }

    fn held_off(&mut self) -> bool {
        if self.held.is_empty() { false } else { self.held.remove(0) }
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn sleep(&mut self, ms: u64) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        let (due, later) = std::mem::take(&mut self.events).into_iter().partition(|event| event.0 <= now_ms);
        self.events = later;
        let due: Vec<Event> = due;
        due.into_iter().for_each(|event| event.1(self));
    }

    fn random(&mut self) -> u64 {
        self.random += 1;
        self.random
    }
}

#[test]
fn a_missing_entry_is_loaded_once_and_kept_for_its_time_and_the_stale_time() {
    let mut model = Model::default();
    let place = model.own();
    model.close(&place, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
    assert!((1_550..=1_650).contains(&model.left()), "{}", model.left());
}

#[test]
fn a_value_read_before_an_invalidation_is_not_kept_after_it() {
    for entry in [None, Some(600)] {
        let mut model = entry.map_or_else(Model::default, |left| Model::with(b"first", left));
        let place = model.own();
        // The loader has read the source and is paused here.
        model.invalidate();
        model.close(&place, "old");
        assert!(model.holds().is_none(), "nothing old is stored");
        let another = model.own();
        model.close(&place, "old");
        assert!(matches!(model.item(), Some(Item::Loading(_))), "nor over another loader's place");
        model.close(&another, "new");
        assert_eq!(model.serves(), (b"new".to_vec(), false));
    }
}

#[test]
fn the_others_wait_for_the_loader_and_get_what_it_stored() {
    let mut model = Model::default();
    let _place = model.own();
    model.events.push((300, |model| model.put_value(b"loaded", 1_600)));
    let opened = open(&mut model, &POLICY);
    assert!(opened.waited && matches!(opened.next, Next::Serve { stale: false }));
    assert!((300..=320).contains(&model.now_ms), "{}", model.now_ms);
}

#[test]
fn a_dead_loaders_place_is_taken_over_when_its_time_is_over() {
    let mut model = Model::default();
    let dead = model.own();
    let place = model.own();
    assert!((2_000..=2_020).contains(&model.now_ms), "{}", model.now_ms);
    model.close(&dead, "late");
    assert!(matches!(model.item(), Some(Item::Loading(_))), "the dead one stores nothing");
    model.close(&place, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
}

#[test]
fn who_waited_long_enough_loads_for_himself_and_stores_nothing() {
    let mut model = Model::default();
    let policy = Policy { wait_ms: 100, ..POLICY };
    let _place = model.own();
    let puts = model.puts;
    let Next::Load(alone @ Place::Alone) = open(&mut model, &policy).next else { panic!() };
    assert!((100..=120).contains(&model.now_ms), "{}", model.now_ms);
    model.close(&alone, "mine");
    assert_eq!(model.puts, puts);
}

#[test]
fn past_its_time_one_loads_and_the_others_are_served_stale() {
    let mut model = Model::with(b"old", 600);
    let place = model.own();
    assert_eq!(model.left(), 600, "the old value lives as long as before");
    for _ in 0..3 {
        assert_eq!(model.serves(), (b"old".to_vec(), true));
    }
    model.close(&place, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
}

#[test]
fn before_its_time_is_over_one_loads_and_the_others_are_served_fresh() {
    let mut model = Model::with(b"old", 601);
    model.random = 98;
    let place = model.own();
    assert_eq!(model.serves(), (b"old".to_vec(), false));
    model.close(&place, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
}

#[test]
fn a_source_that_fails_leaves_the_stale_value_and_is_left_alone_for_a_while() {
    let mut model = Model::with(b"old", 500);
    for round in 1..4 {
        let place = model.own();
        let Place::Own { old: Some(old), .. } = &place else { panic!() };
        assert_eq!((old.wire().data, old.stale), (&b"old"[..], true), "what its caller gets");
        close(&mut model, &POLICY, &place, End::Failed);
        assert_eq!(model.serves(), (b"old".to_vec(), true));
        model.pass(2_000);
        assert_eq!(model.left(), 500 - 2 * round, "it does not live longer than it would have");
    }
}

#[test]
fn a_loader_killed_while_it_loads_anew_loses_nothing() {
    let mut model = Model::with(b"old", 500);
    let _dead = model.own();
    model.pass(1_000);
    assert_eq!(model.serves(), (b"old".to_vec(), true));
    model.pass(1_000);
    let place = model.own();
    model.close(&place, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
}

#[test]
fn a_source_that_fails_without_a_stale_value_is_told_to_those_who_waited_and_asked_again_by_the_next() {
    let mut model = Model::default();
    let place = model.own();
    model.events.push((100, |model| {
        let Some(Entry { cas, .. }) = model.entry else { panic!() };
        close(model, &POLICY, &Place::Own { token: cas, old: None }, End::Failed);
    }));
    assert!(matches!(open(&mut model, &POLICY).next, Next::Failed));
    let next = model.own();
    model.close(&place, "late");
    model.close(&next, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
}

#[test]
fn what_is_not_to_be_kept_lets_those_who_waited_load_for_themselves() {
    let mut model = Model::default();
    let _place = model.own();
    model.events.push((100, |model| {
        let Some(Entry { cas, .. }) = model.entry else { panic!() };
        close(model, &POLICY, &Place::Own { token: cas, old: None }, End::Uncached);
    }));
    assert!(matches!(model.load(), Place::Alone));
    model.own();
}

#[test]
fn without_a_cache_the_caller_loads_for_himself() {
    for (fault, down) in [(Fault::Down, true), (Fault::Wire("timeout"), true), (Fault::KeyTooLong, false)] {
        let mut model = Model { fault: Some(fault), ..Model::default() };
        let place = model.load();
        assert_eq!(matches!(place, Place::Down), down, "{fault:?}");
        assert!(down || matches!(place, Place::Alone));
    }
}

#[test]
fn a_place_whose_taking_was_not_confirmed_is_held_if_it_is_there() {
    let mut model = Model { lost: Some(Fault::Ambiguous), ..Model::default() };
    let place = model.own();
    model.close(&place, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
}

#[test]
fn an_entry_that_is_none_of_ours_is_loaded_over() {
    let mut model = Model::with(b"\x07what", 500);
    model.entry.as_mut().unwrap().flags = FRAME;
    let place = model.own();
    model.close(&place, "new");
    assert_eq!(model.serves(), (b"new".to_vec(), false));
}

#[test]
fn at_a_stand_in_nothing_is_past_its_time() {
    let mut model = Model { stands_in: true, ..Model::with(b"here", 60) };
    assert_eq!(model.serves(), (b"here".to_vec(), false));
}

#[test]
fn nothing_is_kept_too_but_shorter() {
    let mut model = Model::default();
    let place = model.own();
    close(&mut model, &POLICY, &place, End::Keep(Item::Nothing));
    assert!(matches!(open(&mut model, &POLICY).next, Next::Serve { stale: false }));
    assert_eq!(model.item(), Some(Item::Nothing));
    assert!((648..=652).contains(&model.left()), "{}", model.left());
}

fn fill(model: &mut Model, claim: &Claim<u64>, text: &'static str) -> bool {
    close(model, &POLICY, &claim.place, End::Keep(Item::Value(Value::Bytes(text.as_bytes()))))
}

#[test]
fn who_fills_a_table_takes_the_place_of_what_is_missing() {
    let mut model = Model::default();
    let claim = claim(&mut model, &POLICY).unwrap().expect("a place");
    assert!(matches!(model.item(), Some(Item::Loading(_))), "others see that it is being loaded");
    assert!(fill(&mut model, &claim, "row"));
    assert_eq!(model.item(), Some(Item::Value(Value::Bytes(b"row"))));
}

#[test]
fn what_lies_there_serves_until_it_is_replaced_and_nothing_newer_is_overwritten() {
    let mut model = Model::with(b"old", 1_000);
    let first = claim(&mut model, &POLICY).unwrap().expect("a place");
    assert_eq!(model.item(), Some(Item::Value(Value::Bytes(b"old"))));
    assert!(fill(&mut model, &first, "row"));
    let second = claim(&mut model, &POLICY).unwrap().expect("a place");
    model.put_value(b"newer", 1_000);
    assert!(!fill(&mut model, &second, "read before"));
    assert_eq!(model.item(), Some(Item::Value(Value::Bytes(b"newer"))));
}

#[test]
fn a_row_read_before_an_invalidation_does_not_fill_its_place() {
    for mut model in [Model::default(), Model::with(b"old", 1_000)] {
        let claim = claim(&mut model, &POLICY).unwrap().expect("a place");
        model.invalidate();
        assert!(!fill(&mut model, &claim, "read before") && model.item().is_none());
    }
}

#[test]
fn a_loader_at_work_is_left_alone_and_a_store_that_is_away_is_told() {
    let mut model = Model::default();
    model.own();
    assert!(claim(&mut model, &POLICY).unwrap().is_none());
    model.fault = Some(Fault::Down);
    assert_eq!(claim(&mut model, &POLICY).unwrap_err(), Fault::Down);
}

#[test]
fn what_lies_there_for_ever_is_not_written_again() {
    const KEPT: Policy = Policy { fresh: 0, ..POLICY };
    let mut model = Model::default();
    let item = |text: &'static str| Item::Value(Value::Bytes(text.as_bytes()));
    let missing = claim(&mut model, &KEPT).unwrap().expect("a place");
    assert!(!missing.holds(&KEPT, item("row")));
    for (left, policy, text, want) in
        [(0, KEPT, "row", true), (0, KEPT, "other", false), (9, KEPT, "row", false), (0, POLICY, "row", false)]
    {
        let old = Some(Old { entry: item("row").to_wire(&mut Vec::new()).into(), stale: false });
        let claim = Claim { place: Place::Own { token: 1_u64, old }, lasting: left == 0 };
        assert_eq!(claim.holds(&policy, item(text)), want, "{left} {text}");
    }
}

#[test]
fn what_is_loaded_soon_after_an_invalidation_is_not_kept() {
    // The mark was there before the place was taken, or came between.
    for held in [vec![true], vec![false, true]] {
        for entry in [None, Some(600)] {
            let mut model = entry.map_or_else(Model::default, |left| Model::with(b"first", left));
            model.held = held.clone();
            let place = model.load();
            assert!(matches!(place, Place::Alone), "{place:?}");
            model.close(&place, "of a replica");
            assert_eq!(model.item().and_then(Item::shown), entry.map(|_| Value::Bytes(b"first")), "{held:?}");
        }
    }
    let mut model = Model { held: vec![false, true], ..Model::default() };
    model.load();
    assert!(!open(&mut model, &POLICY).waited, "the place was given back");
}

#[test]
fn a_table_is_not_filled_with_what_was_invalidated_soon_before() {
    for entry in [None, Some(600)] {
        let mut model = entry.map_or_else(Model::default, |left| Model::with(b"first", left));
        model.held = vec![true];
        assert!(claim(&mut model, &POLICY).unwrap().is_none());
        assert_eq!(model.item().and_then(Item::shown), entry.map(|_| Value::Bytes(b"first")));
        assert!(claim(&mut model, &POLICY).unwrap().is_some(), "its time is over");
    }
}
